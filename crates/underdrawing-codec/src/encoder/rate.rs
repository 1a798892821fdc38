//! Finds the step that fills a budget, or that just keeps an error.

use super::{Attempt, EncodeError, Encoder, LAMBDA, Quantised};
use crate::header::STEPS;

/// Full codings at most; two are usual, since the ratio to the fast model's size is learned from
/// the first.
const MAX_ROUNDS: usize = 6;

/// Steps tried at most in one search.
const MAX_TRIES: usize = 14;

/// Share of the budget that may stay unused, in 1/2048.
const SLACK: usize = 1;

/// First step tried: one grey level.
const FIRST_STEP: u32 = 1 << 14;

/// Bytes that one coefficient other than zero costs more when the step shrinks by e:
/// log2(e) / 8.
const BYTES_A_COEFFICIENT: f64 = 0.18;

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

impl Encoder<'_> {
    /// The largest coding that fits in `budget` bytes, nearly.
    pub(super) fn fit(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let mut best: Option<Attempt> = None;
        let (mut ratio, mut step) = (self.usual_ratio(), FIRST_STEP);
        let allowance = budget * SLACK / 2048;
        let mut margin = allowance / 2;
        for _ in 0..MAX_ROUNDS {
            let aim = budget.saturating_sub(margin + self.overhead()) as f64 / ratio;
            let (quantised, estimate) = self.step_for_bytes(aim, step);
            step = quantised.step;
            let attempt = self.code(quantised);
            let length = attempt.len();
            ratio = length.saturating_sub(self.overhead()) as f64 / estimate.max(1.0);
            let at_an_end = step == *STEPS.start() || step == *STEPS.end();
            if length <= budget {
                let better = best.as_ref().is_none_or(|best| best.len() < length);
                if better {
                    best = Some(attempt);
                }
                if length + allowance >= budget || at_an_end {
                    break;
                }
            } else {
                if at_an_end && step == *STEPS.end() {
                    break;
                }
                margin += allowance / 2;
            }
        }
        match best {
            Some(best) => Ok(best),
            None => self.coarsest(budget),
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

    /// The step whose size with the fast model is `aim` bytes, nearly, and that size.
    fn step_for_bytes(&self, aim: f64, first: u32) -> (Quantised, f64) {
        let mut bracket = Bracket::new();
        let mut step = first;
        let mut before: Option<(u32, f64)> = None;
        for _ in 0..MAX_TRIES {
            let quantised = self.quantise(step, LAMBDA);
            let bytes = quantised.fast_bytes();
            if (bytes - aim).abs() <= aim * 0.0003 {
                return (quantised, bytes);
            }
            if bytes > aim {
                bracket.low = step;
            } else {
                bracket.high = step;
            }
            let x = f64::from(step);
            let slope = match before {
                Some((x0, bytes0)) if x0 != step && (bytes0 > bytes) == (x0 < step) => {
                    (bytes - bytes0) / (x - f64::from(x0))
                }
                _ => -BYTES_A_COEFFICIENT * (quantised.n_nonzero() as f64 + 1.0) / x,
            };
            before = Some((step, bytes));
            // Far away the curve bends too much for its tangent.
            let wanted = (x + (aim - bytes) / slope).clamp(x * 0.4, x * 3.0);
            match bracket.next(wanted) {
                Some(next) => step = next,
                None => break,
            }
        }
        let quantised = self.quantise(bracket.high, LAMBDA);
        let bytes = quantised.fast_bytes();
        (quantised, bytes)
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
