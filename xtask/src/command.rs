//! Other programs.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs a program in a folder.
pub(crate) fn run(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
    finish(command(folder, program, arguments), program, arguments).map(drop)
}

/// Runs a program in a folder; what it printed.
pub(crate) fn output(folder: &Path, program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = command(folder, program, arguments);
    command.stdout(Stdio::piped());
    let bytes = finish(command, program, arguments)?;
    String::from_utf8(bytes).with_context(|| format!("{program} printed no text"))
}

fn command(folder: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder);
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    // What is packed has the same bytes whenever that is.
    command.env("SOURCE_DATE_EPOCH", "0");
    command
}

fn finish(mut command: Command, program: &str, arguments: &[&str]) -> anyhow::Result<Vec<u8>> {
    let output = command
        .output()
        .with_context(|| format!("failed to start {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} {} ended with {}",
            arguments.join(" "),
            output.status
        );
    }
    Ok(output.stdout)
}
