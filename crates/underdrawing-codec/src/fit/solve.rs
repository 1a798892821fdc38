//! Weighted least squares with a small ridge.

use crate::fast::context::N_WEIGHTS as N;

/// Normal equations.
#[derive(Clone)]
pub(super) struct Equations {
    products: [[f64; N]; N],
    targets: [f64; N],
    total: f64,
}

impl Equations {
    pub(super) fn new() -> Self {
        Self {
            products: [[0.0; N]; N],
            targets: [0.0; N],
            total: 0.0,
        }
    }

    /// Adds an observation of `target`.
    pub(super) fn add(&mut self, features: &[f64; N], target: f64, weight: f64) {
        for i in 0..N {
            let scaled = features[i] * weight;
            for j in 0..N {
                self.products[i][j] += scaled * features[j];
            }
            self.targets[i] += scaled * target;
        }
        self.total += weight;
    }

    /// The coefficients; zeros for features that never occurred.
    pub(super) fn solve(&self) -> [f64; N] {
        let mut a = self.products;
        let mut b = self.targets;
        for i in 0..N {
            a[i][i] += 1e-4 * a[i][i] + 1e-6 * self.total + 1e-9;
        }
        for i in 0..N {
            for j in i + 1..N {
                let factor = a[j][i] / a[i][i];
                for k in i..N {
                    a[j][k] -= factor * a[i][k];
                }
                b[j] -= factor * b[i];
            }
        }
        for i in (0..N).rev() {
            let known: f64 = (i + 1..N).map(|k| a[i][k] * b[k]).sum();
            b[i] = (b[i] - known) / a[i][i];
        }
        b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_coefficients() {
        let mut equations = Equations::new();
        let mut state = 3u32;
        for _ in 0..500 {
            let features = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f64::from(state >> 24)
            });
            let target = 0.5 * features[2] - 0.25 * features[15];
            equations.add(&features, target, 2.0);
        }
        let found = equations.solve();
        for (i, value) in found.into_iter().enumerate() {
            let expected = match i {
                2 => 0.5,
                15 => -0.25,
                _ => 0.0,
            };
            assert!((value - expected).abs() < 0.01, "{i}: {value}");
        }
    }
}
