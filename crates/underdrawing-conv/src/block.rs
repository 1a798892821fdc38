//! The steps of Winograd's convolution before and after the products, a block of tiles at a time.

use crate::Conv3x3;
use crate::layout::{Run, Shared, gather, scatter};
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform;

/// Products of a tile, a channel of the input and one of the output.
pub(crate) const PRODUCTS: usize = 36;

/// Side of a tile.
const SIDE: usize = 4;
/// Bytes of scratch that a block's tiles should fit: half of a level-2 cache.
const BLOCK_BYTES: usize = 600 << 10;
/// Tiles of a block, at least: with fewer, reading the weights takes longer than the products.
const MIN_TILES: usize = 28;
/// Tiles of a block, at most.
const MAX_TILES: usize = 56;

/// How the pictures are cut into tiles, and those into rectangular blocks.
#[derive(Clone, Copy)]
pub(crate) struct Grid {
    /// Tiles of a picture.
    rows: usize,
    cols: usize,
    /// Blocks of a picture.
    block_rows: usize,
    block_cols: usize,
}

/// A rectangle of tiles.
#[derive(Clone, Copy)]
pub(crate) struct Block {
    picture: usize,
    /// First row and column, in tiles.
    top: usize,
    left: usize,
    /// Extent, in tiles.
    rows: usize,
    cols: usize,
}

impl Grid {
    pub(crate) fn new<S: Simd>(shape: &Conv3x3) -> Self {
        let (rows, cols) = (shape.height.div_ceil(SIDE), shape.width.div_ceil(SIDE));
        let channels = (shape.c_in + shape.c_out).next_multiple_of(S::LANES);
        // Three halves: of pixels there are half as many as of products.
        let tile_bytes = channels * PRODUCTS * size_of::<f32>() * 3 / 2;
        let limit = (BLOCK_BYTES / tile_bytes).clamp(MIN_TILES, MAX_TILES);
        let block_cols = cols.div_ceil(limit);
        let block_rows = rows.div_ceil((limit / cols.div_ceil(block_cols)).max(1));
        Self {
            rows,
            cols,
            block_rows,
            block_cols,
        }
    }

    /// Blocks of a picture.
    pub(crate) fn per_picture(&self) -> usize {
        self.block_rows * self.block_cols
    }

    /// The block of an index below pictures times `per_picture`.
    pub(crate) fn get(&self, item: usize) -> Block {
        let (picture, part) = (item / self.per_picture(), item % self.per_picture());
        let (row, col) = (part / self.block_cols, part % self.block_cols);
        let [top, bottom] = [row, row + 1].map(|row| row * self.rows / self.block_rows);
        let [left, right] = [col, col + 1].map(|col| col * self.cols / self.block_cols);
        Block {
            picture,
            top,
            left,
            rows: bottom - top,
            cols: right - left,
        }
    }

    /// Tiles of a picture.
    pub(crate) fn tiles(&self) -> usize {
        self.rows * self.cols
    }

    /// The largest block.
    fn largest(&self) -> Block {
        let (rows, cols) = (
            self.rows.div_ceil(self.block_rows),
            self.cols.div_ceil(self.block_cols),
        );
        Block {
            picture: 0,
            top: 0,
            left: 0,
            rows,
            cols,
        }
    }

    /// Pixels of the largest block.
    pub(crate) fn pixels(&self, border: usize) -> usize {
        self.largest().height(border) * self.largest().width(border)
    }

    /// From a product to the next, for the largest block with `pitch` channels. A cache line more
    /// than needed keeps a tile's products in different sets of the cache.
    pub(crate) fn plane(&self, pitch: usize) -> usize {
        self.largest().tiles() * pitch + 16
    }
}

impl Block {
    pub(crate) fn tiles(&self) -> usize {
        self.rows * self.cols
    }

    /// Rows of pixels.
    pub(crate) fn height(&self, border: usize) -> usize {
        self.rows * SIDE + 2 * border
    }

    /// Columns of pixels.
    pub(crate) fn width(&self, border: usize) -> usize {
        self.cols * SIDE + 2 * border
    }
}

