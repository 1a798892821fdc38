//! What people without Rust get: a static program for Linux in an archive, and a Debian package.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::command::{output, run};
use crate::{licences, say};

/// What the program is compiled for: it needs no library of the system.
const TARGET: &str = "x86_64-unknown-linux-musl";

/// The same for Debian.
const ARCHITECTURE: &str = "amd64";

/// Builds archive, package and checksums into `target/dist/files`; that folder.
pub(crate) fn build(root: &Path) -> anyhow::Result<PathBuf> {
    let arguments = ["build", "--locked", "--profile", "dist", "--target", TARGET];
    let package = ["--package", "underdrawing-cli"];
    run(root, env!("CARGO"), &[&arguments[..], &package].concat())?;
    let program = root.join(format!("target/{TARGET}/dist/underdrawing"));
    let out = root.join("target/dist/files");
    if out.exists() {
        fs::remove_dir_all(&out).context("failed to remove the last files")?;
    }
    fs::create_dir_all(&out)?;
    let version = version(&program)?;
    let texts = Texts::of(root, &program)?;
    let archive = archive(root, &out, &version, &program, &texts)?;
    let package = debian(root, &out, &version, &program, &texts)?;
    let sums = output(&out, "sha256sum", &[&archive, &package])?;
    fs::write(out.join("SHA256SUMS"), sums)?;
    Ok(out)
}

/// What goes beside the program, made by it.
struct Texts {
    man: String,
    /// For bash, zsh, fish.
    completions: [String; 3],
    licences: String,
}

impl Texts {
    fn of(root: &Path, program: &Path) -> anyhow::Result<Self> {
        let program = program.display().to_string();
        let generate =
            |arguments: &[&str]| output(root, &program, &[&["generate"], arguments].concat());
        Ok(Self {
            man: generate(&["man"])?,
            completions: [
                generate(&["completions", "bash"])?,
                generate(&["completions", "zsh"])?,
                generate(&["completions", "fish"])?,
            ],
            licences: licences::of_program(root, TARGET)?,
        })
    }
}

/// `underdrawing-VERSION-TARGET.tar.gz`: its name.
fn archive(
    root: &Path,
    out: &Path,
    version: &str,
    program: &Path,
    texts: &Texts,
) -> anyhow::Result<String> {
    let name = format!("underdrawing-{version}-{TARGET}");
    let folder = root.join("target/dist/archive").join(&name);
    fresh(&folder)?;
    copy(program, &folder.join("underdrawing"))?;
    for file in ["README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root.join(file), &folder.join(file))?;
    }
    write(&folder.join("LICENSES-OTHERS"), &texts.licences)?;
    write(&folder.join("man/underdrawing.1"), &texts.man)?;
    let [bash, zsh, fish] = &texts.completions;
    write(&folder.join("completions/underdrawing.bash"), bash)?;
    write(&folder.join("completions/_underdrawing"), zsh)?;
    write(&folder.join("completions/underdrawing.fish"), fish)?;
    readable(&folder)?;
    let archive = format!("{name}.tar.gz");
    // The same bytes whoever packs it, and when.
    run(
        folder.parent().context("a folder in the target folder")?,
        "tar",
        &[
            "--create",
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
            "--use-compress-program=gzip -9n",
            "--file",
            &out.join(&archive).display().to_string(),
            &name,
        ],
    )?;
    Ok(archive)
}

/// `underdrawing_VERSION-1_amd64.deb`: its name.
fn debian(
    root: &Path,
    out: &Path,
    version: &str,
    program: &Path,
    texts: &Texts,
) -> anyhow::Result<String> {
    let tree = root.join("target/dist/debian");
    fresh(&tree)?;
    let share = tree.join("usr/share");
    let documents = share.join("doc/underdrawing");
    copy(program, &tree.join("usr/bin/underdrawing"))?;
    let page = share.join("man/man1/underdrawing.1");
    write(&page, &texts.man)?;
    let changelog = documents.join("changelog");
    copy(&root.join("CHANGELOG.md"), &changelog)?;
    for file in [page, changelog] {
        run(root, "gzip", &["-9n", &file.display().to_string()])?;
    }
    let [bash, zsh, fish] = &texts.completions;
    write(
        &share.join("bash-completion/completions/underdrawing"),
        bash,
    )?;
    write(&share.join("zsh/vendor-completions/_underdrawing"), zsh)?;
    write(
        &share.join("fish/vendor_completions.d/underdrawing.fish"),
        fish,
    )?;
    write(&documents.join("copyright"), &copyright(root, texts)?)?;
    let control = tree.join("DEBIAN/control");
    write(&control, &self::control(version, kibibytes(&tree)?))?;
    readable(&tree)?;
    let name = format!("underdrawing_{version}-1_{ARCHITECTURE}.deb");
    // Files belong to root whoever packs them.
    let command = ["--root-owner-group", "-Zxz", "--build"];
    let (tree, file) = (
        tree.display().to_string(),
        out.join(&name).display().to_string(),
    );
    run(root, "dpkg-deb", &[&command[..], &[&tree, &file]].concat())?;
    Ok(name)
}

