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
const SOFTPLUS_TABLE: [i16; 512] = softplus_table();
static SOFTPLUS: [i16; 512] = SOFTPLUS_TABLE;

/// `G(x) - x` in 1/256, at the place [`float_index`] of `x`.
pub(crate) const LOG_EXP_M1_TABLE: [i16; 32 * 24] = log_exp_m1_table();
static LOG_EXP_M1: [i16; 32 * 24] = LOG_EXP_M1_TABLE;

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

/// Guesses side by side.
///
/// Each question is answered step by step for all of them, so that everything but the lookups in
/// tables fills vectors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guesses<const N: usize> {
    means: [i32; N],
    inverses: [i32; N],
}

impl<const N: usize> Guesses<N> {
    /// Up to `N` guesses; others that mean nothing fill the rest.
    #[inline(always)]
    pub(crate) fn of(guesses: &[Logistic]) -> Self {
        let mut all = Self {
            means: [0; N],
            inverses: [1; N],
        };
        for (i, guess) in guesses.iter().enumerate() {
            all.means[i] = guess.mean;
            all.inverses[i] = guess.inverse;
        }
        all
    }

    /// The guesses at a number's negative.
    #[inline(always)]
    pub(crate) fn negated(mut self) -> Self {
        for mean in &mut self.means {
            *mean = -*mean;
        }
        self
    }

    /// `x / scale` in 1/256 for `x` in 1/256 of a cell.
    #[inline(always)]
    fn scaled(&self, x: [i32; N]) -> [i32; N] {
        each(|i| {
            let product = i64::from(x[i]) * i64::from(self.inverses[i]);
            (product >> 16).clamp(-(1 << 20), 1 << 20) as i32
        })
    }

    /// The same for the distance from the mean.
    #[inline(always)]
    fn scaled_from_mean(&self, x: i32) -> [i32; N] {
        self.scaled(each(|i| x - self.means[i]))
    }

    /// `G(x / scale)` for `x > 0`.
    #[inline(always)]
    fn log_exp_m1(&self, x: i32) -> [i32; N] {
        let fine: [u32; N] = each(|i| {
            let product = i64::from(x) * i64::from(self.inverses[i]);
            (product >> 8).clamp(1, (1 << 28) - 1) as u32
        });
        each(|i| log_exp_m1(fine[i]))
    }

    /// Log odds of `v != 0`.
    #[inline(always)]
    pub(crate) fn nonzero(&self, cells: Cells) -> [i32; N] {
        let c = self.scaled(self.means).map(i32::abs);
        let d = self.scaled([cells.first; N]);
        // ln((cosh c + e^-d) / sinh d)
        let near = softplus_below::<N>(each(|i| 2 * c[i]));
        let cosh: [i32; N] = each(|i| c[i] + near[i] - LN_2);
        let sum = softplus_below::<N>(each(|i| (cosh[i] + d[i]).abs()));
        let sinh = self.log_exp_m1(2 * cells.first);
        each(|i| limit(cosh[i].max(-d[i]) + sum[i] - (sinh[i] - LN_2 - d[i])))
    }

    /// Log odds of `v > 0` given `v != 0`.
    #[inline(always)]
    pub(crate) fn positive(&self, cells: Cells) -> [i32; N] {
        let above = softplus(self.scaled_from_mean(cells.first));
        let below = softplus(self.scaled_from_mean(-cells.first).map(|x| -x));
        each(|i| limit(below[i] - above[i]))
    }

    /// Log odds of `|v| >= end` given `|v| >= begin`. The mean's sign is relative to that of `v`.
    #[inline(always)]
    pub(crate) fn beyond(&self, begin: i32, end: i32) -> [i32; N] {
        let above = softplus(self.scaled_from_mean(begin).map(|x| -x));
        let width = self.log_exp_m1(end - begin);
        each(|i| limit(above[i] - width[i]))
    }

    /// Log odds of lying above `middle` given `begin..end`, all in 1/256 of a cell.
    #[inline(always)]
    pub(crate) fn upper(&self, begin: i32, middle: i32, end: i32) -> [i32; N] {
        let low = softplus(self.scaled_from_mean(begin));
        let high = softplus(self.scaled_from_mean(end));
        // Exact for equal halves; no others are used.
        let half = self.scaled([middle - begin; N]);
        each(|i| limit(half[i] + low[i] - high[i]))
    }
}

/// An array of what `of` gives for each place.
#[inline(always)]
fn each<const N: usize, T: Copy + Default>(of: impl Fn(usize) -> T) -> [T; N] {
    let mut all = [T::default(); N];
    for i in 0..N {
        all[i] = of(i);
    }
    all
}

#[inline(always)]
fn limit(logit: i32) -> i32 {
    logit.clamp(-LOGIT_LIMIT, LOGIT_LIMIT)
}

/// `softplus(-x)` for `x >= 0`.
#[inline(always)]
fn softplus_below<const N: usize>(x: [i32; N]) -> [i32; N] {
    let steps: [u32; N] = each(|i| (x[i] >> 2).min(SOFTPLUS.len() as i32 - 1) as u32);
    each(|i| i32::from(SOFTPLUS[steps[i] as usize & (SOFTPLUS.len() - 1)]))
}

/// What lies beyond the table is zero.
const _: () = assert!(SOFTPLUS_TABLE[SOFTPLUS_TABLE.len() - 1] == 0);

#[inline(always)]
fn softplus<const N: usize>(x: [i32; N]) -> [i32; N] {
    let below = softplus_below(x.map(i32::abs));
    each(|i| x[i].max(0) + below[i])
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
        table[i] = softplus_at(2 * i + 1);
        i += 1;
    }
    table
}

/// `softplus(-n / 128)` in 1/256.
pub(crate) const fn softplus_at(n: usize) -> i16 {
    let grown = exp_64ths_doubled(n); // e^x with 40 fraction bits
    let y = (1u128 << 80) / grown;
    ln_256ths((1 << 40) + y) as i16
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
                    let all = Guesses::<1>::of(&[guess]);
                    let first = f64::from(cells.first) / 256.0;
                    let (up, down) = (above(guess, first), 1.0 - above(guess, -first));
                    close(all.nonzero(cells)[0], up + down, 1.0 - up - down);
                    close(all.positive(cells)[0], up, down);
                    for (m, n) in [(1, 1), (2, 1), (5, 4)] {
                        let (begin, end) = (cells.lower(m), cells.lower(m + n));
                        let low = above(guess, f64::from(begin) / 256.0);
                        let high = above(guess, f64::from(end) / 256.0);
                        if low - high < 1e-6 || high < 1e-6 {
                            continue;
                        }
                        close(all.beyond(begin, end)[0], high, low - high);
                        let middle = begin + (end - begin) / 2;
                        let centre = above(guess, f64::from(middle) / 256.0);
                        close(
                            all.upper(begin, middle, end)[0],
                            centre - high,
                            low - centre,
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn extremes_are_limited() {
        for mean in [-(1 << 24), 0, 1 << 24] {
            for inverse in [1, 1 << 22] {
                let guess = Guesses::<1>::of(&[Logistic { mean, inverse }]);
                for [logit] in [
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
