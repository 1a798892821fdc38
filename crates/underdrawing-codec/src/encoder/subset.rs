//! Fills a budget with a picture of several stripes, coding hardly any stripe more than once.
//!
//! A third of the stripes determines the step. A few stripes, the pilots, are coded with it and
//! show how the models' bytes compare with the fast model's. Then all others are coded. The pilots
//! are coded again at another price of a bit, to use up what is left.

use super::rate::{Ends, Subset, Try};
use super::{Attempt, Encoder, guess, usual_price, usual_ratio};
use crate::header::STEPS;
use crate::models::Models;
use crate::quantise::Machine;

/// Pictures of fewer stripes are coded as a whole until they fit: a third of four stripes says
/// little of the others, and pilots that make up for it are worse than all others.
const MIN_STRIPES: usize = 8;

/// One in this many stripes is used to find the step.
const EVERY: usize = 3;

/// Tolerance of that search, as a share of the fast model's bytes. The subset is no more precise.
const CLOSE: f64 = 0.005;

/// One in this many stripes is a pilot, but at least two are.
const STRIPES_A_PILOT: usize = 8;

/// Deviations from the budget, as a share of it, that the pilots can make up for. With the fast
/// model everything is coded by then, and even 1/64 costs less to make up for than to code again.
const ADJUSTABLE: f64 = 0.004;
const ADJUSTABLE_FAST: f64 = 1.0 / 64.0;

/// Relative growth in bytes over the relative fall in the price of a bit: with many bits a pixel, and
/// what is added at 0.8 of them. Photographs had 0.1 to 0.16 at 4.75 bits, 0.2 at 1.5, 0.3 at 0.3.
const GROWTH: f64 = 0.11;
const GROWTH_SPARSE: f64 = 0.1;

/// How often the pilots are coded again at most.
const MAX_ADJUSTMENTS: usize = 6;

impl Encoder<'_> {
    /// A lossy coding that nearly fills `budget` bytes; if the picture is small or unusual, the step
    /// to begin with.
    pub(super) fn lossy_by_subset(&self, budget: usize) -> Result<Attempt, u32> {
        let slack = self.slack(budget);
        let aim = budget.saturating_sub(slack / 2 + self.overhead()) as f64;
        let step = self.first_step(aim);
        if self.cut.n_stripes() < MIN_STRIPES || aim == 0.0 {
            return Err(step);
        }
        let subset = self.subset(step);
        let wanted = aim / usual_ratio(self.models);
        let Try { step, bytes, slope } = self.step_for_bytes(&subset, wanted, step, CLOSE);
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
        let mut before = Before {
            bytes: attempt.len_of(&pilots) as f64,
            coded: true,
        };
        let mut rest: Vec<usize> = all.into_iter().filter(|i| !first.contains(i)).collect();
        if (off - 1.0).abs() > if fast { ADJUSTABLE_FAST } else { ADJUSTABLE } {
            let x = f64::from(step);
            let wanted = x + (1.0 / off - 1.0) * bytes / slope;
            if !(x * 0.5..x * 2.0).contains(&wanted) {
                return Err(step);
            }
            before = Before {
                bytes: before.bytes / off,
                coded: false,
            };
            rest = self.all();
            rest.retain(|i| !pilots.contains(i));
            let step = (wanted as u32).clamp(*STEPS.start(), *STEPS.end());
            attempt = self.attempt(&rest, step);
        } else {
            self.add(&mut attempt, &rest, usual_price(step));
            if fills(&attempt, budget, slack) {
                return Ok(attempt);
            }
        }
        self.adjust_pilots(attempt, &pilots, before, budget)
            .ok_or(step)
    }

    /// The whole-picture part and some stripes spread over the picture. Their share of the picture
    /// is estimated from the coefficients at `step`.
    fn subset(&self, step: u32) -> Subset {
        let units = guess::units(self.parts(), step);
        let stripes = (1..self.parts().len()).skip(EVERY / 2).step_by(EVERY);
        let which: Vec<usize> = std::iter::once(0).chain(stripes).collect();
        let sampled: f64 = which[1..].iter().map(|&i| units[i]).sum();
        let scale = units[1..].iter().sum::<f64>() / sampled.max(1.0);
        Subset { which, scale }
    }

    /// An even number of stripes, so that two threads are busy, spread over the picture.
    fn pilots(&self) -> Vec<usize> {
        let n = self.cut.n_stripes();
        let n_pilots = (n / STRIPES_A_PILOT).next_multiple_of(2).max(2);
        (0..n_pilots)
            .map(|i| 1 + (2 * i + 1) * n / (2 * n_pilots))
            .collect()
    }

    /// Expected bytes of all parts, given those of the whole-picture part and the pilots.
    fn expected(&self, attempt: &Attempt, pilots: &[usize]) -> f64 {
        let all = self.all();
        let quantised = self.quantise(&all, attempt.quantised.step, Machine::EIGHT);
        let fast = quantised.fast_costs(&all);
        let of_pilots: f64 = pilots.iter().map(|&i| fast[i].bytes).sum();
        let of_stripes: f64 = fast[1..].iter().map(|cost| cost.bytes).sum();
        let ratio = attempt.len_of(pilots) as f64 / of_pilots.max(1.0);
        attempt.segments[0].len() as f64 + ratio * of_stripes
    }

    /// Codes the pilots again at the price of a bit that fills the budget. At the usual price they
    /// took, or would have taken, `before` bytes.
    fn adjust_pilots(
        &self,
        mut attempt: Attempt,
        pilots: &[usize],
        before: Before,
        budget: usize,
    ) -> Option<Attempt> {
        let others = attempt.len() - attempt.len_of(pilots);
        let slack = self.slack(budget);
        let aim = budget.checked_sub(others + slack / 2)? as f64;
        let usual = usual_price(attempt.quantised.step);
        let bounds = f64::from(usual) / 4.0..=f64::from(usual) * 4.0;
        let mut ends = Ends::default();
        if before.coded {
            ends.put(usual, before.bytes, aim);
        }
        let (mut price, mut bytes) = (f64::from(usual), before.bytes);
        let pixels = (self.picture.width() * self.picture.height()) as f64;
        let bits = 8.0 * budget as f64 / pixels;
        let mut slope = -(GROWTH + GROWTH_SPARSE / (bits + 0.2)) * bytes / price;
        for round in 0..MAX_ADJUSTMENTS {
            let by_slope = price + (aim - bytes) / slope;
            let wanted = ends.between().unwrap_or(by_slope);
            let next = wanted.clamp(price * 0.5, price * 2.0);
            if !bounds.contains(&next) {
                return None;
            }
            self.add(&mut attempt, pilots, next as u32);
            if fills(&attempt, budget, slack) {
                return Some(attempt);
            }
            let found = attempt.len_of(pilots) as f64;
            let measured = (found - bytes) / (next - price);
            if (round > 0 || before.coded) && measured < 0.0 {
                slope = measured;
            }
            ends.put(next as u32, found, aim);
            (price, bytes) = (next, found);
        }
        None
    }
}

/// Bytes of the pilots at the usual price.
struct Before {
    bytes: f64,
    /// Whether they were coded, or this is what they would take.
    coded: bool,
}

/// Whether an attempt fills the budget, but for so many bytes.
fn fills(attempt: &Attempt, budget: usize, slack: usize) -> bool {
    (budget - slack..=budget).contains(&attempt.len())
}
