//! Loops over values on all threads.

use rayon::prelude::*;
use underdrawing_conv::vectorised;

/// Values that a thread takes at a time.
pub(super) const CHUNK: usize = 1 << 14;

/// Each value becomes `f` of it and the other.
pub(super) fn zip(values: &mut [f32], others: &[f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    let chunks = values.par_chunks_mut(CHUNK).zip(others.par_chunks(CHUNK));
    chunks.for_each(|(values, others)| {
        for (value, other) in values.iter_mut().zip(others) {
            *value = f(*value, *other);
        }
    });
}

/// Each value becomes `f` of it.
pub(super) fn map(values: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    values.par_chunks_mut(CHUNK).for_each(|values| {
        for value in values {
            *value = f(*value);
        }
    });
}

/// The sum of `f` of each value: in single precision over short runs, which vectorise, and in
/// double precision over those.
#[inline(always)]
pub(super) fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let mut total = 0.0;
    for run in values.chunks(512) {
        let mut lanes = [0.0; 16];
        let (whole, rest) = run.as_chunks::<16>();
        for values in whole {
            for (lane, v) in lanes.iter_mut().zip(values) {
                *lane += f(*v);
            }
        }
        let lanes = lanes.iter().sum::<f32>();
        total += f64::from(lanes + rest.iter().map(|v| f(*v)).sum::<f32>());
    }
    total
}

/// Sum of squares; chunks are added in their order.
pub(super) fn sum_of_squares(values: &[f32]) -> f64 {
    let chunks = values.par_chunks(CHUNK).map(|values| {
        vectorised(
            #[inline(always)]
            || {
                sum(
                    values,
                    #[inline(always)]
                    |v| v * v,
                )
            },
        )
    });
    chunks.collect::<Vec<f64>>().iter().sum()
}

/// The planes `[h, w]` of one channel of `[n, channels, h, w]`.
pub(super) fn planes(
    values: &[f32],
    channel: usize,
    channels: usize,
    plane: usize,
) -> impl Iterator<Item = &[f32]> {
    values
        .chunks_exact(plane)
        .skip(channel)
        .step_by(channels.max(1))
}
