//! Log odds of each bit of a number's binarisation, for logistic distributions.
//!
//! A number `v` stands for the cell of the real line that a real value fell into. Let `a(x) = (x -
//! mean) / scale`; the chance of lying above `x` is `T(x) = 1 / (1 + e^a(x))`. Then the log odds of
//! every question come down to two functions of one argument, `softplus(x) = ln(1 + e^x)` and `G(x)
//! = ln(e^x - 1)`, which are tables. All logarithms are natural, in 1/256.

use super::logistic::LOGIT_LIMIT;

/// `256 ln 2`.
const LN_2: i32 = 177;

/// `e^(1/64)` with 60 fraction bits.
const EXP_STEP: u64 = 1_171_077_376_484_718_872;

/// `softplus(-x)` in 1/256 for `x` in steps of 1/64 from 0 to 8, taken at the middle of the step.
static SOFTPLUS: [i16; 512] = softplus_table();

/// `G(x) - x` in 1/256, at the place [`float_index`] of `x`.
static LOG_EXP_M1: [i16; 32 * 24] = log_exp_m1_table();

/// Where the cells of a number's magnitude begin, in 1/256 of their width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cells {
    /// Lower end of magnitude 1; zero's cell reaches as far to both sides.
    pub(crate) first: i32,
    /// Lower end of magnitude `m >= 2` is `256 m - back`.
    pub(crate) back: i32,
}

impl Cells {
    /// Cells of width one around the whole numbers.
    pub(crate) const UNIFORM: Self = Self {
        first: 128,
        back: 128,
    };

    /// Lower end of magnitude `m`, at least 1.
    #[inline(always)]
    pub(crate) fn lower(self, m: i32) -> i32 {
        if m == 1 {
            self.first
        } else {
            256 * m - self.back
        }
    }
}

/// A guess at where a number lies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Logistic {
    /// The mean in 1/256 of a cell, within 2^24.
    pub(crate) mean: i32,
    /// The reciprocal of the scale in cells, with 16 fraction bits: 1 to 2^22.
    pub(crate) inverse: i32,
}

impl Logistic {
    /// `x / scale` in 1/256 for `x` in 1/256 of a cell.
    #[inline(always)]
    fn scaled(self, x: i32) -> i32 {
        ((i64::from(x) * i64::from(self.inverse)) >> 16).clamp(-(1 << 20), 1 << 20) as i32
    }

    /// The same for `x > 0`, with 8 more fraction bits.
    #[inline(always)]
    fn scaled_fine(self, x: i32) -> u32 {
        ((i64::from(x) * i64::from(self.inverse)) >> 8).clamp(1, (1 << 28) - 1) as u32
    }

    /// Log odds of `v != 0`.
    #[inline(always)]
    pub(crate) fn nonzero(self, cells: Cells) -> i32 {
        let c = self.scaled(self.mean).abs();
        let d = self.scaled(cells.first);
        // ln((cosh c + e^-d) / sinh d)
        let cosh = c + softplus_below(2 * c) - LN_2;
        let upper = cosh.max(-d) + softplus_below((cosh + d).abs());
        let sinh = log_exp_m1(self.scaled_fine(2 * cells.first)) - LN_2 - d;
        limit(upper - sinh)
    }

    /// Log odds of `v > 0` given `v != 0`.
    #[inline(always)]
    pub(crate) fn positive(self, cells: Cells) -> i32 {
        let above = self.scaled(cells.first - self.mean);
        let below = self.scaled(-cells.first - self.mean);
        limit(softplus(-below) - softplus(above))
    }

    /// Log odds of `|v| >= end` given `|v| >= begin`. The mean's sign is relative to that of `v`.
    #[inline(always)]
    pub(crate) fn beyond(self, begin: i32, end: i32) -> i32 {
        let a = self.scaled(begin - self.mean);
        limit(softplus(-a) - log_exp_m1(self.scaled_fine(end - begin)))
    }

    /// Log odds of lying above `middle` given `begin..end`, all in 1/256 of a cell.
    #[inline(always)]
    pub(crate) fn upper(self, begin: i32, middle: i32, end: i32) -> i32 {
        let low = self.scaled(begin - self.mean);
        let high = self.scaled(end - self.mean);
        // Exact for equal halves; no others are used.
        limit(self.scaled(middle - begin) + softplus(low) - softplus(high))
    }
}

#[inline(always)]
fn limit(logit: i32) -> i32 {
    logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
}

/// `softplus(-x)` for `x >= 0`.
#[inline(always)]
fn softplus_below(x: i32) -> i32 {
    let step = x >> 2;
    if step < 512 {
        i32::from(SOFTPLUS[step as usize])
    } else {
        0
    }
}

#[inline(always)]
fn softplus(x: i32) -> i32 {
    x.max(0) + softplus_below(x.abs())
}

/// `G` of an argument in 1/65536, 1 to 2^28 - 1.
#[inline(always)]
fn log_exp_m1(x: u32) -> i32 {
    let whole = (x >> 8) as i32;
    if x >= 1 << 20 {
        whole // From 16 on, G(x) is x.
    } else {
        whole + i32::from(LOG_EXP_M1[float_index(x)])
    }
}

/// The exponent, and five bits of mantissa.
#[inline(always)]
const fn float_index(x: u32) -> usize {
    if x < 32 {
        return x as usize;
    }
    let exponent = x.ilog2() - 5;
    (32 * exponent + (x >> exponent)) as usize
}

