//! TIFFs in tiles. The decoder stops within tiles that LZW packed where they do not lie in memory as
//! in the file, and panics at tiles in planes of their own that reach beyond the picture. So it is
//! shown a picture that is one tile wide, with one tile below the other, and those are laid side by
//! side here.

use std::borrow::Cow;
use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

use super::ImageFileError;
use super::structure::tiff_entry;
use super::tiff_errors::{damaged, failed, unread};
use crate::picture::Limits;

const WIDTH: u16 = 256;
const HEIGHT: u16 = 257;

/// A file as the decoder reads it.
pub(super) struct Readable<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    /// How the picture is made of what the decoder gives, where that is a column of tiles.
    pub(super) tiling: Option<Tiling>,
}

/// Tiles, and the picture that they cover.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Width and height of a tile.
    tile: (u32, u32),
}

/// The file, with its tiles in a column.
///
/// # Errors
/// When the picture is over the limits, or its tiles are much larger than it.
pub(super) fn in_column<'a>(
    bytes: &'a [u8],
    limits: &Limits,
) -> Result<Readable<'a>, ImageFileError> {
    /// Pixels beyond the picture that any picture may have: a tile of 2048x2048.
    const BEYOND: u64 = 1 << 22;
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions().map_err(failed)?;
    limits.check(width.into(), height.into())?;
    let mut side = |tag| decoder.find_tag_unsigned::<u32>(tag).map_err(failed);
    let (Some(wide), Some(high)) = (side(Tag::TileWidth)?, side(Tag::TileLength)?) else {
        return Ok(Readable {
            bytes: Cow::Borrowed(bytes),
            tiling: None,
        });
    };
    if wide == 0 || high == 0 {
        return Err(damaged());
    }
    let tiling = Tiling {
        width,
        height,
        tile: (wide, high),
    };
    let n_pixels = u64::from(wide) * tiling.column();
    let most = 2 * u64::from(width) * u64::from(height) + BEYOND;
    let column = u32::try_from(tiling.column()).ok();
    let Some(column) = column.filter(|_| n_pixels <= most) else {
        return Err(unread("tiles much larger than their picture".to_owned()));
    };
    let mut file = bytes.to_vec();
    for (tag, length) in [(WIDTH, wide), (HEIGHT, column)] {
        put(&mut file, tag, length).ok_or_else(damaged)?;
    }
    Ok(Readable {
        bytes: Cow::Owned(file),
        tiling: Some(tiling),
    })
}

/// Writes a number in a tag's own place, as one of 32 bits; none where there is no such place.
fn put(file: &mut [u8], tag: u16, number: u32) -> Option<()> {
    const LONG: u16 = 4;
    let little = file.starts_with(b"II");
    let big = matches!(file.get(2..4)?, b"+\0" | b"\0+");
    let value = tiff_entry(file, tag)?;
    // Before it stand its type, of two bytes, and how many there are of it.
    let kind = value.checked_sub(if big { 10 } else { 6 })?;
    let (kind_bytes, bytes) = if little {
        (LONG.to_le_bytes(), number.to_le_bytes())
    } else {
        (LONG.to_be_bytes(), number.to_be_bytes())
    };
    file.get_mut(kind..kind + 2)?.copy_from_slice(&kind_bytes);
    file.get_mut(value..value + 4)?.copy_from_slice(&bytes);
    Some(())
}

impl Tiling {
    /// Rows of all tiles, one below the other.
    fn column(&self) -> u64 {
        let (wide, high) = self.tile;
        let n_tiles = u64::from(self.width.div_ceil(wide)) * u64::from(self.height.div_ceil(high));
        n_tiles * u64::from(high)
    }

    /// The picture's samples, `n_bytes` a pixel, of a column of tiles.
    pub(super) fn side_by_side(&self, column: &[u8], n_bytes: usize) -> Vec<u8> {
        let (wide, high) = (self.tile.0 as usize, self.tile.1 as usize);
        let (width, height) = (self.width as usize, self.height as usize);
        let across = width.div_ceil(wide);
        let mut samples = Vec::with_capacity(width * height * n_bytes);
        for y in 0..height {
            for tile in 0..across {
                let row = (y / high * across + tile) * high + y % high;
                let n_pixels = wide.min(width - tile * wide);
                let start = row * wide * n_bytes;
                samples.extend_from_slice(&column[start..start + n_pixels * n_bytes]);
            }
        }
        samples
    }
}