fn control(version: &str, kibibytes: u64) -> String {
    format!(
        "Package: underdrawing\n\
         Version: {version}-1\n\
         Architecture: {ARCHITECTURE}\n\
         Maintainer: underdrawing contributors <maintainers@underdrawing.invalid>\n\
         Installed-Size: {kibibytes}\n\
         Section: graphics\n\
         Priority: optional\n\
         Description: hide a full-size picture inside another picture\n \
         Hides a picture (the secret) in another one (the cover), so that the\n \
         result looks like the cover, and reveals it again from the saved file:\n \
         by a picture codec, with a password if wanted, so that it survives JPEG,\n \
         or by trained networks.\n"
    )
}

/// This project's licences and those of what is compiled in.
fn copyright(root: &Path, texts: &Texts) -> anyhow::Result<String> {
    let read = |name: &str| {
        fs::read_to_string(root.join(name)).with_context(|| format!("failed to read {name}"))
    };
    Ok(format!(
        "underdrawing is under the MIT licence or the Apache License 2.0, at your choice.\n\n\
         {}\n\n{}\n\n{}",
        read("LICENSE-MIT")?,
        read("LICENSE-APACHE")?,
        texts.licences
    ))
}

/// What both give to people: unpacked, installed and removed again, used. Root is needed to install.
pub(crate) fn test(root: &Path, files: &Path) -> anyhow::Result<()> {
    run(files, "sha256sum", &["--check", "--strict", "SHA256SUMS"])?;
    let with = |ending: &str| -> anyhow::Result<String> {
        let names =
            fs::read_dir(files)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names = names.filter(|name| name.ends_with(ending));
        names.next().with_context(|| format!("no file {ending}"))
    };
    let (archive, package) = (with(".tar.gz")?, with(".deb")?);
    let folder = root.join("target/dist/unpacked");
    fresh(&folder)?;
    let path = files.join(&archive).display().to_string();
    run(&folder, "tar", &["-xzf", &path, "--strip-components=1"])?;
    use_program(&folder, &folder.join("underdrawing"))?;
    let package = files.join(package).display().to_string();
    if !is_root()? {
        say(format_args!("{package} is not installed: that takes root"))?;
        return Ok(());
    }
    ensure!(
        !Path::new("/usr/bin/underdrawing").exists(),
        "/usr/bin/underdrawing is there already"
    );
    run(root, "dpkg", &["--install", &package])?;
    let installed = use_program(&folder, Path::new("/usr/bin/underdrawing"));
    let page = Path::new("/usr/share/man/man1/underdrawing.1.gz");
    let lists_page = output(root, "dpkg", &["--listfiles", "underdrawing"])?
        .contains("/usr/share/man/man1/underdrawing.1.gz");
    run(root, "dpkg", &["--remove", "underdrawing"])?;
    installed?;
    ensure!(lists_page, "the package has no manual page");
    for left in [
        "/usr/bin/underdrawing",
        "/usr/share/doc/underdrawing",
        "/usr/share/bash-completion/completions/underdrawing",
    ] {
        ensure!(!Path::new(left).exists(), "{left} is left behind");
    }
    ensure!(!page.exists(), "the manual page is left behind");
    Ok(())
}

/// Asks for the version, and hides and reveals.
fn use_program(folder: &Path, program: &Path) -> anyhow::Result<()> {
    version(program)?;
    let out = folder.join("demo");
    if out.exists() {
        fs::remove_dir_all(&out)?;
    }
    let (name, out) = (program.display().to_string(), out.display().to_string());
    run(folder, &name, &["demo", "--quiet", "-o", &out])
}

fn is_root() -> anyhow::Result<bool> {
    Ok(output(Path::new("."), "id", &["-u"])?.trim() == "0")
}

fn version(program: &Path) -> anyhow::Result<String> {
    let said = output(
        Path::new("."),
        &program.display().to_string(),
        &["--version"],
    )?;
    let version = said.trim().strip_prefix("underdrawing ");
    Ok(version.context("a program without a version")?.to_owned())
}

/// An empty folder.
fn fresh(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("failed to remove what was there")?;
    }
    fs::create_dir_all(folder).context("failed to make a folder")
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let failed = || format!("failed to copy {} to {}", from.display(), to.display());
    let folder = to.parent().context("a file in a folder")?;
    fs::create_dir_all(folder).with_context(failed)?;
    fs::copy(from, to).with_context(failed).map(drop)
}

fn write(to: &Path, text: &str) -> anyhow::Result<()> {
    let failed = || format!("failed to write {}", to.display());
    let folder = to.parent().context("a file in a folder")?;
    fs::create_dir_all(folder).with_context(failed)?;
    fs::write(to, text).with_context(failed)
}

/// All may read, whatever the mask of who packs.
fn readable(folder: &Path) -> anyhow::Result<()> {
    let name = folder.display().to_string();
    run(folder, "chmod", &["--recursive", "u=rwX,go=rX", &name])
}

/// Size of a folder's files, each rounded up.
fn kibibytes(folder: &Path) -> anyhow::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        sum += if entry.file_type()?.is_dir() {
            kibibytes(&entry.path())?
        } else {
            entry.metadata()?.len().div_ceil(1024)
        };
    }
    Ok(sum)
}
