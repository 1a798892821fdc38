//! Log odds of each bit of an index, for several logistic distributions side by side.
//!
//! An index stands for the cell of the real line that a value fell into. With `a(x) = (x - mean) /
//! scale`, the chance of lying above `x` is `1 / (1 + e^a(x))`, and its logarithm `-softplus(a(x))`.
//! So all odds come down to `softplus(x) = ln(1 + e^x)` at the ends of cells, and to `ln(e^x - 1)`
//! of a cell's width, which is nearly always the same one. Both are tables. All is in natural
//! logarithms.
//!
//! Single precision, one operation at a time: every processor computes the same.

use crate::entropy::tables::{LOG_EXP_M1_TABLE, softplus_at};

/// Number of guesses, one vector of the oldest processors.
pub(super) const GUESSES: usize = 4;

/// A number for each guess.
pub(super) type Lanes = [f32; GUESSES];

/// Largest log odds.
pub(super) const MAX_ODDS: f32 = 8.0;

/// `softplus(-x)` for `x` in steps of 1/64 from 0.
static SOFTPLUS: [f32; 512] = softplus_table();

/// `ln(e^x - 1) - x`, by exponent and five bits of mantissa of `x` from 2^-11 to 16.
static LOG_EXP_M1: [f32; 512] = log_exp_m1_table();

/// The bits above the fifth of the mantissa of the first `x` of [`LOG_EXP_M1`].
const FIRST: u32 = (127 - 11) << 5;

const fn softplus_table() -> [f32; 512] {
    let mut table = [0.0; 512];
    let mut i = 0;
    while i < 511 {
        table[i] = softplus_at(2 * i) as f32 / 256.0;
        i += 1;
    }
    table
}

const fn log_exp_m1_table() -> [f32; 512] {
    let mut table = [0.0; 512];
    let mut i = 0;
    while i < 480 {
        table[i] = LOG_EXP_M1_TABLE[i + 32] as f32 / 256.0;
        i += 1;
    }
    table
}

/// An array of what `of` gives for each guess.
#[inline(always)]
pub(super) fn each<T: Copy + Default>(of: impl Fn(usize) -> T) -> [T; GUESSES] {
    let mut all = [T::default(); GUESSES];
    for i in 0..GUESSES {
        all[i] = of(i);
    }
    all
}

/// The larger of two numbers; `b` where `a` is none. A single instruction.
#[inline(always)]
pub(super) fn larger(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

/// The smaller of two numbers; `b` where `a` is none.
#[inline(always)]
pub(super) fn smaller(a: f32, b: f32) -> f32 {
    if a < b { a } else { b }
}

/// `softplus(-x)` for `x >= 0`.
#[inline(always)]
fn softplus_below(x: Lanes) -> Lanes {
    // Adding 2^23 leaves the nearest whole number in the lowest bits.
    let index: [u32; GUESSES] =
        each(|i| (smaller(x[i] * 64.0, 511.0) + 8_388_608.0).to_bits() & 511);
    each(|i| SOFTPLUS[index[i] as usize])
}

#[inline(always)]
fn softplus(x: Lanes) -> Lanes {
    let below = softplus_below(x.map(f32::abs));
    each(|i| larger(x[i], 0.0) + below[i])
}

/// `ln(e^x - 1)` for `x` above 0.
#[inline(always)]
fn log_exp_m1(x: Lanes) -> Lanes {
    let index: [u32; GUESSES] = each(|i| (x[i].to_bits() >> 18).clamp(FIRST, FIRST + 511) - FIRST);
    each(|i| x[i] + LOG_EXP_M1[index[i] as usize & 511])
}

#[inline(always)]
fn limit(x: f32) -> f32 {
    smaller(larger(x, -MAX_ODDS), MAX_ODDS)
}

/// The cells of a quantiser: where magnitudes begin, in cells' widths.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells {
    /// Lower end of magnitude 1; zero's cell reaches as far to both sides.
    pub(super) first: f32,
    /// Lower end of magnitude `m >= 2` is `m - back`.
    pub(super) back: f32,
}

impl Cells {
    /// Lower end of magnitude `m`, at least 1.
    #[inline(always)]
    pub(super) fn lower(self, m: i32) -> f32 {
        if m == 1 {
            self.first
        } else {
            m as f32 - self.back
        }
    }
}

/// Guesses at where an index lies: means in cells, and reciprocals of scales.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guesses {
    pub(super) means: Lanes,
    pub(super) inverses: Lanes,
}

/// What the first questions have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    /// Logarithms of the chances above and below zero's cell.
    above: Lanes,
    below: Lanes,
    /// Where zero's cell ends, in scales from the mean.
    end: Lanes,
    start: Lanes,
}

impl Guesses {
    /// `x` in scales from the mean.
    #[inline(always)]
    fn scaled(&self, x: f32) -> Lanes {
        each(|i| (x - self.means[i]) * self.inverses[i])
    }

    /// The guesses at an index's negative.
    #[inline(always)]
    pub(super) fn negated(&self) -> Self {
        Self {
            means: self.means.map(|m| -m),
            inverses: self.inverses,
        }
    }

    /// `ln(e^x - 1)` of a width in scales.
    #[inline(always)]
    pub(super) fn width(&self, width: f32) -> Lanes {
        log_exp_m1(each(|i| width * self.inverses[i]))
    }

    #[inline(always)]
    pub(super) fn ends(&self, cells: Cells) -> Ends {
        let (end, start) = (self.scaled(cells.first), self.scaled(-cells.first));
        let (s, t) = (softplus(end), softplus(start));
        Ends {
            above: s.map(|s| -s),
            below: each(|i| start[i] - t[i]),
            end,
            start,
        }
    }

