//! The counters of the normal models, and how their predictions are mixed.

use super::row_contexts::{N_BANDS, N_ELSEWHERE, N_NEAR, N_SIGNS};
use crate::entropy::{BitCoder, Counter, Mixer, stretch};
use crate::fast::context::N_CLASSES;
use crate::fast::{UNARY, chances};
use crate::quantise::MAX_MULTIPLE;

/// The most bits of the rest beyond the unary ones.
const MAX_REST_BITS: u32 = 22;

/// Number of counters that predict a bit.
const PREDICTIONS: usize = 4;

/// Inputs of the mixer: predictions, a constant, and zeros to fill a vector.
const INPUTS: usize = 8;

/// How counters adapt: bits that the slow chance remembers, and the quick one's rate.
const LIMIT: u8 = 250;
const RATE: u32 = 6;

/// Learning rate of the mixing weights.
const MIXING_RATE: i32 = 2;

/// The counters of one context, one for each quantiser and unary bit.
type Counters = [[Counter; UNARY]; 2];

/// The context of a coefficient, which selects its counters.
pub(super) struct Context {
    /// Class of the expected magnitude.
    pub(super) class: usize,
    /// Whether the quantiser of odd multiples is in force.
    pub(super) odd: bool,
    /// Plane and band.
    pub(super) band: usize,
    /// Class of the nearest neighbours.
    pub(super) near: usize,
    /// Magnitudes at the same place in other bands and planes.
    pub(super) elsewhere: usize,
}

/// Counters and weights of one part.
pub(super) struct Model {
    counters: Vec<Counters>,
    mixer: Mixer<INPUTS, 2>,
    rest: Vec<Counter>,
    signs: Vec<Counter>,
}

/// The first counter of each kind.
const BY_BAND: usize = N_CLASSES;
const BY_NEAR: usize = BY_BAND + N_BANDS * N_CLASSES / 2;
const BY_ELSEWHERE: usize = BY_NEAR + N_NEAR * N_CLASSES / 4;
const N_COUNTERS: usize = BY_ELSEWHERE + N_ELSEWHERE * N_CLASSES / 4;

impl Model {
    pub(super) fn new() -> Self {
        let start = |i: usize| {
            let class = match i {
                0..BY_BAND => i,
                BY_BAND..BY_NEAR => (i - BY_BAND) % (N_CLASSES / 2) * 2 + 1,
                _ => (i - BY_NEAR) % (N_CLASSES / 4) * 4 + 2,
            };
            chances(class).map(|chances| chances.map(Counter::new))
        };
        // The predictions agree in part: each starts with a weight below one, all together with
        // more than one.
        let mut weights = [0; INPUTS];
        weights[..PREDICTIONS].fill((1 << 20) * 9 / 32 / 2);
        Self {
            counters: (0..N_COUNTERS).map(start).collect(),
            mixer: Mixer::new(vec![weights; 2 * UNARY + N_CLASSES]),
            rest: vec![Counter::new(32768); 2 * MAX_REST_BITS as usize],
            signs: vec![Counter::new(32768); N_SIGNS],
        }
    }

    /// Codes an index; `k` is what to write.
    #[inline(always)]
    pub(super) fn index<C: BitCoder>(&mut self, coder: &mut C, at: &Context, k: u32) -> u32 {
        let odd = usize::from(at.odd);
        let chosen = [
            at.class,
            BY_BAND + at.band * (N_CLASSES / 2) + at.class / 2,
            BY_NEAR + at.near * (N_CLASSES / 4) + at.class / 4,
            BY_ELSEWHERE + at.elsewhere * (N_CLASSES / 4) + at.class / 4,
        ];
        for i in 0..UNARY {
            let mut inputs = [0; INPUTS];
            for (input, &chosen) in inputs.iter_mut().zip(&chosen) {
                *input = stretch(self.counters[chosen][odd][i].chance());
            }
            inputs[PREDICTIONS] = 256;
            let chance = self.mixer.mix(&inputs, [2 * i + odd, 2 * UNARY + at.class]);
            let more = coder.code(k > i as u32, chance);
            self.mixer.update(more, MIXING_RATE);
            for chosen in chosen {
                self.counters[chosen][odd][i].update(more, LIMIT, RATE);
            }
            if !more {
                return i as u32;
            }
        }
        UNARY as u32 + self.rest(coder, k.wrapping_sub(UNARY as u32))
    }

    /// Exp-Golomb code: the number of binary digits of `rest + 1` after the first, then these
    /// digits, the highest of which has a counter.
    #[inline(never)]
    fn rest<C: BitCoder>(&mut self, coder: &mut C, rest: u32) -> u32 {
        let written = rest.wrapping_add(1);
        let n_digits = written.max(1).ilog2();
        let (lengths, firsts) = self.rest.split_at_mut(MAX_REST_BITS as usize);
        let mut n = 0;
        while n < MAX_REST_BITS - 1 {
            let counter = &mut lengths[n as usize];
            let more = coder.code(n_digits > n, counter.chance());
            counter.update(more, LIMIT, RATE);
            if !more {
                break;
            }
            n += 1;
        }
        let mut value = 1u32;
        for digit in (0..n).rev() {
            let bit = written >> digit & 1 == 1;
            let bit = if digit + 1 == n {
                let counter = &mut firsts[n as usize];
                let bit = coder.code(bit, counter.chance());
                counter.update(bit, LIMIT, RATE);
                bit
            } else {
                coder.code(bit, 32768)
            };
            value = value << 1 | u32::from(bit);
        }
        (value - 1).min(MAX_MULTIPLE / 2 - UNARY as u32)
    }

    /// Codes a sign.
    #[inline(always)]
    pub(super) fn sign<C: BitCoder>(
        &mut self,
        coder: &mut C,
        signs: usize,
        negative: bool,
    ) -> bool {
        let counter = &mut self.signs[signs];
        let negative = coder.code(negative, counter.chance());
        counter.update(negative, LIMIT, 7);
        negative
    }
}
