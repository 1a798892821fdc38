//! Searches for the step that fills a budget or just meets an error.

use super::{Attempt, EncodeError, Encoder, LAMBDA, Quantised, guess, usual_ratio};
use crate::header::STEPS;
use crate::models::Models;
use crate::quantise::Machine;

/// The most full codings once one fits. The first one gives the ratio to the fast model's size, so
/// the second is usually the last.
const MAX_ROUNDS: usize = 4;

/// The most steps tried in one search.
const MAX_TRIES: usize = 14;

/// Bytes of the budget that may stay unused: a few in a small picture, and one in this many, by the
/// models. The quicker they are, the more of the time is spent on filling it: 0.01 dB for a tenth to
/// a fifth of the time.
const FEW: usize = 5;
const SLACK_FAST: usize = 256;
const SLACK_NORMAL: usize = 512;
const SLACK_BEST: usize = 768;

/// Tries after which a search no longer trusts the slope at its last step: photographs need no more.
/// In noise hardly a coefficient is left above some step, and most are below.
const TRIES_BY_SLOPE: usize = 3;

/// Tolerance of the search for a first step, as a share of the fast model's bytes. How they compare
/// with another model's is not known better before the first coding.
const CLOSE: f64 = 0.02;

/// Off by no more than this share of the bytes, the slope leads to the step that is wanted, and
/// nothing is tried there: a slope from coefficients alone, and one between two tries.
const NEAR_BY_GUESS: f64 = 0.03;
const NEAR: f64 = 0.06;

/// Bytes that each nonzero coefficient and each other one adds when the step shrinks by a factor of
/// e: together 0.6 for each nonzero one at 0.15 bits a pixel, 0.3 at 4.75. They serve for the first
/// guess only; after that, two sizes give the slope.
const BYTES_A_NONZERO: f64 = 0.28;
const BYTES_A_ZERO: f64 = 0.0043;

/// The bracket of a search over a function that falls with the step.
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

    /// `wanted` if it lies inside the bracket, else its geometric middle; none once it is empty.
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

/// The step at which bytes reach `aim`, given their slope. Their curve is nearly straight over the
/// step's reciprocal, up to some distance.
fn wanted_step((step, bytes): (f64, f64), aim: f64, slope: f64) -> f64 {
    step / (1.0 - (aim - bytes) / (slope * step)).clamp(1.0 / 3.0, 2.5)
}

/// The slope of such a curve at the second of two steps; `otherwise` where it does not fall.
fn slope_between((x0, bytes0): (f64, f64), (x, bytes): (f64, f64), otherwise: f64) -> f64 {
    if (bytes0 > bytes) == (x0 < x) && bytes0 != bytes {
        (bytes - bytes0) / (1.0 / x0 - 1.0 / x) / (x * x)
    } else {
        otherwise
    }
}

/// An end of a bracket: a step or a price of a bit, and the logarithm of its bytes less that of the
/// bytes wanted.
#[derive(Clone, Copy)]
struct End {
    step: f64,
    off: f64,
}

/// Both ends of a bracket, as far as they have been tried.
#[derive(Default)]
pub(super) struct Ends {
    low: Option<End>,
    high: Option<End>,
    /// Whether the last try replaced the lower end.
    last_low: Option<bool>,
}

impl Ends {
    /// Puts a try in the place of the end on its side. Where that happens twice in a row, the other
    /// end counts half, lest it stay for ever (the Illinois method).
    pub(super) fn put(&mut self, step: u32, bytes: f64, aim: f64) {
        let off = log2(bytes) - log2(aim);
        let is_low = off > 0.0;
        let (same, other) = if is_low {
            (&mut self.low, &mut self.high)
        } else {
            (&mut self.high, &mut self.low)
        };
        if self.last_low == Some(is_low)
            && let Some(other) = other
        {
            other.off /= 2.0;
        }
        *same = Some(End {
            step: step.into(),
            off,
        });
        self.last_low = Some(is_low);
    }

