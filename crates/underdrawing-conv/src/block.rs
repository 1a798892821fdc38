//! The steps of a Winograd convolution before and after the products, one block of tiles at a time.

use crate::activation::Activation;
use crate::layout::{Run, gather, scatter};
use crate::pass::{Pass, Side};
use crate::shared::Shared;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::{Transforms, Transposes};

/// Bytes of scratch for a block's tiles: half of a level-2 cache.
const BLOCK_BYTES: usize = 600 << 10;
/// Minimum number of tiles per block: with fewer, reading the weights takes longer than the
/// products.
const MIN_TILES: usize = 28;
/// Maximum number of tiles per block.
const MAX_TILES: usize = 56;

/// How the common grid of a pass is divided into tiles, and these into rectangular blocks.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Side of a tile, in rows or columns of the common grid.
    tile: usize,
    /// Tiles per picture.
    rows: usize,
    cols: usize,
    /// Blocks per picture.
    block_rows: usize,
    block_cols: usize,
}

/// A rectangle of tiles.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    pub(crate) picture: usize,
    /// Side of a tile, in rows or columns of the common grid.
    tile: usize,
    /// First row and column, in tiles.
    pub(crate) top: usize,
    pub(crate) left: usize,
    /// Extent, in tiles.
    rows: usize,
    pub(crate) cols: usize,
}

impl Grid {
    /// Blocks whose scratch fits the level-2 cache, unless they would be too small.
    pub(crate) fn new<S: Simd, T: Transforms>(pass: &Pass) -> Self {
        let c_in = pass.from.channels * pass.from.step * pass.from.step;
        let channels = (c_in + pass.to.channels).next_multiple_of(S::LANES);
        // Three halves: there are half as many pixels as products.
        let tile_bytes = channels * T::PRODUCTS * size_of::<f32>() * 3 / 2;
        Self::of_blocks::<T>(pass, (BLOCK_BYTES / tile_bytes).clamp(MIN_TILES, MAX_TILES))
    }

    /// Blocks of up to `limit` tiles.
    pub(crate) fn of_blocks<T: Transforms>(pass: &Pass, limit: usize) -> Self {
        let (rows, cols) = (pass.rows().div_ceil(T::TILE), pass.cols().div_ceil(T::TILE));
        let block_cols = cols.div_ceil(limit);
        let block_rows = rows.div_ceil((limit / cols.div_ceil(block_cols)).max(1));
        Self {
            tile: T::TILE,
            rows,
            cols,
            block_rows,
            block_cols,
        }
    }

    /// Blocks per picture.
    pub(crate) fn per_picture(&self) -> usize {
        self.block_rows * self.block_cols
    }

    /// The block with an index below the number of pictures times `per_picture`.
    pub(crate) fn get(&self, item: usize) -> Block {
        let (picture, part) = (item / self.per_picture(), item % self.per_picture());
        let (row, col) = (part / self.block_cols, part % self.block_cols);
        let [top, bottom] = [row, row + 1].map(|row| row * self.rows / self.block_rows);
        let [left, right] = [col, col + 1].map(|col| col * self.cols / self.block_cols);
        Block {
            picture,
            tile: self.tile,
            top,
            left,
            rows: bottom - top,
            cols: right - left,
        }
    }

    /// Tiles per picture.
    pub(crate) fn tiles(&self) -> usize {
        self.rows * self.cols
    }

    /// The largest block.
    pub(crate) fn largest(&self) -> Block {
        Block {
            picture: 0,
            tile: self.tile,
            top: 0,
            left: 0,
            rows: self.rows.div_ceil(self.block_rows),
            cols: self.cols.div_ceil(self.block_cols),
        }
    }

    /// Distance between products for the largest block with `pitch` channels. An extra cache line
    /// keeps the products of a tile in different cache sets.
    pub(crate) fn plane(&self, pitch: usize) -> usize {
        self.largest().tiles() * pitch + 16
    }
}