const fn softplus_table() -> [i16; 512] {
    // e^(-x) falls by e^(-1/64) a step, starting at the middle of the first one. With 40 fraction
    // bits, ln(1 + y) = log2(1 + y) ln 2.
    let mut table = [0; 512];
    let mut i = 0;
    while i < 512 {
        let grown = exp_64ths_doubled(2 * i + 1); // e^x with 40 fraction bits
        let y = (1u128 << 80) / grown;
        table[i] = ln_256ths((1 << 40) + y) as i16;
        i += 1;
    }
    table
}

const fn log_exp_m1_table() -> [i16; 32 * 24] {
    let mut table = [0; 32 * 24];
    let mut x = 1u32;
    while (x as u64) < 1 << 20 {
        let index = float_index(x);
        // The middle of the arguments that share this entry.
        let width = if x < 32 { 0 } else { 1u32 << (x.ilog2() - 5) };
        let middle = 2 * x as u128 + width as u128; // in 1/131072
        // e^m - 1 by its series around the nearest 1/128 below.
        let steps = (middle >> 10) as usize;
        let rest = (middle - ((steps as u128) << 10)) << 23; // with 40 fraction bits
        let one = 1u128 << 40;
        let small = rest + ((rest * rest) >> 41) + ((((rest * rest) >> 40) * rest) >> 40) / 6;
        let base = exp_64ths_doubled(steps);
        let value = ((base * (one + small)) >> 40) - one;
        let log = ln_256ths(if value == 0 { 1 } else { value });
        table[index] = (log - (middle >> 9) as i64) as i16;
        x += if width == 0 { 1 } else { width };
    }
    table[0] = table[1];
    table
}

/// `e^(n / 128)` with 40 fraction bits.
const fn exp_64ths_doubled(n: usize) -> u128 {
    let mut value = 1u128 << 44;
    let mut i = 0;
    while i < n / 2 {
        value = (value * EXP_STEP as u128) >> 60;
        i += 1;
    }
    if n % 2 == 1 {
        let x = 1u128 << 33; // 1/128 with 40 fraction bits
        let (x2, x3) = (x >> 7, x >> 14);
        value = (value * ((1 << 40) + x + x2 / 2 + x3 / 6)) >> 40;
    }
    value >> 4
}

/// `256 ln(x / 2^40)`, rounded to the nearest.
const fn ln_256ths(x: u128) -> i64 {
    let whole = x.ilog2();
    let mut mantissa = if whole > 40 {
        (x >> (whole - 40)) << 22
    } else {
        x << (40 - whole) << 22
    }; // 1 to 2 with 62 fraction bits
    let mut log2 = whole as i64 - 40;
    let mut bit = 0;
    while bit < 20 {
        mantissa = (mantissa * mantissa) >> 62;
        log2 <<= 1;
        if mantissa >> 63 != 0 {
            log2 += 1;
            mantissa >>= 1;
        }
        bit += 1;
    }
    // 256 ln 2 with 16 fraction bits.
    (log2 * 11_629_080 + (1 << 35)) >> 36
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance of lying above `x` cells.
    fn above(guess: Logistic, x: f64) -> f64 {
        let inverse = f64::from(guess.inverse) / 65536.0;
        1.0 / (1.0 + ((x - f64::from(guess.mean) / 256.0) * inverse).exp())
    }

    fn close(found: i32, ones: f64, zeros: f64) {
        let exact = (256.0 * (ones / zeros).ln()).clamp(-2047.0, 2047.0);
        // Two table steps; where chances are differences of nearly equal ones, f64 errs too.
        let allowed = 8.0 + exact.abs() * 0.01;
        assert!(
            (f64::from(found) - exact).abs() < allowed,
            "{found} {exact}"
        );
    }

    #[test]
    fn the_odds_are_those_of_the_distribution() {
        let half = Cells {
            first: 64,
            back: 256,
        };
        for cells in [Cells::UNIFORM, half] {
            for inverse in [2000, 20_000, 65_536, 150_000, 400_000] {
                for mean in [-700, -130, -64, 0, 20, 128, 400] {
                    let guess = Logistic { mean, inverse };
                    let first = f64::from(cells.first) / 256.0;
                    let (up, down) = (above(guess, first), 1.0 - above(guess, -first));
                    close(guess.nonzero(cells), up + down, 1.0 - up - down);
                    close(guess.positive(cells), up, down);
                    for (m, n) in [(1, 1), (2, 1), (5, 4)] {
                        let (begin, end) = (cells.lower(m), cells.lower(m + n));
                        let low = above(guess, f64::from(begin) / 256.0);
                        let high = above(guess, f64::from(end) / 256.0);
                        if low - high < 1e-6 || high < 1e-6 {
                            continue;
                        }
                        close(guess.beyond(begin, end), high, low - high);
                        let middle = begin + (end - begin) / 2;
                        let centre = above(guess, f64::from(middle) / 256.0);
                        close(guess.upper(begin, middle, end), centre - high, low - centre);
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_are_limited() {
        for mean in [-(1 << 24), 0, 1 << 24] {
            for inverse in [1, 1 << 22] {
                let guess = Logistic { mean, inverse };
                for logit in [
                    guess.nonzero(Cells::UNIFORM),
                    guess.positive(Cells::UNIFORM),
                    guess.beyond(1 << 23, (1 << 23) + 256),
                    guess.upper(1 << 20, 1 << 21, (1 << 21) + (1 << 20)),
                ] {
                    assert!(logit.abs() <= LOGIT_LIMIT);
                }
            }
        }
    }
}