    /// Log odds of an index above `m` given at least `m`, from 2 on, the mean relative to its sign;
    /// `width` is that of `m`'s cell.
    #[inline(always)]
    pub(super) fn beyond(&self, begin: f32, width: &Lanes) -> Lanes {
        let above = softplus(self.scaled(begin).map(|x| -x));
        each(|i| limit(above[i] - width[i]))
    }

    /// Log odds of lying in the upper half of `begin..end`.
    #[inline(always)]
    pub(super) fn upper(&self, begin: f32, middle: f32, end: f32) -> Lanes {
        let low = softplus(self.scaled(begin));
        let high = softplus(self.scaled(end));
        each(|i| limit((middle - begin) * self.inverses[i] + low[i] - high[i]))
    }
}

impl Ends {
    /// Log odds of an index other than zero; `width` is that of zero's cell.
    #[inline(always)]
    pub(super) fn nonzero(&self, width: &Lanes) -> Lanes {
        let near = softplus_below(each(|i| (self.above[i] - self.below[i]).abs()));
        each(|i| limit(near[i] - smaller(self.above[i], self.below[i]) - width[i]))
    }

    /// Log odds of an index above zero given that it is not zero.
    #[inline(always)]
    pub(super) fn positive(&self) -> Lanes {
        each(|i| limit(self.above[i] - self.below[i]))
    }

    /// Log odds of a magnitude above 1, of an index of that sign; `width` is that of 1's cell.
    #[inline(always)]
    pub(super) fn beyond_one(&self, positive: bool, width: &Lanes) -> Lanes {
        each(|i| {
            let above = if positive {
                -self.above[i] - self.end[i]
            } else {
                self.start[i] - self.below[i]
            };
            limit(above - width[i])
        })
    }
}

/// The nearest whole number, of magnitudes below 2^21.
#[inline(always)]
pub(super) fn rounded(x: f32) -> i32 {
    const ONE_AND_A_HALF: f32 = 12_582_912.0; // Times 2^23: the lowest bit counts ones.
    (x + ONE_AND_A_HALF).to_bits() as i32 - ONE_AND_A_HALF.to_bits() as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance of lying above `x` cells.
    fn above(mean: f32, inverse: f32, x: f32) -> f64 {
        1.0 / (1.0 + (f64::from(x - mean) * f64::from(inverse)).exp())
    }

    fn close(found: Lanes, ones: f64, zeros: f64) {
        let exact = (ones / zeros).ln().clamp(-8.0, 8.0);
        // A table's step; where chances are differences of nearly equal ones, f64 errs too.
        let allowed = 0.03 + exact.abs() * 0.01;
        let found = f64::from(found[0]);
        assert!((found - exact).abs() < allowed, "{found} {exact}");
    }

    #[test]
    fn the_odds_are_those_of_the_distribution() {
        let even = Cells {
            first: 0.5,
            back: 0.5,
        };
        let odd = Cells {
            first: 0.25,
            back: 1.0,
        };
        for cells in [even, odd] {
            for inverse in [0.03, 0.3, 1.0, 2.3, 6.1] {
                for mean in [-2.7, -0.5, -0.25, 0.0, 0.1, 0.5, 1.6] {
                    let guesses = Guesses {
                        means: [mean; GUESSES],
                        inverses: [inverse; GUESSES],
                    };
                    let chance = |x| above(mean, inverse, x);
                    let (up, down) = (chance(cells.first), 1.0 - chance(-cells.first));
                    let ends = guesses.ends(cells);
                    let width = guesses.width(2.0 * cells.first);
                    close(ends.nonzero(&width), up + down, 1.0 - up - down);
                    close(ends.positive(), up, down);
                    let two = chance(cells.lower(2));
                    let width = guesses.width(cells.lower(2) - cells.first);
                    if up - two > 1e-6 {
                        close(ends.beyond_one(true, &width), two, up - two);
                    }
                    let minus_two = 1.0 - chance(-cells.lower(2));
                    if down - minus_two > 1e-6 {
                        close(ends.beyond_one(false, &width), minus_two, down - minus_two);
                    }
                    for (m, n) in [(2, 1), (5, 4)] {
                        let (begin, end) = (cells.lower(m), cells.lower(m + n));
                        let (low, high) = (chance(begin), chance(end));
                        if low - high < 1e-6 || high < 1e-6 {
                            continue;
                        }
                        let width = guesses.width(end - begin);
                        close(guesses.beyond(begin, &width), high, low - high);
                        let middle = begin + (end - begin) / 2.0;
                        let centre = chance(middle);
                        let found = guesses.upper(begin, middle, end);
                        close(found, centre - high, low - centre);
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_are_limited() {
        let cells = Cells {
            first: 0.25,
            back: 1.0,
        };
        for mean in [-4096.0, 0.0, 4096.0] {
            for inverse in [6e-4, 45.0] {
                let guesses = Guesses {
                    means: [mean; GUESSES],
                    inverses: [inverse; GUESSES],
                };
                let (ends, width) = (guesses.ends(cells), guesses.width(1.0));
                for odds in [
                    ends.nonzero(&width),
                    ends.positive(),
                    ends.beyond_one(true, &width),
                    guesses.beyond(2e6, &width),
                    guesses.upper(1e6, 1.5e6, 2e6),
                ] {
                    assert!(odds[0].abs() <= MAX_ODDS);
                }
            }
        }
    }
}
