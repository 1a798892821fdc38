//! Files in and out: bounded reading; writing that leaves the whole file or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::interrupt::AtWork;
use crate::output::{error_with_hint, shown};

/// Largest picture file that is read: an uncompressed 16-bit RGBA picture at the pixel limit.
pub(crate) const MAX_PICTURE_BYTES: u64 = 1 << 30;

/// Largest model file that is read: 250 million parameters in single precision.
pub(crate) const MAX_MODEL_BYTES: u64 = 1 << 30;

/// Bytes that tell what kind of file it is.
const FIRST_BYTES: u64 = 4096;

/// Whether a path on the command line means stdin or stdout.
pub(crate) fn is_stream(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A path as the user knows it.
pub(crate) fn display_name(path: &Path) -> String {
    if is_stream(path) {
        "standard input".to_owned()
    } else {
        shown(path)
    }
}

/// A path in JSON: text, or its bytes where it is no UTF-8, so that a script can open it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Name {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl Name {
    pub(crate) fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(_) if is_stream(path) => Self::Text(display_name(path)),
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes {
                bytes: path.as_os_str().as_encoded_bytes().to_vec(),
            },
        }
    }
}

/// Reads a file, or stdin for `-`, refusing more than `max_bytes`.
pub(crate) fn read(path: &Path, max_bytes: u64) -> anyhow::Result<Vec<u8>> {
    read_checked(path, max_bytes, |_| Ok(()))
}

/// [`read`] that shows the first bytes to `check` before it reads the others.
pub(crate) fn read_checked(
    path: &Path,
    max_bytes: u64,
    check: impl FnOnce(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    if is_stream(path) {
        if io::stdin().is_terminal() {
            bail!("standard input is a terminal: expected a file piped into it");
        }
        return read_from(io::stdin().lock(), 0, max_bytes, check);
    }
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        bail!("it is a folder: expected a file");
    }
    if metadata.len() > max_bytes {
        bail!(too_large(&metadata.len().to_string(), max_bytes));
    }
    read_from(file, metadata.len(), max_bytes, check)
}

fn read_from(
    mut reader: impl Read,
    expected: u64,
    max_bytes: u64,
    check: impl FnOnce(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
    reader.by_ref().take(FIRST_BYTES).read_to_end(&mut bytes)?;
    check(&bytes)?;
    // The length is only what the file system says: a device or a pipe may give more.
    reader
        .take((max_bytes + 1).saturating_sub(bytes.len() as u64))
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > max_bytes {
        bail!(too_large("more", max_bytes));
    }
    Ok(bytes)
}

fn too_large(found: &str, max_bytes: u64) -> String {
    format!("the file is too large: at most {max_bytes} bytes are read, found {found}")
}

/// The files that a command reads, which it must never write to.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// As the file system knows them, without links and dots.
    paths: BTreeSet<PathBuf>,
}

impl Inputs {
    pub(crate) fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let paths = paths
            .into_iter()
            .filter_map(|path| fs::canonicalize(path).ok());
        Self {
            paths: paths.collect(),
        }
    }

    fn contain(&self, path: &Path) -> bool {
        fs::canonicalize(path).is_ok_and(|path| self.paths.contains(&path))
    }
}

/// A file that will be written: everything that can be refused is refused before the work starts.
#[derive(Debug)]
pub(crate) struct OutputFile {
    path: PathBuf,
    force: bool,
}

