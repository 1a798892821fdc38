//! Sums over the differences of all samples, and the figures that follow from them.

use rayon::prelude::*;

/// Samples that one thread sums at a time. Fixed, so that the result does not depend on the number
/// of threads.
const CHUNK: usize = 1 << 16;

/// Sums over the differences of two sets of samples.
///
/// With 8-bit samples every sum is an integer below 2^53, so it is exact.
#[derive(Clone, Copy, Default)]
pub(super) struct Difference {
    n: usize,
    sum_absolute: f64,
    pub(super) sum_squared: f64,
    pub(super) max: f64,
}

impl Difference {
    /// Sums over samples in pairs; both slices have the same length.
    pub(super) fn of<A, B>(a: &[A], b: &[B]) -> Self
    where
        A: Copy + Into<f64> + Sync,
        B: Copy + Into<f64> + Sync,
    {
        let chunks: Vec<_> = a
            .par_chunks(CHUNK)
            .zip(b.par_chunks(CHUNK))
            .map(|(a, b)| Self::of_chunk(a, b))
            .collect();
        chunks.iter().fold(Self::default(), |total, part| Self {
            n: total.n + part.n,
            sum_absolute: total.sum_absolute + part.sum_absolute,
            sum_squared: total.sum_squared + part.sum_squared,
            max: total.max.max(part.max),
        })
    }

    fn of_chunk<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> Self {
        let mut sums = Self {
            n: a.len(),
            ..Self::default()
        };
        for (&a, &b) in a.iter().zip(b) {
            let difference = (a.into() - b.into()).abs();
            sums.sum_absolute += difference;
            sums.sum_squared += difference * difference;
            sums.max = sums.max.max(difference);
        }
        sums
    }

    /// Mean absolute difference.
    pub(super) fn apd(&self) -> f64 {
        self.sum_absolute / self.n as f64
    }

    /// Root of the mean square error.
    pub(super) fn rmse(&self) -> f64 {
        (self.sum_squared / self.n as f64).sqrt()
    }

    /// `10 log10(255² / MSE)`; `None` when nothing differs.
    pub(super) fn psnr_db(&self) -> Option<f64> {
        let mean_square = self.sum_squared / self.n as f64;
        (mean_square > 0.0).then(|| 10.0 * (255.0 * 255.0 / mean_square).log10())
    }
}
