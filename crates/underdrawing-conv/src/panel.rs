//! Matrix products one panel at a time. A panel is as many columns of the right matrix as a
//! register tile is wide, stored contiguously row by row.

use crate::gemm::VECS;
use crate::simd::{Rows, Simd};

/// Rows of a panel that are multiplied at a time: they stay in the level-1 cache.
pub(crate) const PART_DEPTH: usize = 256;

/// Extra values between the rows of a matrix. If the distance between them were a power of two, all
/// rows of a tile would fall into the same cache set.
pub(crate) const SKEW: usize = 16;

/// Makes a panel `[part][width]` of the transpose of some columns of `w[rows][pitch]`.
#[inline(always)]
pub(crate) fn transpose_panel<S: Simd>(
    simd: S,
    w: &[f32],
    rows: usize,
    pitch: usize,
    part: std::ops::Range<usize>,
    panel: &mut [f32],
) {
    let width = VECS * S::LANES;
    let lanes = S::LANES;
    for row in (0..rows).step_by(lanes) {
        let count = lanes.min(rows - row);
        let w = &w[row * pitch..][..count * pitch];
        for col in part.clone().step_by(lanes) {
            let cols = lanes.min(part.end - col);
            let panel = &mut panel[(col - part.start) * width + row..];
            // The transposition reads whole vectors, which may extend beyond the last row.
            if (count - 1) * pitch + col + lanes > w.len() {
                for k in 0..cols {
                    for r in 0..lanes {
                        panel[k * width + r] = w[r.min(count - 1) * pitch + col + k];
                    }
                }
                continue;
            }
            assert!((cols - 1) * width + lanes <= panel.len());
            let src = Rows {
                start: w[col..].as_ptr(),
                pitch,
                count,
            };
            let dst = Rows {
                start: panel.as_mut_ptr(),
                pitch: width,
                count: cols,
            };
            // SAFETY: the vectors of all rows read are inside of `w` by the test above, those
            // written inside of `panel` as asserted.
            unsafe { simd.transpose(src, dst) };
        }
    }
}
