//! `train`: a run of a few steps, stopped, resumed, and refused.

mod common;

use common::Folder;

const TINY: &str = "--train train --val val --size 16 --batch-size 4 --width 4 --depth 1 \
                    --sheet-every 0 --validate-every 2";

fn pictures() -> Folder {
    let folder = Folder::new();
    for i in 0..6 {
        folder.picture(&format!("train/{i}.png"), 24, 20, i);
    }
    for i in 0..2 {
        folder.picture(&format!("val/{i}.png"), 20, 24, 10 + i);
    }
    folder.write("train/damaged.png", "damaged");
    folder
}

#[test]
fn trains_and_resumes() {
    let folder = pictures();
    let ran = folder
        .run(&format!("train {TINY} --out run --steps 4 --json"))
        .done();
    let events = ran.json();
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(named("started"), 1);
    assert_eq!(named("step"), 4);
    assert_eq!(named("validated"), 2);
    assert_eq!(events.last().unwrap()["event"], "finished");
    assert!(ran.stderr.contains("step 4: container "), "{ran:?}");
    assert!(ran.stderr.contains("skipped train/damaged.png"), "{ran:?}");
    // What it made is a model that hides.
    folder
        .run("hide train/1.png train/2.png -o c.png --model run/best.safetensors")
        .done();
    // A finished run has nothing left to do.
    let ran = folder.run("train --resume run").done();
    assert!(
        ran.stderr
            .contains("run was finished before, after 4 steps")
            && ran.stderr.contains("--from"),
        "{ran:?}"
    );
}

#[test]
fn a_dry_run_says_what_would_be_done_and_writes_nothing() {
    let folder = pictures();
    let before = folder.names();
    let line = format!("train {TINY} --out run --steps 9 --accumulate 2 --dry-run");
    let ran = folder.run(&line).done();
    assert!(
        ran.stdout.starts_with("pictures    7, 2 steps a pass\n"),
        "{ran:?}"
    );
    assert!(
        ran.stdout.contains("9 of 9 to go, 4 pictures each"),
        "{ran:?}"
    );
    let ran = folder.run(&format!("{line} --json")).done();
    let plan = &ran.json()[0];
    // After steps 2, 4, 6, 8 and 9.
    assert_eq!(plan["validations"], 5);
    assert_eq!(plan["validation_pairs"], 1);
    let number = |name: &str| plan[name].as_f64().unwrap();
    let expected = 9.0 * number("seconds_per_step") + 5.0 * number("seconds_per_validation");
    assert!((number("seconds") / expected - 1.0).abs() < 1e-9, "{plan}");
    // Six pictures of 24x20, some of which were decoded; the damaged one was met or not.
    let cache = number("cache_bytes") / (3.0 * 24.0 * 20.0);
    assert!((1.0..=7.0).contains(&cache), "{plan}");
    assert_eq!(folder.names(), before);
    // Of a run that is there, what is left.
    folder
        .run(&format!("train {TINY} --out run --steps 3"))
        .done();
    let before = folder.names();
    let ran = folder.run("train --resume run --dry-run --json").done();
    assert_eq!(
        (&ran.json()[0]["first_step"], &ran.json()[0]["validations"]),
        (&3.into(), &0.into())
    );
    assert_eq!(folder.names(), before);
}

#[test]
fn begins_with_a_model() {
    let folder = pictures();
    folder
        .run(&format!("train {TINY} --out first --steps 2"))
        .done();
    let line = format!("train {TINY} --out second --steps 2 --json");
    let ran = folder
        .run(&format!("{line} --from first/last.safetensors"))
        .done();
    // It is judged before the first step.
    let events = ran.json();
    let place = |name: &str| events.iter().position(|event| event["event"] == name);
    assert!(place("validated").unwrap() < place("step").unwrap());
    folder
        .run(&format!("{line} --from nosuch"))
        .failed("neither a built-in model nor a file");
    // What it is need not be said, and nothing else may be said of it.
    let start = "train --train train --val val --size 16 --batch-size 4 --steps 1 --sheet-every 0";
    folder
        .run(&format!(
            "{start} --out third --from first/last.safetensors"
        ))
        .done();
    let config = String::from_utf8(folder.read("third/config.toml")).unwrap();
    for setting in ["network = \"lifting\"", "width = 4", "depth = 1"] {
        assert!(config.lines().any(|line| line == setting), "{config}");
    }
    folder
        .run(&format!("train {TINY} --out fourth --from lifting-2"))
        .failed("--width: expected 32 as in the model to begin with, found 4");
    folder
        .run(&format!("{start} --out fourth --from lifting-2 --depth 1"))
        .failed("--depth: expected 6 as in the model to begin with, found 1");
    folder
        .run("train --resume second --from first/last.safetensors")
        .failed("--from");
}

