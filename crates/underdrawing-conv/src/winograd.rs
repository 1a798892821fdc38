//! Winograd's convolution F(4x4, 3x3): a quarter of the multiplications of the direct one.
//!
//! The output is cut into tiles of 4x4 pixels, each of which depends on 6x6 pixels of the input.
//! After the transforms (see [`crate::transform`]) the convolution is 36 independent matrix
//! products, tiles x input channels x output channels (Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", 2016). A thread takes a block of tiles at a time through all
//! steps, so that what is between them stays in its level-2 cache:
//!
//! 1. the pixels of the block, with a border of zeros, to a layout with the channels last;
//! 2. transform to `[36][tile][c_in]`;
//! 3. 36 products, to `[36][tile][c_out]`;
//! 4. transform to pixels with the channels last;
//! 5. back to NCHW.
//!
//! The gradient of the weights transforms both pictures and sums the products over the tiles; the
//! sums are transformed once at the end.

use rayon::prelude::*;

use crate::block::{
    Grid, PRODUCTS, gather_block, scatter_block, transform_input, transform_output,
    transform_slopes,
};
use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::layout::Shared;
use crate::scratch;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform;
use crate::{Conv3x3, Weights};

/// Partial sums of a weight gradient. It decides the order of the summation, so it must not
/// depend on the number of threads.
const PARTIAL_SUMS: usize = 8;
/// Tiles of a partial sum, at least: with fewer, adding up takes longer than the products.
const PARTIAL_TILES: usize = 96;

/// `y = conv(x, w) + b`
pub(crate) fn convolve<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    x: &[f32],
    w: Weights<'_>,
    b: Option<&[f32]>,
    y: &mut [f32],
) {
    let grid = Grid::new::<S>(shape);
    let pitch_in = shape.c_in.next_multiple_of(S::LANES);
    let pitch_out = shape.c_out.next_multiple_of(S::LANES);
    let mut bias = vec![0.0; pitch_out];
    if let Some(b) = b {
        bias[..shape.c_out].copy_from_slice(b);
    }
    let y = Shared::new(y);
    let pixels_in = grid.pixels(/* border */ 1) * pitch_in;
    let pixels_out = grid.pixels(/* border */ 0) * pitch_out;
    let (plane_in, plane_out) = (grid.plane(pitch_in), grid.plane(pitch_out));
    let lens = [
        pixels_in.max(pixels_out),
        PRODUCTS * plane_in,
        PRODUCTS * plane_out,
    ];
    let convolve_block = |item: usize, weights: &[f32], memory: [&mut [f32]; 3]| {
        simd.run(
            #[inline(always)]
            || {
                let block = grid.get(item);
                let [pixels, left, right] = memory;
                gather_block(
                    simd, shape, x, shape.c_in, block, /* border */ 1, pixels,
                );
                transform_input(simd, block, pixels, pitch_in, left, plane_in);
                multiply(simd, shape, grid, block.tiles(), left, weights, right);
                transform_output(simd, block, right, plane_out, &bias, pixels);
                // SAFETY: no other item has this block.
                unsafe { scatter_block(simd, shape, block, pixels, y) };
            },
        );
    };
    scratch::with([PRODUCTS * shape.c_in * pitch_out], |[weights]| {
        transform_weights(simd, shape, w, weights);
        let weights = &*weights;
        (0..shape.n * grid.per_picture())
            .into_par_iter()
            .for_each(|item| scratch::with(lens, |memory| convolve_block(item, weights, memory)));
    });
}

