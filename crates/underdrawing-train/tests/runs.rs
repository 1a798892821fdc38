//! Whole runs on small pictures: that networks learn, and that a run can be stopped, resumed and
//! saved from harm.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod workplace;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use underdrawing::{Model, TrainingRecord};
use underdrawing_net::{Architecture, CpuEngine, LiftingNetConfig, Networks};
use underdrawing_train::{
    Event, NetworkKind, RunPaths, Schedule, TrainConfig, TrainError, TrainSettings, Trainer,
    Validation,
};

use workplace::{Workplace, last_model, small};

/// Runs until `stop_at` steps are done; the validations on the way.
fn run(trainer: &mut Trainer, stop_at: u64) -> Vec<Validation> {
    let mut validations = Vec::new();
    trainer
        .run(|event| {
            match event {
                Event::Validated(figures) => validations.push(figures),
                Event::Step { step, .. } if step == stop_at => return ControlFlow::Break(()),
                _ => {}
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    validations
}

#[test]
fn the_lifting_network_learns_and_leaves_a_whole_run_folder() {
    let place = Workplace::new();
    let paths = place.paths("run");
    let mut trainer = Trainer::start(small(60), None, &paths, CpuEngine::default()).unwrap();
    let validations = run(&mut trainer, u64::MAX);
    let (first, last) = (validations[0], validations[validations.len() - 1]);
    let sum = |v: &Validation| v.container_mse + v.revealed_mse;
    assert!(sum(&last) < 0.7 * sum(&first), "{first:?} {last:?}");
    assert!(
        last.container_psnr_db > 18.0 && last.revealed_psnr_db > 12.0,
        "{last:?}"
    );

    for file in [
        "config.toml",
        "run.toml",
        "events.jsonl",
        "curves.svg",
        "learning-rate.svg",
        "last.checkpoint",
        "sheets/0000060.png",
        "worst.png",
        "tensorboard",
    ] {
        assert!(paths.out.join(file).exists(), "{file} is missing");
    }
    worst_pairs_are_the_worst(&paths, &last);
    let model = last_model(&paths);
    assert_eq!((model.training().steps, model.training().seed), (60, 1));
    // The settings in the folder repeat the run.
    let text = fs::read_to_string(paths.out.join("config.toml")).unwrap();
    let settings: TrainSettings = toml::from_str(&text).unwrap();
    assert_eq!(settings.resolve().unwrap(), small(60));
}

/// Of the log's last list: both pairs, the worse one first, and their means are the validation's.
fn worst_pairs_are_the_worst(paths: &RunPaths, validation: &Validation) {
    let log = fs::read_to_string(paths.out.join("events.jsonl")).unwrap();
    let events = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut worst = events.filter(|event: &serde_json::Value| event["event"] == "worst");
    let worst = worst.next_back().unwrap();
    let pairs = worst["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 2);
    let figures = |pair: &serde_json::Value| {
        ["container_psnr_db", "revealed_psnr_db"].map(|name| pair[name].as_f64().unwrap())
    };
    let [first, second] = [figures(&pairs[0]), figures(&pairs[1])];
    assert!(first[0].min(first[1]) < second[0].min(second[1]), "{worst}");
    let mean = (first[0] + second[0]) / 2.0;
    assert!(
        (mean - validation.container_psnr_db).abs() < 1e-9,
        "{worst}"
    );
    let cover = pairs[0]["cover"].as_str().unwrap();
    assert!(
        ["0.png", "2.png"].iter().any(|name| cover.ends_with(name)),
        "{worst}"
    );
}

#[test]
fn a_resumed_run_ends_in_the_same_model_as_one_that_never_stopped() {
    for network in [NetworkKind::Lifting, NetworkKind::Unet2018] {
        let config = TrainConfig {
            network,
            depth: 2,
            reveal_width: 4,
            schedule: Schedule::Plateau,
            ..small(30)
        };
        let place = Workplace::new();
        let (whole, stopped) = (place.paths("whole"), place.paths("stopped"));
        run(
            &mut Trainer::start(config.clone(), None, &whole, CpuEngine::default()).unwrap(),
            u64::MAX,
        );
        run(
            &mut Trainer::start(config, None, &stopped, CpuEngine::default()).unwrap(),
            13,
        );
        assert_eq!(last_model(&stopped).training().steps, 13);
        assert_ne!(last_model(&stopped).id(), last_model(&whole).id());
        run(
            &mut Trainer::resume(&stopped.out, CpuEngine::default()).unwrap(),
            u64::MAX,
        );
        assert_eq!(
            last_model(&stopped).id(),
            last_model(&whole).id(),
            "{network:?}"
        );
    }
}

#[test]
fn a_run_begins_with_the_weights_of_a_model_and_says_so() {
    let place = Workplace::new();
    let first = place.paths("first");
    run(
        &mut Trainer::start(small(10), None, &first, CpuEngine::default()).unwrap(),
        u64::MAX,
    );
    let model = last_model(&first);
    // Stopped before its first checkpoint of its own, and gone on with.
    let second = place.paths("second");
    let gentle = TrainConfig {
        learning_rate: 1e-9,
        ..small(3)
    };
    Trainer::start(gentle, Some(&model), &second, CpuEngine::default()).unwrap();
    run(
        &mut Trainer::resume(&second.out, CpuEngine::default()).unwrap(),
        u64::MAX,
    );
    let begun = last_model(&second);
    assert_eq!(begun.training().from, Some(model.id().to_string()));
    let values = |model: &Model| {
        let params = model.networks().params().iter();
        params
            .flat_map(|param| param.values.clone())
            .collect::<Vec<f32>>()
    };
    let steps = values(&begun).into_iter().zip(values(&model));
    let longest = steps.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(longest > 0.0 && longest < 1e-6, "{longest}");

    let other = TrainConfig {
        width: 16,
        ..small(3)
    };
    let error = Trainer::start(
        other,
        Some(&model),
        &place.paths("third"),
        CpuEngine::default(),
    );
    let text = error.err().unwrap().to_string();
    assert!(
        text.contains(r#""width":16"#) && text.contains(r#""width":8"#),
        "{text}"
    );
    assert!(!place.paths("third").out.exists());

    let plain = Architecture::Lifting(LiftingNetConfig {
        blocks: 2,
        width: 8,
        shaping: false,
    });
    let plain = Model::new(Networks::new(plain, 5), TrainingRecord::default());
    let fourth = place.paths("fourth");
    let mut trainer =
        Trainer::start(small(2), Some(&plain), &fourth, CpuEngine::default()).unwrap();
    run(&mut trainer, u64::MAX);
    assert_eq!(
        last_model(&fourth).training().from,
        Some(plain.id().to_string())
    );
}

#[test]
fn a_run_is_not_started_over_another() {
    let place = Workplace::new();
    let paths = place.paths("run");
    Trainer::start(small(5), None, &paths, CpuEngine::default()).unwrap();
    let error = Trainer::start(small(5), None, &paths, CpuEngine::default())
        .err()
        .unwrap();
    assert!(matches!(error, TrainError::RunExists(_)), "{error}");
}

#[test]
fn what_is_left_of_an_older_run_does_not_come_back() {
    let place = Workplace::new();
    let paths = place.paths("run");
    run(
        &mut Trainer::start(small(6), None, &paths, CpuEngine::default()).unwrap(),
        u64::MAX,
    );
    fs::remove_file(paths.out.join("config.toml")).unwrap();
    Trainer::start(small(3), None, &paths, CpuEngine::default()).unwrap();
    let mut steps = Vec::new();
    let mut trainer = Trainer::resume(&paths.out, CpuEngine::default()).unwrap();
    trainer
        .run(|event| {
            if let Event::Step { step, .. } = event {
                steps.push(step);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(steps, [1, 2, 3]);
}

#[test]
fn a_loss_that_explodes_stops_the_run_and_keeps_the_last_good_checkpoint() {
    let place = Workplace::new();
    let paths = place.paths("run");
    run(
        &mut Trainer::start(small(200), None, &paths, CpuEngine::default()).unwrap(),
        20,
    );
    let checkpoint = paths.out.join("last.checkpoint");
    let good = fs::read(&checkpoint).unwrap();
    // The same run with a learning rate that no network survives.
    let config = paths.out.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let text = text.replace("learning_rate = 0.004", "learning_rate = 0.9");
    let text = text.replace("clip_norm = 1.0", "clip_norm = 0.0");
    fs::write(&config, text).unwrap();
    let error = Trainer::resume(&paths.out, CpuEngine::default())
        .unwrap()
        .run(|_| ControlFlow::Continue(()))
        .unwrap_err();
    assert!(matches!(error, TrainError::Diverged { .. }), "{error}");
    assert!(error.to_string().contains("last.checkpoint"), "{error}");
    assert!(
        fs::read(&checkpoint).unwrap() == good,
        "the checkpoint changed"
    );
}

#[test]
fn folders_that_cannot_be_trained_on_are_named() {
    let place = Workplace::new();
    let missing = RunPaths {
        train: place.folder.path().join("nothing"),
        ..place.paths("run")
    };
    let error = Trainer::start(small(5), None, &missing, CpuEngine::default())
        .err()
        .unwrap();
    assert!(error.to_string().contains("nothing"), "{error}");
    let too_few = TrainConfig {
        batch_size: 10,
        ..small(5)
    };
    let error = Trainer::start(too_few, None, &place.paths("run"), CpuEngine::default())
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .ends_with("holds 8 readable pictures: expected at least 10, the batch size"),
        "{error}"
    );
    assert!(!Path::new(&place.paths("run").out).exists());
}
