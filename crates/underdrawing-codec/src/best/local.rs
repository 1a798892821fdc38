//! Least squares over the close neighbourhood, for what the regression over the whole band leaves.
//!
//! It has two parts. Every coefficient adds the products of its regressors to the sums of its block of four columns.
//! With each row and each block of distance they count less by a fixed factor. The best weights of
//! a row's blocks are solved for before the row, from the rows above it, eight blocks at a time.
//! Along the row, each coefficient's error moves the weights along its gradient (normalised least
//! mean squares); how far they have moved fades. Regressors are divided by the expected size, so
//! that strong edges nearby do not dominate.

use super::odds::{larger, smaller};
use super::regression::normalised;
use super::regressors::N_LEFT;
use crate::entropy::REGRESSORS;

/// Number of regressors.
const N: usize = 8;

/// Which of the value's regressors are used: the two to the left, the one above, its two
/// neighbours, the one above it, the low band's curvature, and the plane before.
const CHOSEN: [usize; N] = [0, 1, 2, 3, 4, 5, 6, 12];

/// Products of two regressors, each pair once, and those with the target.
const PAIRS: usize = N * (N + 1) / 2 + N;

/// Columns of a block.
pub(super) const BLOCK: usize = 4;

/// Blocks whose weights are solved for at a time.
const LANES: usize = 8;

/// Blocks of zeros on both sides of a row.
const PAD: usize = 8;

/// Largest magnitude of a normalised regressor or target; about 16 is expected.
const LIMIT: f32 = 160.0;

/// The ridge added to the sums' diagonal, which pulls weights towards zero like a few observations.
const RIDGE: f32 = 1000.0;

/// What remains of a sum a row below.
const DOWN: f32 = 0.8125;

/// What remains of a sum one, two and three blocks away.
const ACROSS: [f32; 3] = [0.5625, 0.3125, 0.1875];

/// How far an error moves the weights, what is added to the sum of squares that it is relative to,
/// and what remains of it a column further.
const MOVE: f32 = 0.1;
const FLOOR: f32 = 2500.0;
const ALONG: f32 = 0.875;

/// Largest weight.
const MAX_WEIGHT: f32 = 2.0;

/// The regressors of one coefficient.
pub(super) type Near = [f32; N];

/// A number for each of several blocks.
type Lanes = [f32; LANES];

/// The neighbourhood's sums along a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    /// Of each pair, the sums of each block over the rows above, with margins.
    sums: Vec<Vec<f32>>,
    /// Of each regressor, the weights of each block.
    pub(super) weights: [Vec<f32>; N],
    /// Normalised regressors and targets of a row's columns, by their place in their block.
    scaled: [[Vec<f32>; BLOCK]; N + 1],
    /// How far the weights have moved along the row.
    moved: Near,
}

impl Local {
    pub(super) fn begin_band(&mut self, width: usize) {
        let blocks = width.div_ceil(BLOCK).next_multiple_of(LANES);
        self.sums.resize(PAIRS, Vec::new());
        for sums in &mut self.sums {
            sums.clear();
            sums.resize(blocks + 2 * PAD, 0.0);
        }
        for weights in &mut self.weights {
            weights.clear();
            weights.resize(blocks, 0.0);
        }
        for columns in self.scaled.as_flattened_mut() {
            columns.clear();
            columns.resize(blocks, 0.0);
        }
    }

    /// Before a row: solves for the weights, and sums up the regressors above it, times `unit`.
    #[inline(always)]
    pub(super) fn begin_row(
        &mut self,
        x: &[Vec<i32>; REGRESSORS],
        unit: f32,
        corrections: &mut Vec<f32>,
    ) {
        self.moved = [0.0; N];
        for first in (0..self.weights[0].len()).step_by(LANES) {
            let weights = solve(&self.around(first));
            for (to, weights) in self.weights.iter_mut().zip(weights) {
                to[first..first + LANES].copy_from_slice(&weights);
            }
        }
        corrections.clear();
        corrections.resize(x[0].len(), 0.0);
        for i in N_LEFT..N {
            let blocks = corrections
                .chunks_mut(BLOCK)
                .zip(x[CHOSEN[i]].chunks(BLOCK));
            for ((to, x), weight) in blocks.zip(&self.weights[i]) {
                let weight = weight * unit;
                for (to, &x) in to.iter_mut().zip(x) {
                    *to += x as f32 * weight;
                }
            }
        }
    }

