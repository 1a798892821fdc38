//! The Python package: building it, and testing it in an environment of its own.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::python::{Fresh, environment, run};

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
    let wheel = wheel.display().to_string();
    let requirements = package.join("tests/requirements.txt");
    let requirements = requirements.display().to_string();
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        &wheel,
        "-r",
        &requirements,
    ];
    run(root, &python, &install, &[])?;
    run(&package, &python, &["-m", "pytest", "-q"], &[])?;
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
    )
}
