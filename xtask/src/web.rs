//! The page: building it into a folder that any server of static files can serve, and testing it in
//! a browser.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::python::{self, Fresh};

/// Where the page is, from the root.
const PAGE: &str = "crates/underdrawing-web";

/// What the module is compiled for.
const TARGET: &str = "wasm32-unknown-unknown";

/// The built-in models that are not inside the module: fetched when a container names them.
const OLD_MODELS: [&str; 4] = ["lifting-1", "lifting-2", "lifting-3", "lifting-4"];

/// Where Chromium may be, besides what `CHROMIUM` says.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// Builds the page into `dist/`; the folder.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let module = format!("target/{TARGET}/web/underdrawing_web.wasm");
    let profile = ["--profile", "web", "--target", TARGET];
    let package = ["build", "--locked", "--package", "underdrawing-web"];
    cargo(root, &[&package[..], &profile].concat())?;
    let dist = root.join("dist");
    if dist.exists() {
        fs::remove_dir_all(&dist).context("failed to remove the last page")?;
    }
    fs::create_dir_all(dist.join("models")).context("failed to make dist/")?;
    let bind = ["run", "--quiet", "--release", "--package", "xtask"];
    let bind_to = ["--features", "bind", "--bin", "bind", "--", &module, "dist"];
    cargo(root, &[&bind[..], &bind_to].concat())?;
    for file in files(&root.join(PAGE).join("page"))? {
        copy(&root.join(PAGE).join("page").join(&file), &dist.join(&file))?;
    }
    let mut kept = files(&dist)?;
    for name in OLD_MODELS {
        let file = format!("{name}.safetensors");
        let model = root.join("crates/underdrawing/models").join(&file);
        copy(&model, &dist.join("models").join(&file))?;
    }
    kept.retain(|file| file != "sw.js");
    write_service_worker(&dist, &kept)?;
    Ok(dist)
}

/// Tests the page in Chromium, against the program.
pub(crate) fn test(root: &Path, dist: &Path) -> anyhow::Result<()> {
    let browser = browser()?;
    let program = ["build", "--release", "--package", "underdrawing-cli"];
    cargo(root, &program)?;
    let tests = root.join(PAGE).join("tests");
    let python = python::environment(&root.join("target/web/test"), Fresh::No)?;
    let requirements = tests.join("requirements.txt").display().to_string();
    let install = ["-m", "pip", "install", "--quiet", "-r", &requirements];
    python::run(root, &python, &install, &[])?;
    let program = root.join("target/release/underdrawing");
    let variables = [
        ("CHROMIUM", browser.as_path()),
        ("DIST", dist),
        ("UNDERDRAWING", &program),
    ];
    python::run(&tests, &python, &["-m", "pytest", "-q"], &variables)
}

/// The files of a folder, without those of its folders, in order.
fn files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("no {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().into_string();
            names.push(name.map_err(|name| anyhow::anyhow!("{name:?} is no text"))?);
        }
    }
    names.sort();
    Ok(names)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let copied = fs::copy(from, to);
    copied.with_context(|| format!("failed to copy {}", from.display()))?;
    Ok(())
}

/// Writes into the service worker what the page consists of, and a name for just that.
fn write_service_worker(dist: &Path, kept: &[String]) -> anyhow::Result<()> {
    let path = dist.join("sw.js");
    let mut script = fs::read_to_string(&path).context("failed to read sw.js")?;
    let mut digest = Digest::new();
    let mut list = String::from("'./'");
    for file in kept {
        digest.add(file.as_bytes());
        digest.add(&fs::read(dist.join(file)).with_context(|| format!("failed to read {file}"))?);
        write!(list, ", '{file}'")?;
    }
    digest.add(script.as_bytes());
    for (empty, full) in [
        (
            "const VERSION = '';",
            format!("const VERSION = '{:016x}';", digest.value),
        ),
        ("const FILES = [];", format!("const FILES = [{list}];")),
    ] {
        ensure!(script.contains(empty), "sw.js has no line `{empty}`");
        script = script.replace(empty, &full);
    }
    fs::write(&path, script).context("failed to write sw.js")
}

/// FNV-1a: a name for a state of the page, which nobody has to trust.
struct Digest {
    value: u64,
}

impl Digest {
    fn new() -> Self {
        Self {
            value: 0xcbf2_9ce4_8422_2325,
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.value = (self.value ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Chromium, or a browser like it.
fn browser() -> anyhow::Result<PathBuf> {
    if let Some(browser) = std::env::var_os("CHROMIUM") {
        return Ok(browser.into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found = std::env::split_paths(&path)
        .flat_map(|folder| BROWSERS.map(|name| folder.join(name)))
        .filter(|program| program.is_file());
    match found.next() {
        Some(program) => Ok(program),
        None => bail!("no browser: expected chromium in PATH, or its path in CHROMIUM"),
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(root)
        .status()
        .context("failed to start cargo")?;
    if !status.success() {
        bail!("cargo {} ended with {status}", arguments.join(" "));
    }
    Ok(())
}
