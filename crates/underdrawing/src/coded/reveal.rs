//! Revealing: a container back to the secret.

use std::ops::Range;

use thiserror::Error;
use underdrawing_codec::{DecodeError, DecodeLimits, Decoded, Picture, decode};

use crate::picture::Pixels;

use super::channel::Channel;
use super::key::{CodedKey, Cost, Keys, TAG_BYTES};
use super::layout::{Directory, Newer, VERSION};
use super::preamble::{self, Closed};

/// Whether a damaged container is revealed as far as it goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Salvage {
    /// Refuse it: what is revealed is what was hidden, to the last bit of its code.
    #[default]
    No,
    /// Reveal what is intact.
    Yes,
}

/// What revealing gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodedRevealed {
    /// The revealed picture, in the secret's own size.
    pub revealed: Pixels,
    /// Rows without their details, since the container's samples were changed there; empty but for
    /// [`Salvage::Yes`].
    pub blurred_rows: Vec<Range<usize>>,
}

/// Why nothing was revealed by the coded method.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CodedRevealError {
    /// The key opens nothing here: a plain picture, another key, or the first rows were changed.
    /// These cannot be told apart.
    #[error("nothing here opens with this key")]
    Closed,
    /// Made by a newer underdrawing.
    #[error("the container's format is newer than the newest supported, {VERSION}")]
    Newer,
    /// The key is right, and the container was changed since it was written.
    #[error(
        "the container was changed after hiding: {intact} of {parts} parts are intact, {percent} % \
         of the secret's bytes"
    )]
    Damaged {
        /// Parts whose seal is good.
        intact: usize,
        /// Parts of the secret.
        parts: usize,
        /// Share of the secret's bytes in the intact parts, rounded down.
        percent: usize,
        /// Whether [`Salvage::Yes`] would reveal something.
        salvageable: bool,
    },
    /// The key is right and the list of parts was changed, without which none can be found.
    #[error("the container was changed after hiding, and its list of parts is lost")]
    DirectoryLost,
    /// Sealed with the key, and no picture: made by a faulty program.
    #[error("the secret's code is wrong")]
    Code(#[source] DecodeError),
}

/// Reveals what `container` holds for `key`.
///
/// A wrong password takes as long as the right one, about half a second; [`CodedKey::Public`] is
/// tried in no time.
///
/// # Errors
/// When nothing opens, or the container was changed; [`CodedRevealError`].
pub fn reveal_coded(
    container: &Pixels,
    key: CodedKey<'_>,
    salvage: Salvage,
) -> Result<CodedRevealed, CodedRevealError> {
    reveal_at_cost(container, key, salvage, Cost::VERSION_1)
}

pub(super) fn reveal_at_cost(
    container: &Pixels,
    key: CodedKey<'_>,
    salvage: Salvage,
    cost: Cost,
) -> Result<CodedRevealed, CodedRevealError> {
    let Payload { directory, parts } = open(container.data(), key, cost)?;
    let intact = parts.iter().flatten().count();
    if intact < parts.len() && (salvage == Salvage::No || parts[0].is_none()) {
        return Err(damaged(&directory, &parts));
    }
    let segments: Vec<Option<&[u8]>> = parts.iter().map(Option::as_deref).collect();
    let decoded = decode(&segments, DecodeLimits::default()).map_err(CodedRevealError::Code)?;
    Ok(restore(decoded, directory.own))
}

/// What a container of the coded method says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodedSummary {
    /// The secret's own width in pixels.
    pub secret_width: usize,
    /// The secret's own height in pixels.
    pub secret_height: usize,
    /// Bytes of the coded secret.
    pub bytes: usize,
    /// Parts that the secret is sealed in.
    pub parts: usize,
    /// Parts that were not changed since.
    pub intact: usize,
}

/// What `container` says of itself under `key`, without decoding the secret.
///
/// # Errors
/// When nothing opens or the list of parts is lost; damaged parts are no error here.
pub fn inspect_coded(
    container: &Pixels,
    key: CodedKey<'_>,
) -> Result<CodedSummary, CodedRevealError> {
    let Payload { directory, parts } = open(container.data(), key, Cost::VERSION_1)?;
    Ok(CodedSummary {
        secret_width: directory.own.0,
        secret_height: directory.own.1,
        bytes: directory.segments.iter().map(|&n| n as usize).sum(),
        parts: parts.len(),
        intact: parts.iter().flatten().count(),
    })
}

/// What a container holds.
struct Payload {
    directory: Directory,
    /// The coded segments; none for one whose seal is broken.
    parts: Vec<Option<Vec<u8>>>,
}

/// Opens the seals that `key` opens.
fn open(samples: &[u8], key: CodedKey<'_>, cost: Cost) -> Result<Payload, CodedRevealError> {
    let salt = preamble::read_salt(samples).ok_or(CodedRevealError::Closed)?;
    let keys = Keys::derive(key, &salt, cost);
    let header = preamble::read_header(samples, &keys).map_err(|closed| match closed {
        Closed::Unreadable => CodedRevealError::Closed,
        Closed::Newer => CodedRevealError::Newer,
    })?;
    let samples = &samples[preamble::SAMPLES..];
    let channel = Channel::new(samples.len(), header.mix, keys.payload_channel.clone());
    let payload = channel.extract(samples);
    let (directory, mut rest) = payload
        .split_at_checked(header.directory as usize)
        .ok_or(CodedRevealError::Newer)?;
    let directory = keys
        .open(0, directory)
        .ok_or(CodedRevealError::DirectoryLost)?;
    let directory = Directory::from_bytes(&directory).map_err(|Newer| CodedRevealError::Newer)?;
    let mut parts = Vec::with_capacity(directory.segments.len());
    for (i, &length) in directory.segments.iter().enumerate() {
        let (sealed, after) = rest
            .split_at_checked(length as usize + TAG_BYTES)
            .ok_or(CodedRevealError::Newer)?;
        parts.push(keys.open(i + 1, sealed));
        rest = after;
    }
    Ok(Payload { directory, parts })
}

fn damaged(directory: &Directory, parts: &[Option<Vec<u8>>]) -> CodedRevealError {
    let total: u64 = directory.segments.iter().map(|&n| u64::from(n)).sum();
    let intact: u64 = parts.iter().flatten().map(|part| part.len() as u64).sum();
    CodedRevealError::Damaged {
        intact: parts.iter().flatten().count(),
        parts: parts.len(),
        percent: (100 * intact / total.max(1)) as usize,
        salvageable: parts[0].is_some(),
    }
}

/// The decoded picture as RGB in the secret's own size.
fn restore(decoded: Decoded, own: (usize, usize)) -> CodedRevealed {
    let height = decoded.picture.height();
    let revealed = rgb(decoded.picture)
        .resized(own.0, own.1)
        .expect("the directory's size is within the limits");
    let scaled = |row: usize| row * own.1 / height;
    let blurred_rows = decoded
        .lost_rows
        .into_iter()
        .map(|rows| scaled(rows.start)..(rows.end * own.1).div_ceil(height))
        .collect();
    CodedRevealed {
        revealed,
        blurred_rows,
    }
}

fn rgb(picture: Picture) -> Pixels {
    let (width, height) = (picture.width(), picture.height());
    let samples = if picture.channels() == 3 {
        picture.into_samples()
    } else {
        let grey = picture.into_samples();
        grey.iter().flat_map(|&sample| [sample; 3]).collect()
    };
    Pixels::rgb8(samples, width, height).expect("the codec's limits are those of pixels")
}