/// The 36 products of a block: `left` times `weights` to `right`.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    grid: Grid,
    tiles: usize,
    left: &[f32],
    weights: &[f32],
    right: &mut [f32],
) {
    let pitch_in = shape.c_in.next_multiple_of(S::LANES);
    let pitch_out = shape.c_out.next_multiple_of(S::LANES);
    let (plane_in, plane_out) = (grid.plane(pitch_in), grid.plane(pitch_out));
    for o in (0..pitch_out).step_by(VECS * S::LANES) {
        let width = (pitch_out - o).min(VECS * S::LANES);
        let panel = &weights[PRODUCTS * shape.c_in * o..][..PRODUCTS * shape.c_in * width];
        for (product, b) in panel.chunks_exact(shape.c_in * width).enumerate() {
            for (start, rows) in even_parts(tiles, S::ROWS) {
                let operands = Operands {
                    depth: shape.c_in,
                    a: &left[product * plane_in + start * pitch_in..],
                    a_step: 1,
                    a_row: |r| r * pitch_in,
                    b,
                    b_step: width,
                    b_tap: |_| 0,
                };
                let c = &mut right[product * plane_out + start * pitch_out + o..];
                if width == S::LANES {
                    tile::<S, 1, 1>(simd, rows, operands, c, pitch_out, /* add */ false);
                } else {
                    tile::<S, VECS, 1>(simd, rows, operands, c, pitch_out, /* add */ false);
                }
            }
        }
    }
}

/// The transformed weights as [`multiply`] reads them: panels of `VECS` vectors of output
/// channels, in each `[36][c_in][output channel]`.
fn transform_weights<S: Simd>(simd: S, shape: &Conv3x3, w: Weights<'_>, weights: &mut [f32]) {
    let panel_len = PRODUCTS * shape.c_in * VECS * S::LANES;
    weights
        .par_chunks_mut(panel_len)
        .enumerate()
        .for_each(|(panel, weights)| {
            simd.run(
                #[inline(always)]
                || {
                    let plane = weights.len() / PRODUCTS;
                    let width = plane / shape.c_in;
                    let mut taps = [0.0; 9 * 16];
                    for i in 0..shape.c_in {
                        for lane_start in (0..width).step_by(S::LANES) {
                            for tap in 0..9 {
                                for lane in 0..S::LANES {
                                    let o = panel * VECS * S::LANES + lane_start + lane;
                                    taps[tap * S::LANES + lane] = if o < shape.c_out {
                                        w.get(i, o, tap)
                                    } else {
                                        0.0
                                    };
                                }
                            }
                            let taps = Vectors::<S, 3>::new(&taps, 3 * S::LANES, S::LANES);
                            let weights = &mut weights[i * width + lane_start..];
                            let mut weights = VectorsMut::<S, 6>::new(weights, 6 * plane, plane);
                            transform::weight(
                                simd,
                                #[inline(always)]
                                |row, col| taps.get(simd, row, col),
                                #[inline(always)]
                                |row, col, weight| weights.set(simd, row, col, weight),
                            );
                        }
                    }
                },
            );
        });
}

