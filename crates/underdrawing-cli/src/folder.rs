//! Folders of pictures: which files count, in which order, and what goes with what.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use underdrawing::FileFormat;

use crate::output::{Ui, error_with_hint, shown};

/// The pictures at `path`: itself if it is a file or `-`, else the folder's pictures by name. What
/// is no picture that is read, by its name, is skipped and counted.
pub(crate) fn pictures_at(path: &Path, ui: &Ui) -> anyhow::Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let (files, n_folders) =
        files_in(path).with_context(|| format!("failed to read folder {}", shown(path)))?;
    if n_folders > 0 {
        ui.note(format_args!(
            "{}: {} skipped: pictures are taken from the folder itself only",
            shown(path),
            counted(n_folders, "subfolder")
        ));
    }
    let is_read = |file: &PathBuf| FileFormat::of_extension(&extension_of(file)).is_some();
    let (pictures, others): (Vec<_>, Vec<_>) = files.into_iter().partition(is_read);
    for file in &others {
        ui.detail(format_args!("skipped {}", shown(file)));
    }
    if !others.is_empty() {
        ui.note(format_args!("{}: {}", shown(path), skipped(&others)));
    }
    if pictures.is_empty() {
        bail!("{} holds no pictures", shown(path));
    }
    Ok(pictures)
}

/// How many files were skipped, and of which kinds.
fn skipped(files: &[PathBuf]) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        *kinds.entry(extension_of(file)).or_default() += 1;
    }
    let kinds: Vec<_> = kinds
        .into_iter()
        .map(|(kind, n)| match kind.as_str() {
            "" => format!("{n} without extension"),
            kind => format!("{n} .{kind}"),
        })
        .collect();
    let files = counted(files.len(), "file");
    format!(
        "{files} skipped (unsupported extension): {}",
        kinds.join(", ")
    )
}

/// Whether secrets may be hidden more than once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reuse {
    /// As many secrets as covers.
    No,
    /// The same, but the user could ask for the other.
    NotAsked,
    /// Secrets start again from the first when they run out.
    Cycle,
}

/// Covers and secrets by position.
pub(crate) fn pairs(
    covers: Vec<PathBuf>,
    secrets: &[PathBuf],
    reuse: Reuse,
) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    let (n_covers, n_secrets) = (covers.len(), secrets.len());
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let counts = format!(
        "{n_covers} cover{} and {n_secrets} secret{}",
        plural(n_covers),
        plural(n_secrets)
    );
    if n_secrets > n_covers {
        return Err(error_with_hint(
            format!("{counts}: expected at most as many secrets as covers"),
            "a cover is used once, since two containers of it would show what was changed",
        ));
    }
    if n_secrets < n_covers && reuse != Reuse::Cycle {
        let error = format!("{counts}: expected equal numbers");
        return Err(match reuse {
            Reuse::NotAsked => error_with_hint(
                error,
                "--cycle uses the secrets again from the first when they run out",
            ),
            _ => anyhow::anyhow!(error),
        });
    }
    let secrets = secrets.iter().cycle().cloned();
    Ok(covers.into_iter().zip(secrets).collect())
}

/// Pictures that take turns: cover, secret, cover, secret.
pub(crate) fn alternating_pairs(pictures: &[PathBuf]) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
    if !pictures.len().is_multiple_of(2) {
        bail!(
            "found {} pictures: expected an even number (cover, secret, cover, secret by name)",
            pictures.len()
        );
    }
    Ok(pictures
        .chunks_exact(2)
        .map(|pair| (pair[0].clone(), pair[1].clone()))
        .collect())
}

/// Where each of `inputs` goes in the folder `out`: its own name with another extension.
pub(crate) fn renamed(
    inputs: &[PathBuf],
    out: &Path,
    extension: &str,
) -> anyhow::Result<Vec<PathBuf>> {
    let mut taken: BTreeMap<PathBuf, &Path> = BTreeMap::new();
    let mut paths = Vec::with_capacity(inputs.len());
    for input in inputs {
        let name = input
            .file_stem()
            .with_context(|| format!("{} has no name", shown(input)))?;
        let mut name = name.to_owned();
        name.push(".");
        name.push(extension);
        let path = out.join(name);
        if let Some(other) = taken.insert(path.clone(), input) {
            bail!(
                "{} and {} would both be written to {}",
                shown(other),
                shown(input),
                shown(&path)
            );
        }
        paths.push(path);
    }
    Ok(paths)
}

