//! Recursive weighted least squares: decaying sums of products of up to 16 regressors and a target,
//! from which the best weights are solved for now and then. Unused regressors are always zero.

use super::ldl::{self, Matrix, N};
use crate::simd::with_simd;

/// Most observations whose products are summed in 32 bits, before they are added to the long sums.
const MAX_RECENT: u32 = 500;

/// Largest magnitude of a normalised regressor or target.
const LIMIT: i32 = 2047;

/// Sums and weights.
#[derive(Clone, Debug)]
pub(crate) struct Regression {
    /// Products since the long sums were last added to.
    recent: [[i32; N]; N],
    recent_target: [i32; N],
    n_recent: u32,
    /// Long sums, which decay.
    sums: Matrix,
    target: [i64; N],
    /// With 16 fraction bits.
    weights: [i32; N],
    /// Normalised regressors and targets of a row, while it is learned from.
    scaled: [Vec<i16>; N + 1],
}

/// Initial weights in 1/4096, and how much each is trusted: as the sum of its regressor's squares
/// in 1/256.
pub(crate) type Start = [[i32; N]; 2];

impl Regression {
    /// Starts from weights, trusted as if the regressors were independent.
    pub(crate) fn new([weights, trust]: &Start) -> Self {
        let mut sums = [[0; N]; N];
        let mut target = [0; N];
        for i in 0..N {
            sums[i][i] = i64::from(trust[i]) << 8;
            target[i] = (i64::from(weights[i]) * i64::from(trust[i])) >> 4;
        }
        Self {
            recent: [[0; N]; N],
            recent_target: [0; N],
            n_recent: 0,
            sums,
            target,
            weights: weights.map(|w| w << 4),
            scaled: Default::default(),
        }
    }

    /// The weighted sum of `x`, with 16 more fraction bits.
    #[inline(always)]
    pub(crate) fn predict(&self, x: &[i32; N]) -> i64 {
        let mut sum = 0;
        for i in 0..N {
            sum += i64::from(x[i]) * i64::from(self.weights[i]);
        }
        sum
    }

    /// The weighted sums of the regressors of each observation of a row, but for the `first` ones.
    #[inline(always)]
    pub(crate) fn predict_row(&self, x: &[Vec<i32>; N], first: usize, sums: &mut Vec<i64>) {
        sums.clear();
        sums.resize(x[0].len(), 0);
        for i in first..N {
            let weight = i64::from(self.weights[i]);
            for (sum, &x) in sums.iter_mut().zip(&x[i]) {
                *sum += i64::from(x) * weight;
            }
        }
    }

    /// The share of the first regressors in [`Self::predict`].
    #[inline(always)]
    pub(crate) fn predict_first<const FIRST: usize>(&self, x: [i32; FIRST]) -> i64 {
        let mut sum = 0;
        for i in 0..FIRST {
            sum += i64::from(x[i]) * i64::from(self.weights[i]);
        }
        sum
    }

    /// Learns from every second observation of a row, from number `first` on; see [`Self::learn`].
    #[inline(always)]
    pub(crate) fn learn_row(
        &mut self,
        x: &[Vec<i32>; N],
        targets: &[i32],
        (weights, shift): (&[i32], u32),
        first: usize,
    ) {
        let mut start = first;
        while start < targets.len() {
            let n = (targets.len() - start).div_ceil(2).min(MAX_RECENT as usize);
            let columns = x.iter().map(Vec::as_slice).chain([targets]);
            for (to, column) in self.scaled.iter_mut().zip(columns) {
                to.resize(n, 0);
                let from = column[start..].chunks(2).zip(weights[start..].chunks(2));
                for (to, (x, weight)) in to.iter_mut().zip(from) {
                    *to = ((x[0] * weight[0]) >> shift).clamp(-LIMIT, LIMIT) as i16;
                }
            }
            let [columns @ .., target] = &self.scaled;
            for i in 0..N {
                for j in 0..=i {
                    let sum = i64::from(dot(&columns[i], &columns[j]));
                    self.sums[i][j] += sum;
                    if j < i {
                        self.sums[j][i] += sum;
                    }
                }
                self.target[i] += i64::from(dot(&columns[i], target));
            }
            start += 2 * n;
        }
    }

