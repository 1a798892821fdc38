//! The project's chores: `cargo xtask check` runs what CI runs.

mod arm;
mod dependencies;
mod python;
mod web;
mod wheel;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => run("bash", &[".ci/run"]),
        ["arm"] => arm::test(&Path::new(ROOT).canonicalize()?),
        ["dependencies"] => dependencies::write(Path::new(ROOT)),
        ["mpi"] => mpi(),
        ["web"] => {
            let root = Path::new(ROOT).canonicalize()?;
            say(web::build(&root)?.display())
        }
        ["web", "--test"] => {
            let root = Path::new(ROOT).canonicalize()?;
            let dist = web::build(&root)?;
            web::test(&root, &dist)
        }
        ["wheel"] => {
            let root = Path::new(ROOT).canonicalize()?;
            let wheel = wheel::build(&root, wheel::Profile::Wheel)?;
            say(wheel.display())
        }
        ["wheel", "--test"] => {
            let root = Path::new(ROOT).canonicalize()?;
            let wheel = wheel::build(&root, wheel::Profile::Release)?;
            wheel::test(&root, &wheel)
        }
        ["help"] => say(COMMANDS),
        _ => bail!("expected a command\n{COMMANDS}"),
    }
}

const COMMANDS: &str = "\
check         format, tests, clippy, docs, demo, MPI, wheel, page: what CI runs
arm           tests what computes on an emulated 64-bit ARM processor, and compares its files
dependencies  builds the program anew and writes docs/dependencies.md
mpi           training on several ranks: clippy, and tests under Open MPI's mpirun
web           builds the page into dist/, for any server of static files
web --test    builds it, and runs its tests in Chromium
wheel         builds the Python package as it is published
wheel --test  builds it for tests, installs it in an environment of its own, and runs them
help          this list";

/// Checks what the feature `mpi` brings.
fn mpi() -> anyhow::Result<()> {
    let program = ["--release", "-p", "underdrawing-cli", "--features", "mpi"];
    let clippy = ["--all-targets", "--", "-D", "warnings"];
    run("cargo", &[&["clippy"], &program[..], &clippy].concat())?;
    run(
        "cargo",
        &[&["test"], &program[..], &["--test", "mpi"]].concat(),
    )
}

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{text}").context("failed to write")
}

/// Runs a program in the root of the repository.
fn run(program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(program)
        .args(arguments)
        .current_dir(ROOT)
        .status()
        .with_context(|| format!("failed to start {program}"))?;
    if !status.success() {
        bail!("{program} {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
