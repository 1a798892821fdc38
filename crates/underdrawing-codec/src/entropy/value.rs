//! Codes integers bit by bit, with each bit's chance mixed from several guesses at the number.
//!
//! [`nodes`](super::nodes) has the questions. Each has its own weights for the guesses. Counters in
//! contexts as further inputs saved only 0.02 % of the rate, so there are none.

use super::distribution::{Cells, Guesses, Logistic};
use super::mixer::Mixer;
use super::nodes::{NODES, Question, UNARY, tail};
use super::{BitCoder, RangeCoder};

/// Inputs of the mixer: the guesses, and a constant.
pub(crate) const INPUTS: usize = 8;

/// Number of guesses.
pub(crate) const GUESSES: usize = INPUTS - 1;

/// The constant input.
const BIAS: i32 = 256;

/// Weights of one set.
pub(crate) type Weights = [i32; INPUTS];

/// The guesses and contexts that a number is coded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValueContext {
    /// Where the number may lie.
    pub(crate) guesses: [Logistic; GUESSES],
    /// The number's cells.
    pub(crate) cells: Cells,
    /// Contexts that select the second and the third set of weights.
    pub(crate) contexts: [usize; 2],
}

/// Mixing weights, which learn from all numbers coded so far.
///
/// A bit's weights are the sum of three sets: the node's, and those of the node in two contexts.
#[derive(Clone, Debug)]
pub(crate) struct ValueCoder {
    mixer: Mixer<INPUTS, 3>,
    n_contexts: [usize; 2],
    rate: i32,
}

impl ValueCoder {
    /// Takes the numbers of contexts, the learning rate of the weights (1 to 255, in 1/16384), and
    /// the initial weights of a node in a first context.
    pub(crate) fn new(
        n_contexts: [usize; 2],
        rate: i32,
        start: &impl Fn(usize, usize) -> Weights,
    ) -> Self {
        // The sets shared by all contexts start with a third of the mean over contexts, so that a
        // context is not far off when it first occurs.
        let mut shared = [[0; INPUTS]; NODES];
        for (node, shared) in shared.iter_mut().enumerate() {
            for i in 0..INPUTS {
                let sum: i64 = (0..n_contexts[0])
                    .map(|c| i64::from(start(c, node)[i]))
                    .sum();
                shared[i] = (sum / (3 * n_contexts[0] as i64)) as i32;
            }
        }
        let mut sets = shared.to_vec();
        for context in 0..n_contexts[0] {
            for (node, shared) in shared.iter().enumerate() {
                let start = start(context, node);
                sets.push(std::array::from_fn(|i| start[i] - 2 * shared[i]));
            }
        }
        for _ in 0..n_contexts[1] {
            sets.extend_from_slice(&shared);
        }
        Self {
            mixer: Mixer::new(sets),
            n_contexts,
            rate,
        }
    }

    /// Codes `v`, of magnitude below 2^21, and returns it. When reading, `v` is any number.
    #[inline(always)]
    pub(crate) fn code(&mut self, coder: &mut RangeCoder, v: i32, context: &ValueContext) -> i32 {
        let &ValueContext { guesses, cells, .. } = context;
        let guesses = Guesses::of(&guesses);
        let logits = guesses.nonzero(cells);
        if !self.bit(coder, v != 0, 0, &logits, context) {
            return 0;
        }
        let logits = guesses.positive(cells);
        let positive = self.bit(coder, v > 0, 1, &logits, context);
        let guesses = if positive { guesses } else { guesses.negated() };
        let magnitude = self.magnitude(coder, v.saturating_abs(), &guesses, context);
        if positive { magnitude } else { -magnitude }
    }

    #[inline(always)]
    fn magnitude(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        guesses: &Guesses<INPUTS>,
        context: &ValueContext,
    ) -> i32 {
        let cells = context.cells;
        for m in 1..UNARY {
            let (begin, end) = (cells.lower(m), cells.lower(m + 1));
            let logits = guesses.beyond(begin, end);
            if !self.bit(coder, v > m, 1 + m as usize, &logits, context) {
                return m;
            }
        }
        self.tail(coder, v, guesses, context)
    }

