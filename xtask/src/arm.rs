//! Tests on a 64-bit ARM processor, emulated by qemu, and the same containers there as here.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use crate::command::{command, finish};

const TARGET: &str = "aarch64-unknown-linux-gnu";
const LINKER: &str = "aarch64-linux-gnu-gcc";
const EMULATOR: &str = "qemu-aarch64";
/// Where Debian's cross compiler has ARM's C library.
const LIBRARIES: &str = "/usr/aarch64-linux-gnu";

/// What computes.
const CRATES: [&str; 5] = [
    "underdrawing-conv",
    "underdrawing-jpeg",
    "underdrawing-net",
    "underdrawing-codec",
    "underdrawing",
];

/// Arguments of `hide`, and whether the container is the same to the last byte on every processor.
/// Networks compute in an order of the processor's own: a sample may differ by one.
const WAYS: [(&str, &[&str], bool); 7] = [
    ("fast.png", &["--effort", "fast"], true),
    ("normal.png", &["--effort", "normal"], true),
    ("best.png", &["--effort", "best"], true),
    ("equal.png", &["--balance", "equal"], true),
    ("robust.png", &["--survive", "75"], true),
    ("robust.jpg", &["--survive", "90"], true),
    ("network.png", &["--method", "network"], false),
];

/// Runs the tests of what computes, then hides and reveals by both programs and compares.
pub(crate) fn test(root: &Path) -> anyhow::Result<()> {
    let missing = [LINKER, EMULATOR]
        .into_iter()
        .find(|tool| Command::new(tool).arg("--version").output().is_err());
    if let Some(tool) = missing {
        bail!(
            "{tool} is missing; on Debian: apt-get install gcc-aarch64-linux-gnu qemu-user, and \
             rustup target add {TARGET}"
        );
    }
    let mut tests = vec!["test", "--release", "--target", TARGET, "--lib", "--tests"];
    tests.extend(CRATES.iter().flat_map(|name| ["-p", name]));
    cargo(root, &tests)?;
    cargo(root, &["build", "--release", "--target", TARGET])?;
    cargo(root, &["build", "--release"])?;
    compare(root)
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let runner = format!("{EMULATOR} -L {LIBRARIES}");
    let mut command = command(root, "cargo", arguments);
    command
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", LINKER)
        .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
    finish(command).map(drop)
}

/// Hides by both programs; each reveals what the other has hidden.
fn compare(root: &Path) -> anyhow::Result<()> {
    let target = root.join("target");
    let here = || command(root, target.join("release/underdrawing"), &[]);
    let there = || {
        let mut command = command(root, EMULATOR, &["-L", LIBRARIES]);
        command.arg(target.join(TARGET).join("release/underdrawing"));
        command
    };
    let demo = root.join("crates/underdrawing-cli/demo");
    let out = target.join("arm");
    std::fs::create_dir_all(&out)?;
    for (name, options, same) in WAYS {
        let files = [("here", &here as &dyn Fn() -> Command), ("there", &there)]
            .map(|(side, program)| (out.join(format!("{side}-{name}")), program));
        for (container, program) in &files {
            let mut hide = program();
            hide.arg("hide")
                .args([demo.join("cover.png"), demo.join("secret.png")])
                .args(["--quiet", "--force", "-o"])
                .arg(container)
                .args(options);
            finish(hide)?;
        }
        let [(hidden_here, _), (hidden_there, _)] = &files;
        difference(&here, [hidden_here, hidden_there], same)?;

        let revealed = [&hidden_there, &hidden_here].map(|container| revealed_name(container));
        for ((container, program), to) in [hidden_there, hidden_here]
            .into_iter()
            .zip([&here as &dyn Fn() -> Command, &there])
            .zip(&revealed)
        {
            let mut reveal = program();
            reveal.arg("reveal").arg(container);
            reveal.args(["--quiet", "--force", "-o"]).arg(to);
            finish(reveal)?;
        }
        // What the networks reveal, and what they restore, may differ by one.
        let exact = same && !name.starts_with("robust");
        difference(&here, [&revealed[0], &revealed[1]], exact)?;
    }
    Ok(())
}

fn revealed_name(container: &Path) -> PathBuf {
    container.with_extension("revealed.png")
}

/// Fails unless the files are the same, or nearly.
fn difference(program: &dyn Fn() -> Command, files: [&Path; 2], exact: bool) -> anyhow::Result<()> {
    let [here, there] = files;
    if std::fs::read(here)? == std::fs::read(there)? {
        return Ok(());
    }
    let names = format!("{} and {}", here.display(), there.display());
    ensure!(!exact, "{names} differ");
    let mut compare = program();
    compare.args(["compare", "--json"]).args(files);
    compare.stdout(Stdio::piped());
    let figures: serde_json::Value = serde_json::from_slice(&finish(compare)?)
        .with_context(|| format!("{names}: no comparison"))?;
    let largest = figures["max_difference"]
        .as_u64()
        .with_context(|| format!("{names}: the comparison says {figures}"))?;
    ensure!(largest <= 1, "{names} differ by up to {largest}");
    Ok(())
}