/// The gradient of the weights.
pub(crate) fn backward_weight<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let Conv3x3 { c_in, c_out, .. } = *shape;
    let grid = Grid::new::<S>(shape);
    let [pitch_in, pitch_out] = [c_in, c_out].map(|c| c.next_multiple_of(S::LANES));
    // The lanes of the vectors are the channels that fill them better.
    let swap = c_in * pitch_out > c_out * pitch_in;
    let (rows, lanes) = if swap {
        (c_out, pitch_in)
    } else {
        (c_in, pitch_out)
    };

    let items = shape.n * grid.per_picture();
    let tiles = shape.n * grid.tiles();
    let chunks = items.min(PARTIAL_SUMS).min(tiles.div_ceil(PARTIAL_TILES));
    let sums_len = PRODUCTS * rows * lanes;
    let pixels_len = grid.pixels(/* border */ 1) * pitch_in.max(pitch_out);
    let (plane_in, plane_out) = (grid.plane(pitch_in), grid.plane(pitch_out));
    let lens = [pixels_len, PRODUCTS * plane_in, PRODUCTS * plane_out];
    let correlate_block = |item: usize, memory: [&mut [f32]; 3], sums: &mut [f32], add: bool| {
        simd.run(
            #[inline(always)]
            || {
                let block = grid.get(item);
                let [pixels, left, right] = memory;
                gather_block(simd, shape, x, c_in, block, /* border */ 1, pixels);
                transform_input(simd, block, pixels, pitch_in, left, plane_in);
                gather_block(simd, shape, dy, c_out, block, /* border */ 0, pixels);
                transform_slopes(simd, block, pixels, pitch_out, right, plane_out);
                let left = Side {
                    numbers: left,
                    pitch: pitch_in,
                    plane: plane_in,
                };
                let right = Side {
                    numbers: right,
                    pitch: pitch_out,
                    plane: plane_out,
                };
                let (a, b) = if swap { (right, left) } else { (left, right) };
                accumulate(simd, block.tiles(), a, rows, b, sums, add);
            },
        );
    };
    scratch::with(
        [chunks * sums_len, rows * 9 * lanes],
        |[partial_sums, taps]| {
            partial_sums
                .par_chunks_exact_mut(sums_len)
                .enumerate()
                .for_each(|(chunk, sums)| {
                    let first = chunk * items / chunks;
                    for item in first..(chunk + 1) * items / chunks {
                        scratch::with(lens, |memory| {
                            correlate_block(item, memory, sums, item > first);
                        });
                    }
                });
            taps.par_chunks_exact_mut(9 * lanes)
                .enumerate()
                .for_each(|(row, taps)| {
                    simd.run(
                        #[inline(always)]
                        || add_up(simd, partial_sums, rows, row, taps),
                    );
                });
            for (o, dw) in dw.chunks_exact_mut(9 * c_in).enumerate() {
                for (i, dw) in dw.chunks_exact_mut(9).enumerate() {
                    let (row, lane) = if swap { (o, i) } else { (i, o) };
                    for (tap, dw) in dw.iter_mut().enumerate() {
                        *dw = taps[(row * 9 + tap) * lanes + lane];
                    }
                }
            }
        },
    );
}

/// A row's taps, `[9][lanes]`, from partial sums, each `[36][rows][lanes]`.
#[inline(always)]
fn add_up<S: Simd>(simd: S, partial_sums: &[f32], rows: usize, row: usize, taps: &mut [f32]) {
    let lanes = taps.len() / 9;
    let plane = rows * lanes;
    let first = row * lanes;
    for lane in (0..lanes).step_by(S::LANES) {
        let sums = |row: usize, col: usize| {
            let mut total = simd.zero();
            for sums in partial_sums.chunks_exact(PRODUCTS * plane) {
                let sums = &sums[first + lane..];
                total = simd.add(
                    total,
                    Vectors::<S, 6>::new(sums, 6 * plane, plane).get(simd, row, col),
                );
            }
            total
        };
        let mut taps = VectorsMut::<S, 3>::new(&mut taps[lane..], 3 * lanes, lanes);
        transform::weight_transposed(simd, sums, |row, col, tap| taps.set(simd, row, col, tap));
    }
}

/// A block in the products' domain: `[36][tile][channel]`.
#[derive(Clone, Copy)]
struct Side<'a> {
    numbers: &'a [f32],
    /// From a tile to the next.
    pitch: usize,
    /// From a product to the next.
    plane: usize,
}

/// A block's part of `sums[36][rows][b.pitch]`: the products of `a` and `b`, over the tiles.
#[inline(always)]
fn accumulate<S: Simd>(
    simd: S,
    tiles: usize,
    a: Side<'_>,
    rows: usize,
    b: Side<'_>,
    sums: &mut [f32],
    add: bool,
) {
    let lanes = b.pitch;
    for product in 0..PRODUCTS {
        for lane in (0..lanes).step_by(VECS * S::LANES) {
            for (row, tile_rows) in even_parts(rows, S::ROWS) {
                let operands = Operands {
                    depth: tiles,
                    a: &a.numbers[product * a.plane + row..],
                    a_step: a.pitch,
                    a_row: |r| r,
                    b: &b.numbers[product * b.plane + lane..],
                    b_step: lanes,
                    b_tap: |_| 0,
                };
                let sums = &mut sums[(product * rows + row) * lanes + lane..];
                if lanes - lane == S::LANES {
                    tile::<S, 1, 1>(simd, tile_rows, operands, sums, lanes, add);
                } else {
                    tile::<S, VECS, 1>(simd, tile_rows, operands, sums, lanes, add);
                }
            }
        }
    }
}