    /// Learns from an observation. Regressors and target are multiplied by `weight` / 2^`shift`,
    /// which weights the observation and should bring its error near 16.
    #[inline(always)]
    pub(crate) fn learn(&mut self, x: &[i32; N], target: i32, weight: i32, shift: u32) {
        let mut scaled = [0; N];
        for i in 0..N {
            scaled[i] = ((x[i] * weight) >> shift).clamp(-LIMIT, LIMIT);
        }
        let target = ((target * weight) >> shift).clamp(-LIMIT, LIMIT);
        for i in 0..N {
            let xi = scaled[i];
            for j in 0..N {
                self.recent[i][j] += xi * scaled[j];
            }
        }
        for i in 0..N {
            self.recent_target[i] += scaled[i] * target;
        }
        self.n_recent += 1;
        if self.n_recent == MAX_RECENT {
            self.add_recent();
        }
    }

    fn add_recent(&mut self) {
        for i in 0..N {
            for j in 0..N {
                self.sums[i][j] += i64::from(self.recent[i][j]);
            }
            self.target[i] += i64::from(self.recent_target[i]);
        }
        self.recent = [[0; N]; N];
        self.recent_target = [0; N];
        self.n_recent = 0;
    }

    /// Lets the sums decay by `fade` / 65536 and solves for the weights.
    pub(crate) fn refit(&mut self, fade: i64) {
        self.add_recent();
        with_simd(
            #[inline(always)]
            || {
                for i in 0..N {
                    for j in 0..N {
                        self.sums[i][j] -= (self.sums[i][j] * fade) >> 16;
                    }
                    self.target[i] -= (self.target[i] * fade) >> 16;
                }
                self.weights = ldl::solve(&self.sums, &self.target);
            },
        );
    }
}

/// Sum of products, of at most [`MAX_RECENT`] numbers up to [`LIMIT`].
#[inline(always)]
pub(crate) fn dot(a: &[i16], b: &[i16]) -> i32 {
    a.iter()
        .zip(b)
        .map(|(&a, &b)| i32::from(a) * i32::from(b))
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_weights_of_a_linear_rule() {
        let mut regression = Regression::new(&[[0; N], [2; N]]);
        let mut state = 3u32;
        for _ in 0..3000 {
            let mut x = [0; N];
            for value in x.iter_mut().take(12) {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                *value = (state >> 24) as i32 - 128;
            }
            // One regressor is nearly a copy of another: their sum must be right.
            x[5] = x[4] + (x[6] >> 5);
            let target = x[0] + x[1] / 2 - x[2] / 4 + x[4];
            regression.learn(&x, target, 1 << 8, 8);
        }
        regression.refit(100);
        let mut x = [0; N];
        for (i, weight) in [(0, 1.0), (1, 0.5), (2, -0.25), (3, 0.0)] {
            x[i] = 1;
            let found = regression.predict(&x) as f64 / 65536.0;
            assert!((found - weight).abs() < 0.01, "{i}: {found}");
            x[i] = 0;
        }
        x[4] = 1;
        x[5] = 1;
        let found = regression.predict(&x) as f64 / 65536.0;
        assert!((found - 1.0).abs() < 0.01, "{found}");
    }

    #[test]
    fn extremes_stay_inside_64_bits() {
        let mut regression = Regression::new(&[[0; N], [2; N]]);
        for round in 0..40 {
            for i in 0..600 {
                let x = std::array::from_fn(|j| {
                    if (i * j + round) % 3 == 0 {
                        1 << 15
                    } else {
                        -(1 << 15)
                    }
                });
                regression.learn(&x, if i % 2 == 0 { 1 << 15 } else { -5 }, 1 << 15, 15);
            }
            regression.refit(1000);
            assert!(regression.weights.iter().all(|w| w.abs() <= 8 << 16));
        }
    }

    #[test]
    fn starts_with_what_it_is_given() {
        let mut start = [[0; N], [100; N]];
        start[0][3] = 2048;
        let mut regression = Regression::new(&start);
        let mut x = [0; N];
        x[3] = 10;
        assert_eq!(regression.predict(&x), 5 << 16);
        // A trusted weight stays, but yields to enough observations.
        regression.refit(0);
        assert!((regression.predict(&x) - (5 << 16)).abs() < 2000);
        for _ in 0..1000 {
            regression.learn(&x, 10, 1 << 8, 8);
        }
        regression.refit(0);
        assert!(regression.predict(&x) > 6 << 16);
    }
}
