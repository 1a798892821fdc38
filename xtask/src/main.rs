//! The project's chores: `cargo xtask check` runs what CI runs.

mod dependencies;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["check"] => run("bash", &[".ci/run"]),
        ["dependencies"] => dependencies::write(Path::new(ROOT)),
        ["help"] => {
            use std::io::Write as _;
            writeln!(std::io::stdout(), "{COMMANDS}").context("failed to write")
        }
        _ => bail!("expected a command\n{COMMANDS}"),
    }
}

const COMMANDS: &str = "check         format, tests, clippy, docs, demo: what CI runs\ndependencies  builds the program anew and writes docs/dependencies.md\nhelp          this list";

/// The root of the repository.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

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
