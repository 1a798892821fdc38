//! TIFFs in tiles that reach beyond the picture. The decoder stops at some of them, packed by LZW, and
//! panics at others, in planes of their own; so it is shown a picture of whole tiles, and what is too
//! much is cut off.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::ImageFileError;
use super::structure::tiff_entry;
use super::tiff_kinds::{damaged, failed, unread};
use crate::picture::Limits;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;

/// A file as the decoder reads it.
pub(super) struct Readable<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// The picture's own width and height, where the decoder is shown a larger one.
    pub(super) own: Option<(u32, u32)>,
}

/// The file with whole tiles, of which there is only one picture's worth and a little more.
///
/// # Errors
/// When the picture is over the limits, or its tiles are much larger than it.
pub(super) fn whole<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Readable<'a>, ImageFileError> {
    /// Pixels beyond the picture that any picture may have: a tile of 2048x2048.
    const BEYOND: u64 = 1 << 22;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions().map_err(failed)?;
    limits.check(width.into(), height.into())?;
    let mut side = |tag| decoder.find_tag_unsigned::<u32>(tag).map_err(failed);
    let (across, down) = (side(Tag::TileWidth)?, side(Tag::TileLength)?);
    let as_it_is = Readable {
        bytes: Cow::Borrowed(bytes),
        own: None,
    };
    let (Some(across), Some(down)) = (across, down) else {
        return Ok(as_it_is);
    };
    if across == 0 || down == 0 {
        return Err(damaged());
    }
    let tiled = |length: u32, tile: u32| length.checked_next_multiple_of(tile);
    let too_large = || unread("tiles much larger than their picture".to_owned());
    let (wide, high) = tiled(width, across)
        .zip(tiled(height, down))
        .ok_or_else(too_large)?;
    if (wide, high) == (width, height) {
        return Ok(as_it_is);
    }
    let n_pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    if n_pixels(wide, high) > 2 * n_pixels(width, height) + BEYOND {
        return Err(too_large());
    }
    let mut file = bytes.to_vec();
    for (tag, length) in [(WIDTH, wide), (HEIGHT, high)] {
        put(&mut file, tag, length).ok_or_else(damaged)?;
    }
    Ok(Readable {
        bytes: Cow::Owned(file),
        own: Some((width, height)),
    })
}

/// Writes a number in a tag's own place, as wide as it is there; none where it is too large.
fn put(file: &mut [u8], tag: u16, number: u32) -> Option<()> {
    let (little, big) = (
        file.starts_with(b"II"),
        matches!(file.get(2..4)?, b"+\0" | b"\0+"),
    );
    let value = tiff_entry(file, tag)?;
    // The number's type stands before how many there are of it.
    let kind = value.checked_sub(if big { 10 } else { 6 })?;
    let kind = file.get(kind..kind + 2)?;
    let kind = if little { kind[0] } else { kind[1] };
    let n_bytes = match kind {
        1 => 1,
        3 => 2,
        4 => 4,
        16 => 8,
        _ => return None,
    };
    let number = u64::from(number);
    if n_bytes < 8 && number >> (8 * n_bytes) != 0 {
        return None;
    }
    let field = file.get_mut(value..value + n_bytes)?;
    if little {
        field.copy_from_slice(&number.to_le_bytes()[..n_bytes]);
    } else {
        field.copy_from_slice(&number.to_be_bytes()[8 - n_bytes..]);
    }
    Some(())
}

/// The upper left part of samples of `n_bytes` a pixel.
pub(super) fn cut(samples: &[u8], n_bytes: usize, wide: u32, own: (u32, u32)) -> Vec<u8> {
    let (wide, width, height) = (wide as usize, own.0 as usize, own.1 as usize);
    let rows = samples.chunks_exact(wide * n_bytes).take(height);
    rows.flat_map(|row| &row[..width * n_bytes])
        .copied()
        .collect()
}
