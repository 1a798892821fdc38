//! `mpirun -n N underdrawing train`: runs of several processes against runs of one, stopped, killed
//! and resumed. Open MPI's `mpirun` has to be there.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use common::{Folder, Ran};

/// More ranks than cores, as root, and in containers that forbid processes to look into each other.
const MPIRUN: &str = "OMPI_MCA_btl_vader_single_copy_mechanism=none \
                      mpirun --allow-run-as-root --oversubscribe";

/// Seven pairs a step, which neither two nor three ranks share evenly.
const TINY: &str = "--train train --val val --size 16 --batch-size 14 --width 4 \
                    --sheet-every 0 --threads 1";

fn pictures() -> Folder {
    let folder = Folder::new();
    for i in 0..14 {
        folder.picture(&format!("train/{i}.png"), 24, 20, i);
    }
    for i in 0..2 {
        folder.picture(&format!("val/{i}.png"), 20, 24, 20 + i);
    }
    folder
}

/// A run of so many ranks.
fn on_ranks(folder: &Folder, n: usize, arguments: &str) -> Ran {
    folder.shell(&format!("{MPIRUN} -n {n} \"$U\" {arguments}"))
}

/// Errors of all steps, in the order of the lines: container's and revealed picture's.
fn errors(ran: &Ran) -> Vec<f64> {
    let steps = ran
        .json()
        .into_iter()
        .filter(|event| event["event"] == "step");
    let errors = steps.flat_map(|event| {
        ["container_mse", "revealed_mse"].map(|name| event[name].as_f64().unwrap())
    });
    errors.collect()
}

#[test]
fn ranks_train_what_one_process_trains_and_the_same_bytes_each_time() {
    let folder = pictures();
    for network in ["--depth 1", "--network 2018 --depth 2 --reveal-width 4"] {
        let line = format!("train {TINY} {network} --steps 8 --validate-every 4 --json --out");
        let name = |what: &str| format!("{what}{}", network.len());
        let alone = folder.run(&format!("{line} {}", name("alone"))).done();
        let alone = errors(&alone);
        for n in [2, 3] {
            let out = name(&format!("ranks{n}-"));
            let ran = on_ranks(&folder, n, &format!("{line} {out}")).done();
            // Rank 0 alone tells: one line an event.
            let told = errors(&ran);
            assert_eq!(told.len(), alone.len(), "{ran:?}");
            for (found, expected) in told.iter().zip(&alone) {
                let apart = 10.0 * (found / expected).log10().abs();
                assert!(apart < 0.01, "{n} ranks: {apart} dB");
            }
            assert!(
                ran.stderr.contains(&format!("8 steps, {n} ranks")),
                "{ran:?}"
            );
            on_ranks(&folder, n, &format!("{line} {out}again")).done();
            let checkpoint = |out: &str| folder.read(&format!("{out}/last.checkpoint"));
            assert!(checkpoint(&out) == checkpoint(&format!("{out}again")));
        }
    }
}

#[test]
fn what_one_rank_cannot_do_ends_all() {
    let folder = pictures();
    let refused = |n: usize, arguments: &str, expected: &str| {
        let before = folder.names();
        let ran = on_ranks(&folder, n, arguments);
        assert_ne!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stderr.matches("error: ").count(), 1, "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
        assert_eq!(folder.names(), before, "{ran:?}");
    };
    refused(
        8,
        &format!("train {TINY} --out run"),
        "too small for 8 ranks",
    );
    refused(2, "train --resume nosuch", "failed to resume nosuch");
    // The second rank sees pictures of its own.
    for i in 0..14 {
        folder.picture(&format!("other/train/{i}.png"), 24, 21, i);
    }
    let line = format!("train {TINY} --out run");
    let root = folder.path("other");
    let ran = folder.shell(&format!(
        "{MPIRUN} -n 1 \"$U\" {line} : -n 1 -wdir {} \"$U\" {line}",
        root.display()
    ));
    assert_ne!(ran.code, Some(0), "{ran:?}");
    let expected = "error: rank 1 cannot train with the others: it has 14 pictures in train";
    assert!(ran.stderr.contains(expected), "{ran:?}");
    assert!(!folder.path("run").exists());
}

