//! Least squares over the close neighbourhood, for what the regression over the whole band leaves.
//!
//! Every coefficient that is coded adds the products of its regressors. With each row and each
//! column of distance they count less by a fixed factor. The best weights are solved for at every
//! second coefficient. Regressors are divided by the expected size, so that strong edges nearby do
//! not dominate.

use crate::best::regressors::N_LEFT;
use crate::entropy::REGRESSORS;

/// Number of regressors.
const N: usize = 8;

/// Which of the value's regressors are used: the two to the left, the one above, its two
/// neighbours, the one above it, the low band's curvature, and the plane before.
const CHOSEN: [usize; N] = [0, 1, 2, 3, 4, 5, 6, 12];

/// The chosen regressors of a coefficient.
pub(super) type Chosen = [i32; N];

/// Largest magnitude of a normalised regressor or target; about 16 is expected.
const LIMIT: i32 = 160;

/// The ridge added to the sums' diagonal, which pulls weights towards zero like a few observations.
const RIDGE: i32 = 2500;

/// Shifts by which sums decay across columns and down rows: to 7/8 at each. With 15/16 in either
/// direction the rate is 0.1 % higher.
const ACROSS: u32 = 3;
const DOWN: u32 = 3;

/// Fraction bits of the triangular factor and the weights.
const BITS: u32 = 16;

/// Bound of the factor's entries.
const FACTOR_LIMIT: i32 = 1 << 24;

/// Sums of products of the regressors, row by row; the last row holds those with the target.
type Sums = [[i32; N]; N + 1];

/// The neighbourhood's sums along a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    /// Sums of each column over the rows above.
    columns: Vec<Sums>,
    /// Sums of the rows above over all columns, seen from each column.
    above: Vec<Sums>,
    /// Sums of this row so far.
    left: Sums,
    weights: [i32; N],
}

/// Lets `to` decay and adds.
#[inline(always)]
fn fade(to: &mut Sums, add: &Sums, shift: u32) {
    for (to, add) in to.as_flattened_mut().iter_mut().zip(add.as_flattened()) {
        *to += add - (*to >> shift);
    }
}

/// A product without its [`BITS`] lowest bits.
#[inline(always)]
fn product(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> BITS) as i32
}

impl Local {
    /// The chosen regressors of column `x`; `near` are those that `row` lacks.
    #[inline(always)]
    pub(super) fn chosen(near: [i32; N_LEFT], row: &[Vec<i32>; REGRESSORS], x: usize) -> Chosen {
        let mut chosen = [0; N];
        chosen[..N_LEFT].copy_from_slice(&near);
        for i in N_LEFT..N {
            chosen[i] = row[CHOSEN[i]][x];
        }
        chosen
    }

    pub(super) fn begin_band(&mut self, width: usize) {
        self.columns.clear();
        self.columns.resize(width, Sums::default());
        self.above.clear();
        self.above.resize(width, Sums::default());
        self.left = Sums::default();
    }

    /// Before a row: sums the rows above, as seen from each column.
    #[inline(always)]
    pub(super) fn begin_row(&mut self) {
        let mut sum = Sums::default();
        for (above, column) in self.above.iter_mut().zip(&self.columns) {
            fade(&mut sum, column, ACROSS);
            *above = sum;
        }
        sum = Sums::default();
        for (above, column) in self.above.iter_mut().zip(&self.columns).rev() {
            // The column itself is in the first sum.
            for (above, sum) in above.as_flattened_mut().iter_mut().zip(sum.as_flattened()) {
                *above += sum - (sum >> ACROSS);
            }
            fade(&mut sum, column, ACROSS);
        }
        self.left = Sums::default();
        self.weights = [0; N];
    }

    /// The correction to the expected value, in the regressors' units with 8 more bits.
    #[inline(always)]
    pub(super) fn predict(&mut self, values: &Chosen, x: usize) -> i32 {
        if x.is_multiple_of(2) {
            self.solve(x);
        }
        let mut sum = 0;
        for i in 0..N {
            sum += i64::from(self.weights[i]) * i64::from(values[i]);
        }
        (sum >> (BITS - 8)).clamp(-(1 << 24), 1 << 24) as i32
    }