fn counted(n: usize, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
}

/// The files of a folder by name, and how many folders are in it.
fn files_in(folder: &Path) -> std::io::Result<(Vec<PathBuf>, usize)> {
    let (mut files, mut n_folders) = (Vec::new(), 0);
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden {
            continue;
        }
        if path.is_dir() {
            n_folders += 1;
        } else if path.is_file() || path.is_symlink() {
            // A link to nowhere fails when it is read: without it, all pairs behind it would shift.
            files.push(path);
        }
    }
    files.sort();
    Ok((files, n_folders))
}

/// The extension in lower case, empty if there is none.
pub(crate) fn extension_of(path: &Path) -> String {
    path.extension()
        .map(|extension| extension.to_string_lossy().to_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(names: &[&str]) -> Vec<PathBuf> {
        names.iter().map(PathBuf::from).collect()
    }

    #[test]
    fn pairs_by_position() {
        let cases = [
            ("a b", "x y", Reuse::No, Ok("ax by")),
            ("a b c", "x y", Reuse::Cycle, Ok("ax by cx")),
            ("a b", "x", Reuse::No, Err("2 covers and 1 secret:")),
            ("a", "x y", Reuse::No, Err("1 cover and 2 secrets")),
            ("a", "x y", Reuse::Cycle, Err("1 cover and 2 secrets")),
        ];
        for (covers, secrets, reuse, expected) in cases {
            let split = |names: &str| names.split(' ').map(PathBuf::from).collect::<Vec<_>>();
            let found = pairs(split(covers), &split(secrets), reuse);
            match expected {
                Ok(expected) => {
                    let names: Vec<_> = found
                        .unwrap()
                        .iter()
                        .map(|(cover, secret)| format!("{}{}", cover.display(), secret.display()))
                        .collect();
                    assert_eq!(names.join(" "), expected);
                }
                Err(expected) => {
                    let error = found.unwrap_err().to_string();
                    assert!(error.starts_with(expected), "{error}");
                }
            }
        }
    }

    #[test]
    fn refuses_an_odd_number_of_alternating_pictures() {
        assert_eq!(
            alternating_pairs(&paths(&["a", "b", "c", "d"]))
                .unwrap()
                .len(),
            2
        );
        assert!(alternating_pairs(&paths(&["a", "b", "c"])).is_err());
    }

    #[test]
    fn names_outputs_after_inputs_and_sees_collisions() {
        let out = Path::new("out");
        let named = renamed(&paths(&["in/a.jpg", "in/b.tar.gif"]), out, "png").unwrap();
        assert_eq!(named, paths(&["out/a.png", "out/b.tar.png"]));
        let error = renamed(&paths(&["in/a.jpg", "in/a.png"]), out, "png").unwrap_err();
        assert_eq!(
            error.to_string(),
            "in/a.jpg and in/a.png would both be written to out/a.png"
        );
    }

    #[test]
    fn lists_pictures_by_name_and_counts_what_it_skips() {
        let folder = tempfile::tempdir().unwrap();
        let ui = Ui::new(crate::output::Verbosity::Quiet);
        for name in ["b.PNG", "a.jpg", "notes.txt", ".hidden.png", "c.heic"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        fs::create_dir(folder.path().join("more")).unwrap();
        assert_eq!(files_in(folder.path()).unwrap().1, 1);
        let names = || -> Vec<_> {
            let pictures = pictures_at(folder.path(), &ui).unwrap();
            let name = |path: &PathBuf| path.file_name().unwrap().to_owned();
            pictures.iter().map(name).collect()
        };
        assert_eq!(names(), ["a.jpg", "b.PNG"]);
        #[cfg(unix)]
        {
            let link = folder.path().join("aa.png");
            std::os::unix::fs::symlink("nowhere.png", link).unwrap();
            assert_eq!(names(), ["a.jpg", "aa.png", "b.PNG"]);
        }
        assert_eq!(
            skipped(&paths(&["a.heic", "b.HEIC", "x", "y.psd"])),
            "4 files skipped (unsupported extension): 1 without extension, 2 .heic, 1 .psd"
        );
    }
}