#[test]
fn flags_go_before_the_settings_file() {
    let folder = pictures();
    folder.write("run.toml", "steps = 3\nwidth = 8\n");
    let line = "train --config run.toml --out run --quiet";
    let ran = folder.run(&format!("{line} {TINY} --seed 5")).done();
    assert_eq!(ran.stderr, "");
    let config = String::from_utf8(folder.read("run/config.toml")).unwrap();
    for setting in ["steps = 3", "width = 4", "seed = 5"] {
        assert!(
            config.lines().any(|line| line == setting),
            "{setting} in {config}"
        );
    }
    folder.write("negative.toml", "width = -1");
    folder
        .run(&format!("train --config negative.toml --out other {TINY}"))
        .failed("integer `-1`, expected a whole number from 0 up");
    folder.write("wrong.toml", "stepps = 3");
    folder
        .run(&format!("train --config wrong.toml --out other {TINY}"))
        .failed("stepps");
}

#[test]
fn refuses_runs_that_cannot_be() {
    let folder = pictures();
    folder.write("empty/readme.txt", "");
    folder
        .run(&format!("train {TINY} --out run --steps 1"))
        .done();
    folder
        .run("train --preset 2018 --width 8 --size 64 --train train --val val --out new")
        .failed("--size: expected a multiple of 128 (2^depth, at depth 7)");
    let before = folder.names();
    for (arguments, expected) in [
        (format!("train {TINY} --out run"), "run already holds a run"),
        (
            "train --resume nosuch".to_owned(),
            "failed to resume nosuch",
        ),
        (
            "train --resume run --seed 2".to_owned(),
            "a resumed run keeps its settings",
        ),
        (
            "train --train empty --val val --out new".to_owned(),
            "empty holds 0 readable pictures: expected at least 12, the batch size",
        ),
        (
            format!("train {TINY} --out new --learning-rate -1"),
            "--learning-rate: expected above 0",
        ),
    ] {
        folder.run(&arguments).failed(expected);
        assert_eq!(folder.names(), before, "{arguments}");
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_saves_and_can_be_resumed() {
    let folder = pictures();
    let line = format!("train {TINY} --out run --steps 100000");
    // Interrupted when the first validation was reported.
    let ran = folder.shell(&format!(
        "\"$U\" {line} 2>log & pid=$!; \
         until grep -q 'step 2:' log; do sleep 0.05; done; kill -INT $pid; wait $pid"
    ));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let log = String::from_utf8(folder.read("log")).unwrap();
    assert!(log.contains("stopped and saved at step "), "{log}");
    assert!(
        log.ends_with("hint: underdrawing train --resume run goes on\n"),
        "{log}"
    );
    assert!(folder.path("run/last.checkpoint").is_file());
}

#[cfg(all(unix, not(feature = "mpi")))]
#[test]
fn one_of_many_processes_is_refused_without_the_feature() {
    let folder = pictures();
    let line = format!("\"$U\" train {TINY} --out run --steps 1");
    for (starter, refused) in [
        ("OMPI_COMM_WORLD_SIZE=2", true),
        ("PMI_SIZE=3", true),
        ("PMIX_RANK=1 SLURM_NTASKS=2", true),
        ("OMPI_COMM_WORLD_SIZE=1", false),
        ("SLURM_NTASKS=2", false),
    ] {
        let ran = folder.shell(&format!("{starter} {line}"));
        match refused {
            true => drop(ran.failed("expected the Cargo feature `mpi` under mpirun")),
            false => drop(ran.done()),
        }
        let _ = std::fs::remove_dir_all(folder.path("run"));
    }
}
