//! Python in environments of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

/// Whether an environment that is there stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    Yes,
    No,
}

/// The Python of an environment, made where it is not there.
pub(crate) fn environment(folder: &Path, fresh: Fresh) -> anyhow::Result<PathBuf> {
    let python = folder.join(if cfg!(windows) {
        "Scripts/python.exe"
    } else {
        "bin/python"
    });
    if fresh == Fresh::Yes || !python.exists() {
        let system = Path::new(if cfg!(windows) { "python" } else { "python3" });
        make(system, folder, &[])?;
    }
    Ok(python)
}

/// The Python of an environment that is made anew and has all that the Python at `system` has.
pub(crate) fn environment_upon(system: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    make(system, folder, &["--system-site-packages"])?;
    environment(folder, Fresh::No)
}

fn make(system: &Path, folder: &Path, options: &[&str]) -> anyhow::Result<()> {
    let name = folder.display().to_string();
    let command = [&["-m", "venv", "--clear"], options, &[&name]].concat();
    run(Path::new("."), system, &command, &[])
}

/// Runs Python in a folder.
pub(crate) fn run(
    folder: &Path,
    python: &Path,
    arguments: &[&str],
    variables: &[(&str, &Path)],
) -> anyhow::Result<()> {
    let status = Command::new(python)
        .args(arguments)
        .current_dir(folder)
        // Nothing of the caller's own environment.
        .env_remove("PYTHONPATH")
        .env_remove("PYTHONHOME")
        .env("PIP_DISABLE_PIP_VERSION_CHECK", "1")
        .envs(variables.iter().copied())
        .status()
        .with_context(|| format!("failed to start {}", python.display()))?;
    if !status.success() {
        bail!("python {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
