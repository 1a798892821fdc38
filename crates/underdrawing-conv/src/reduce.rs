//! Sums over pictures.

use rayon::prelude::*;

/// Overwrites `sums` with those of the channels of `[n, sums.len(), area]`.
pub(crate) fn sum_pictures(pictures: &[f32], area: usize, sums: &mut [f32]) {
    let channels = sums.len();
    if area == 0 {
        sums.fill(0.0);
        return;
    }
    sums.par_iter_mut().enumerate().for_each(|(c, total)| {
        let parts = pictures.chunks_exact(area).skip(c).step_by(channels);
        *total = parts.map(sum).sum::<f64>() as f32;
    });
}

/// The sum of a channel: in single precision over short runs, which vectorise, and in double
/// precision over those.
fn sum(numbers: &[f32]) -> f64 {
    let mut total = 0.0;
    for run in numbers.chunks(1024) {
        let mut lanes = [0.0; 16];
        let (whole, rest) = run.as_chunks::<16>();
        for numbers in whole {
            for (lane, number) in lanes.iter_mut().zip(numbers) {
                *lane += number;
            }
        }
        total += f64::from(lanes.iter().chain(rest).sum::<f32>());
    }
    total
}
