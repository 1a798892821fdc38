//! The transformed weights.

use super::tiling::Tiling;
use crate::gemm::VECS;
use crate::parallel;
use crate::pass::WeightIdx;
use crate::pass::Weights;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::Transforms;

/// Maximum number of taps of a kernel, and of lanes of a vector.
const MAX_TAPS: usize = 9;
const MAX_LANES: usize = 16;

/// Transforms the weights for one phase of the result, to panels of `VECS` vectors of output
/// channels, each `[product][depth][output channel]`.
pub(crate) fn transform<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    tiling: &Tiling,
    w: Weights<'_>,
    to_phase: [usize; 2],
    weights: &mut [f32],
) {
    let panel_len = T::PRODUCTS * tiling.depth * VECS * S::LANES;
    parallel::each_chunk(weights, panel_len, &|panel, weights| {
        let first = panel * VECS * S::LANES;
        simd.run(
            #[inline(always)]
            || transform_panel(simd, transforms, tiling, w, to_phase, first, weights),
        );
    });
}

/// The panel of the output channels from `first` on.
#[inline(always)]
fn transform_panel<S: Simd, T: Transforms>(
    simd: S,
    _: T,
    tiling: &Tiling,
    w: Weights<'_>,
    to_phase: [usize; 2],
    first: usize,
    weights: &mut [f32],
) {
    let pass = &tiling.pass;
    let plane = weights.len() / T::PRODUCTS;
    let width = plane / tiling.depth;
    let mut taps = [0.0; MAX_TAPS * MAX_LANES];
    for i in 0..tiling.depth {
        let (phase, from) = (i / tiling.pitch_in, i % tiling.pitch_in);
        let from_phase = [phase / pass.from.step, phase % pass.from.step];
        for lane_start in (0..width).step_by(S::LANES) {
            for tap in 0..T::TAPS * T::TAPS {
                for lane in 0..S::LANES {
                    let to = first + lane_start + lane;
                    let idx = WeightIdx {
                        to_phase,
                        from_phase,
                        from,
                        to,
                        tap: [tap / T::TAPS, tap % T::TAPS],
                    };
                    let exists = from < pass.from.channels && to < pass.to.channels;
                    taps[tap * S::LANES + lane] = if exists {
                        w.values[w.map.get(idx)]
                    } else {
                        0.0
                    };
                }
            }
            let taps = Vectors::<S>::new(&taps, T::TAPS, [T::TAPS * S::LANES, S::LANES]);
            let weights = &mut weights[i * width + lane_start..];
            let mut weights = VectorsMut::<S>::new(weights, T::PATCH, [T::PATCH * plane, plane]);
            T::weight(
                simd,
                #[inline(always)]
                |row, col| taps.get(simd, row, col),
                #[inline(always)]
                |row, col, weight| weights.set(simd, row, col, weight),
            );
        }
    }
}
