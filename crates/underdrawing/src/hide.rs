//! Hiding: cover and secret through a network to a marked 8-bit container.

use thiserror::Error;

use crate::fit::{Fit, turns};
use crate::floats::Floats;
use crate::mark::{Mark, nearest_with_bit};
use crate::model::ModelId;
use crate::pixels::Pixels;
use crate::tile::{Context, Sample, Source, Tiling, Window};

/// Shortest side of a cover, in pixels.
pub const LEAST_SIDE: usize = 16;

/// Side of the part of a tile that is kept, where nothing else is asked for.
///
/// At the built-in lifting network's size a tile takes about 0.4 GB while it is computed, and its
/// margins cost a third on top of a large picture; 512 would take a third of the memory and cost
/// two thirds.
pub const DEFAULT_TILE_SIZE: usize = 1024;

/// Smallest tile size: below it a tile is nearly all margin.
const LEAST_TILE_SIZE: usize = 16;

/// How to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HideOptions {
    /// Side in pixels of the tiles that large pictures are processed in, at least 16. A change of
    /// it moves a container's samples by a grey level at most. Networks that see more than a tile
    /// (the U-Net) have their own.
    pub tile_size: usize,
}

impl Default for HideOptions {
    fn default() -> Self {
        Self {
            tile_size: DEFAULT_TILE_SIZE,
        }
    }
}

/// Why nothing was hidden.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HideError {
    /// The cover has too few pixels for the networks and the mark.
    #[error(
        "a cover of {width}x{height} is too small: expected at least {LEAST_SIDE}x{LEAST_SIDE}"
    )]
    CoverTooSmall {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// The tile size is too small.
    #[error(transparent)]
    TileSize(#[from] TileSizeError),
}

/// A tile size below the smallest.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("tile size {found} is too small: expected at least {LEAST_TILE_SIZE}")]
pub struct TileSizeError {
    /// Tile size found.
    pub found: usize,
}

/// Container and revealed picture as the networks compute them, never rounded or clamped.
///
/// Papers publish such figures; what a user gets went through 8 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatPair {
    /// Samples of the container, 0 to 255 (some may lie outside), RGB interleaved, in the cover's
    /// size, without a mark.
    pub container: Vec<f32>,
    /// Samples of the revealed picture, likewise, in the secret's size.
    pub revealed: Vec<f32>,
}

/// What hiding and revealing need of a model; tests put a simple function in its place.
pub(crate) trait Network {
    /// What [`Network::hide`] sees around a pixel.
    fn hiding_context(&self) -> Context;
    /// What [`Network::reveal`] sees around a pixel.
    fn revealing_context(&self) -> Context;
    /// Container from windows of the same size, which has even sides.
    fn hide(&self, cover: Window, secret: Window) -> Window;
    /// Revealed picture from a container.
    fn reveal(&self, container: Window) -> Window;
}

