//! Weighted least squares that go along: sums of products of up to 16 regressors and a target,
//! which fade, and now and then the weights that fit them best.

use super::ldl::{self, Matrix};

/// Regressors; unused ones are zero throughout.
pub(crate) const N: usize = 16;

/// Observations whose products fit into 32 bits before they are added to the long sums.
const BLOCK: u32 = 500;

/// Largest magnitude of a normalised regressor or target.
const LIMIT: i32 = 2047;

/// Sums and weights.
#[derive(Clone, Debug)]
pub(crate) struct Regression {
    /// Products since the long sums were last added to.
    block: [[i32; N]; N],
    block_target: [i32; N],
    n_block: u32,
    /// Long sums, which fade.
    sums: Matrix,
    target: [i64; N],
    /// With 16 fraction bits.
    weights: [i32; N],
}

/// Sums and weights that a regression starts with.
#[derive(Clone, Debug)]
pub(crate) struct Start {
    /// Sums of products of the regressors, the lower triangle row by row.
    pub(crate) sums: [i32; N * (N + 1) / 2],
    /// Sums of their products with the target.
    pub(crate) target: [i32; N],
}

impl Regression {
    /// Starts from `weights` with 16 fraction bits, as if each regressor had been seen `trust`
    /// times, independent of the others.
    pub(crate) fn new(weights: [i32; N], trust: i64) -> Self {
        let mut sums = [[0; N]; N];
        let mut target = [0; N];
        for i in 0..N {
            sums[i][i] = trust << 8;
            target[i] = (trust * i64::from(weights[i])) >> 8;
        }
        Self {
            block: [[0; N]; N],
            block_target: [0; N],
            n_block: 0,
            sums,
            target,
            weights,
        }
    }

    /// Starts from sums.
    pub(crate) fn from_start(start: &Start) -> Self {
        let mut new = Self::new([0; N], 0);
        let mut all = start.sums.iter();
        for i in 0..N {
            for j in 0..=i {
                let sum = i64::from(*all.next().expect("a triangle of sums"));
                new.sums[i][j] = sum;
                new.sums[j][i] = sum;
            }
            new.target[i] = i64::from(start.target[i]);
        }
        new.solve();
        new
    }

    /// The sums, divided by a power of two so that they fit.
    pub(crate) fn to_start(&self) -> Start {
        let largest = (0..N).map(|i| self.sums[i][i]).max().unwrap_or(0);
        let shift = (40 - largest.max(1).leading_zeros() as i32).max(0);
        let mut start = Start {
            sums: [0; N * (N + 1) / 2],
            target: [0; N],
        };
        let mut at = 0;
        for i in 0..N {
            for j in 0..=i {
                start.sums[at] = (self.sums[i][j] >> shift) as i32;
                at += 1;
            }
            start.target[i] = (self.target[i] >> shift) as i32;
        }
        start
    }

    pub(crate) fn show(&self) {
        eprintln!("w {:?}", self.weights.map(|w| (w as f64 / 655.36).round()));
        // float solve
        let mut a: Vec<Vec<f64>> = (0..N)
            .map(|i| {
                let mut r: Vec<f64> = self.sums[i].iter().map(|&v| v as f64).collect();
                r[i] *= 1.0001;
                r[i] += 1.0;
                r.push(self.target[i] as f64);
                r
            })
            .collect();
        for i in 0..N {
            let p = a[i][i];
            for j in i..=N {
                a[i][j] /= p;
            }
            for k in 0..N {
                if k != i {
                    let f = a[k][i];
                    for j in i..=N {
                        a[k][j] -= f * a[i][j];
                    }
                }
            }
        }
        eprintln!(
            "f {:?}",
            a.iter().map(|r| (r[N] * 100.0).round()).collect::<Vec<_>>()
        );
        eprintln!(
            "d {:?}",
            (0..N).map(|i| self.sums[i][i]).collect::<Vec<_>>()
        );
        eprintln!("t {:?}", self.target);
    }

    pub(crate) fn diagonal(&mut self) {
        for i in 0..N {
            for j in 0..N { if i != j { self.sums[i][j] = 0; } }
            self.target[i] = (self.sums[i][i] * i64::from(self.weights[i])) >> 16;
        }
    }

    /// Scales the sums to those of about `n` observations.
    pub(crate) fn scale(&mut self, n: i32) {
        // Normalised magnitudes near 16: products near 256.
        let most = self
            .sums
            .iter()
            .enumerate()
            .map(|(i, r)| r[i])
            .max()
            .unwrap_or(1)
            .max(1);
        for row in &mut self.sums {
            for s in row {
                *s = (i128::from(*s) * i128::from(n) * 1024 / i128::from(most)) as i64;
            }
        }
        for s in &mut self.target {
            *s = (i128::from(*s) * i128::from(n) * 1024 / i128::from(most)) as i64;
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

    /// Takes an observation in: regressors and target times `weight` / 2^`shift`, which should
    /// bring errors near 16 and is what observations are weighted by.
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
                self.block[i][j] += xi * scaled[j];
            }
        }
        for i in 0..N {
            self.block_target[i] += scaled[i] * target;
        }
        self.n_block += 1;
        if self.n_block == BLOCK {
            self.add_block();
        }
    }

    fn add_block(&mut self) {
        for i in 0..N {
            for j in 0..N {
                self.sums[i][j] += i64::from(self.block[i][j]);
            }
            self.target[i] += i64::from(self.block_target[i]);
        }
        self.block = [[0; N]; N];
        self.block_target = [0; N];
        self.n_block = 0;
    }

    /// Lets the sums fade by `fade` / 65536 and fits the weights to them.
    #[inline(always)]
    pub(crate) fn refit(&mut self, fade: i64) {
        self.add_block();
        for i in 0..N {
            for j in 0..N {
                self.sums[i][j] -= (self.sums[i][j] * fade) >> 16;
            }
            self.target[i] -= (self.target[i] * fade) >> 16;
        }
        self.solve();
    }

    #[inline(always)]
    fn solve(&mut self) {
        self.weights = ldl::solve(&self.sums, &self.target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_weights_of_a_linear_rule() {
        let mut regression = Regression::new([0; N], 2);
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
        let mut regression = Regression::new([0; N], 2);
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
    fn goes_on_from_stored_sums() {
        let mut regression = Regression::new([0; N], 2);
        for i in 0..4000i32 {
            let mut x = [0; N];
            x[0] = i % 200 - 100;
            x[1] = (i * 7) % 300 - 150;
            regression.learn(&x, 2 * x[0] - x[1], 1 << 8, 8);
        }
        regression.refit(0);
        let again = Regression::from_start(&regression.to_start());
        for i in 0..2 {
            assert!((again.weights[i] - regression.weights[i]).abs() < 40);
        }
    }
}
