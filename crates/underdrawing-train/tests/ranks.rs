//! Runs of several ranks and of batches in parts, against runs of one process. Ranks are threads
//! here; `underdrawing-cli/tests/mpi.rs` has them as processes.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../../underdrawing-net/agreement/thread_ranks.rs"]
mod thread_ranks;
mod workplace;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use underdrawing_net::{CpuEngine, Ranks};
use underdrawing_train::{
    Event, NetworkKind, RunPaths, Schedule, TrainConfig, TrainError, Trainer,
};

use thread_ranks::{ThreadRanks, on_ranks};
use workplace::{Workplace, last_model, small};

/// Container's and revealed pictures' errors and the learning rate of each step, or why it ended.
type Told = Result<Vec<[f64; 3]>, TrainError>;

/// What each of `n` ranks tells of a run, which rank 0 starts with settings or resumes; `stop` breaks a rank off after a step.
fn train(
    n: usize,
    config: Option<&TrainConfig>,
    paths: &RunPaths,
    stop: impl Fn(usize, u64) -> bool + Sync,
) -> Vec<Told> {
    on_ranks(n, |ranks: ThreadRanks| {
        let rank = ranks.rank();
        let ranks: Rc<dyn Ranks> = Rc::new(ranks);
        let engine = CpuEngine::default();
        let mut trainer = match config {
            _ if rank > 0 => Trainer::join(ranks, engine)?,
            Some(config) => Trainer::start_on(ranks, config.clone(), None, paths, engine)?,
            None => Trainer::resume_on(ranks, &paths.out, engine)?,
        };
        let mut told = Vec::new();
        trainer.run(|event| {
            if let Event::Step {
                step,
                container_mse,
                revealed_mse,
                learning_rate,
                ..
            } = event
            {
                told.push([container_mse, revealed_mse, learning_rate]);
                if stop(rank, step) {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        Ok(told)
    })
}

/// A run from its start to its end; what rank 0 tells, which the others tell as well.
fn whole(n: usize, config: &TrainConfig, paths: &RunPaths) -> Vec<[f64; 3]> {
    let told = train(n, Some(config), paths, |_, _| false);
    let mut told = told.into_iter().map(Result::unwrap);
    let first = told.next().unwrap();
    assert!(
        told.all(|other| other == first),
        "ranks tell different figures"
    );
    first
}

/// The largest difference of two runs' errors, in dB.
fn apart(a: &[[f64; 3]], b: &[[f64; 3]]) -> f64 {
    assert_eq!(a.len(), b.len());
    let steps = a.iter().zip(b);
    let differences = steps.flat_map(|(a, b)| [0, 1].map(|i| 10.0 * (a[i] / b[i]).log10().abs()));
    differences.fold(0.0, f64::max)
}

/// Seven pairs a batch: shares differ in size.
fn seven_pairs(steps: u64) -> TrainConfig {
    TrainConfig {
        batch_size: 14,
        schedule: Schedule::Plateau,
        // A rate that falls within the run, by what rank 0 has validated.
        hiding_patience: 0,
        validate_every: 1,
        learning_rate: 8e-3,
        noise: 0.01,
        ..small(steps)
    }
}

fn with_fourteen_pictures() -> Workplace {
    let place = Workplace::new();
    for i in 0..8 {
        let train = place.folder.path().join("train");
        fs::copy(
            train.join(format!("{i}.png")),
            train.join(format!("{i}b.png")),
        )
        .unwrap();
    }
    place
}

#[test]
fn ranks_train_the_network_that_one_process_trains() {
    let place = with_fourteen_pictures();
    let config = seven_pairs(24);
    let alone = whole(1, &config, &place.paths("1"));
    assert!(alone[23][2] < alone[10][2], "the plateau lowers no rate");
    for n in [2, 3, 7] {
        let together = whole(n, &config, &place.paths(&format!("{n}")));
        let apart = apart(&alone, &together);
        // Photographs gave 6e-6: only the order of sums differs.
        assert!(apart < 0.001, "{n} ranks: {apart} dB");
    }
}

#[test]
fn the_2018_networks_normalise_over_all_ranks() {
    let place = Workplace::new();
    let config = TrainConfig {
        network: NetworkKind::Unet2018,
        reveal_width: 4,
        batch_size: 8,
        ..small(6)
    };
    let alone = whole(1, &config, &place.paths("1"));
    for n in [2, 3] {
        let together = whole(n, &config, &place.paths(&format!("{n}")));
        let apart = apart(&alone, &together);
        assert!(apart < 0.01, "{n} ranks: {apart} dB");
    }
}

#[test]
fn so_many_ranks_give_the_same_bytes_each_time() {
    let place = with_fourteen_pictures();
    let [first, second] = ["first", "second"].map(|name| {
        let paths = place.paths(name);
        whole(3, &seven_pairs(8), &paths);
        fs::read(paths.out.join("last.checkpoint")).unwrap()
    });
    assert!(first == second);
}

#[test]
fn a_batch_in_parts_is_the_whole_batch() {
    let place = with_fourteen_pictures();
    let config = seven_pairs(16);
    let alone = whole(1, &config, &place.paths("whole"));
    for (n, accumulate) in [(1, 2), (1, 7), (2, 3)] {
        let config = TrainConfig {
            accumulate,
            ..config.clone()
        };
        let out = format!("{n}-{accumulate}");
        let in_parts = whole(n, &config, &place.paths(&out));
        let apart = apart(&alone, &in_parts);
        assert!(apart < 0.01, "{n} ranks, {accumulate} parts: {apart} dB");
    }
}

#[test]
fn a_rank_that_stops_stops_all_and_others_go_on() {
    let place = with_fourteen_pictures();
    let config = seven_pairs(24);
    let paths = place.paths("run");
    let told = train(3, Some(&config), &paths, |rank, step| {
        (rank, step) == (1, 9)
    });
    for told in told {
        // The others know with the next step.
        assert_eq!(told.unwrap().len(), 10);
    }
    assert_eq!(last_model(&paths).training().steps, 10);
    let rest = train(2, None, &paths, |_, _| false);
    let rest = rest.into_iter().map(Result::unwrap).next().unwrap();
    let unbroken = whole(1, &config, &place.paths("unbroken"));
    let apart = apart(&unbroken[10..], &rest);
    assert!(apart < 0.01, "{apart} dB");
    assert_eq!(last_model(&paths).training().steps, 24);
}

#[test]
fn a_loss_that_is_no_number_ends_all_ranks() {
    let place = Workplace::new();
    let paths = place.paths("run");
    let config = TrainConfig {
        learning_rate: 0.9,
        clip_norm: 0.0,
        ..small(200)
    };
    let told = train(2, Some(&config), &paths, |_, _| false);
    for told in told {
        let error = told.unwrap_err();
        assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
        assert!(error.to_string().contains("last.checkpoint"), "{error}");
        assert!(error.is_of_all_ranks());
    }
}

#[test]
fn runs_that_cannot_be_end_on_all_ranks() {
    let place = Workplace::new();
    let paths = place.paths("run");
    let refused = |n: usize, config: TrainConfig, paths: &RunPaths| {
        let told = train(n, Some(&config), paths, |_, _| false);
        assert!(!Path::new(&paths.out).exists());
        let errors = told.into_iter().map(Result::unwrap_err);
        errors.map(|error| error.to_string()).collect::<Vec<_>>()
    };
    let no_room = refused(3, small(2), &paths);
    let expected = "a batch of 2 pairs is too small for 3 ranks that take their share in 1 parts: \
                    expected at least 3";
    assert_eq!(
        no_room,
        [expected, "rank 0 could not begin", "rank 0 could not begin"]
    );
    let missing = RunPaths {
        train: place.folder.path().join("nothing"),
        ..paths
    };
    let no_pictures = refused(2, small(2), &missing);
    assert!(no_pictures[0].contains("nothing"), "{no_pictures:?}");
    assert_eq!(no_pictures[1], "rank 0 could not begin");
}
