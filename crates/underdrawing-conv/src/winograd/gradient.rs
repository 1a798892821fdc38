//! The gradient with respect to the weights: `x` and `dy` are transformed, their products are
//! summed over the tiles, and the sums are transformed once at the end.

use super::tiling::Tiling;
use crate::block::{Domain, Grid, gather_window, transform_dy};
use crate::gemm::{ByColumn, ByRow, Size, multiply};
use crate::parallel;
use crate::pass::{Pass, WeightIdx, WeightMap};
use crate::scratch;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::{Three, Transforms, Transposes, Two};

/// Partial sums of a weight gradient. This fixes the order of summation, so it must not depend on
/// the number of threads.
const PARTIAL_SUMS: usize = 8;
/// Bytes of sums above which larger blocks are faster.
const LARGE_SUMS: usize = 512 << 10;
/// Tiles per larger block.
const LARGE_BLOCK: usize = 128;
/// Minimum number of tiles per partial sum: with fewer, adding the sums up takes longer than the
/// products.
const PARTIAL_TILES: usize = 96;

/// The gradient with respect to the weights of a pass whose result has a single phase.
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

fn backward_by<S: Simd, T: Transposes>(
    simd: S,
    transforms: T,
    pass: &Pass,
    map: WeightMap,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let tiling = Tiling::with::<S>(pass, grid::<S, T>(pass));
    let grid = tiling.grid;
    let sums = Sums::new(&tiling);
    let items = pass.n * grid.per_picture();
    let tiles = pass.n * grid.tiles();
    let chunks = items.min(PARTIAL_SUMS).min(tiles.div_ceil(PARTIAL_TILES));
    let sums_len = T::PRODUCTS * sums.rows * sums.lanes;
    let pixels = grid.largest();
    let lens = [
        (pixels.read(pass).pixels() * tiling.pitch_in)
            .max(pixels.written(pass).pixels() * tiling.pitch_out),
        T::PRODUCTS * tiling.left.plane,
        T::PRODUCTS * tiling.right.plane,
    ];
    let correlate_block = |item: usize, memory: [&mut [f32]; 3], into: &mut [f32], add: bool| {
        simd.run(
            #[inline(always)]
            || {
                let block = grid.get(item);
                let [pixels, left, right] = memory;
                gather_window(simd, pass.from, x, block.read(pass), pixels);
                tiling.transform_input(simd, transforms, block, [0, 0], pixels, left);
                gather_window(simd, pass.to, dy, block.written(pass), pixels);
                let tiles = tiling.tiles_written(block, [0, 0]);
                transform_dy(
                    simd,
                    transforms,
                    pixels,
                    tiles,
                    tiling.pitch_out,
                    right,
                    tiling.right,
                );
                sums.accumulate(simd, transforms, block.tiles(), left, right, into, add);
            },
        );
    };
    let taps_len = T::TAPS * T::TAPS * sums.lanes;
    scratch::with(
        [chunks * sums_len, sums.rows * taps_len],
        |[partial_sums, taps]| {
            parallel::each_chunk(partial_sums, sums_len, &|chunk, into| {
                let first = chunk * items / chunks;
                for item in first..(chunk + 1) * items / chunks {
                    scratch::with(lens, |memory| {
                        correlate_block(item, memory, into, item > first);
                    });
                }
            });
            parallel::each_chunk(taps, taps_len, &|row, taps| {
                simd.run(
                    #[inline(always)]
                    || sums.add_up(simd, transforms, partial_sums, row, taps),
                );
            });
            sums.write(&tiling, map, taps, dw);
        },
    );
}

/// Blocks that fit the level-2 cache, or larger ones if the sums alone do not fit: every block
/// reads and writes all sums once.
fn grid<S: Simd, T: Transforms>(pass: &Pass) -> Grid {
    let phases = pass.phases_from().count();
    let sums_bytes = 4 * T::PRODUCTS * phases * pass.from.channels * pass.to.channels;
    if sums_bytes < LARGE_SUMS {
        Grid::new::<S, T>(pass)
    } else {
        Grid::of_blocks::<T>(pass, LARGE_BLOCK)
    }
}

/// Sums of products over tiles, `[product][rows][lanes]`. The vector lanes are the channels, of
/// input or output, that fill them better.
struct Sums {
    /// Whether the rows are the output channels rather than the input channels.
    swapped: bool,
    rows: usize,
    lanes: usize,
    /// Layout of the operand of the rows, and of that of the lanes.
    sources: [Domain; 2],
}

impl Sums {
    fn new(tiling: &Tiling) -> Self {
        let c_out = tiling.pass.to.channels;
        let swapped = tiling.depth * tiling.pitch_out > c_out * tiling.left.pitch;
        if swapped {
            Self {
                swapped,
                rows: c_out,
                lanes: tiling.left.pitch,
                sources: [tiling.right, tiling.left],
            }
        } else {
            Self {
                swapped,
                rows: tiling.depth,
                lanes: tiling.right.pitch,
                sources: [tiling.left, tiling.right],
            }
        }
    }

    /// Adds the contribution of a block: the products of `left` and `right`, summed over its tiles.
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
        let size = Size {
            rows: self.rows,
            depth: tiles,
            vectors: lanes / S::LANES,
        };
        for product in 0..T::PRODUCTS {
            let a = ByColumn {
                values: &a[product * rows_from.plane..],
                pitch: rows_from.pitch,
            };
            let b = ByRow {
                values: &b[product * lanes_from.plane..],
                pitch: lanes,
            };
            let sums = &mut sums[product * self.rows * lanes..];
            multiply(simd, size, a, b, sums, lanes, add);
        }
    }

    /// Computes the taps of a row, `[tap][lanes]`, from the partial sums.
    #[inline(always)]
    fn add_up<S: Simd, T: Transposes>(
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

    /// Copies `taps[rows][tap][lanes]` to their places in `dw`.
    fn write(&self, tiling: &Tiling, map: WeightMap, taps: &[f32], dw: &mut [f32]) {
        let Pass {
            from,
            to,
            taps: side,
            ..
        } = tiling.pass;
        for i in 0..tiling.depth {
            let (phase, channel) = (i / tiling.pitch_in, i % tiling.pitch_in);
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
