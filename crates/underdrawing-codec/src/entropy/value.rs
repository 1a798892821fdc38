//! Codes whole numbers bit by bit, each bit's chance mixed from guesses at the number and from
//! counters in contexts.
//!
//! A number is a zero flag, a sign, a unary magnitude up to 5, then doubling intervals and the
//! halvings inside the one that it lies in. Every question has a node number, the part of a context
//! that the caller does not know of.

use super::BitCoder;
use super::adaptive::Adaptive;
use super::distribution::{Cells, Logistic};
use super::logistic::stretch;
use super::mixer::Mixer;

/// Nodes: zero, sign, four of unary, 16 intervals, 16 first halvings, 10 later ones.
pub(crate) const NODES: usize = 48;

const INTERVAL_NODE: usize = 6;
const HALVING_NODE: usize = 22;
const LATER_NODE: usize = 38;

/// Magnitudes up to this are unary.
const UNARY: i32 = 5;

/// Doubling intervals at most: magnitudes stay below 5 + 2^16.
const MAX_DOUBLINGS: usize = 16;

/// Inputs of the mixer.
pub(crate) const INPUTS: usize = 16;

/// Guesses and contexts that one number is coded with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Situation<const H: usize> {
    /// Where the number may lie.
    pub(crate) guesses: [Logistic; H],
    /// The number's cells.
    pub(crate) cells: Cells,
    /// Contexts of the counters, below the coder's numbers of contexts.
    pub(crate) contexts: [usize; 4],
    /// Contexts of the second and third weight set, below the coder's numbers of selections.
    pub(crate) selections: [usize; 2],
}

/// How quickly a coder learns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rates {
    /// The mixer's rate, 1 to 255, in 1/16384.
    pub(crate) mixer: i32,
    /// Bits that a counter's settled chance remembers.
    pub(crate) limit: u8,
    /// Shift of a counter's quick chance.
    pub(crate) shift: u32,
}

/// Counters and weights, which learn from all numbers coded so far.
///
/// Inputs of the mixer: `H` guesses, two chances of each of four counters, a constant, then zeros;
/// `H` is 7 at most.
#[derive(Clone, Debug)]
pub(crate) struct ValueCoder<const H: usize> {
    mixer: Mixer<INPUTS, 3>,
    counters: [Vec<Adaptive>; 4],
    selections: [usize; 2],
    rates: Rates,
}

impl<const H: usize> ValueCoder<H> {
    /// Takes the numbers of contexts and selections.
    pub(crate) fn new(contexts: [usize; 4], selections: [usize; 2], rates: Rates) -> Self {
        const { assert!(H <= 7, "eight inputs are the counters', one is constant") };
        let mut start = [0; INPUTS];
        start[..H].fill((1 << 20) * 8 / 10 / H as i32 / 3);
        start[H..H + 8].fill((1 << 20) / 30 / 3);
        let sets = NODES * (1 + selections[0] + selections[1]);
        Self {
            mixer: Mixer::new(vec![start; sets]),
            counters: contexts.map(|n| vec![Adaptive::new(32768); n * NODES]),
            selections,
            rates,
        }
    }

    /// The weights, a set per node: the shared ones, then those by selection.
    pub(crate) fn weights(&self) -> &[[i32; INPUTS]] {
        self.mixer.sets()
    }

    /// Forgets part.
    pub(crate) fn doubt(&mut self, n: u8) {
        for counter in self.counters.iter_mut().flatten() {
            counter.doubt(n);
        }
    }

    /// Starts all sets of a node with the given weights, which are divided among the three.
    pub(crate) fn start_with(&mut self, weights: &[[i32; INPUTS]; NODES]) {
        let sets = NODES * (1 + self.selections[0] + self.selections[1]);
        let start = (0..sets).map(|i| weights[i % NODES]).collect();
        self.mixer = Mixer::new(start);
    }