/// A rectangle of pixels of a picture on one side. It may extend beyond the picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    picture: usize,
    top: isize,
    left: isize,
    height: usize,
    pub(crate) width: usize,
}

impl Window {
    pub(crate) fn pixels(&self) -> usize {
        self.height * self.width
    }
}

impl Block {
    pub(crate) fn tiles(&self) -> usize {
        self.rows * self.cols
    }

    /// The pixels that the block reads.
    pub(crate) fn read(&self, pass: &Pass) -> Window {
        let start = |tile: usize| (tile * self.tile * pass.from.step) as isize + pass.start();
        Window {
            picture: self.picture,
            top: start(self.top),
            left: start(self.left),
            height: pass.reach(self.rows * self.tile),
            width: pass.reach(self.cols * self.tile),
        }
    }

    /// The pixels that the block writes.
    pub(crate) fn written(&self, pass: &Pass) -> Window {
        let tile = self.tile * pass.to.step;
        Window {
            picture: self.picture,
            top: (self.top * tile) as isize,
            left: (self.left * tile) as isize,
            height: self.rows * tile,
            width: self.cols * tile,
        }
    }
}

/// How much of a window's extent is before the picture, and how much is inside it.
fn inside(start: isize, extent: usize, size: usize) -> (usize, usize) {
    let before = ((-start).max(0) as usize).min(extent);
    let end = (size as isize - start).clamp(before as isize, extent as isize) as usize;
    (before, end - before)
}

/// Copies a window to `pixels[row][column][channel]`, with zeros outside the picture.
#[inline(always)]
pub(crate) fn gather_window<S: Simd>(
    simd: S,
    side: Side,
    src: &[f32],
    window: Window,
    pixels: &mut [f32],
) {
    let channels = side.channels;
    let pitch = channels.next_multiple_of(S::LANES);
    let plane = side.height * side.width;
    let picture = &src[window.picture * channels * plane..][..channels * plane];
    let (before, count) = inside(window.left, window.width, side.width);
    let first = window.left + before as isize;
    let lines = pixels.chunks_exact_mut(window.width * pitch);
    for (row, line) in lines.take(window.height).enumerate() {
        let row = window.top + row as isize;
        if row < 0 || row >= side.height as isize || count == 0 {
            line.fill(0.0);
            continue;
        }
        let run = Run {
            start: (row * side.width as isize + first) as usize,
            count,
            plane,
            channels,
        };
        line[..before * pitch].fill(0.0);
        gather(simd, picture, run, &mut line[before * pitch..], pitch);
        line[(before + count) * pitch..].fill(0.0);
    }
}

/// The opposite of [`gather_window`], for pixels inside the picture.
///
/// # Safety
/// No other thread may use the window's pixels of `dst` meanwhile.
#[inline(always)]
pub(crate) unsafe fn scatter_window<S: Simd>(
    simd: S,
    side: Side,
    window: Window,
    pixels: &[f32],
    dst: Shared<'_>,
) {
    let channels = side.channels;
    let pitch = channels.next_multiple_of(S::LANES);
    let plane = side.height * side.width;
    let (_, height) = inside(window.top, window.height, side.height);
    let (_, count) = inside(window.left, window.width, side.width);
    let (top, left) = (window.top as usize, window.left as usize);
    for row in 0..height {
        let run = Run {
            start: window.picture * channels * plane + (top + row) * side.width + left,
            count,
            plane,
            channels,
        };
        let pixels = &pixels[row * window.width * pitch..];
        // SAFETY: the run is in the window, which the caller vouches for.
        unsafe { scatter(simd, pixels, pitch, dst, run) };
    }
}