    /// The part of a magnitude from [`UNARY`] on. It is not inlined, since few numbers get here.
    #[inline(never)]
    fn tail(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        guesses: &Guesses<INPUTS>,
        context: &ValueContext,
    ) -> i32 {
        let at = |m| context.cells.lower(m);
        tail(|node, question| {
            let logits = match question {
                Question::Beyond { begin, size } => guesses.beyond(at(begin), at(begin + size)),
                Question::Upper { begin, size } => {
                    guesses.upper(at(begin), at(begin + size), at(begin + 2 * size))
                }
            };
            self.bit(coder, question.answer(v), node, &logits, context)
        })
    }

    #[inline(always)]
    fn bit(
        &mut self,
        coder: &mut RangeCoder,
        bit: bool,
        node: usize,
        logits: &[i32; INPUTS],
        context: &ValueContext,
    ) -> bool {
        let mut inputs = *logits;
        inputs[GUESSES..].fill(BIAS);
        let [first, second] = context.contexts;
        let picked = [
            node,
            (1 + first) * NODES + node,
            (1 + self.n_contexts[0] + second) * NODES + node,
        ];
        let chance = self.mixer.mix(&inputs, picked);
        let bit = coder.code(bit, chance);
        self.mixer.update(bit, self.rate);
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coder() -> ValueCoder {
        let mut start = [1 << 17; INPUTS];
        start[0] = 1 << 19;
        ValueCoder::new([2, 1], 64, &|_, _| start)
    }

    fn context(i: usize) -> ValueContext {
        let near = Logistic {
            mean: 100 * (i % 3) as i32,
            inverse: 50_000,
        };
        let wide = Logistic {
            mean: 0,
            inverse: 9_000,
        };
        ValueContext {
            guesses: [near, near, wide, wide, wide, wide, wide],
            cells: Cells::UNIFORM,
            contexts: [i % 2, 0],
        }
    }

    #[test]
    fn numbers_come_back() {
        let extreme = [
            0, 1, -1, 4, 5, -5, 6, 7, -8, 12, 100, -5000, 2_000_000, -2_097_151,
        ];
        let numbers: Vec<i32> = (0..3000)
            .map(|i: i32| {
                if i % 50 == 0 {
                    extreme[i as usize / 50 % 14]
                } else {
                    i * i % 7 - 3
                }
            })
            .collect();
        let mut encoder = RangeCoder::writer();
        let mut model = coder();
        for (i, &v) in numbers.iter().enumerate() {
            assert_eq!(model.code(&mut encoder, v, &context(i)), v);
        }
        let bytes = encoder.finish();
        let mut decoder = RangeCoder::reader(&bytes);
        let mut model = coder();
        for (i, &v) in numbers.iter().enumerate() {
            assert_eq!(model.code(&mut decoder, 0, &context(i)), v);
        }
    }

    #[test]
    fn costs_what_the_distribution_says() {
        // Numbers distributed as in the first guess cost its entropy, within a few per cent.
        let mut state = 5u64;
        let mut encoder = RangeCoder::writer();
        let mut model = coder();
        let n = 4000;
        for i in 0..n {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let u = ((state >> 33) as f64 + 0.5) / f64::from(1u32 << 31);
            let s = context(i);
            let scale = 65536.0 / f64::from(s.guesses[0].inverse);
            let x = f64::from(s.guesses[0].mean) / 256.0 + scale * (u / (1.0 - u)).ln();
            model.code(&mut encoder, x.round() as i32, &s);
        }
        let scale: f64 = 65536.0 / 50_000.0;
        let entropy = (scale.ln() + 2.0) / std::f64::consts::LN_2;
        let found = 8.0 * encoder.finish().len() as f64 / n as f64;
        assert!((found / entropy - 1.0).abs() < 0.03, "{found} {entropy}");
    }
}
