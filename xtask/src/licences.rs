//! The licences of what is compiled into the program.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::command::output;

/// Beginnings of names of files that hold a licence, in capitals.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// None for packages of this workspace.
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Deserialize)]
struct Kind {
    /// None where the package's code is linked.
    kind: Option<String>,
}

/// Names and licences of the packages in the program, then the texts, each once.
pub(crate) fn of_program(root: &Path, target: &str) -> anyhow::Result<String> {
    let arguments = ["metadata", "--locked", "--format-version", "1"];
    let platform = ["--filter-platform", target];
    let metadata = output(root, env!("CARGO"), &[&arguments[..], &platform].concat())?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("metadata of cargo")?;
    let linked = linked(&metadata)?;
    let mut list = String::new();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let others = metadata.packages.iter().filter(|p| p.source.is_some());
    for package in others.filter(|p| linked.contains(&*p.id)) {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see its text");
        let _ = writeln!(list, "{name}: {licence}");
        for text in package.texts()? {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    let mut all = format!(
        "underdrawing contains these packages, whose authors and licences are named here.\n\n{list}"
    );
    for (text, names) in texts {
        let _ = write!(all, "\n{:-<78}\n{}\n\n{text}\n", "", names.join(", "));
    }
    Ok(all)
}

/// Ids of the program's packages.
fn linked(metadata: &Metadata) -> anyhow::Result<BTreeSet<&str>> {
    let program = metadata
        .packages
        .iter()
        .find(|p| p.name == "underdrawing-cli");
    let mut linked = BTreeSet::new();
    let mut left = vec![&*program.context("the program's package")?.id];
    while let Some(id) = left.pop() {
        if !linked.insert(id) {
            continue;
        }
        let node = metadata.resolve.nodes.iter().find(|node| node.id == id);
        for dependency in &node.context("a package that cargo has resolved")?.deps {
            if dependency.dep_kinds.iter().any(|kind| kind.kind.is_none()) {
                left.push(&dependency.pkg);
            }
        }
    }
    Ok(linked)
}

impl Package {
    fn texts(&self) -> anyhow::Result<Vec<String>> {
        let folder = self.manifest_path.parent().context("a file in a folder")?;
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().to_uppercase();
            if entry.path().is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
                files.push(entry.path());
            }
        }
        files.sort();
        let read = |file: PathBuf| {
            let text = fs::read_to_string(&file)
                .with_context(|| format!("failed to read {}", file.display()))?;
            // Lines end alike, so that equal texts are equal.
            let lines: Vec<&str> = text.trim().lines().map(str::trim_end).collect();
            Ok(lines.join("\n"))
        };
        files.into_iter().map(read).collect()
    }
}