/// Hides `secret` in `cover`; see [`Model::hide`](crate::Model::hide).
pub(crate) fn hide(
    network: &dyn Network,
    model: ModelId,
    cover: &Pixels,
    secret: &Pixels,
    options: &HideOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Pixels, HideError> {
    check_tile_size(options.tile_size)?;
    let fit = fit(cover, secret)?;
    let mark = Mark {
        secret_width: secret.width(),
        secret_height: secret.height(),
        turned: fit.turned,
        model,
    };
    // An odd last column or row keeps the cover's samples.
    let mut container = cover.clone();
    let marked: Vec<(usize, u8)> = mark.bits(container.data().len()).collect();
    for &(place, bit) in &marked {
        let sample = &mut container.data_mut()[place];
        *sample = nearest_with_bit((*sample).into(), bit);
    }
    let width = container.width();
    hide_windows(
        network,
        &fit,
        cover,
        secret,
        options.tile_size,
        &mut |x, y, part| {
            write_rounded(container.data_mut(), width, x, y, part);
            write_marked(container.data_mut(), width, x, y, part, &marked);
        },
        progress,
    );
    Ok(container)
}

/// See [`Model::float_pair`](crate::Model::float_pair).
pub(crate) fn float_pair(
    network: &dyn Network,
    cover: &Pixels,
    secret: &Pixels,
) -> Result<FloatPair, HideError> {
    let fit = fit(cover, secret)?;
    let (width, height) = fit.working();
    let mut container: Vec<f32> = cover.data().iter().map(|v| v.unit()).collect();
    hide_windows(
        network,
        &fit,
        cover,
        secret,
        DEFAULT_TILE_SIZE,
        &mut |x, y, part| write_floats(&mut container, cover.width(), x, y, part),
        &mut |_, _| {},
    );
    let source = Source {
        samples: &container,
        stride: cover.width(),
        width,
        height,
    };
    let mut revealed = Floats {
        width,
        height,
        samples: vec![0.0; 3 * width * height],
    };
    tiling(&fit, network.revealing_context(), DEFAULT_TILE_SIZE).run(
        &mut |area| network.reveal(source.window(area)),
        &mut |x, y, part| write_floats(&mut revealed.samples, width, x, y, part),
        &mut |_, _| {},
    );
    let to_255 = |samples: Vec<f32>| samples.into_iter().map(|v| 255.0 * v).collect();
    Ok(FloatPair {
        container: to_255(container),
        revealed: to_255(fit.restore_floats(revealed).samples),
    })
}

/// How the secret goes into the cover.
fn fit(cover: &Pixels, secret: &Pixels) -> Result<Fit, HideError> {
    let (width, height) = (cover.width(), cover.height());
    if width < LEAST_SIDE || height < LEAST_SIDE {
        return Err(HideError::CoverTooSmall { width, height });
    }
    let own = (secret.width(), secret.height());
    Ok(Fit {
        cover: (width, height),
        secret: own,
        turned: turns((width, height), own),
    })
}

/// Runs the hiding network over all tiles.
fn hide_windows(
    network: &dyn Network,
    fit: &Fit,
    cover: &Pixels,
    secret: &Pixels,
    tile_size: usize,
    keep: &mut dyn FnMut(usize, usize, &Window),
    progress: &mut dyn FnMut(usize, usize),
) {
    let secret = fit.prepare(secret);
    let (cover, secret) = (source(cover, fit), source(&secret, fit));
    tiling(fit, network.hiding_context(), tile_size).run(
        &mut |area| network.hide(cover.window(area), secret.window(area)),
        keep,
        progress,
    );
}

/// The part of a picture that networks work on.
pub(crate) fn source<'a>(picture: &'a Pixels, fit: &Fit) -> Source<'a, u8> {
    let (width, height) = fit.working();
    Source {
        samples: picture.data(),
        stride: picture.width(),
        width,
        height,
    }
}

/// The tiles of the working size.
pub(crate) fn tiling(fit: &Fit, context: Context, tile_size: usize) -> Tiling {
    let (width, height) = fit.working();
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

/// Writes a window, clamped and rounded to 8 bits, into a picture of `width` columns.
pub(crate) fn write_rounded(picture: &mut [u8], width: usize, x: usize, y: usize, part: &Window) {
    write(picture, width, x, y, part, |v| (255.0 * v).round().clamp(0.0, 255.0) as u8);
}

fn write_floats(picture: &mut [f32], width: usize, x: usize, y: usize, part: &Window) {
    write(picture, width, x, y, part, |v| v);
}

fn write<T>(
    picture: &mut [T],
    width: usize,
    x: usize,
    y: usize,
    part: &Window,
    convert: impl Fn(f32) -> T,
) {
    for (i, line) in part.samples.chunks_exact(part.width).enumerate() {
        let (channel, row) = (i / part.height, i % part.height);
        let left = 3 * ((y + row) * width + x) + channel;
        for (target, &value) in picture[left..].iter_mut().step_by(3).zip(line) {
            *target = convert(value);
        }
    }
}

/// Gives the marked samples inside a window their bits: of the values with that bit the one
/// nearest to the network's unrounded value, so that the mark costs as little as it can.
fn write_marked(
    picture: &mut [u8],
    width: usize,
    x: usize,
    y: usize,
    part: &Window,
    marked: &[(usize, u8)],
) {
    for &(place, bit) in marked {
        let (channel, column, row) = (place % 3, place / 3 % width, place / 3 / width);
        if (x..x + part.width).contains(&column) && (y..y + part.height).contains(&row) {
            let i = (channel * part.height + row - y) * part.width + column - x;
            picture[place] = nearest_with_bit(255.0 * part.samples[i], bit);
        }
    }
}
