//! Fits pictures of several stripes to a budget, with hardly more than one coding of each.
//!
//! A third of the stripes leads to a step. A few stripes coded at it, the pilots, tell what the
//! models need of the fast model's bytes. Then all others are coded, and what is left goes to the
//! pilots, coded again at another price of a bit.

use super::rate::Sample;
use super::{Attempt, Encoder, LAMBDA, guess, usual_ratio};
use crate::header::STEPS;
use crate::models::Models;
use crate::quantise::Machine;

/// Pictures of fewer stripes are coded whole until they fit.
const MIN_STRIPES: usize = 4;

/// One in so many stripes is looked at to find the step.
const EVERY: usize = 3;

/// How near that search comes to its aim, of the fast model's bytes. Nearer is not worth a try: the
/// sample is not.
const CLOSE: f64 = 0.005;

/// Share of the budget that may stay unused.
const SLACK: usize = 1024;

/// One in so many stripes is a pilot, but two at least.
const STRIPES_A_PILOT: usize = 8;

/// Errors of the expected size, as a share of it, that the pilots make up for. With the fast model
/// all is coded by then and 1/64 still cheaper to make up for than to code again.
const MENDABLE: f64 = 0.004;
const MENDABLE_FAST: f64 = 1.0 / 64.0;

/// Share by which bytes grow with each share that the price of a bit falls by.
const GROWTH: f64 = 0.11;

/// Times that the pilots are coded again, at most.
const MAX_MENDS: usize = 5;

impl Encoder<'_> {
    /// The largest coding that fits in `budget` bytes, nearly; none if the picture is small or out
    /// of the ordinary.
    pub(super) fn fit_by_sample(&self, budget: usize) -> Option<Attempt> {
        if self.cut.n_stripes() < MIN_STRIPES {
            return None;
        }
        let aim = budget.checked_sub(budget / SLACK / 2 + self.overhead())? as f64;
        let step = self.first_step(aim);
        let sample = self.sample(step);
        let found = self.step_for_bytes(&sample, aim / usual_ratio(self.models), step, CLOSE);
        let step = found.quantised.step;
        let (all, pilots) = (self.all(), self.pilots());
        let fast = self.models == Models::Fast;
        let first = if fast {
            all.clone()
        } else {
            [&[0], &pilots[..]].concat()
        };
        let mut attempt = self.attempt(&first, step);
        let expected = if fast {
            attempt.len() as f64
        } else {
            self.expected(&attempt, &pilots)
        };
        let off = (expected - self.overhead() as f64) / aim;
        let mut before = attempt.len_of(&pilots) as f64;
        let mut rest: Vec<usize> = all.into_iter().filter(|i| !first.contains(i)).collect();
        if (off - 1.0).abs() > if fast { MENDABLE_FAST } else { MENDABLE } {
            let x = f64::from(step);
            let wanted = x + (1.0 / off - 1.0) * found.bytes / found.slope;
            if !(x * 0.5..x * 2.0).contains(&wanted) {
                return None;
            }
            before /= off;
            rest = self.all();
            rest.retain(|i| !pilots.contains(i));
            let step = (wanted as u32).clamp(*STEPS.start(), *STEPS.end());
            attempt = self.attempt(&rest, step);
        } else {
            self.add(&mut attempt, &rest, LAMBDA);
            if fits(&attempt, budget) {
                return Some(attempt);
            }
        }
        self.mend(attempt, &pilots, before, budget)
    }

    /// The whole-picture part and some stripes spread over the picture. What the coefficients promise at
    /// `step` tells what share of the picture they are.
    fn sample(&self, step: u32) -> Sample {
        let units = guess::units(&self.parts, step);
        let stripes = (1..self.parts.len()).skip(EVERY / 2).step_by(EVERY);
        let which: Vec<usize> = std::iter::once(0).chain(stripes).collect();
        let sampled: f64 = which[1..].iter().map(|&i| units[i]).sum();
        let scale = units[1..].iter().sum::<f64>() / sampled.max(1.0);
        Sample { which, scale }
    }

    /// An even number of stripes, so that two threads are busy, spread over the picture.
    fn pilots(&self) -> Vec<usize> {
        let n = self.cut.n_stripes();
        let n_pilots = (n / STRIPES_A_PILOT).next_multiple_of(2).max(2);
        (0..n_pilots)
            .map(|i| 1 + (2 * i + 1) * n / (2 * n_pilots))
            .collect()
    }

    /// Bytes to expect of the whole from those of the whole-picture part and the pilots.
    fn expected(&self, attempt: &Attempt, pilots: &[usize]) -> f64 {
        let all = self.all();
        let quantised = self.quantise(&all, attempt.quantised.step, Machine::EIGHT);
        let fast = quantised.fast_bytes(&all);
        let of_pilots: f64 = pilots.iter().map(|&i| fast[i]).sum();
        let of_stripes: f64 = fast[1..].iter().sum();
        let ratio = attempt.len_of(pilots) as f64 / of_pilots.max(1.0);
        attempt.segments[0].len() as f64 + ratio * of_stripes
    }

    /// Codes the pilots again, at the price of a bit that fills the budget; they took `before`
    /// bytes at the usual one, or would have.
    fn mend(
        &self,
        mut attempt: Attempt,
        pilots: &[usize],
        before: f64,
        budget: usize,
    ) -> Option<Attempt> {
        let others = attempt.len() - attempt.len_of(pilots);
        let aim = budget.checked_sub(others + budget / SLACK / 2)? as f64;
        let (mut price, mut bytes) = (f64::from(LAMBDA), before);
        let mut slope = -GROWTH * bytes / price;
        for round in 0..MAX_MENDS {
            let wanted = price + (aim - bytes) / slope;
            let next = wanted.clamp(price * 0.5, price * 2.0);
            let bounds = f64::from(LAMBDA) / 4.0..=f64::from(LAMBDA) * 4.0;
            if !bounds.contains(&next) {
                return None;
            }
            self.add(&mut attempt, pilots, next as u32);
            if fits(&attempt, budget) {
                return Some(attempt);
            }
            let found = attempt.len_of(pilots) as f64;
            let measured = (found - bytes) / (next - price);
            // The first size was perhaps none that was coded.
            if round > 0 && measured < 0.0 {
                slope = measured;
            }
            (price, bytes) = (next, found);
        }
        None
    }
}

/// Whether an attempt fills the budget.
fn fits(attempt: &Attempt, budget: usize) -> bool {
    attempt.len() <= budget && attempt.len() + budget / SLACK >= budget
}
