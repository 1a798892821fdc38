//! The Python package: building it, and testing it in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::python::{Fresh, environment, environment_upon, run};

/// What builds wheels; the version is that of `pyproject.toml`.
const MATURIN: &str = "maturin==1.16.0";

/// Where the package is, from the root.
const PACKAGE: &str = "crates/underdrawing-python";

/// How a wheel is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// As it is published.
    Wheel,
    /// With what other builds have compiled already.
    Release,
}

/// Builds the wheel into `target/wheel/<profile>`; its path.
pub(crate) fn build(root: &Path, profile: Profile) -> anyhow::Result<PathBuf> {
    let name = match profile {
        Profile::Wheel => "wheel",
        Profile::Release => "release",
    };
    let folder = root.join("target/wheel");
    let tools = environment(&folder.join("tools"), Fresh::No)?;
    run(
        root,
        &tools,
        &["-m", "pip", "install", "--quiet", MATURIN],
        &[],
    )?;
    let out = folder.join(name);
    if out.exists() {
        std::fs::remove_dir_all(&out).context("failed to remove the last wheel")?;
    }
    let manifest = format!("{PACKAGE}/Cargo.toml");
    let out_name = out.display().to_string();
    let build = [
        "-m",
        "maturin",
        "build",
        "--locked",
        "--profile",
        name,
        "--manifest-path",
        &manifest,
        "--out",
        &out_name,
    ];
    run(root, &tools, &build, &[])?;
    let wheel = std::fs::read_dir(&out)
        .context("maturin has written nothing")?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"));
    wheel.context("maturin has written no wheel")
}

/// Installs the wheel where nothing else is, and runs its tests and checks of types.
pub(crate) fn test(root: &Path, wheel: &Path) -> anyhow::Result<()> {
    let python = environment(&root.join("target/wheel/test"), Fresh::Yes)?;
    let package = root.join(PACKAGE);
    install(&package, &python, wheel, &["-r", "tests/requirements.txt"])?;
    run(&package, &python, &["-m", "pytest", "-q", "-rs"], &[])?;
    run(
        &package,
        &python,
        &["-m", "mypy.stubtest", "underdrawing._native"],
        &[],
    )?;
    run(
        &package,
        &python,
        &["-m", "mypy", "--strict", "python/underdrawing", "tests"],
        &[],
    )?;
    test_torch(root, wheel)
}

/// Tests `underdrawing.torch` with a PyTorch that is there: the registry's has gigabytes.
fn test_torch(root: &Path, wheel: &Path) -> anyhow::Result<()> {
    let system = std::env::var_os("TORCH_PYTHON").unwrap_or_else(|| "/usr/bin/python3".into());
    let system = Path::new(&system);
    let found = Command::new(system).args(["-c", "import torch"]).output();
    if !found.is_ok_and(|found| found.status.success()) {
        return crate::say(format_args!(
            "underdrawing.torch is not tested: {} has no PyTorch; apt-get install python3-torch, \
             or name another Python in TORCH_PYTHON",
            system.display()
        ));
    }
    let python = environment_upon(system, &root.join("target/wheel/torch"))?;
    let package = root.join(PACKAGE);
    // Beside that PyTorch's own numpy.
    install(
        &package,
        &python,
        wheel,
        &["pytest==9.0.2", "pillow==12.0.0"],
    )?;
    run(
        &package,
        &python,
        &["-m", "pytest", "-q", "tests/test_torch.py"],
        &[],
    )
}

fn install(package: &Path, python: &Path, wheel: &Path, others: &[&str]) -> anyhow::Result<()> {
    let wheel = wheel.display().to_string();
    let install = [&["-m", "pip", "install", "--quiet", &wheel], others].concat();
    run(package, python, &install, &[])
}