    /// The step at which the logarithm is right on the line between both ends.
    pub(super) fn between(&self) -> Option<f64> {
        let (low, high) = self.low.zip(self.high)?;
        Some(low.step + (high.step - low.step) * low.off / (low.off - high.off))
    }
}

/// Binary logarithm of a number from 1 up, within 0.09: a float's exponent, with its mantissa as
/// the fraction. The same on every machine.
fn log2(x: f64) -> f64 {
    x.max(1.0).to_bits() as f64 / (1u64 << 52) as f64 - 1023.0
}

/// Parts that stand for the whole picture in a search.
pub(super) struct Subset {
    /// The whole-picture part, then stripes.
    pub(super) which: Vec<usize>,
    /// Bytes of all stripes over those of the subset.
    pub(super) scale: f64,
}

/// A step, and the picture's size there with the fast model.
pub(super) struct Try {
    pub(super) step: u32,
    pub(super) bytes: f64,
    /// Change in bytes per unit of the step, below zero.
    pub(super) slope: f64,
}

impl Encoder<'_> {
    /// A lossy coding that nearly fills `budget` bytes.
    pub(super) fn lossy_within(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let first = match self.lossy_by_subset(budget) {
            Ok(attempt) => return Ok(attempt),
            Err(step) => step,
        };
        let all = Subset {
            which: self.all(),
            scale: 1.0,
        };
        let fast = self.models == Models::Fast;
        let allowance = FEW + self.slack(budget);
        let mut aim = budget.saturating_sub(allowance / 2) as f64;
        let coded = (aim - self.overhead() as f64).max(0.0);
        let wanted = coded / usual_ratio(self.models);
        let close = if fast {
            allowance as f64 / 2.0 / wanted.max(1.0) // It is the size itself.
        } else {
            CLOSE
        };
        let found = self.step_for_bytes(&all, wanted, first, close);
        let mut slope = found.slope * usual_ratio(self.models);
        let mut step = found.step;
        let mut bracket = Bracket::new();
        let mut best: Option<Attempt> = None;
        let mut before: Option<(f64, f64)> = None;
        for round in 1.. {
            let attempt = self.attempt(&all.which, step);
            let length = attempt.len();
            if length <= budget {
                let fills = length + allowance >= budget;
                bracket.high = step;
                if best.as_ref().is_none_or(|best| best.len() < length) {
                    best = Some(attempt);
                }
                if fills || step == *STEPS.start() {
                    break;
                }
            } else {
                bracket.low = step;
                aim -= allowance as f64 / 4.0;
            }
            if round >= MAX_ROUNDS && best.is_some() {
                break;
            }
            let (x, bytes) = (f64::from(step), length as f64);
            slope = before.map_or(slope, |before| slope_between(before, (x, bytes), slope));
            before = Some((x, bytes));
            match bracket.next(wanted_step((x, bytes), aim, slope)) {
                Some(next) => step = next,
                None => break,
            }
        }
        best.map_or_else(|| self.coarsest(budget), Ok)
    }

    /// Bytes of a budget that may stay unused.
    pub(super) fn slack(&self, budget: usize) -> usize {
        budget
            / match self.models {
                Models::Lossless | Models::Fast => SLACK_FAST,
                Models::Normal => SLACK_NORMAL,
                Models::Best | Models::BestV1 => SLACK_BEST,
            }
    }

    /// A first guess at the step that gives `bytes` bytes with these models.
    pub(super) fn first_step(&self, bytes: f64) -> u32 {
        guess::step_for(self.parts(), bytes / usual_ratio(self.models))
    }

    /// The last resort: the largest step, and bits as dear as a search allows.
    fn coarsest(&self, budget: usize) -> Result<Attempt, EncodeError> {
        let (all, machine) = (self.all(), self.models.machine());
        let price = (*STEPS.end(), 4 * LAMBDA);
        let attempt = self.code(Quantised::new(self.parts(), &all, price, machine), &all);
        if attempt.len() <= budget {
            Ok(attempt)
        } else {
            Err(EncodeError::Budget {
                budget,
                needed: attempt.len(),
            })
        }
    }

    fn try_step(&self, subset: &Subset, step: u32) -> Try {
        // Eight states are quick, and their sizes are nearly proportional to those of more states.
        let quantised = self.quantise(&subset.which, step, Machine::EIGHT);
        let costs = quantised.fast_costs(&subset.which);
        let counted: f64 = costs.iter().map(|cost| cost.bytes).sum();
        let all = costs[0].bytes + subset.scale * (counted - costs[0].bytes);
        let n_nonzero: usize = costs.iter().map(|cost| cost.n_nonzero).sum();
        let n_nonzero = n_nonzero as f64 * all / counted.max(1.0);
        let n_planes = self.parts().n_planes();
        let n_all = (self.picture.width() * self.picture.height() * n_planes) as f64;
        let gain = BYTES_A_NONZERO * n_nonzero + BYTES_A_ZERO * n_all + 1.0;
        Try {
            step,
            bytes: all,
            slope: -gain / f64::from(step),
        }
    }

    /// The step at which the fast model takes `aim` bytes, within a share of `close`.
    pub(super) fn step_for_bytes(&self, subset: &Subset, aim: f64, first: u32, close: f64) -> Try {
        let mut bracket = Bracket::new();
        let mut step = first;
        let mut before: Option<(f64, f64)> = None;
        let mut ends = Ends::default();
        for tries in 1..=MAX_TRIES {
            let mut found = self.try_step(subset, step);
            let (x, bytes) = (f64::from(step), found.bytes);
            let near = before.map_or(NEAR_BY_GUESS, |_| NEAR);
            if let Some(before) = before {
                found.slope = slope_between(before, (x, bytes), found.slope);
            }
            let off = (bytes - aim).abs() / aim;
            if off <= close {
                return found;
            }
            if bytes > aim {
                bracket.low = step;
            } else {
                bracket.high = step;
            }
            before = Some((x, bytes));
            ends.put(step, bytes, aim);
            let by_slope = wanted_step((x, bytes), aim, found.slope);
            let between = ends.between().filter(|_| tries >= TRIES_BY_SLOPE);
            let Some(next) = bracket.next(between.unwrap_or(by_slope)) else {
                break;
            };
            if off <= near && next == by_slope as u32 {
                return Try {
                    step: next,
                    bytes: aim,
                    ..found
                };
            }
            step = next;
        }
        self.try_step(subset, bracket.high)
    }

    /// Nearly the largest step with an error of at most `mse`; none if every step's error is
    /// larger.
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
            // Aims slightly below, so that the next step may be the last.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise: at steps above it nothing is left, at steps below it everything.
    fn bytes_of_noise(step: u32) -> f64 {
        89.0 + 740_000.0 / (1.0 + ((f64::from(step) - 2_400_000.0) / 150_000.0).exp())
    }

    #[test]
    fn a_cliff_takes_few_tries() {
        for aim in [300.0, 5_000.0, 37_000.0, 117_000.0, 300_000.0, 700_000.0] {
            let (mut bracket, mut ends) = (Bracket::new(), Ends::default());
            ends.put(bracket.low, bytes_of_noise(bracket.low), aim);
            ends.put(bracket.high, bytes_of_noise(bracket.high), aim);
            let mut tries = 0;
            loop {
                tries += 1;
                let step = bracket.next(ends.between().unwrap()).unwrap();
                let bytes = bytes_of_noise(step);
                if (bytes - aim).abs() < 0.005 * aim {
                    break;
                }
                ends.put(step, bytes, aim);
                if bytes > aim {
                    bracket.low = step;
                } else {
                    bracket.high = step;
                }
            }
            assert!(tries <= 12, "{aim}: {tries} tries");
        }
    }

    #[test]
    fn logarithms_are_close() {
        for x in [1.0, 1.5, 2.0, 89.0, 1e6] {
            assert!((log2(x) - x.log2()).abs() < 0.09, "{x}");
        }
    }
}
