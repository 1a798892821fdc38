//! Pictures as the commands want them: read with a note on whatever was changed on the way.

use std::fmt::{self, Display};
use std::fs;
use std::path::Path;

use anyhow::Context;
use underdrawing::{Channel, Conversion, FileFormat, Limits, Picture, Pixels};

use crate::files::{self, MAX_PICTURE_BYTES, OutputFile, display_name};
use crate::folder::extension_of;
use crate::output::{Ui, error_with_hint, shown};

/// What a picture is to the command that reads it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Hidden in.
    Cover,
    /// Hidden.
    Secret,
    /// Revealed from.
    Container,
    /// Looked at.
    Plain,
}

impl Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cover => "cover",
            Self::Secret => "secret",
            Self::Container => "container",
            Self::Plain => "picture",
        })
    }
}

/// Refuses a picture that is not there, before anything else is found wrong.
pub(crate) fn must_exist(path: &Path, role: Role) -> anyhow::Result<()> {
    if !files::is_stream(path) {
        fs::metadata(path).with_context(|| format!("failed to read {role} {}", shown(path)))?;
    }
    Ok(())
}

/// Reads and decodes a picture; conversions are noted.
pub(crate) fn read(path: &Path, role: Role, ui: &Ui) -> anyhow::Result<Picture> {
    Ok(noted(decode(path, role)?, path, role, ui))
}

fn decode(path: &Path, role: Role) -> anyhow::Result<Picture> {
    let failed = || format!("failed to read {role} {}", display_name(path));
    // What is no picture at all is not read to its end.
    let is_picture = |first: &[u8]| Ok(FileFormat::of_bytes(first).map(drop)?);
    let bytes = files::read_checked(path, MAX_PICTURE_BYTES, is_picture).with_context(failed)?;
    let mut picture = Picture::decode(&bytes, &Limits::default()).with_context(failed)?;
    if !matches!(role, Role::Container) {
        picture.pixels = picture.pixels.samples_alone();
    }
    Ok(picture)
}

fn noted(picture: Picture, path: &Path, role: Role, ui: &Ui) -> Picture {
    for conversion in &picture.conversions {
        // Containers are revealed from as they are stored.
        if !matches!((role, conversion), (Role::Container, Conversion::Turned)) {
            ui.note(format_args!("{role} {}: {conversion}", display_name(path)));
        }
    }
    picture
}

/// Reads a cover and a secret side by side: [`read_cover`] and [`read_plain`].
pub(crate) fn read_pair(
    [cover, secret]: [&Path; 2],
    survives: bool,
    channel: Option<&Channel>,
    ui: &Ui,
) -> anyhow::Result<(Picture, Plain)> {
    let read = |path, role| move || decode(path, role);
    let (of_cover, of_secret) = rayon::join(read(cover, Role::Cover), read(secret, Role::Secret));
    let of_cover = noted(of_cover?, cover, Role::Cover, ui);
    let of_cover = surviving(of_cover, cover, survives, channel, ui)?;
    let of_secret = noted(of_secret?, secret, Role::Secret, ui);
    Ok((of_cover, plain(of_secret, secret, Role::Secret, ui)))
}

/// Reads a cover: where what is hidden is to survive, as JPEG and the channel keep it.
pub(crate) fn read_cover(
    path: &Path,
    survives: bool,
    channel: Option<&Channel>,
    ui: &Ui,
) -> anyhow::Result<Picture> {
    surviving(read(path, Role::Cover, ui)?, path, survives, channel, ui)
}

fn surviving(
    cover: Picture,
    path: &Path,
    survives: bool,
    channel: Option<&Channel>,
    ui: &Ui,
) -> anyhow::Result<Picture> {
    if !survives {
        return Ok(cover);
    }
    let noted = cover.conversions.len();
    let cover = cover.to_survive(channel)?;
    for conversion in &cover.conversions[noted..] {
        let why = match (conversion, channel) {
            (Conversion::OnWhite, _) => ", since JPEG has none".to_owned(),
            (Conversion::ToSrgb, _) => ", as pages and messengers do".to_owned(),
            (Conversion::Reduced { .. }, Some(channel)) => {
                format!(", which {} keeps", channel.name)
            }
            _ => String::new(),
        };
        ui.note(format_args!(
            "cover {}: {conversion}{why}",
            display_name(path)
        ));
    }
    Ok(cover)
}

/// A picture as plain RGB in sRGB.
pub(crate) struct Plain {
    pub(crate) pixels: Pixels,
    /// The file holds it exactly.
    pub(crate) exact: bool,
}

/// Reads a picture as plain RGB: colours are converted to sRGB, transparency is laid on white, and
/// both noted.
pub(crate) fn read_plain(path: &Path, role: Role, ui: &Ui) -> anyhow::Result<Plain> {
    Ok(plain(read(path, role, ui)?, path, role, ui))
}

/// [`read_plain`] of a picture that was read.
pub(crate) fn plain(picture: Picture, path: &Path, role: Role, ui: &Ui) -> Plain {
    let noted = picture.conversions.len();
    let plain = picture.into_plain();
    for conversion in &plain.conversions[noted..] {
        ui.note(format_args!("{role} {}: {conversion}", display_name(path)));
    }
    Plain {
        exact: plain.is_exact(),
        pixels: plain.pixels,
    }
}

/// The lossless format that an output's name asks for; PNG for standard output.
pub(crate) fn lossless_format(path: &Path, role: &str) -> anyhow::Result<FileFormat> {
    if files::is_stream(path) {
        return Ok(FileFormat::Png);
    }
    let extension = extension_of(path);
    let png = path.with_extension("png");
    match FileFormat::of_extension(&extension) {
        Some(format) if format.is_written() => Ok(format),
        Some(format) => {
            let reason = match (format.is_lossy(), role) {
                (true, "container") => {
                    "the format changes pixels, and what is hidden in them is lost"
                }
                (true, _) => "the format changes pixels",
                (false, _) => "the format is only read",
            };
            let survive = match (format.is_lossy(), role) {
                (true, "container") => ", or --survive 75, which hides so that JPEG keeps it",
                _ => "",
            };
            Err(error_with_hint(
                format!("cannot write a {role} as {}: {reason}", format.name()),
                format!("use a lossless format: {}{survive}", shown(&png)),
            ))
        }
        None if path.is_dir() => Err(error_with_hint(
            format!("{} is a folder: expected a file to write", shown(path)),
            format!("try {}", shown(&path.join(role).with_extension("png"))),
        )),
        None => Err(error_with_hint(
            format!(
                "cannot tell the format of {}: expected .png, .tiff, .bmp, .qoi or .webp",
                shown(path)
            ),
            format!("try {}", shown(&png)),
        )),
    }
}

/// The bytes of a picture's file.
pub(crate) fn encode(
    picture: &Picture,
    format: FileFormat,
    output: &OutputFile,
) -> anyhow::Result<Vec<u8>> {
    picture
        .encode(format)
        .with_context(|| format!("failed to write {}", output.display_name()))
}

/// Encodes a picture and writes it.
pub(crate) fn write(
    picture: &Picture,
    format: FileFormat,
    output: &OutputFile,
) -> anyhow::Result<()> {
    output.write(&encode(picture, format, output)?)
}