    /// Codes `v`, within 5 + 2^16, and returns it; a decoder passes any number.
    #[inline(always)]
    pub(crate) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        v: i32,
        situation: &Situation<H>,
    ) -> i32 {
        let &Situation { guesses, cells, .. } = situation;
        let logits = each(&guesses, |g| g.nonzero(cells));
        if !self.bit(coder, v != 0, 0, &logits, situation) {
            return 0;
        }
        let logits = each(&guesses, |g| g.positive(cells));
        let positive = self.bit(coder, v > 0, 1, &logits, situation);
        let mut sided = guesses;
        for guess in &mut sided {
            guess.mean = if positive { guess.mean } else { -guess.mean };
        }
        let magnitude = self.magnitude(coder, v.abs(), &sided, situation);
        if positive { magnitude } else { -magnitude }
    }

    #[inline(always)]
    fn magnitude<C: BitCoder>(
        &mut self,
        coder: &mut C,
        v: i32,
        guesses: &[Logistic; H],
        situation: &Situation<H>,
    ) -> i32 {
        let cells = situation.cells;
        for m in 1..UNARY {
            let (begin, end) = (cells.lower(m), cells.lower(m + 1));
            let logits = each(guesses, |g| g.beyond(begin, end));
            if !self.bit(coder, v > m, 1 + m as usize, &logits, situation) {
                return m;
            }
        }
        self.tail(coder, v, guesses, situation)
    }

    /// The part of a magnitude from [`UNARY`] on. Out of line: few numbers get here.
    #[inline(never)]
    fn tail<C: BitCoder>(
        &mut self,
        coder: &mut C,
        v: i32,
        guesses: &[Logistic; H],
        situation: &Situation<H>,
    ) -> i32 {
        let cells = situation.cells;
        let (mut begin, mut size, mut doublings) = (UNARY, 1, 0);
        while doublings < MAX_DOUBLINGS {
            let (low, high) = (cells.lower(begin), cells.lower(begin + size));
            let logits = each(guesses, |g| g.beyond(low, high));
            let node = INTERVAL_NODE + doublings.min(15);
            if !self.bit(coder, v >= begin + size, node, &logits, situation) {
                break;
            }
            begin += size;
            size *= 2;
            doublings += 1;
        }
        let mut first = true;
        while size > 1 {
            size /= 2;
            let (low, middle) = (cells.lower(begin), cells.lower(begin + size));
            let high = cells.lower(begin + 2 * size);
            let logits = each(guesses, |g| g.upper(low, middle, high));
            let node = if first {
                HALVING_NODE + doublings.min(15)
            } else {
                LATER_NODE + (size.ilog2() as usize).min(9)
            };
            first = false;
            if self.bit(coder, v >= begin + size, node, &logits, situation) {
                begin += size;
            }
        }
        begin
    }

    #[inline(always)]
    fn bit<C: BitCoder>(
        &mut self,
        coder: &mut C,
        bit: bool,
        node: usize,
        logits: &[i32; H],
        situation: &Situation<H>,
    ) -> bool {
        let mut inputs = [0; INPUTS];
        inputs[..H].copy_from_slice(logits);
        let mut places = [0; 4];
        for i in 0..4 {
            places[i] = situation.contexts[i] * NODES + node;
        }
        for i in 0..4 {
            let counter = &self.counters[i][places[i]];
            inputs[H + 2 * i] = stretch(counter.slow());
            inputs[H + 2 * i + 1] = stretch(counter.fast());
        }
        inputs[H + 8] = 256;
        let [first, second] = situation.selections;
        let picked = [
            node,
            (1 + first) * NODES + node,
            (1 + self.selections[0] + second) * NODES + node,
        ];
        let chance = self.mixer.mix(&inputs, picked);
        let bit = coder.code(bit, chance);
        self.mixer.update(bit, self.rates.mixer);
        for i in 0..4 {
            self.counters[i][places[i]].update(bit, self.rates.limit, self.rates.shift);
        }
        bit
    }
}

/// A question's answer by each guess.
#[inline(always)]
fn each<const H: usize>(guesses: &[Logistic; H], question: impl Fn(Logistic) -> i32) -> [i32; H] {
    let mut logits = [0; H];
    for i in 0..H {
        logits[i] = question(guesses[i]);
    }
    logits
}

#[cfg(test)]
mod tests {
    use super::super::{Counter, Decoder, Encoder};
    use super::*;

    fn coder() -> ValueCoder<2> {
        let rates = Rates {
            mixer: 64,
            limit: 250,
            shift: 4,
        };
        ValueCoder::new([1, 2, 1, 1], [2, 1], rates)
    }

    fn situation(i: usize) -> Situation<2> {
        let near = Logistic {
            mean: 100 * (i % 3) as i32,
            inverse: 50_000,
        };
        let wide = Logistic {
            mean: 0,
            inverse: 9_000,
        };
        Situation {
            guesses: [near, wide],
            cells: Cells::UNIFORM,
            contexts: [0, i % 2, 0, 0],
            selections: [i % 2, 0],
        }
    }

    #[test]
    fn numbers_come_back() {
        let extreme = [
            0, 1, -1, 4, 5, -5, 6, 7, -8, 12, 100, -5000, 65_540, -65_540,
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
        let mut encoder = Encoder::new();
        let mut model = coder();
        for (i, &v) in numbers.iter().enumerate() {
            assert_eq!(model.code(&mut encoder, v, &situation(i)), v);
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        let mut model = coder();
        for (i, &v) in numbers.iter().enumerate() {
            assert_eq!(model.code(&mut decoder, 0, &situation(i)), v);
        }
    }

    #[test]
    fn costs_what_the_distribution_says() {
        // Numbers spread as the first guess says: its entropy is reached within a few percent.
        let mut state = 5u64;
        let mut counter = Counter::default();
        let mut model = coder();
        let n = 4000;
        for i in 0..n {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let u = ((state >> 33) as f64 + 0.5) / f64::from(1u32 << 31);
            let s = situation(i);
            let scale = 65536.0 / f64::from(s.guesses[0].inverse);
            let x = f64::from(s.guesses[0].mean) / 256.0 + scale * (u / (1.0 - u)).ln();
            model.code(&mut counter, x.round() as i32, &s);
        }
        let scale: f64 = 65536.0 / 50_000.0;
        let entropy = (scale.ln() + 2.0) / std::f64::consts::LN_2;
        let found = counter.bits() / n as f64;
        assert!((found / entropy - 1.0).abs() < 0.03, "{found} {entropy}");
    }
}
