//! The gradient of the weights: both pictures in the products' domain, the products summed over
//! the tiles, and the sums transformed once at the end.

use rayon::prelude::*;

use super::shape::Shape;
use crate::block::{Domain, Grid, Tiles, gather_window, transform_slopes};
use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::pass::{Pass, WeightIdx, WeightMap};
use crate::scratch;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::{Three, Transforms, Two};

/// Partial sums of a weight gradient. It decides the order of the summation, so it must not
/// depend on the number of threads.
const PARTIAL_SUMS: usize = 8;
/// Bytes of sums from which on larger blocks are faster.
const LARGE_SUMS: usize = 512 << 10;
/// Tiles of those.
const LARGE_BLOCK: usize = 128;
/// Tiles of a partial sum, at least: with fewer, adding up takes longer than the products.
const PARTIAL_TILES: usize = 96;

/// The gradient of the weights of a pass whose result has one phase.
pub(crate) fn backward_weight<S: Simd>(
    simd: S,
    pass: &Pass,
    map: WeightMap,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    debug_assert_eq!(pass.to.step, 1);
    match pass.taps {
        2 => backward_by(simd, Two, pass, map, x, dy, dw),
        _ => backward_by(simd, Three, pass, map, x, dy, dw),
    }
}

fn backward_by<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    pass: &Pass,
    map: WeightMap,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let shape = Shape::with::<S>(pass, grid::<S, T>(pass));
    let grid = shape.grid;
    let sums = Sums::new(&shape);
    let items = pass.n * grid.per_picture();
    let tiles = pass.n * grid.tiles();
    let chunks = items.min(PARTIAL_SUMS).min(tiles.div_ceil(PARTIAL_TILES));
    let sums_len = T::PRODUCTS * sums.rows * sums.lanes;
    let pixels = grid.largest();
    let lens = [
        (pixels.read(pass).pixels() * shape.pitch_in)
            .max(pixels.written(pass).pixels() * shape.pitch_out),
        T::PRODUCTS * shape.left.plane,
        T::PRODUCTS * shape.right.plane,
    ];
    let correlate_block = |item: usize, memory: [&mut [f32]; 3], into: &mut [f32], add: bool| {
        simd.run(
            #[inline(always)]
            || {
                let block = grid.get(item);
                let [pixels, left, right] = memory;
                gather_window(simd, pass.from, x, block.read(pass), pixels);
                shape.enter(simd, transforms, block, [0, 0], pixels, left);
                gather_window(simd, pass.to, dy, block.written(pass), pixels);
                let tiles = shape.tiles_written(block, [0, 0]);
                enter_slopes(simd, transforms, &shape, tiles, pixels, right);
                sums.accumulate(simd, transforms, block.tiles(), left, right, into, add);
            },
        );
    };
    let taps_len = T::TAPS * T::TAPS * sums.lanes;
    scratch::with(
        [chunks * sums_len, sums.rows * taps_len],
        |[partial_sums, taps]| {
            partial_sums
                .par_chunks_exact_mut(sums_len)
                .enumerate()
                .for_each(|(chunk, into)| {
                    let first = chunk * items / chunks;
                    for item in first..(chunk + 1) * items / chunks {
                        scratch::with(lens, |memory| {
                            correlate_block(item, memory, into, item > first);
                        });
                    }
                });
            taps.par_chunks_exact_mut(taps_len)
                .enumerate()
                .for_each(|(row, taps)| {
                    simd.run(
                        #[inline(always)]
                        || sums.add_up(simd, transforms, partial_sums, row, taps),
                    );
                });
            sums.write(&shape, map, taps, dw);
        },
    );
}

/// Blocks that fit a level-2 cache, or if the sums alone don't, larger ones: for each block the
/// sums are read and written once.
fn grid<S: Simd, T: Transforms>(pass: &Pass) -> Grid {
    let phases = pass.phases_from().count();
    let sums_bytes = 4 * T::PRODUCTS * phases * pass.from.channels * pass.to.channels;
    if sums_bytes < LARGE_SUMS {
        Grid::new::<S>(pass)
    } else {
        Grid::of_blocks(pass, LARGE_BLOCK)
    }
}

#[inline(always)]
fn enter_slopes<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    shape: &Shape,
    tiles: Tiles,
    pixels: &[f32],
    right: &mut [f32],
) {
    transform_slopes(
        simd,
        transforms,
        pixels,
        tiles,
        shape.pitch_out,
        right,
        shape.right,
    );
}