/// Copies a block's pixels and those around it to `pixels[row][column][channel]`. What is outside
/// of the picture is zero.
#[inline(always)]
pub(crate) fn gather_block<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    src: &[f32],
    channels: usize,
    block: Block,
    border: usize,
    pixels: &mut [f32],
) {
    let pitch = channels.next_multiple_of(S::LANES);
    let plane = shape.height * shape.width;
    let picture = &src[block.picture * channels * plane..][..channels * plane];
    let width = block.width(border);
    // Columns of zeros on the left, of the picture, and of zeros on the right.
    let left = border.saturating_sub(block.left * SIDE);
    let first = (block.left * SIDE).saturating_sub(border);
    let count = (shape.width - first).min(width - left);
    for (row, line) in pixels
        .chunks_exact_mut(width * pitch)
        .take(block.height(border))
        .enumerate()
    {
        let row = block.top * SIDE + row;
        if row < border || row - border >= shape.height {
            line.fill(0.0);
            continue;
        }
        let start = (row - border) * shape.width + first;
        line[..left * pitch].fill(0.0);
        gather(
            simd,
            picture,
            Run {
                start,
                count,
                plane,
                channels,
            },
            &mut line[left * pitch..],
            pitch,
        );
        line[(left + count) * pitch..].fill(0.0);
    }
}

/// The opposite of [`gather_block`], without a border.
///
/// # Safety
/// No other thread may use this block's pixels of `y` meanwhile.
#[inline(always)]
pub(crate) unsafe fn scatter_block<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    block: Block,
    pixels: &[f32],
    y: Shared<'_>,
) {
    let channels = shape.c_out;
    let pitch = channels.next_multiple_of(S::LANES);
    let plane = shape.height * shape.width;
    let (top, left, width) = (block.top * SIDE, block.left * SIDE, block.width(0));
    let count = width.min(shape.width - left);
    for row in 0..block.height(0).min(shape.height - top) {
        let start = block.picture * channels * plane + (top + row) * shape.width + left;
        let run = Run {
            start,
            count,
            plane,
            channels,
        };
        // SAFETY: the run is in the block, which the caller vouches for.
        unsafe { scatter(simd, &pixels[row * width * pitch..], pitch, y, run) };
    }
}

/// Pixels of the input, with a border, to `[36][tile][channel]`.
#[inline(always)]
pub(crate) fn transform_input<S: Simd>(
    simd: S,
    block: Block,
    pixels: &[f32],
    pitch: usize,
    products: &mut [f32],
    plane: usize,
) {
    let line = block.width(/* border */ 1) * pitch;
    for idx in 0..block.tiles() {
        let first = idx / block.cols * SIDE * line + idx % block.cols * SIDE * pitch;
        for c in (0..pitch).step_by(S::LANES) {
            let x = Vectors::<S, 6>::new(&pixels[first + c..], line, pitch);
            let products = &mut products[idx * pitch + c..];
            let mut products = VectorsMut::<S, 6>::new(products, 6 * plane, plane);
            transform::input(
                simd,
                #[inline(always)]
                |row, col| x.get(simd, row, col),
                #[inline(always)]
                |row, col, product| products.set(simd, row, col, product),
            );
        }
    }
}

/// Pixels of the output's gradient to `[36][tile][channel]`.
#[inline(always)]
pub(crate) fn transform_slopes<S: Simd>(
    simd: S,
    block: Block,
    pixels: &[f32],
    pitch: usize,
    products: &mut [f32],
    plane: usize,
) {
    let line = block.width(/* border */ 0) * pitch;
    for idx in 0..block.tiles() {
        let first = idx / block.cols * SIDE * line + idx % block.cols * SIDE * pitch;
        for c in (0..pitch).step_by(S::LANES) {
            let dy = Vectors::<S, 4>::new(&pixels[first + c..], line, pitch);
            let products = &mut products[idx * pitch + c..];
            let mut products = VectorsMut::<S, 6>::new(products, 6 * plane, plane);
            transform::output_transposed(
                simd,
                #[inline(always)]
                |row, col| dy.get(simd, row, col),
                #[inline(always)]
                |row, col, product| products.set(simd, row, col, product),
            );
        }
    }
}

/// `[36][tile][channel]` to pixels of the output.
#[inline(always)]
pub(crate) fn transform_output<S: Simd>(
    simd: S,
    block: Block,
    products: &[f32],
    plane: usize,
    bias: &[f32],
    pixels: &mut [f32],
) {
    let pitch = bias.len();
    let line = block.width(/* border */ 0) * pitch;
    for idx in 0..block.tiles() {
        let first = idx / block.cols * SIDE * line + idx % block.cols * SIDE * pitch;
        for c in (0..pitch).step_by(S::LANES) {
            let products = &products[idx * pitch + c..];
            let products = Vectors::<S, 6>::new(products, 6 * plane, plane);
            let mut y = VectorsMut::<S, 4>::new(&mut pixels[first + c..], line, pitch);
            let bias = Vectors::<S, 1>::new(&bias[c..], 0, 0).get(simd, 0, 0);
            transform::output(
                simd,
                #[inline(always)]
                |row, col| products.get(simd, row, col),
                #[inline(always)]
                |row, col, sum| y.set(simd, row, col, simd.add(sum, bias)),
            );
        }
    }
}