impl OutputFile {
    /// Checks that `path` can be written and would not destroy anything.
    ///
    /// Refused are: one of `inputs`, an existing file (unless `force`), a folder, a path whose
    /// parent is not a folder, and behind `-` a terminal or nothing.
    pub(crate) fn new(path: &Path, force: bool, inputs: &Inputs) -> anyhow::Result<Self> {
        let output = Self {
            path: path.to_owned(),
            force,
        };
        if is_stream(path) {
            if io::stdout().is_terminal() {
                return Err(error_with_hint(
                    "refused to write a binary file to a terminal",
                    "name a file with --output, or pipe into another program",
                ));
            }
            if stdout_is_closed() {
                bail!("standard output is closed: expected a file or a program behind it");
            }
            return Ok(output);
        }
        if path.is_dir() {
            bail!(
                "cannot write {}: it is a folder, expected a file",
                shown(path)
            );
        }
        if inputs.contain(path) {
            bail!(
                "{} is an input and would be overwritten; choose another output path",
                shown(path)
            );
        }
        output.check_parent()?;
        if !force && is_regular(path) {
            return Err(already_there(path));
        }
        Ok(output)
    }

    /// The path given.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A path for `--json`.
    pub(crate) fn name(&self) -> Name {
        if is_stream(&self.path) {
            return Name::Text(self.display_name());
        }
        Name::of(&self.path)
    }

    /// A path for messages.
    pub(crate) fn display_name(&self) -> String {
        if is_stream(&self.path) {
            "standard output".to_owned()
        } else {
            shown(&self.path)
        }
    }

    /// Writes the whole file, as [`write_together`] does.
    pub(crate) fn write(&self, bytes: &[u8]) -> anyhow::Result<()> {
        write_together(&[(self, bytes)])
    }

    /// Does all of writing that can fail but for the renaming.
    fn prepare<'a>(&'a self, bytes: &'a [u8]) -> anyhow::Result<Prepared<'a>> {
        if is_stream(&self.path) || self.is_device() {
            return Ok(Prepared::Direct(self, bytes));
        }
        // So that Ctrl-C leaves no temporary file.
        let at_work = AtWork::begin();
        let path = behind_links(&self.path);
        // The kind alone: the rest names a file that nobody has asked for.
        let file = temporary_beside(&path).map_err(|error| io::Error::from(error.kind()))?;
        file.as_file().write_all(bytes)?;
        Ok(Prepared::Beside(self, file, path, at_work))
    }

    /// What a rename would replace: a device or a pipe.
    fn is_device(&self) -> bool {
        self.path.exists() && !is_regular(&self.path)
    }

    /// Where the file is or will be, without links; none for a stream or a device.
    fn place(&self) -> Option<PathBuf> {
        if is_stream(&self.path) || self.is_device() {
            return None;
        }
        let path = behind_links(&self.path);
        Some(
            fs::canonicalize(parent_of(&path))
                .ok()?
                .join(path.file_name()?),
        )
    }

    fn check_parent(&self) -> anyhow::Result<()> {
        let path = behind_links(&self.path);
        let parent = parent_of(&path);
        if parent.is_dir() {
            return Ok(());
        }
        let reason = if parent.exists() {
            "is a file, expected a folder"
        } else {
            "does not exist"
        };
        bail!(
            "cannot write {}: {} {reason}",
            shown(&self.path),
            shown(parent)
        );
    }
}

/// Bytes that are to become a file.
enum Prepared<'a> {
    /// A stream or a device.
    Direct(&'a OutputFile, &'a [u8]),
    /// A whole file beside the one that is meant, and the path of that.
    Beside(&'a OutputFile, NamedTempFile, PathBuf, AtWork),
}

impl Prepared<'_> {
    fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Direct(output, bytes) if is_stream(&output.path) => {
                let mut stdout = io::stdout().lock();
                let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
                written.map_err(|error| match error.kind() {
                    // Not the reader's good right, as it is with lines of text: half a picture is
                    // none.
                    io::ErrorKind::BrokenPipe => {
                        anyhow!("it was closed before the whole picture was written")
                    }
                    _ => error.into(),
                })
            }
            Self::Direct(output, bytes) => {
                let mut device = File::options().write(true).open(&output.path)?;
                Ok(device.write_all(bytes)?)
            }
            Self::Beside(output, file, path, _at_work) => {
                if output.force {
                    if let Ok(metadata) = fs::metadata(&path) {
                        file.as_file().set_permissions(metadata.permissions())?;
                    }
                    file.persist(&path).map_err(|e| e.error)?;
                    return Ok(());
                }
                match file.persist_noclobber(&path) {
                    Ok(_) => Ok(()),
                    Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
                        Err(already_there(&output.path))
                    }
                    Err(e) => Err(e.error.into()),
                }
            }
        }
    }
}

