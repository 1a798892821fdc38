//! Least squares over the close neighbourhood, for what the regression over the whole band leaves.
//!
//! Every coefficient coded adds the products of its regressors; older rows and more distant columns
//! count less by a fixed factor each. The weights that fit best are solved for every second
//! coefficient. Regressors are divided by the expected size, so that the neighbourhood's strong
//! edges do not drown the rest.

use super::known::Known;

/// Regressors.
const N: usize = 8;

/// Which of the value's regressors they are: left, its left, above, its sides and above, the low
/// band's curvature, and the plane before.
const CHOSEN: [usize; N] = [0, 1, 2, 3, 4, 5, 6, 12];

/// Largest magnitude of a normalised regressor or target; about 16 is expected.
const LIMIT: i32 = 160;

/// What is added to the sums' diagonal: the weights of a few observations that say zero.
const RIDGE: i64 = 2500;

/// Shifts of the fading across columns and down rows: 7/8. A sixteenth in either direction is worse
/// by 0.1 % of the rate.
const ACROSS: u32 = 3;
const DOWN: u32 = 3;

/// Fraction bits of the triangular factor and the weights.
const BITS: u32 = 16;

/// Bound of the factor, which keeps products inside 64 bits.
const FACTOR_LIMIT: i64 = 1 << 24;

/// Products of regressors, row by row, then with the target.
type Sums = [[i32; N]; N + 1];

/// The neighbourhood's sums along a row.
#[derive(Clone, Debug, Default)]
pub(super) struct Local {
    /// Sums of a column's rows above.
    columns: Vec<Sums>,
    /// Sums over columns, of the rows above.
    above: Vec<Sums>,
    /// Sums of this row so far.
    left: Sums,
    weights: [i32; N],
}

/// Fades `to` and adds.
#[inline(always)]
fn fade(to: &mut Sums, add: &Sums, shift: u32) {
    for (to, add) in to.iter_mut().zip(add) {
        for i in 0..N {
            to[i] += add[i] - (to[i] >> shift);
        }
    }
}

impl Local {
    pub(super) fn begin_band(&mut self, width: usize) {
        self.columns.clear();
        self.columns.resize(width, Sums::default());
        self.above.clear();
        self.above.resize(width, Sums::default());
        self.left = Sums::default();
    }

    /// Before a row: sums up the rows above around each column.
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
            for i in 0..N + 1 {
                for j in 0..N {
                    above[i][j] += sum[i][j] - (sum[i][j] >> ACROSS);
                }
            }
            fade(&mut sum, column, ACROSS);
        }
        self.left = Sums::default();
        self.weights = [0; N];
    }

    /// What is to be added to the value expected, in the regressors' units with 8 more bits.
    #[inline(always)]
    pub(super) fn predict(&mut self, known: &Known, x: usize) -> i32 {
        if x.is_multiple_of(2) {
            self.solve(x);
        }
        let mut sum = 0;
        for i in 0..N {
            sum += i64::from(self.weights[i]) * i64::from(known.values[CHOSEN[i]]);
        }
        (sum >> (BITS - 8)).clamp(-(1 << 24), 1 << 24) as i32
    }

    /// Takes in what the value expected was wrong by, in the regressors' units.
    #[inline(always)]
    pub(super) fn learn(&mut self, known: &Known, x: usize, error: i32, weight: i32, shift: u32) {
        let scaled = |v: i32| ((v * weight) >> shift).clamp(-LIMIT, LIMIT);
        let mut regressors = [0; N];
        for i in 0..N {
            regressors[i] = scaled(known.values[CHOSEN[i]]);
        }
        let target = scaled(error);
        let mut products = Sums::default();
        for i in 0..N {
            for j in 0..N {
                products[i][j] = regressors[i] * regressors[j];
            }
            products[N][i] = regressors[i] * target;
        }
        fade(&mut self.left, &products, ACROSS);
        fade(&mut self.columns[x], &products, DOWN);
    }

    #[inline(always)]
    fn solve(&mut self, x: usize) {
        let above = &self.above[x];
        let mut columns = [[0i64; N]; N];
        let mut factor = [[0i64; N]; N];
        let mut inverses = [0i64; N];
        let mut z = [0i64; N];
        for i in 0..N {
            z[i] = i64::from(above[N][i] + self.left[N][i]);
        }
        for j in 0..N {
            let mut column = [0i64; N];
            for i in 0..N {
                column[i] = i64::from(above[j][i] + self.left[j][i]);
            }
            column[j] += RIDGE;
            for k in 0..j {
                let by = factor[k][j];
                for i in 0..N {
                    column[i] -= (columns[k][i] * by) >> BITS;
                }
            }
            let pivot = column[j].max(RIDGE / 2);
            let inverse = (1i64 << 40) / pivot;
            for i in 0..N {
                let entry = (column[i] * inverse) >> (40 - BITS);
                factor[j][i] = entry.clamp(-FACTOR_LIMIT, FACTOR_LIMIT);
            }
            let zj = z[j];
            for i in j + 1..N {
                z[i] -= (factor[j][i] * zj) >> BITS;
            }
            columns[j] = column;
            inverses[j] = inverse;
        }
        for j in (0..N).rev() {
            let mut value = (z[j] * inverses[j]) >> (40 - BITS);
            for i in j + 1..N {
                value -= (factor[j][i] * z[i]) >> BITS;
            }
            z[j] = value.clamp(-(2 << BITS), 2 << BITS);
        }
        for i in 0..N {
            self.weights[i] = z[i] as i32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_rule_that_holds_close_by() {
        // Left of the middle the left neighbour counts half, right of it nothing does.
        let mut local = Local::default();
        let width = 64;
        local.begin_band(width);
        let mut state = 9u32;
        let mut found = [0; 2];
        for y in 0..24 {
            local.begin_row();
            for x in 0..width {
                let mut known = Known::default();
                for value in &mut known.values {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    *value = (state >> 27) as i32 - 16;
                }
                if y == 23 && (x == 4 || x == 60) {
                    local.solve(x);
                    found[x / 32] = local.weights[0];
                }
                let error = if x < 32 { known.values[0] / 2 } else { 0 };
                local.learn(&known, x, error, 1 << 12, 12);
            }
        }
        assert!((22_000..36_000).contains(&found[0]), "{found:?}");
        assert!(found[1].abs() < 4000, "{found:?}");
    }

    #[test]
    fn extremes_stay_inside_their_bounds() {
        // Overflow checks of a test build are what this relies on.
        let mut local = Local::default();
        local.begin_band(40);
        for y in 0..60 {
            local.begin_row();
            for x in 0..40 {
                let sign = if (x * 7 + y) % 3 == 0 { 1 } else { -1 };
                let known = Known {
                    values: [sign * (1 << 14); 16],
                    ..Known::default()
                };
                local.predict(&known, x);
                local.learn(&known, x, (1 << 14) * sign, 1 << 13, 12);
            }
        }
    }
}