    /// Learns from the expected value's error, in the regressors' units.
    #[inline(always)]
    pub(super) fn learn(&mut self, values: &Chosen, x: usize, error: i32, weight: i32, shift: u32) {
        let scaled = |v: i32| ((v * weight) >> shift).clamp(-LIMIT, LIMIT);
        let mut chosen = [0; N];
        for i in 0..N {
            chosen[i] = scaled(values[i]);
        }
        let target = scaled(error);
        let mut products = [chosen; N + 1];
        for i in 0..N {
            for product in &mut products[i] {
                *product *= chosen[i];
            }
        }
        for product in &mut products[N] {
            *product *= target;
        }
        fade(&mut self.left, &products, ACROSS);
        fade(&mut self.columns[x], &products, DOWN);
    }

    /// Sums stay below 2^22: 160^2, times 128 for the decay in two directions. Sums of products are
    /// positive semidefinite but for rounding, which the ridge exceeds, so elimination does not let
    /// them grow, and 32 bits are enough for all but products.
    #[inline(always)]
    fn solve(&mut self, x: usize) {
        let above = &self.above[x];
        let mut columns = [[0i32; N]; N];
        let mut factor = [[0i32; N]; N];
        let mut inverses = [0i64; N];
        let mut z = [0i32; N];
        for i in 0..N {
            z[i] = above[N][i] + self.left[N][i];
        }
        for j in 0..N {
            let mut column = [0i32; N];
            for i in 0..N {
                column[i] = above[j][i] + self.left[j][i];
            }
            column[j] += RIDGE;
            for k in 0..j {
                let by = factor[k][j];
                for i in 0..N {
                    column[i] -= product(columns[k][i], by);
                }
            }
            let pivot = column[j].max(RIDGE / 2);
            let inverse = (1i64 << 40) / i64::from(pivot);
            for i in 0..N {
                // Below 2^31, since columns are below 2^24 and inverses below 2^30.
                let entry = ((i64::from(column[i]) * inverse) >> (40 - BITS)) as i32;
                factor[j][i] = entry.clamp(-FACTOR_LIMIT, FACTOR_LIMIT);
            }
            let zj = z[j];
            for i in j + 1..N {
                z[i] -= product(factor[j][i], zj);
            }
            columns[j] = column;
            inverses[j] = inverse;
        }
        for j in (0..N).rev() {
            let mut value = (i64::from(z[j]) * inverses[j]) >> (40 - BITS);
            for i in j + 1..N {
                value -= i64::from(product(factor[j][i], z[i]));
            }
            z[j] = value.clamp(-(2 << BITS), 2 << BITS) as i32;
        }
        self.weights = z;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_rule_that_holds_close_by() {
        // Left of the middle a value is half its left neighbour; right of it, it is zero.
        let mut local = Local::default();
        let width = 64;
        local.begin_band(width);
        let mut state = 9u32;
        let mut found = [0; 2];
        for y in 0..24 {
            local.begin_row();
            for x in 0..width {
                let mut values = [0; N];
                for value in &mut values {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *value = (state >> 27) as i32 - 16;
                }
                if y == 23 && (x == 4 || x == 60) {
                    local.solve(x);
                    found[x / 32] = local.weights[0];
                }
                let error = if x < 32 { values[0] / 2 } else { 0 };
                local.learn(&values, x, error, 1 << 12, 12);
            }
        }
        assert!((22_000..36_000).contains(&found[0]), "{found:?}");
        assert!(found[1].abs() < 4000, "{found:?}");
    }

    #[test]
    fn extremes_stay_inside_their_bounds() {
        // Relies on the overflow checks of a test build.
        let mut local = Local::default();
        local.begin_band(40);
        for y in 0..60 {
            local.begin_row();
            for x in 0..40 {
                let sign = if (x * 7 + y) % 3 == 0 { 1 } else { -1 };
                let values = [sign * (1 << 14); N];
                local.predict(&values, x);
                local.learn(&values, x, (1 << 14) * sign, 1 << 13, 12);
            }
        }
    }
}
