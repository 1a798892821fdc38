//! Structural similarity; [`Comparison::ssim`](super::Comparison::ssim) states the settings.
//!
//! Every output row is computed by itself: the window's columns are summed first, then its rows.
//! So memory grows with the width only, and the order of the sums does not depend on the threads.

use rayon::prelude::*;

/// Side of the window in pixels, and its Gaussian's deviation.
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;

/// `(0.01 * 255)²` and `(0.03 * 255)²`, which keep the quotient stable in flat areas.
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// Mean structural similarity of two pictures of `3 * width * height` interleaved samples.
pub(super) fn ssim<A, B>(a: &[A], b: &[B], width: usize, height: usize) -> f64
where
    A: Copy + Into<f64> + Sync,
    B: Copy + Into<f64> + Sync,
{
    let across = gaussian(width);
    let down = gaussian(height);
    let stride = 3 * width;
    let n_columns = 3 * (width + 1 - across.len());
    let n_rows = height + 1 - down.len();
    let sums: Vec<f64> = (0..n_rows)
        .into_par_iter()
        .map_init(
            || (Moments::new(stride), Moments::new(n_columns)),
            |(columns, windows), y| {
                let rows = y * stride..(y + down.len()) * stride;
                columns.sum_rows(&a[rows.clone()], &b[rows], &down);
                windows.sum_columns(columns, &across);
                windows.similarity()
            },
        )
        .collect();
    sums.iter().sum::<f64>() / (n_columns * n_rows) as f64
}

/// The window's weights along a side: 11, or the largest odd number that fits, with sum 1.
fn gaussian(side: usize) -> Vec<f64> {
    let length = side.min(WINDOW);
    let radius = (length - 1) / 2;
    let weights: Vec<f64> = (0..=2 * radius)
        .map(|i| {
            let distance = i as f64 - radius as f64;
            (-0.5 * (distance / SIGMA).powi(2)).exp()
        })
        .collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Weighted means of `a`, `b`, `a² + b²` and `ab`, one of each a sample of a row.
struct Moments {
    a: Vec<f64>,
    b: Vec<f64>,
    squares: Vec<f64>,
    product: Vec<f64>,
}

impl Moments {
    fn new(length: usize) -> Self {
        let zeros = vec![0.0; length];
        Self {
            a: zeros.clone(),
            b: zeros.clone(),
            squares: zeros.clone(),
            product: zeros,
        }
    }

    fn clear(&mut self) {
        for values in [
            &mut self.a,
            &mut self.b,
            &mut self.squares,
            &mut self.product,
        ] {
            values.fill(0.0);
        }
    }

    /// Means down the columns of `weights.len()` rows of samples.
    fn sum_rows<A: Copy + Into<f64>, B: Copy + Into<f64>>(
        &mut self,
        a: &[A],
        b: &[B],
        weights: &[f64],
    ) {
        self.clear();
        let length = self.a.len();
        let rows = a.chunks_exact(length).zip(b.chunks_exact(length));
        for ((a, b), &weight) in rows.zip(weights) {
            for i in 0..length {
                let (a, b) = (a[i].into(), b[i].into());
                self.a[i] += weight * a;
                self.b[i] += weight * b;
                self.squares[i] += weight * (a * a + b * b);
                self.product[i] += weight * (a * b);
            }
        }
    }

    /// Means along the row of what [`Moments::sum_rows`] gave.
    fn sum_columns(&mut self, columns: &Self, weights: &[f64]) {
        self.clear();
        let length = self.a.len();
        for (k, &weight) in weights.iter().enumerate() {
            // The same channel of the pixel `k` columns on.
            let shifted = 3 * k..3 * k + length;
            for (sum, values) in [
                (&mut self.a, &columns.a),
                (&mut self.b, &columns.b),
                (&mut self.squares, &columns.squares),
                (&mut self.product, &columns.product),
            ] {
                for (sum, value) in sum.iter_mut().zip(&values[shifted.clone()]) {
                    *sum += weight * value;
                }
            }
        }
    }

    /// The row's sum of similarities.
    fn similarity(&self) -> f64 {
        let mut sum = 0.0;
        for i in 0..self.a.len() {
            let (a, b) = (self.a[i], self.b[i]);
            let variances = self.squares[i] - a * a - b * b;
            let covariance = self.product[i] - a * b;
            sum += (2.0 * a * b + C1) * (2.0 * covariance + C2)
                / ((a * a + b * b + C1) * (variances + C2));
        }
        sum
    }
}
