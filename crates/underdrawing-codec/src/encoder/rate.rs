//! Finds the step that fills a budget, or that just keeps an error.

use super::{Attempt, EncodeError, Encoder, Quantised, guess, usual_ratio};
use crate::header::STEPS;
use crate::quantise::Machine;

/// Full codings at most. The ratio to the fast model's size is learned from the first, so the
/// second is usually the last.
const MAX_ROUNDS: usize = 5;

/// Steps tried at most in one search.
const MAX_TRIES: usize = 14;

/// Share of the budget that may stay unused: 1/2048 of these pictures, which are quick to code
/// again.
const SLACK: usize = 2048;

/// How near a search comes to its aim, of the fast model's bytes.
const CLOSE: f64 = 0.0001;

/// Bytes more of one coefficient other than zero when the step shrinks by e, measured near 4.75
/// bits a pixel. The first guess only; then two sizes give the slope.
const BYTES_A_COEFFICIENT: f64 = 0.33;

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

/// Parts that stand for the whole picture in a search.
pub(super) struct Sample {
    /// The whole-picture part, then stripes.
    pub(super) which: Vec<usize>,
    /// Bytes of all stripes over those of the sample's.
    pub(super) scale: f64,
}

/// A step tried, with the picture's size by the fast model.
pub(super) struct Try {
    pub(super) quantised: Quantised,
    pub(super) bytes: f64,
    /// Bytes for each unit of the step, below zero.
    pub(super) slope: f64,
}

impl Encoder<'_> {
    /// The largest coding that fits in `budget` bytes, nearly.
    pub(super) fn fit(&self, budget: usize) -> Result<Attempt, EncodeError> {
        if let Some(attempt) = self.fit_by_sample(budget) {
            return Ok(attempt);
        }
        let all = Sample {
            which: self.all(),
            scale: 1.0,
        };
        let mut best: Option<Attempt> = None;
        let mut ratio = usual_ratio(self.models);
        let mut step = self.first_step(budget as f64);
        let allowance = budget / SLACK;
        let mut margin = allowance / 2;
        for round in 0..MAX_ROUNDS {
            let aim = budget.saturating_sub(margin + self.overhead()) as f64 / ratio;
            let found = self.step_for_bytes(&all, aim, step, CLOSE);
            if round > 0 && found.quantised.step == step {
                break; // It would come out the same.
            }
            step = found.quantised.step;
            let attempt = self.code(self.machined(found.quantised), &all.which);
            let length = attempt.len();
            ratio = length.saturating_sub(self.overhead()) as f64 / found.bytes.max(1.0);
            if length > budget {
                margin += allowance / 4;
            }
            if length <= budget && length + allowance >= budget {
                return Ok(attempt);
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

    /// A first guess at the step that gives `bytes` bytes with these models.
    pub(super) fn first_step(&self, bytes: f64) -> u32 {
        guess::step_for(&self.parts, bytes / usual_ratio(self.models))
    }

    /// The same step with the states that these models have.
    fn machined(&self, tried: Quantised) -> Quantised {
        if self.models.machine() == tried.machine {
            tried
        } else {
            self.quantise(&self.all(), tried.step, self.models.machine())
        }
    }

    /// The last resort: the largest step.
    fn coarsest(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let attempt = self.attempt(&self.all(), *STEPS.end());
        if attempt.len() <= budget {
            Ok(attempt)
        } else {
            Err(EncodeError::Budget {
                budget,
                needed: attempt.len(),
            })
        }
    }

    fn try_step(&self, sample: &Sample, step: u32) -> Try {
        // Eight states are quick and nearly in proportion.
        let quantised = self.quantise(&sample.which, step, Machine::EIGHT);
        let bytes = quantised.fast_bytes(&sample.which);
        let counted: f64 = bytes.iter().sum();
        let all = bytes[0] + sample.scale * (counted - bytes[0]);
        let n_nonzero = quantised.n_nonzero() as f64 * all / counted.max(1.0);
        Try {
            quantised,
            bytes: all,
            slope: -BYTES_A_COEFFICIENT * (n_nonzero + 1.0) / f64::from(step),
        }
    }

    /// The step whose size with the fast model is `aim` bytes up to a share of `close`.
    pub(super) fn step_for_bytes(&self, sample: &Sample, aim: f64, first: u32, close: f64) -> Try {
        let mut bracket = Bracket::new();
        let mut step = first;
        let mut before: Option<(u32, f64)> = None;
        for _ in 0..MAX_TRIES {
            let mut found = self.try_step(sample, step);
            let (x, bytes) = (f64::from(step), found.bytes);
            if let Some((x0, bytes0)) = before
                && (bytes0 > bytes) == (x0 < step)
            {
                found.slope = (bytes - bytes0) / (x - f64::from(x0));
            }
            if (bytes - aim).abs() <= aim * close {
                return found;
            }
            if bytes > aim {
                bracket.low = step;
            } else {
                bracket.high = step;
            }
            before = Some((step, bytes));
            // Far away the curve bends too much for its tangent.
            let wanted = (x + (aim - bytes) / found.slope).clamp(x * 0.4, x * 3.0);
            match bracket.next(wanted) {
                Some(next) => step = next,
                None => break,
            }
        }
        self.try_step(sample, bracket.high)
    }

    /// The largest step whose error is at most `mse`, nearly; none if no step reaches it.
    pub(super) fn step_for_error(&self, mse: f64) -> Option<Quantised> {
        let mut bracket = Bracket::new();
        let all = self.all();
        let mut best: Option<Quantised> = None;
        // With dependent quantisation the error is about a quarter of the squared step, and
        // rounding adds a twelfth.
        let mut step = ((4.0 * (mse - 0.08).max(0.02)).sqrt() * f64::from(1 << 14)) as u32;
        step = step.clamp(*STEPS.start(), *STEPS.end());
        for _ in 0..MAX_TRIES {
            let quantised = self.quantise(&all, step, self.models.machine());
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
            let finest = self.quantise(&all, *STEPS.start(), self.models.machine());
            (self.mse(&finest) <= mse).then_some(finest)
        })
    }
}