    /// The regressors of column `x`; `left` are the first ones.
    #[inline(always)]
    pub(super) fn near(x: &[Vec<i32>; REGRESSORS], at: usize, left: [f32; N_LEFT]) -> Near {
        let mut near = [0.0; N];
        near[..N_LEFT].copy_from_slice(&left);
        for i in N_LEFT..N {
            near[i] = x[CHOSEN[i]][at] as f32;
        }
        near
    }

    /// What the weights' move along the row adds to the correction.
    #[inline(always)]
    pub(super) fn along(&self, near: &Near) -> f32 {
        sum(std::array::from_fn(|i| self.moved[i] * near[i]))
    }

    /// Moves the weights by the error of a coefficient.
    #[inline(always)]
    pub(super) fn follow(&mut self, near: &Near, error: f32, weight: f32) {
        let limited = |v: f32| smaller(larger(v * weight, -LIMIT), LIMIT);
        let near = near.map(limited);
        let square = sum(near.map(|v| v * v)) + FLOOR;
        let by = MOVE * limited(error) / square;
        for i in 0..N {
            self.moved[i] = self.moved[i] * ALONG + by * near[i];
        }
    }

    /// The sums around eight blocks.
    #[inline(always)]
    fn around(&self, first: usize) -> [Lanes; PAIRS] {
        let mut all = [[0.0; LANES]; PAIRS];
        for (to, sums) in all.iter_mut().zip(&self.sums) {
            let sums = &sums[first + PAD - ACROSS.len()..][..LANES + 2 * ACROSS.len()];
            for i in 0..LANES {
                let at = |d: usize| sums[i + ACROSS.len() - d] + sums[i + ACROSS.len() + d];
                let near = sums[i + ACROSS.len()] + ACROSS[0] * at(1);
                to[i] = near + (ACROSS[1] * at(2) + ACROSS[2] * at(3));
            }
        }
        all
    }

    /// After a row: learns from the expected values' errors, weighted.
    #[inline(always)]
    pub(super) fn learn_row(
        &mut self,
        x: &[Vec<i32>; REGRESSORS],
        errors: &[f32],
        weights: &[f32],
    ) {
        let n = errors.len();
        for i in 0..N {
            let column = &x[CHOSEN[i]][..n];
            let value = |x: usize| normalised(column[x] as f32 * weights[x], LIMIT) as f32;
            spread(&mut self.scaled[i], n, value);
        }
        let error = |x: usize| normalised(errors[x] * weights[x], LIMIT) as f32;
        spread(&mut self.scaled[N], n, error);
        let mut pair = 0;
        for i in 0..=N {
            for j in 0..=i.min(N - 1) {
                let sums = &mut self.sums[pair][PAD..];
                let ([a, b, c, d], [e, f, g, h]) = (&self.scaled[i], &self.scaled[j]);
                let blocks = sums.iter_mut().zip(a).zip(b).zip(c).zip(d);
                let blocks = blocks.zip(e).zip(f).zip(g).zip(h);
                for ((((((((sum, a), b), c), d), e), f), g), h) in blocks {
                    *sum = *sum * DOWN + ((a * e + b * f) + (c * g + d * h));
                }
                pair += 1;
            }
        }
    }
}

