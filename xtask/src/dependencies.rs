//! The table of docs/dependencies.md: what a fresh build compiles, how long, and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, bail};

use crate::command::{output, run};

/// Packages that take less have no row of their own.
const SHORTEST_ROW: f64 = 1.0;

/// Runs rustc, and adds the processor time that it took to a list. What Cargo's own report has is
/// the time on the clock, which on a busy machine says nothing.
const TIMED: &str = r#"#!/usr/bin/env bash
TIMEFORMAT="%U %S"
{ took=$( { time "$@" 1>&4 2>&3; } 2>&1 ); } 3>&2 4>&1
status=$?
[ -z "${CARGO_PKG_NAME:-}" ] || echo "$CARGO_PKG_NAME $CARGO_PKG_VERSION $took" >> "$0.list"
exit $status
"#;

/// Builds the program in a folder of its own and writes the table.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let target = root.join("target/dependencies");
    if target.exists() {
        std::fs::remove_dir_all(&target).context("failed to remove the last build")?;
    }
    std::fs::create_dir_all(&target)?;
    let timed = target.join("timed");
    std::fs::write(&timed, TIMED).context("failed to write what measures")?;
    let name = timed.display().to_string();
    run(root, "chmod", &["u+x", &name])?;
    let target = format!("CARGO_TARGET_DIR={}", target.display());
    let wrapper = format!("RUSTC_WRAPPER={name}");
    let build = [
        env!("CARGO"),
        "build",
        "--release",
        "-p",
        "underdrawing-cli",
    ];
    run(root, "env", &[&[&*target, &*wrapper], &build[..]].concat())?;
    let list = std::fs::read_to_string(timed.with_file_name("timed.list"))
        .context("failed to read the times")?;
    let tree = ["tree", "-e", "normal,build", "-p", "underdrawing-cli"];
    let tree = output(
        root,
        env!("CARGO"),
        &[&tree[..], &["--prefix", "depth"]].concat(),
    )?;
    let manifest = std::fs::read_to_string(root.join("Cargo.toml"))?;
    let table = table(&seconds(&list)?, &parents(&tree), &reasons(&manifest));
    std::fs::write(root.join("docs/dependencies.md"), table).context("failed to write the table")
}

/// Seconds by package, user and system time of all its units together.
fn seconds(list: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    let mut seconds = BTreeMap::new();
    for line in list.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, version, user, system] = words[..] else {
            bail!("a time that is none: {line}");
        };
        let took = user.parse::<f64>()? + system.parse::<f64>()?;
        *seconds.entry(format!("{name} {version}")).or_default() += took;
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
         seconds of processor time. Written by `cargo xtask dependencies`; the reasons are the \
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_package_are_added() {
        let found = seconds("a 1.0.0 1.500 0.250\nb 2.1.0 3.000 0.000\na 1.0.0 0.250 0.000\n");
        let expected = [("a 1.0.0".to_owned(), 2.0), ("b 2.1.0".to_owned(), 3.0)];
        assert_eq!(found.unwrap(), expected.into());
        assert!(seconds("a 1.0.0 bash: command not found").is_err());
    }
}
