//! The project's chores: `cargo xtask check` runs what CI runs.

mod arm;
mod command;
mod dependencies;
mod dist;
mod licences;
mod pack;
mod python;
mod web;
mod wheel;

use std::path::Path;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let root = &Path::new(ROOT).canonicalize()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => command::run(root, "bash", &[".ci/run"]),
        ["arm"] => arm::test(root),
        ["dependencies"] => dependencies::write(root),
        ["mpi"] => mpi(root),
        ["dist"] => say(dist::build(root)?.display()),
        ["dist", "--test"] => {
            let files = dist::build(root)?;
            dist::test(root, &files)
        }
        ["pack"] => say(pack::pack(root, pack::Verify::No)?),
        ["pack", "--verify"] => say(pack::pack(root, pack::Verify::Yes)?),
        ["web"] => say(web::build(root)?.display()),
        ["web", "--test"] => {
            let dist = web::build(root)?;
            web::test(root, &dist)
        }
        ["wheel"] => {
            let wheel = wheel::build(root, wheel::Profile::Wheel)?;
            say(wheel.display())
        }
        ["wheel", "--test"] => {
            let wheel = wheel::build(root, wheel::Profile::Release)?;
            wheel::test(root, &wheel)
        }
        ["help"] => say(COMMANDS),
        _ => bail!("expected a command\n{COMMANDS}"),
    }
}

const COMMANDS: &str = "\
check         format, tests, clippy, docs, demo, packages, MPI, wheel, page: what CI runs
arm           tests what computes on an emulated 64-bit ARM processor, and compares its files
dependencies  builds the program anew and writes docs/dependencies.md
dist          builds a static program for Linux, in an archive and in a Debian package
dist --test   builds them, uses them, installs and removes the package
pack          packs every crate as it is published, and looks into the packages
pack --verify packs them, and compiles what is in the packages
mpi           training on several ranks: clippy, and tests under Open MPI's mpirun
web           builds the page into dist/, for any server of static files
web --test    builds it, and runs its tests in Chromium
wheel         builds the Python package as it is published
wheel --test  builds it for tests, installs it in an environment of its own, and runs them
help          this list";

/// Checks what the feature `mpi` brings.
fn mpi(root: &Path) -> anyhow::Result<()> {
    let program = ["--release", "-p", "underdrawing-cli", "--features", "mpi"];
    let clippy = ["--all-targets", "--", "-D", "warnings"];
    let cargo = |arguments: &[&str]| command::run(root, "cargo", arguments);
    cargo(&[&["clippy"], &program[..], &clippy].concat())?;
    cargo(&[&["test"], &program[..], &["--test", "mpi"]].concat())
}

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn say(text: impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "{text}").context("failed to write")
}
