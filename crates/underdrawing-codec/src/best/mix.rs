//! Codes indices bit by bit, with each bit's chance mixed from the guesses' odds.

use super::odds::{Cells, GUESSES, Guesses, Lanes, each, larger, rounded, smaller};
use crate::entropy::{BitCoder, NODES, Question, RangeCoder, UNARY, squash, tail};

/// Largest weight.
const LIMIT: f32 = 4.0;

/// Learning rate of the weights.
const RATE: f32 = 30.0 / 16384.0;

/// Mixing weights, which learn. Those of a bit are the sum of two sets: the node's, and the node's
/// in a context.
#[derive(Clone, Debug)]
pub(super) struct Mixer {
    sets: Vec<Lanes>,
}

impl Mixer {
    /// Starts from the weights of a context and node.
    pub(super) fn new(n_contexts: usize, start: &impl Fn(usize, usize) -> Lanes) -> Self {
        // What all contexts share starts at half the mean over them.
        let mut sets = vec![[0.0; GUESSES]; NODES];
        for (node, set) in sets.iter_mut().enumerate() {
            for context in 0..n_contexts {
                let start = start(context, node);
                *set = each(|i| set[i] + start[i] / (2 * n_contexts) as f32);
            }
        }
        for context in 0..n_contexts {
            for node in 0..NODES {
                let (start, shared) = (start(context, node), sets[node]);
                sets.push(each(|i| start[i] - shared[i]));
            }
        }
        Self { sets }
    }

    /// The weights of a node in a context.
    #[cfg(feature = "fit")]
    pub(super) fn weights(&self, context: usize, node: usize) -> Lanes {
        let (a, b) = (self.sets[node], self.sets[(1 + context) * NODES + node]);
        each(|i| a[i] + b[i])
    }

    /// Codes an index and returns it. When reading, `v` is any number.
    #[inline(always)]
    pub(super) fn code(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        guesses: &Guesses,
        cells: Cells,
        context: usize,
    ) -> i32 {
        let first = (1 + context) * NODES;
        let ends = guesses.ends(cells);
        let width = guesses.width(2.0 * cells.first);
        if !self.bit(coder, v != 0, 0, first, &ends.nonzero(&width)) {
            return 0;
        }
        let positive = self.bit(coder, v > 0, 1, first, &ends.positive());
        let size = v.saturating_abs();
        let width = guesses.width(2.0 - cells.back - cells.first);
        let odds = ends.beyond_one(positive, &width);
        let size = if self.bit(coder, size > 1, 2, first, &odds) {
            let guesses = if positive {
                *guesses
            } else {
                guesses.negated()
            };
            self.magnitude(coder, size, &guesses, cells, first)
        } else {
            1
        };
        if positive { size } else { -size }
    }

    /// The rest of a magnitude of at least 2.
    #[inline(always)]
    fn magnitude(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        guesses: &Guesses,
        cells: Cells,
        first: usize,
    ) -> i32 {
        let width = guesses.width(1.0);
        for m in 2..UNARY {
            let odds = guesses.beyond(m as f32 - cells.back, &width);
            if !self.bit(coder, v > m, 1 + m as usize, first, &odds) {
                return m;
            }
        }
        self.tail(coder, v, guesses, cells, first)
    }

    /// The part of a magnitude from [`UNARY`] on. It is not inlined, since few numbers get here.
    #[inline(never)]
    fn tail(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        guesses: &Guesses,
        cells: Cells,
        first: usize,
    ) -> i32 {
        tail(|node, question| {
            let odds = match question {
                Question::Beyond { begin, size } => {
                    guesses.beyond(cells.lower(begin), &guesses.width(size as f32))
                }
                Question::Upper { begin, size } => {
                    let at = |m: i32| cells.lower(begin + m);
                    guesses.upper(at(0), at(size), at(2 * size))
                }
            };
            self.bit(coder, question.answer(v), node, first, &odds)
        })
    }

    #[inline(always)]
    fn bit(
        &mut self,
        coder: &mut RangeCoder,
        bit: bool,
        node: usize,
        first: usize,
        odds: &Lanes,
    ) -> bool {
        let (a, b) = (self.sets[node], self.sets[first + node]);
        let parts: Lanes = each(|i| (a[i] + b[i]) * odds[i]);
        let sum = (parts[0] + parts[2]) + (parts[1] + parts[3]);
        let chance = squash(rounded(256.0 * sum));
        let bit = coder.code(bit, chance);
        let target = if bit { 1.0 } else { 0.0 };
        let error = (target - f32::from(chance) * (1.0 / 65536.0)) * RATE;
        for at in [node, first + node] {
            let set = &mut self.sets[at];
            *set = each(|i| smaller(larger(set[i] + odds[i] * error, -LIMIT), LIMIT));
        }
        bit
    }
}
