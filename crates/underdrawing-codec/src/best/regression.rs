//! Weighted least squares over a band: decaying sums of products of up to 16 regressors and a
//! target, from which the best weights are solved for after a row. Unused regressors are always
//! zero.

use super::odds::{larger, rounded, smaller};
use crate::entropy::{REGRESSORS as N, Start, dot};

/// Most observations whose products are summed in 32 bits.
const MAX_RECENT: usize = 500;

/// Largest magnitude of a normalised regressor or target.
const LIMIT: f32 = 2047.0;

/// Largest weight.
const MAX_WEIGHT: f32 = 8.0;

/// What is added to the diagonal, as a share of it, so that nearly dependent regressors do no harm.
const RIDGE: f32 = 1.0 / 1024.0;

/// Sums and weights.
#[derive(Clone, Debug)]
pub(super) struct Regression {
    sums: [[f32; N]; N],
    target: [f32; N],
    weights: [f32; N],
    /// Normalised regressors and targets of a row, while it is learned from.
    scaled: [Vec<i16>; N + 1],
}

impl Regression {
    /// Starts from weights, trusted as if the regressors were independent.
    pub(super) fn new([weights, trust]: &Start) -> Self {
        let weights = weights.map(|w| w as f32 / 4096.0);
        let mut sums = [[0.0; N]; N];
        let mut target = [0.0; N];
        for i in 0..N {
            sums[i][i] = trust[i] as f32 * 256.0;
            target[i] = weights[i] * sums[i][i];
        }
        Self {
            sums,
            target,
            weights,
            scaled: Default::default(),
        }
    }

    /// Adds another one's sums, each picture counting alike.
    #[cfg(feature = "fit")]
    pub(super) fn add(&mut self, other: &Self) {
        let largest = (0..N).map(|i| other.sums[i][i]).fold(1.0, f32::max);
        for i in 0..N {
            for j in 0..N {
                self.sums[i][j] += other.sums[i][j] / largest * 1e6;
            }
            self.target[i] += other.target[i] / largest * 1e6;
        }
    }

    /// Without sums.
    #[cfg(feature = "fit")]
    pub(super) fn empty() -> Self {
        Self {
            sums: [[0.0; N]; N],
            target: [0.0; N],
            weights: [0.0; N],
            scaled: Default::default(),
        }
    }

    /// The initial state for another regression, as if after `n` observations of the strongest
    /// regressor.
    #[cfg(feature = "fit")]
    pub(super) fn to_start(&self, n: f32) -> Start {
        let largest = (0..N).map(|i| self.sums[i][i]).fold(1.0, f32::max);
        let weights = solve(&self.sums, &self.target);
        [
            weights.map(|w| (w * 4096.0).round() as i32),
            // A normalised magnitude is about 16; outliers make the mean square four times as large.
            std::array::from_fn(|i| ((self.sums[i][i] * n * 4.0 / largest) as i32).max(1)),
        ]
    }

    /// The weights of the first regressors.
    #[inline(always)]
    pub(super) fn first<const FIRST: usize>(&self) -> [f32; FIRST] {
        std::array::from_fn(|i| self.weights[i])
    }

    /// The weighted sums of the regressors of each observation of a row, but for the `first` ones,
    /// times `unit`.
    #[inline(always)]
    pub(super) fn predict_row(
        &self,
        x: &[Vec<i32>; N],
        first: usize,
        unit: f32,
        sums: &mut Vec<f32>,
    ) {
        sums.clear();
        sums.resize(x[0].len(), 0.0);
        for i in first..N {
            let weight = self.weights[i] * unit;
            for (sum, &x) in sums.iter_mut().zip(&x[i]) {
                *sum += x as f32 * weight;
            }
        }
    }

    /// Learns from a row. Regressors and targets are multiplied by `weights`, which should bring
    /// errors near 16.
    #[inline(always)]
    pub(super) fn learn_row(&mut self, x: &[Vec<i32>; N], targets: &[i32], weights: &[f32]) {
        let mut start = 0;
        while start < targets.len() {
            let n = (targets.len() - start).min(MAX_RECENT);
            let columns = x.iter().map(Vec::as_slice).chain([targets]);
            for (to, column) in self.scaled.iter_mut().zip(columns) {
                to.resize(n, 0);
                let from = column[start..].iter().zip(&weights[start..]);
                for (to, (&x, weight)) in to.iter_mut().zip(from) {
                    *to = normalised(x as f32 * weight, LIMIT) as i16;
                }
            }
            let [columns @ .., target] = &self.scaled;
            for i in 0..N {
                for j in 0..=i {
                    let sum = self.sums[i][j] + dot(&columns[i], &columns[j]) as f32;
                    self.sums[i][j] = sum;
                    self.sums[j][i] = sum;
                }
                self.target[i] += dot(&columns[i], target) as f32;
            }
            start += n;
        }
    }