/// The sum of eight numbers, by halves, as vectors add up.
#[inline(always)]
fn sum(parts: Near) -> f32 {
    let [a, b, c, d, e, f, g, h] = parts;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Sorts a row's numbers by their columns' place in their block.
#[inline(always)]
fn spread(to: &mut [Vec<f32>; BLOCK], n: usize, value: impl Fn(usize) -> f32) {
    let [a, b, c, d] = to;
    let whole = n / BLOCK;
    for i in 0..whole {
        a[i] = value(BLOCK * i);
        b[i] = value(BLOCK * i + 1);
        c[i] = value(BLOCK * i + 2);
        d[i] = value(BLOCK * i + 3);
    }
    for x in BLOCK * whole..n {
        to[x % BLOCK][whole] = value(x);
    }
}

/// The place of a pair, the lower number second.
#[inline(always)]
const fn pair(i: usize, j: usize) -> usize {
    i * (i + 1) / 2 + j
}

/// Solves for the weights of eight blocks, by LDL^T decomposition.
#[inline(always)]
fn solve(sums: &[Lanes; PAIRS]) -> [Lanes; N] {
    let mut factor = [[[0.0f32; LANES]; N]; N];
    let mut columns = [[[0.0f32; LANES]; N]; N];
    let mut inverses = [[0.0f32; LANES]; N];
    let mut z: [Lanes; N] = std::array::from_fn(|i| sums[N * (N + 1) / 2 + i]);
    for j in 0..N {
        for i in j..N {
            let mut entry = sums[pair(i, j)];
            if i == j {
                entry = each(|l| entry[l] + RIDGE);
            }
            for k in 0..j {
                entry = less(entry, &columns[k][i], &factor[k][j]);
            }
            columns[j][i] = entry;
        }
        let pivot = columns[j][j];
        inverses[j] = each(|l| 1.0 / larger(pivot[l], RIDGE / 2.0));
        for i in j + 1..N {
            factor[j][i] = each(|l| columns[j][i][l] * inverses[j][l]);
            z[i] = less(z[i], &factor[j][i], &z[j]);
        }
    }
    for j in (0..N).rev() {
        let mut value = each(|l| z[j][l] * inverses[j][l]);
        for i in j + 1..N {
            value = less(value, &factor[j][i], &z[i]);
        }
        z[j] = each(|l| smaller(larger(value[l], -MAX_WEIGHT), MAX_WEIGHT));
    }
    z
}

/// `a - b * c`.
#[inline(always)]
fn less(a: Lanes, b: &Lanes, c: &Lanes) -> Lanes {
    each(|l| a[l] - b[l] * c[l])
}

#[inline(always)]
fn each(of: impl Fn(usize) -> f32) -> Lanes {
    let mut all = [0.0; LANES];
    for l in 0..LANES {
        all[l] = of(l);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Regressors, and errors of a rule: left of the middle a value is half its upper neighbour.
    fn row(state: &mut u32, width: usize) -> ([Vec<i32>; REGRESSORS], Vec<f32>) {
        let noise = |state: &mut u32| {
            *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (*state >> 27) as i32 - 16
        };
        let x: [Vec<i32>; REGRESSORS] =
            std::array::from_fn(|_| (0..width).map(|_| noise(state)).collect());
        let half = |at: usize| {
            if at < width / 2 {
                x[2][at] as f32 / 2.0
            } else {
                0.0
            }
        };
        let errors = (0..width).map(half).collect();
        (x, errors)
    }

    #[test]
    fn finds_a_rule_that_holds_close_by() {
        let mut local = Local::default();
        let width = 65;
        local.begin_band(width);
        let (mut state, mut corrections) = (9, Vec::new());
        for _ in 0..24 {
            let (x, errors) = row(&mut state, width);
            local.begin_row(&x, 1.0, &mut corrections);
            local.learn_row(&x, &errors, &vec![1.0; width]);
        }
        let found = [local.weights[2][1], local.weights[2][14]];
        assert!((0.35..0.55).contains(&found[0]), "{found:?}");
        assert!(found[1].abs() < 0.06, "{found:?}");
    }

    #[test]
    fn the_weights_follow_errors_along_a_row() {
        let mut local = Local::default();
        let (x, _) = row(&mut 5, 200);
        local.begin_band(200);
        let (mut first, mut last) = (0.0, 0.0);
        for at in 0..200 {
            let near = Local::near(&x, at, [30.0, 0.0]);
            let error = 90.0 - local.along(&near);
            local.follow(&near, error, 1.0);
            (first, last) = (if at == 0 { error } else { first }, error);
        }
        assert!(last.abs() < 0.9 * first, "{first} {last}");
    }

    #[test]
    fn extremes_keep_weights_finite() {
        let mut local = Local::default();
        local.begin_band(40);
        let x: [Vec<i32>; REGRESSORS] =
            std::array::from_fn(|i| vec![if i % 2 == 0 { 1 << 14 } else { -(1 << 14) }; 40]);
        let mut corrections = Vec::new();
        for _ in 0..200 {
            local.begin_row(&x, 1.0, &mut corrections);
            assert!(corrections.iter().all(|c| c.is_finite()));
            local.learn_row(&x, &[1e6; 40], &[2.0; 40]);
        }
    }
}