/// Writes whole files: each under another name beside its own first, and when all are there they are
/// renamed. So nobody ever sees half of one, and a failure leaves what was there before.
pub(crate) fn write_together(files: &[(&OutputFile, &[u8])]) -> anyhow::Result<()> {
    let failed = |output: &OutputFile| format!("failed to write {}", output.display_name());
    let mut all = Vec::with_capacity(files.len());
    for (output, bytes) in files {
        all.push(output.prepare(bytes).with_context(|| failed(output))?);
    }
    for ((output, _), prepared) in files.iter().zip(all) {
        prepared.finish().with_context(|| failed(output))?;
    }
    Ok(())
}

/// Refuses outputs that are one file by whatever names.
pub(crate) fn refuse_one_place<'a>(
    outputs: impl IntoIterator<Item = &'a OutputFile>,
) -> anyhow::Result<()> {
    let mut taken = BTreeMap::new();
    for output in outputs {
        let other = output.place().and_then(|place| taken.insert(place, output));
        if let Some(other) = other {
            bail!(
                "{} and {} are the same file: expected one for each picture",
                shown(&other.path),
                shown(&output.path)
            );
        }
    }
    Ok(())
}

/// Whether the program was started without a standard output (`>&-`). Rust opens the null device in
/// its place, for reading too, which a shell's `> /dev/null` does not. Known on Linux only.
fn stdout_is_closed() -> bool {
    const ACCESS: u32 = 0b11;
    const READ_AND_WRITE: u32 = 0b10;
    let is_null = fs::read_link("/proc/self/fd/1").is_ok_and(|to| to == Path::new("/dev/null"));
    let flags = || {
        let about = fs::read_to_string("/proc/self/fdinfo/1").ok()?;
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"))?;
        u32::from_str_radix(flags.trim(), 8).ok()
    };
    is_null && flags().is_some_and(|flags| flags & ACCESS == READ_AND_WRITE)
}

/// Makes a folder for output if it is not there.
pub(crate) fn create_folder(path: &Path) -> anyhow::Result<()> {
    if path.is_file() {
        bail!(
            "cannot write into {}: it is a file, expected a folder",
            shown(path)
        );
    }
    fs::create_dir_all(path).with_context(|| format!("failed to create folder {}", shown(path)))
}

/// Lets a write beyond `ulimit -f` fail with an error that can be reported and cleaned up after;
/// the signal that comes with it would end the program on the spot.
pub(crate) fn survive_file_size_limit() {
    #[cfg(unix)]
    {
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        // Without the handler the program is only less polite.
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
    }
}

fn already_there(path: &Path) -> anyhow::Error {
    error_with_hint(
        format!("{} exists already", shown(path)),
        "--force replaces it",
    )
}

/// The file behind symbolic links, whether it is there or not.
fn behind_links(path: &Path) -> PathBuf {
    /// As many as Linux follows.
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&path) else {
            break;
        };
        path = parent_of(&path).join(target);
    }
    path
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn is_regular(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.is_file())
}

fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".underdrawing-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As an ordinary new file: the user's umask applies to it.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(parent_of(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_in(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn reads_up_to_the_limit_and_no_further() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ten");
        fs::write(&path, [7; 10]).unwrap();
        assert_eq!(read(&path, 10).unwrap(), [7; 10]);
        let error = read(&path, 9).unwrap_err().to_string();
        assert_eq!(
            error,
            "the file is too large: at most 9 bytes are read, found 10"
        );
        for max_bytes in [100, FIRST_BYTES, 10_000] {
            let error = read_from(io::repeat(0), 0, max_bytes, |_| Ok(())).unwrap_err();
            assert!(error.to_string().ends_with("found more"), "{error}");
        }
        let error = read_from(io::repeat(0), 0, u64::MAX - 1, |_| bail!("zeros")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "zeros",
            "the check comes before the rest"
        );
    }

    #[test]
    fn never_replaces_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out");
        let first = OutputFile::new(&path, false, &Inputs::default()).unwrap();
        let second = OutputFile::new(&path, false, &Inputs::default()).unwrap();
        first.write(b"first").unwrap();
        // Checked before the file was there, written after.
        assert!(second.write(b"second").is_err());
        assert!(OutputFile::new(&path, false, &Inputs::default()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        OutputFile::new(&path, true, &Inputs::default())
            .unwrap()
            .write(b"third")
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"third");
        assert_eq!(names_in(folder.path()), ["out"], "no temporary file stays");
    }

    #[cfg(unix)]
    #[test]
    fn writes_through_links_and_keeps_permissions() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&real, &link).unwrap();
        OutputFile::new(&link, true, &Inputs::default())
            .unwrap()
            .write(b"new")
            .unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&real).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(
            OutputFile::new(&link, true, &Inputs::new([&*real])).is_err(),
            "one file under two names"
        );
    }

    #[test]
    fn writes_all_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = |name: &str| {
            OutputFile::new(&folder.path().join(name), false, &Inputs::default()).unwrap()
        };
        fs::create_dir(folder.path().join("gone")).unwrap();
        let (first, second) = (output("first"), output("gone/second"));
        fs::remove_dir(folder.path().join("gone")).unwrap();
        let error = write_together(&[(&first, b"1"), (&second, b"2")]).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("gone/second") && !text.contains(".part"),
            "{text}"
        );
        assert!(
            names_in(folder.path()).is_empty(),
            "neither file, no temporary one"
        );
        write_together(&[(&first, b"1"), (&output("second"), b"2")]).unwrap();
        assert_eq!(names_in(folder.path()), ["first", "second"]);
    }

    #[cfg(unix)]
    #[test]
    fn sees_one_file_under_two_names() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("folder")).unwrap();
        symlink("folder", path("same-folder")).unwrap();
        symlink("not-there", path("link")).unwrap();
        let refused = |names: [&str; 2]| {
            let outputs =
                names.map(|name| OutputFile::new(&path(name), true, &Inputs::default()).unwrap());
            refuse_one_place(&outputs).is_err()
        };
        assert!(refused(["link", "not-there"]));
        assert!(refused(["folder/a", "same-folder/a"]));
        assert!(!refused(["folder/a", "same-folder/b"]));
        let null = OutputFile::new(Path::new("/dev/null"), false, &Inputs::default()).unwrap();
        assert!(refuse_one_place([&null, &null]).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn writes_to_where_a_dangling_link_leads() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink("not-there", &link).unwrap();
        for force in [false, true] {
            let output = OutputFile::new(&link, force, &Inputs::default()).unwrap();
            output.write(b"new").unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(names_in(folder.path()), ["link", "not-there"]);
            fs::remove_file(folder.path().join("not-there")).unwrap();
        }
        let nowhere = folder.path().join("nowhere");
        symlink("no-folder/file", &nowhere).unwrap();
        assert!(OutputFile::new(&nowhere, false, &Inputs::default()).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_told_by_its_bytes() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt;
        let json = |name: &[u8]| {
            serde_json::to_string(&Name::of(Path::new(OsStr::from_bytes(name)))).unwrap()
        };
        assert_eq!(json("ü.png".as_bytes()), "\"ü.png\"");
        assert_eq!(json(b"\xfc.p"), r#"{"bytes":[252,46,112]}"#);
    }

    #[cfg(unix)]
    #[test]
    fn writes_into_a_device_instead_of_replacing_it() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        OutputFile::new(null, false, &Inputs::default())
            .unwrap()
            .write(b"x")
            .unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }
}