    /// Solves for the weights, then lets the sums decay to a share of `keep`.
    #[inline(always)]
    pub(super) fn refit(&mut self, keep: f32) {
        for i in 0..N {
            for j in 0..N {
                self.sums[i][j] *= keep;
            }
            self.target[i] *= keep;
        }
        self.weights = solve(&self.sums, &self.target);
    }
}

/// The nearest whole number to `x`, limited.
#[inline(always)]
pub(super) fn normalised(x: f32, limit: f32) -> i32 {
    rounded(smaller(larger(x, -limit), limit))
}

/// Solves `sums * weights = target` by LDL^T decomposition.
#[inline(always)]
fn solve(sums: &[[f32; N]; N], target: &[f32; N]) -> [f32; N] {
    // Columns of the triangular factor, and the same times their pivots.
    let mut factor = [[0.0f32; N]; N];
    let mut columns = [[0.0f32; N]; N];
    let mut inverses = [0.0f32; N];
    let mut z = *target;
    for j in 0..N {
        let mut column = sums[j];
        let ridge = column[j] * RIDGE + 1.0;
        column[j] += ridge;
        for k in 0..j {
            let by = factor[k][j];
            for i in 0..N {
                column[i] -= columns[k][i] * by;
            }
        }
        let inverse = 1.0 / larger(column[j], ridge);
        for i in 0..N {
            factor[j][i] = if i > j { column[i] * inverse } else { 0.0 };
        }
        let zj = z[j];
        for i in 0..N {
            z[i] -= factor[j][i] * zj;
        }
        columns[j] = column;
        inverses[j] = inverse;
    }
    for j in (0..N).rev() {
        let mut parts = [0.0; N];
        for i in 0..N {
            parts[i] = factor[j][i] * z[i];
        }
        z[j] = z[j] * inverses[j] - sum(parts);
    }
    z.map(|w| smaller(larger(w, -MAX_WEIGHT), MAX_WEIGHT))
}

/// The sum of 16 numbers, by halves, as vectors add up.
#[inline(always)]
fn sum(mut parts: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            parts[i] += parts[i + half];
        }
        half /= 2;
    }
    parts[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_weights_of_a_linear_rule() {
        let mut regression = Regression::new(&[[0; N], [2; N]]);
        let mut state = 3u32;
        let n = 3000;
        let mut x: [Vec<i32>; N] = std::array::from_fn(|_| vec![0; n]);
        for column in x.iter_mut().take(12) {
            for value in column {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (state >> 24) as i32 - 128;
            }
        }
        let rule = |t: usize| x[0][t] + x[1][t] / 2 - x[2][t] / 4 + x[4][t];
        let targets: Vec<i32> = (0..n).map(rule).collect();
        regression.learn_row(&x, &targets, &vec![1.0; n]);
        regression.refit(0.99);
        for (i, weight) in [(0, 1.0), (1, 0.5), (2, -0.25), (3, 0.0), (4, 1.0)] {
            let found = regression.weights[i];
            assert!((found - weight).abs() < 0.02, "{i}: {found}");
        }
    }

    #[test]
    fn extremes_and_copies_keep_weights_finite() {
        let mut regression = Regression::new(&[[0; N], [1; N]]);
        let n = 900;
        let x: [Vec<i32>; N] = std::array::from_fn(|i| {
            (0..n)
                .map(|t| {
                    if (t * (i / 2)) % 3 == 0 {
                        1 << 15
                    } else {
                        -(1 << 15)
                    }
                })
                .collect()
        });
        let targets = vec![1 << 15; n];
        for _ in 0..200 {
            regression.learn_row(&x, &targets, &vec![2.0; n]);
            regression.refit(0.75);
            assert!(regression.weights.iter().all(|w| w.abs() <= MAX_WEIGHT));
        }
    }
}
