//! Sums over the pixels of pictures.

use crate::parallel;

/// Overwrites `sums` with the sums of the channels of `[n, sums.len(), area]`.
pub(crate) fn sum_pictures(pictures: &[f32], area: usize, sums: &mut [f32]) {
    let channels = sums.len();
    if area == 0 {
        sums.fill(0.0);
        return;
    }
    parallel::each_chunk(sums, 1, &|c, total| {
        let parts = pictures.chunks_exact(area).skip(c).step_by(channels);
        total[0] = parts.map(sum).sum::<f64>() as f32;
    });
}

/// The sum of one channel of one picture: short runs in single precision, which is vectorised, and
/// their sums in double precision.
fn sum(values: &[f32]) -> f64 {
    let mut total = 0.0;
    for run in values.chunks(1024) {
        let mut lanes = [0.0; 16];
        let (whole, rest) = run.as_chunks::<16>();
        for values in whole {
            for (lane, number) in lanes.iter_mut().zip(values) {
                *lane += number;
            }
        }
        total += f64::from(lanes.iter().chain(rest).sum::<f32>());
    }
    total
}