/// Sums of products over tiles, `[product][rows][lanes]`. The lanes of the vectors are the
/// channels that fill them better.
struct Sums {
    /// Whether the rows are the output's channels, rather than those of the input.
    swapped: bool,
    rows: usize,
    lanes: usize,
    /// Where the channels of the rows come from, and those of the lanes.
    sources: [Domain; 2],
}

impl Sums {
    fn new(shape: &Shape) -> Self {
        let c_out = shape.pass.to.channels;
        let swapped = shape.depth * shape.pitch_out > c_out * shape.left.pitch;
        if swapped {
            Self {
                swapped,
                rows: c_out,
                lanes: shape.left.pitch,
                sources: [shape.right, shape.left],
            }
        } else {
            Self {
                swapped,
                rows: shape.depth,
                lanes: shape.right.pitch,
                sources: [shape.left, shape.right],
            }
        }
    }

    /// A block's part: the products of `left` and `right`, over the tiles.
    #[inline(always)]
    fn accumulate<S: Simd, T: Transforms>(
        &self,
        simd: S,
        _: T,
        tiles: usize,
        left: &[f32],
        right: &[f32],
        sums: &mut [f32],
        add: bool,
    ) {
        let (a, b) = if self.swapped {
            (right, left)
        } else {
            (left, right)
        };
        let lanes = self.lanes;
        let [rows_from, lanes_from] = self.sources;
        for product in 0..T::PRODUCTS {
            for lane in (0..lanes).step_by(VECS * S::LANES) {
                for (row, tile_rows) in even_parts(self.rows, S::ROWS) {
                    let operands = Operands {
                        depth: tiles,
                        a: &a[product * rows_from.plane + row..],
                        a_at: |k| k * rows_from.pitch,
                        a_row: |r| r,
                        a_last: (tiles - 1) * rows_from.pitch + tile_rows - 1,
                        b: &b[product * lanes_from.plane + lane..],
                        b_at: |k| k * lanes,
                        b_last: (tiles - 1) * lanes,
                    };
                    let sums = &mut sums[(product * self.rows + row) * lanes + lane..];
                    if lanes - lane == S::LANES {
                        tile::<S, 1>(simd, tile_rows, operands, sums, lanes, add);
                    } else {
                        tile::<S, VECS>(simd, tile_rows, operands, sums, lanes, add);
                    }
                }
            }
        }
    }

    /// A row's taps, `[tap][lanes]`, from partial sums.
    #[inline(always)]
    fn add_up<S: Simd, T: Transforms>(
        &self,
        simd: S,
        _: T,
        partial_sums: &[f32],
        row: usize,
        taps: &mut [f32],
    ) {
        let lanes = self.lanes;
        let plane = self.rows * lanes;
        for lane in (0..lanes).step_by(S::LANES) {
            let sums = |patch_row: usize, col: usize| {
                let mut total = simd.zero();
                for sums in partial_sums.chunks_exact(T::PRODUCTS * plane) {
                    let sums = &sums[row * lanes + lane..];
                    let sums = Vectors::<S>::new(sums, T::PATCH, [T::PATCH * plane, plane]);
                    total = simd.add(total, sums.get(simd, patch_row, col));
                }
                total
            };
            let steps = [T::TAPS * lanes, lanes];
            let mut taps = VectorsMut::<S>::new(&mut taps[lane..], T::TAPS, steps);
            T::weight_transposed(simd, sums, |row, col, tap| taps.set(simd, row, col, tap));
        }
    }

    /// Moves `taps[rows][tap][lanes]` to their places.
    fn write(&self, shape: &Shape, map: WeightMap, taps: &[f32], dw: &mut [f32]) {
        let Pass {
            from,
            to,
            taps: side,
            ..
        } = shape.pass;
        for i in 0..shape.depth {
            let (phase, channel) = (i / shape.pitch_in, i % shape.pitch_in);
            if channel >= from.channels {
                continue;
            }
            for o in 0..to.channels {
                let (row, lane) = if self.swapped { (o, i) } else { (i, o) };
                for tap in 0..side * side {
                    let idx = WeightIdx {
                        to_phase: [0, 0],
                        from_phase: [phase / from.step, phase % from.step],
                        from: channel,
                        to: o,
                        tap: [tap / side, tap % side],
                    };
                    dw[map.get(idx)] = taps[(row * side * side + tap) * self.lanes + lane];
                }
            }
        }
    }
}