/// A run under way, its stderr in a file.
struct UnderWay<'a> {
    folder: &'a Folder,
    mpirun: Child,
    log: PathBuf,
}

impl<'a> UnderWay<'a> {
    fn begin(folder: &'a Folder, log: &str, n: usize, arguments: &str) -> Self {
        let log = folder.path(log);
        let line = format!("exec env {MPIRUN} -n {n} \"$U\" {arguments}");
        let mpirun = Command::new("sh")
            .args(["-c", &line])
            .env("U", env!("CARGO_BIN_EXE_underdrawing"))
            .current_dir(folder.path("."))
            .stdin(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Self {
            folder,
            mpirun,
            log,
        }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits until it has said so.
    #[track_caller]
    fn wait_for(&mut self, words: &str) {
        let since = Instant::now();
        while !self.said().contains(words) {
            let ended = self.mpirun.try_wait().unwrap();
            let late = since.elapsed() > Duration::from_secs(120);
            assert!(ended.is_none() && !late, "`{words}`: {}", self.said());
            sleep(Duration::from_millis(20));
        }
    }

    /// The process of a rank.
    fn rank(&self, rank: usize) -> u32 {
        let wanted = format!("OMPI_COMM_WORLD_RANK={rank}");
        let program = fs::canonicalize(env!("CARGO_BIN_EXE_underdrawing")).unwrap();
        let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
            let path = entry.ok()?.path();
            let id: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let environment = fs::read(path.join("environ")).ok()?;
            let mut variables = environment.split(|b| *b == 0);
            let same = fs::read_link(path.join("exe")).ok()? == program;
            let here = fs::read_link(path.join("cwd")).ok()?
                == self.folder.path(".").canonicalize().ok()?;
            (same && here && variables.any(|v| v == wanted.as_bytes())).then_some(id)
        });
        processes.into_iter().next().expect("the rank runs")
    }

    fn signal(&self, signal: &str, process: u32) {
        let line = format!("kill -{signal} {process}");
        let killed = Command::new("sh").args(["-c", &line]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits for the end; whether all went well, and what was said.
    fn end(mut self, within: Duration) -> (bool, String) {
        let since = Instant::now();
        loop {
            if let Some(status) = self.mpirun.try_wait().unwrap() {
                return (status.success(), self.said());
            }
            assert!(since.elapsed() < within, "still running: {}", self.said());
            sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn a_killed_rank_ends_all_and_other_ranks_resume() {
    let folder = pictures();
    let line = format!(
        "train {TINY} --depth 1 --out run --steps 1000000 --validate-every 20 --checkpoint-every 0"
    );
    let mut run = UnderWay::begin(&folder, "killed", 3, &line);
    run.wait_for("step 40:");
    run.signal("KILL", run.rank(1));
    let (well, said) = run.end(Duration::from_secs(20));
    assert!(!well, "{said}");
    assert!(
        said.contains("the last good checkpoint is run/last.checkpoint"),
        "{said}"
    );

    // Two ranks go on; the starter is asked to stop them, and one of them is.
    for (log, to_starter) in [("asked", true), ("told", false)] {
        let mut run = UnderWay::begin(&folder, log, 2, "train --resume run");
        run.wait_for("ranks\nstep ");
        let first = run.said();
        let first = first
            .lines()
            .find(|line| line.starts_with("step "))
            .unwrap();
        let step: u64 = first["step ".len()..]
            .split(':')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        assert!(step > 40, "{first}");
        match to_starter {
            true => run.signal("USR1", run.mpirun.id()),
            false => run.signal("TERM", run.rank(1)),
        }
        let (well, said) = run.end(Duration::from_secs(30));
        assert!(well, "{said}");
        assert!(said.contains("stopped and saved at step "), "{said}");
    }
    // And one process, which would go on for ever.
    let ran = folder.shell(
        "\"$U\" train --resume run 2>log & pid=$!; \
         until grep -q '^step ' log; do sleep 0.05; done; kill -USR1 $pid; wait $pid",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