/// Where the tiles of one phase are among channels-last pixels.
#[derive(Clone, Copy)]
pub(crate) struct Tiles {
    /// First pixel of the first tile.
    pub(crate) start: usize,
    /// Distance between rows and between columns of the phase.
    pub(crate) steps: [usize; 2],
    /// Tiles per row.
    pub(crate) cols: usize,
    /// Tiles.
    pub(crate) count: usize,
}

impl Tiles {
    #[inline(always)]
    pub(crate) fn get<T: Transforms>(&self, idx: usize) -> usize {
        let [row, col] = [idx / self.cols, idx % self.cols];
        self.start + T::TILE * (row * self.steps[0] + col * self.steps[1])
    }
}

/// Layout of a block in the transformed domain: `[product][tile][channel]`.
#[derive(Clone, Copy)]
pub(crate) struct Domain {
    /// Distance between tiles.
    pub(crate) pitch: usize,
    /// Distance between products.
    pub(crate) plane: usize,
}

/// Transforms `channels` channels of the input.
#[inline(always)]
pub(crate) fn transform_input<S: Simd, T: Transforms>(
    simd: S,
    _: T,
    pixels: &[f32],
    tiles: Tiles,
    channels: usize,
    products: &mut [f32],
    domain: Domain,
) {
    for idx in 0..tiles.count {
        for c in (0..channels).step_by(S::LANES) {
            let x = Vectors::<S>::new(&pixels[tiles.get::<T>(idx) + c..], T::PATCH, tiles.steps);
            let products = &mut products[idx * domain.pitch + c..];
            let steps = [T::PATCH * domain.plane, domain.plane];
            let mut products = VectorsMut::<S>::new(products, T::PATCH, steps);
            T::input(
                simd,
                #[inline(always)]
                |row, col| x.get(simd, row, col),
                #[inline(always)]
                |row, col, product| products.set(simd, row, col, product),
            );
        }
    }
}

/// Transforms the gradient with respect to the output.
#[inline(always)]
pub(crate) fn transform_dy<S: Simd, T: Transposes>(
    simd: S,
    _: T,
    pixels: &[f32],
    tiles: Tiles,
    channels: usize,
    products: &mut [f32],
    domain: Domain,
) {
    for idx in 0..tiles.count {
        for c in (0..channels).step_by(S::LANES) {
            let dy = Vectors::<S>::new(&pixels[tiles.get::<T>(idx) + c..], T::TILE, tiles.steps);
            let products = &mut products[idx * domain.pitch + c..];
            let steps = [T::PATCH * domain.plane, domain.plane];
            let mut products = VectorsMut::<S>::new(products, T::PATCH, steps);
            T::output_transposed(
                simd,
                #[inline(always)]
                |row, col| dy.get(simd, row, col),
                #[inline(always)]
                |row, col, product| products.set(simd, row, col, product),
            );
        }
    }
}

/// Transforms products to pixels of the output, and applies bias and activation.
#[inline(always)]
pub(crate) fn transform_output<S: Simd, T: Transforms>(
    simd: S,
    _: T,
    products: &[f32],
    domain: Domain,
    bias: &[f32],
    activation: Activation,
    pixels: &mut [f32],
    tiles: Tiles,
) {
    for idx in 0..tiles.count {
        for c in (0..bias.len()).step_by(S::LANES) {
            let products = &products[idx * domain.pitch + c..];
            let steps = [T::PATCH * domain.plane, domain.plane];
            let products = Vectors::<S>::new(products, T::PATCH, steps);
            let mut y =
                VectorsMut::<S>::new(&mut pixels[tiles.get::<T>(idx) + c..], T::TILE, tiles.steps);
            let bias = Vectors::<S>::new(&bias[c..], 1, [0, 0]).get(simd, 0, 0);
            T::output(
                simd,
                #[inline(always)]
                |row, col| products.get(simd, row, col),
                #[inline(always)]
                |row, col, sum| {
                    let sum = activation.apply(simd, simd.add(sum, bias));
                    y.set(simd, row, col, sum);
                },
            );
        }
    }
}
