//! The table of docs/dependencies.md: what a fresh build compiles, how long, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Deserialize;

/// Packages that take less have no row of their own.
const SHORTEST_ROW: f64 = 1.0;

/// A unit of Cargo's report on a build.
#[derive(Deserialize)]
struct Unit {
    name: String,
    version: String,
    /// Seconds.
    duration: f64,
}

/// Builds the program in a folder of its own and writes the table.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let target = root.join("target/dependencies");
    if target.exists() {
        std::fs::remove_dir_all(&target).context("failed to remove the last build")?;
    }
    let build = ["build", "--release", "--timings", "-p", "underdrawing-cli"];
    cargo(root, &build, &[("CARGO_TARGET_DIR", target.as_path())])?;
    let report = target.join("cargo-timings/cargo-timing.html");
    let report = std::fs::read_to_string(&report).context("failed to read Cargo's report")?;
    let seconds = seconds(&report)?;
    let tree = ["tree", "-e", "normal,build", "-p", "underdrawing-cli"];
    let tree = cargo(root, &[&tree[..], &["--prefix", "depth"]].concat(), &[])?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let table = table(&seconds, &parents(&tree), &reasons(&manifest));
    std::fs::write(root.join("docs/dependencies.md"), table).context("failed to write the table")
}

/// Seconds by package, all its units together.
fn seconds(report: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let start = report
        .find("const UNIT_DATA = ")
        .context("a report without units")?;
    let json = &report[start + "const UNIT_DATA = ".len()..];
    let end = json.find("];").context("a report without units")? + 1;
    let units: Vec<Unit> = serde_json::from_str(&json[..end])?;
    let mut seconds = BTreeMap::new();
    for unit in units {
        let package = format!("{} {}", unit.name, unit.version);
        *seconds.entry(package).or_default() += unit.duration;
    }
    Ok(seconds)
}

/// Of each package the first one that brings it in, as `cargo tree` prints them.
fn parents(tree: &str) -> BTreeMap<String, String> {
    let mut parents = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    for line in tree.lines() {
        let digits = line.chars().take_while(char::is_ascii_digit).count();
        let Ok(depth) = line[..digits].parse::<usize>() else {
            continue;
        };
        let mut words = line[digits..].split_whitespace();
        let (Some(name), Some(version)) = (words.next(), words.next()) else {
            continue;
        };
        path.truncate(depth);
        let package = format!("{name} {}", version.trim_start_matches('v'));
        if let Some(parent) = path.last() {
            parents.entry(package.clone()).or_insert(parent.clone());
        }
        path.push(package);
    }
    parents
}

/// Why each direct dependency is there: the comment behind its line in the manifest.
fn reasons(manifest: &str) -> BTreeMap<&str, &str> {
    let entries = manifest.lines().filter_map(|line| {
        let (name, rest) = line.split_once(" = ")?;
        let (_, reason) = rest.split_once(" # ").or_else(|| rest.split_once("# "))?;
        Some((name, reason.trim()))
    });
    entries.collect()
}

fn table(
    seconds: &BTreeMap<String, f64>,
    parents: &BTreeMap<String, String>,
    reasons: &BTreeMap<&str, &str>,
) -> String {
    let total: f64 = seconds.values().sum();
    let names: BTreeSet<&str> = seconds.keys().map(|package| name(package)).collect();
    let mut table = format!(
        "# Dependencies\n\nWhat `cargo build --release` compiles for the program: {} packages, {total:.0} \
         seconds one after the other. Written by `cargo xtask dependencies`; the reasons are the \
         comments in `Cargo.toml`.\n\n| package | seconds | why |\n|---|---|---|\n",
        names.len()
    );
    let mut rows: Vec<_> = seconds.iter().collect();
    rows.sort_by(|a, b| b.1.total_cmp(a.1).then(a.0.cmp(b.0)));
    let mut rest = 0.0;
    for (package, duration) in rows {
        if *duration < SHORTEST_ROW {
            rest += duration;
            continue;
        }
        let why = match (reasons.get(name(package)), parents.get(package)) {
            (Some(reason), _) => (*reason).to_owned(),
            (None, _) if package.starts_with("underdrawing") => "this project".to_owned(),
            (None, Some(parent)) => format!("by way of {}", name(parent)),
            (None, None) => String::new(),
        };
        let _ = writeln!(table, "| {package} | {duration:.1} | {why} |");
    }
    let _ = writeln!(
        table,
        "| all others | {rest:.1} | below {SHORTEST_ROW} second each |"
    );
    table
}

fn name(package: &str) -> &str {
    package.split(' ').next().unwrap_or_default()
}

/// Runs Cargo; what it printed.
fn cargo(root: &Path, arguments: &[&str], variables: &[(&str, &Path)]) -> anyhow::Result<String> {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .envs(variables.iter().copied())
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .context("failed to start cargo")?;
    if !output.status.success() {
        bail!("cargo {} ended with {}", arguments.join(" "), output.status);
    }
    String::from_utf8(output.stdout).context("cargo printed no text")
}
