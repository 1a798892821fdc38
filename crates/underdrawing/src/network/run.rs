//! What hiding and revealing share: networks run over the windows of a picture.

use thiserror::Error;
use underdrawing_net::Rounding;

use crate::network::balance::Balance;
use crate::network::placement::Placement;
use crate::network::tile::{Context, Source, Tiling, Window};
use crate::picture::Pixels;

/// Shortest side of a cover, in pixels.
pub const LEAST_SIDE: usize = 16;

/// Side of the part of a tile that is kept, where nothing else is asked for.
///
/// A picture of a megapixel is one tile. For a lifting network of 6 blocks the margins cost a
/// quarter on top of a large picture; 512 would cost two thirds.
pub const DEFAULT_TILE_SIZE: usize = 1280;

/// Smallest tile size: below it a tile is nearly all margin.
const LEAST_TILE_SIZE: usize = 16;

/// A tile size below the smallest.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("tile size {found} is too small: expected at least {LEAST_TILE_SIZE}")]
pub struct TileSizeError {
    /// Tile size found.
    pub found: usize,
}

/// What hiding and revealing need of a model; tests put a simple function in its place.
pub(crate) trait Network {
    /// What [`Network::hide`] sees around a pixel.
    fn hiding_context(&self) -> Context;
    /// What [`Network::reveal`] sees around a pixel.
    fn revealing_context(&self) -> Context;
    /// Container from windows of the same size, which has even sides.
    fn hide(&self, cover: &Window, secret: &Window) -> Window;
    /// Revealed picture from a container.
    fn reveal(&self, container: &Window) -> Window;
    /// How a container becomes 8 bits.
    fn rounding(&self) -> Rounding {
        Rounding::nearest()
    }
}

/// What a window of a container holds, in the secret's own contrast.
pub(crate) fn reveal_window(network: &dyn Network, container: Window, balance: Balance) -> Window {
    let mut revealed = network.reveal(&container);
    balance.undo(&mut revealed.samples);
    revealed
}

/// The part of a picture that networks work on.
pub(crate) fn source<'a>(picture: &'a Pixels, placement: &Placement) -> Source<'a, u8> {
    let (width, height) = placement.working();
    Source {
        samples: picture.data(),
        stride: picture.width(),
        width,
        height,
    }
}

/// The tiles of the working size.
pub(crate) fn tiling(placement: &Placement, context: Context, tile_size: usize) -> Tiling {
    let (width, height) = placement.working();
    Tiling {
        width,
        height,
        context,
        tile_size,
    }
}

/// Refuses a tile size that is nearly all margin.
pub(crate) fn check_tile_size(found: usize) -> Result<(), TileSizeError> {
    if found < LEAST_TILE_SIZE {
        return Err(TileSizeError { found });
    }
    Ok(())
}

/// Writes a strip, clamped and rounded to 8 bits, into a picture of `width` columns, from row `y`.
pub(crate) fn write_rounded(picture: &mut [u8], width: usize, y: usize, strip: &Window) {
    write(picture, width, y, strip, &strip.samples, |v| {
        (255.0 * v).round().clamp(0.0, 255.0) as u8
    });
}

pub(crate) fn write_floats(picture: &mut [f32], width: usize, y: usize, strip: &Window) {
    write(picture, width, y, strip, &strip.samples, |v| v);
}

pub(crate) fn write<S: Copy, T>(
    picture: &mut [T],
    width: usize,
    y: usize,
    strip: &Window,
    samples: &[S],
    convert: impl Fn(S) -> T,
) {
    for (i, line) in samples.chunks_exact(strip.width).enumerate() {
        let (channel, row) = (i / strip.height, i % strip.height);
        let left = 3 * (y + row) * width + channel;
        for (target, &value) in picture[left..].iter_mut().step_by(3).zip(line) {
            *target = convert(value);
        }
    }
}
