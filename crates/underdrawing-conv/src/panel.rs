//! Products of matrices a panel at a time: as many columns of the right matrix as a register tile
//! is wide, brought together row by row.

use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::simd::{Rows, Simd};

/// Rows of a panel that are multiplied at a time, so that they stay in the level-1 cache.
pub(crate) const PART_DEPTH: usize = 256;

/// Numbers between the rows of a matrix: with a power of two from one to the next, the rows of a
/// tile would be in the same set of the cache.
pub(crate) const SKEW: usize = 16;

/// `sums += left * right`, with `[pixels][pitch]` for `left`, of which `depth` columns count,
/// `[depth][width]` for `right`, and `[pixels][width]` for `sums`.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    simd: S,
    [pixels, depth, pitch]: [usize; 3],
    left: &[f32],
    right: &[f32],
    sums: &mut [f32],
) {
    let width = VECS * S::LANES;
    for (start, rows) in even_parts(pixels, S::ROWS) {
        let operands = Operands {
            depth,
            a: &left[start * pitch..],
            a_at: |k| k,
            a_row: |r| r * pitch,
            a_last: (rows - 1) * pitch + depth.saturating_sub(1),
            b: right,
            b_at: |k| k * width,
            b_last: depth.saturating_sub(1) * width,
        };
        tile::<S, VECS>(
            simd,
            rows,
            operands,
            &mut sums[start * width..],
            width,
            /* add */ true,
        );
    }
}

/// Transposes a part of the columns of `w[rows][pitch]` to `[part][VECS vectors]`.
#[inline(always)]
pub(crate) fn turn<S: Simd>(
    simd: S,
    w: &[f32],
    rows: usize,
    pitch: usize,
    part: std::ops::Range<usize>,
    turned: &mut [f32],
) {
    let width = VECS * S::LANES;
    let lanes = S::LANES;
    for row in (0..rows).step_by(lanes) {
        let count = lanes.min(rows - row);
        let w = &w[row * pitch..][..count * pitch];
        for col in part.clone().step_by(lanes) {
            let cols = lanes.min(part.end - col);
            let turned = &mut turned[(col - part.start) * width + row..];
            // The transposition reads whole vectors, which the last row may not have.
            if (count - 1) * pitch + col + lanes > w.len() {
                for k in 0..cols {
                    for r in 0..lanes {
                        turned[k * width + r] = w[r.min(count - 1) * pitch + col + k];
                    }
                }
                continue;
            }
            assert!((cols - 1) * width + lanes <= turned.len());
            let src = Rows {
                start: w[col..].as_ptr(),
                pitch,
                count,
            };
            let dst = Rows {
                start: turned.as_mut_ptr(),
                pitch: width,
                count: cols,
            };
            // SAFETY: the vectors of all rows read are inside of `w` by the test above, those
            // written inside of `turned` as asserted.
            unsafe { simd.transpose(src, dst) };
        }
    }
}
