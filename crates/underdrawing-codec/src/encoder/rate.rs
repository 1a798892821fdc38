//! Finds the step that fills a budget, or that just keeps an error.

use super::{Attempt, EncodeError, Encoder, LAMBDA, Quantised, guess, usual_ratio};
use crate::header::STEPS;
use crate::quantise::Machine;

/// Full codings at most. The ratio to the fast model's size is learned from the first, so the
/// second is usually the last.
const MAX_ROUNDS: usize = 4;

/// Steps tried at most in one search.
const MAX_TRIES: usize = 14;

/// Share of the budget that may stay unused: 1/1024.
const SLACK: usize = 1024;

/// Bytes more of one coefficient other than zero when the step shrinks by e, measured near 4.75
/// bits a pixel. The first guess only; then two sizes give the slope.
const BYTES_A_COEFFICIENT: f64 = 0.33;

/// Pictures of so many stripes are brought to their size by coding a few stripes again.
const MIN_STRIPES: usize = 4;

/// Largest error, as a share of the size, that this mends: 1/64.
const MENDABLE: usize = 64;

/// A bracketed search for a falling function of the step.
struct Bracket {
    low: u32,
    high: u32,
}

impl Bracket {
    fn new() -> Self {
        Self {
            low: *STEPS.start(),
            high: *STEPS.end(),
        }
    }

    /// `wanted` where it lies inside, else something that halves the bracket.
    fn next(&self, wanted: f64) -> Option<u32> {
        let wanted = wanted.clamp(0.0, f64::from(u32::MAX)) as u32;
        if self.high - self.low <= 1 {
            None
        } else if wanted > self.low && wanted < self.high {
            Some(wanted)
        } else {
            let middle = (f64::from(self.low) * f64::from(self.high)).sqrt() as u32;
            Some(middle.clamp(self.low + 1, self.high - 1))
        }
    }
}

/// A step tried, with its size by the fast model.
struct Try {
    quantised: Quantised,
    bytes: f64,
}

