//! Whether every crate can be published: what is said of it, and what is in its package.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::command::output;

/// What the registry takes at most.
const MOST_BYTES: u64 = 10_000_000;

/// What every package holds.
const NEEDED: [&str; 3] = ["LICENSE-MIT", "LICENSE-APACHE", "README.md"];

/// Endings of pictures, and those whose origin and licence stand beside them.
const PICTURES: [&str; 9] = [
    "png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "heic", "jxl",
];
const KNOWN_PICTURES: [&str; 2] = ["demo/cover.png", "demo/secret.png"];

/// Whether what is packed is compiled, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verify {
    Yes,
    No,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    description: Option<String>,
    license: Option<String>,
    keywords: Vec<String>,
    categories: Vec<String>,
    /// Registries that it may go to; none at all for what is never published.
    publish: Option<Vec<String>>,
}

/// Packs all crates that are published, and looks into the packages. A line for each.
pub(crate) fn pack(root: &Path, verify: Verify) -> anyhow::Result<String> {
    let metadata = ["metadata", "--no-deps", "--format-version", "1"];
    let metadata: Metadata = serde_json::from_str(&output(root, env!("CARGO"), &metadata)?)?;
    let mut arguments = vec!["package", "--workspace", "--allow-dirty", "--quiet"];
    if verify == Verify::No {
        arguments.push("--no-verify");
    }
    let never = |package: &&Package| package.publish.as_ref().is_some_and(Vec::is_empty);
    for package in metadata.packages.iter().filter(never) {
        arguments.extend(["--exclude", &package.name]);
    }
    output(root, env!("CARGO"), &arguments)?;
    let mut lines = Vec::new();
    for package in metadata.packages.iter().filter(|package| !never(package)) {
        let stem = format!("{}-{}", package.name, package.version);
        let folder = metadata.target_directory.join("package");
        let file = folder.join(format!("{stem}.crate"));
        let bytes = std::fs::metadata(&file)
            .with_context(|| format!("{} is not packed", package.name))?
            .len();
        package.check()?;
        ensure!(bytes <= MOST_BYTES, "{stem}: {bytes} bytes are too many");
        let list = output(root, "tar", &["-tzf", &file.display().to_string()])?;
        check_files(&stem, &list)?;
        lines.push(format!(
            "{stem}: {bytes} bytes, {} files",
            list.lines().count()
        ));
    }
    Ok(lines.join("\n"))
}

impl Package {
    fn check(&self) -> anyhow::Result<()> {
        let name = &self.name;
        ensure!(self.description.is_some(), "{name}: no description");
        ensure!(self.license.is_some(), "{name}: no licence");
        ensure!(!self.keywords.is_empty(), "{name}: no keywords");
        ensure!(!self.categories.is_empty(), "{name}: no categories");
        Ok(())
    }
}

/// Files of a package, each behind the package's own folder.
fn check_files(stem: &str, list: &str) -> anyhow::Result<()> {
    let inside = |line: &'_ str| -> Option<String> {
        Some(line.strip_prefix(stem)?.strip_prefix('/')?.to_owned())
    };
    let files: Vec<String> = list.lines().filter_map(inside).collect();
    for needed in NEEDED {
        let there = files.iter().any(|file| file == needed);
        ensure!(there, "{stem}: {needed} is not in the package");
    }
    for file in &files {
        let ending = file.rsplit('.').next().unwrap_or_default();
        let is_picture = PICTURES.contains(&ending.to_lowercase().as_str());
        ensure!(
            !is_picture || KNOWN_PICTURES.contains(&file.as_str()),
            "{stem}: {file} is a picture of unknown licence"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_without_a_licence_or_with_a_strange_picture_are_refused() {
        let list = |files: &[&str]| -> String {
            let lines = files.iter().map(|file| format!("a-1.0.0/{file}\n"));
            lines.collect()
        };
        let whole = ["LICENSE-MIT", "LICENSE-APACHE", "README.md"];
        let check = |files: &[&str]| check_files("a-1.0.0", &list(files));
        assert!(check(&whole).is_ok());
        assert!(check(&whole[1..]).is_err());
        assert!(check(&[&whole[..], &["demo/cover.png"]].concat()).is_ok());
        let error = check(&[&whole[..], &["src/photo.JPG"]].concat()).unwrap_err();
        assert!(error.to_string().contains("src/photo.JPG"));
    }
}
