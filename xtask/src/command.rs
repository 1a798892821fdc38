//! Other programs.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs a program in a folder.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    finish(command(folder, program, arguments)).map(drop)
}

/// Runs a program in a folder; what it printed.
pub(crate) fn output(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = command(folder, program, arguments);
    command.stdout(Stdio::piped());
    String::from_utf8(finish(command)?).with_context(|| format!("{program} printed no text"))
}

/// A program to run in a folder, which prints where this one does.
pub(crate) fn command(folder: &Path, program: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    // What is packed has the same bytes whenever that is.
    command.env("SOURCE_DATE_EPOCH", "0");
    command
}

/// Runs it to its end; what it printed, where that is piped.
pub(crate) fn finish(mut command: Command) -> anyhow::Result<Vec<u8>> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(OsStr::to_string_lossy).collect();
    let line = words.join(" ");
    let program = words[0].to_string();
    let output = command
        .output()
        .with_context(|| format!("failed to start {program}"))?;
    if !output.status.success() {
        bail!("{line} ended with {}", output.status);
    }
    Ok(output.stdout)
}