impl Encoder<'_> {
    /// The largest coding that fits in `budget` bytes, nearly.
    pub(super) fn fit(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let mends = self.cut.n_stripes() >= MIN_STRIPES;
        let mut best: Option<Attempt> = None;
        let mut ratio = usual_ratio(self.models);
        let mut step = guess::step_for(&self.parts, budget as f64);
        let allowance = budget / SLACK;
        let mut margin = allowance / 2;
        for round in 0..MAX_ROUNDS {
            let aim = budget.saturating_sub(margin + self.overhead()) as f64 / ratio;
            let close = if mends { 0.003 } else { 0.0003 };
            let found = self.step_for_bytes(aim, step, close);
            if round > 0 && found.quantised.step == step {
                break; // It would come out the same.
            }
            step = found.quantised.step;
            let attempt = self.code(self.machined(found.quantised));
            let length = attempt.len();
            ratio = length.saturating_sub(self.overhead()) as f64 / found.bytes.max(1.0);
            if length > budget {
                margin += allowance / 4;
            }
            if length <= budget && length + allowance >= budget {
                return Ok(attempt);
            }
            let near = length.abs_diff(budget) <= budget / MENDABLE;
            if mends
                && near
                && let Some(mended) = self.mend(&attempt, budget)
            {
                return Ok(mended);
            }
            if length <= budget && best.as_ref().is_none_or(|best| best.len() < length) {
                best = Some(attempt);
            }
            if step == *STEPS.start() || step == *STEPS.end() {
                break;
            }
        }
        best.map_or_else(|| self.coarsest(budget), Ok)
    }

    /// The same step with the states that these models have.
    fn machined(&self, tried: Quantised) -> Quantised {
        if self.models.machine() == tried.machine {
            tried
        } else {
            self.quantise(tried.step, LAMBDA)
        }
    }

    /// The last resort: the largest step.
    fn coarsest(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let attempt = self.code(self.quantise(*STEPS.end(), LAMBDA));
        if attempt.len() <= budget {
            Ok(attempt)
        } else {
            Err(EncodeError::Budget {
                budget,
                needed: attempt.len(),
            })
        }
    }

    fn try_step(&self, step: u32) -> Try {
        // Eight states are quick and nearly in proportion.
        let machine = Machine::EIGHT;
        let quantised = Quantised::new(&self.parts, &self.cut, step, LAMBDA, machine);
        let bytes = quantised.fast_bytes();
        Try { quantised, bytes }
    }

    /// The step whose size with the fast model is `aim` bytes up to a share of `close`.
    fn step_for_bytes(&self, aim: f64, first: u32, close: f64) -> Try {
        let mut bracket = Bracket::new();
        let mut step = first;
        let mut before: Option<(u32, f64)> = None;
        for _ in 0..MAX_TRIES {
            let found = self.try_step(step);
            let bytes = found.bytes;
            if (bytes - aim).abs() <= aim * close {
                return found;
            }
            if bytes > aim {
                bracket.low = step;
            } else {
                bracket.high = step;
            }
            let x = f64::from(step);
            let slope = match before {
                Some((x0, bytes0)) if (bytes0 > bytes) == (x0 < step) => {
                    (bytes - bytes0) / (x - f64::from(x0))
                }
                _ => -BYTES_A_COEFFICIENT * (found.quantised.n_nonzero() as f64 + 1.0) / x,
            };
            before = Some((step, bytes));
            // Far away the curve bends too much for its tangent.
            let wanted = (x + (aim - bytes) / slope).clamp(x * 0.4, x * 3.0);
            match bracket.next(wanted) {
                Some(next) => step = next,
                None => break,
            }
        }
        self.try_step(bracket.high)
    }

    /// Brings an attempt to just below the budget by quantising a few stripes more finely or more
    /// coarsely, at another price of a bit.
    fn mend(&self, attempt: &Attempt, budget: usize) -> Option<Attempt> {
        // An even number, so that two threads are busy, spread over the picture.
        let n = self.cut.n_stripes();
        let n_chosen = (n / 4).next_multiple_of(2).min(n);
        let chosen: Vec<usize> = (0..n_chosen)
            .map(|i| 1 + (2 * i + 1) * n / (2 * n_chosen))
            .collect();
        let old: usize = chosen.iter().map(|&i| attempt.segments[i].len()).sum();
        let others = attempt.len() - old;
        let allowance = budget / SLACK;
        let aim = budget.checked_sub(others + allowance / 2)? as f64;
        let (mut price, mut before) = (f64::from(LAMBDA), (f64::from(LAMBDA), old as f64));
        // Bytes fall by about a tenth of a per cent for each per cent of price.
        let mut slope = -0.1 * old as f64 / price;
        for _ in 0..4 {
            let wanted = before.0 + (aim - before.1) / slope;
            price = wanted.clamp(price * 0.5, price * 2.0);
            let bounds = f64::from(LAMBDA) / 4.0..=f64::from(LAMBDA) * 4.0;
            if !bounds.contains(&price) {
                return None;
            }
            let mended = self.code_again(attempt, &chosen, price as u32);
            let bytes = (mended.len() - others) as f64;
            if mended.len() <= budget && mended.len() + allowance >= budget {
                return Some(mended);
            }
            let measured = (bytes - before.1) / (price - before.0);
            if measured < 0.0 {
                slope = measured;
            }
            before = (price, bytes);
        }
        None
    }

    /// The largest step whose error is at most `mse`, nearly; none if no step reaches it.
    pub(super) fn step_for_error(&self, mse: f64) -> Option<Quantised> {
        let mut bracket = Bracket::new();
        let mut best: Option<Quantised> = None;
        // With dependent quantisation the error is about a quarter of the squared step, and
        // rounding adds a twelfth.
        let mut step = ((4.0 * (mse - 0.08).max(0.02)).sqrt() * f64::from(1 << 14)) as u32;
        step = step.clamp(*STEPS.start(), *STEPS.end());
        for _ in 0..MAX_TRIES {
            let quantised = self.quantise(step, LAMBDA);
            let found = self.mse(&quantised);
            let x = f64::from(step);
            // Aims a little inside, so that the next one may be the last.
            let wanted = x * (mse * 0.9985 / found.max(1e-3)).sqrt();
            if found <= mse {
                bracket.low = step;
                best = Some(quantised);
                if found >= mse * 0.997 || step == *STEPS.end() {
                    break;
                }
            } else {
                if step == *STEPS.start() {
                    return None;
                }
                bracket.high = step;
            }
            match bracket.next(wanted.clamp(x * 0.4, x * 3.0)) {
                Some(next) => step = next,
                None => break,
            }
        }
        best.or_else(|| {
            let finest = self.quantise(*STEPS.start(), LAMBDA);
            (self.mse(&finest) <= mse).then_some(finest)
        })
    }
}
