//! Mixes several predictions of a bit into one chance, with weights that learn.
//!
//! Predictions are in the logistic domain. `K` sets of weights, each selected by its own context,
//! are added up, so one sum and one error serve all of them. After each bit the weights of the
//! selected sets move along the gradient of its cost.

use super::logistic::{LOGIT_LIMIT, squash};

/// Fraction bits of a weight.
pub(crate) const WEIGHT_BITS: u32 = 20;

/// Weights for `N` predictions, in sets of which `K` are used at a time. `N` is a multiple of 8, so
/// that loops over it fill vectors, and at most 16, which bounds the sums.
#[derive(Clone, Debug)]
pub(crate) struct Mixer<const N: usize, const K: usize> {
    sets: Vec<[i32; N]>,
    inputs: [i32; N],
    picked: [usize; K],
    chance: i32,
}

impl<const N: usize, const K: usize> Mixer<N, K> {
    /// Largest magnitude of a weight: `K` of them add up to at most 8.
    const LIMIT: i32 = (8 << WEIGHT_BITS) / K as i32;

    /// Starts from `sets` of weights, with 20 fraction bits.
    pub(crate) fn new(sets: Vec<[i32; N]>) -> Self {
        assert!(N.is_multiple_of(8) && N <= 16, "sums are bounded for 16");
        Self {
            sets,
            inputs: [0; N],
            picked: [0; K],
            chance: 32768,
        }
    }

    /// Mixes `inputs`, each within [`LOGIT_LIMIT`], with the sets `picked`, and returns the chance
    /// of a one.
    #[inline(always)]
    pub(crate) fn mix(&mut self, inputs: &[i32; N], picked: [usize; K]) -> u16 {
        let mut weights = [0; N];
        for set in picked {
            let set = &self.sets[set];
            for i in 0..N {
                weights[i] += set[i];
            }
        }
        // |weight| <= 8 with 16 bits, |input| < 2^11, 4 bits dropped: 16 products fit in 31 bits.
        let mut sum = 0;
        for i in 0..N {
            debug_assert!(inputs[i].abs() <= LOGIT_LIMIT, "an prediction out of range");
            sum += ((weights[i] >> 4) * inputs[i]) >> 4;
        }
        self.inputs = *inputs;
        self.picked = picked;
        let chance = squash((sum + (1 << 11)) >> 12);
        self.chance = i32::from(chance);
        chance
    }

    /// Learns from the bit that was coded. `rate` is 1 to 255, in 1/16384.
    #[inline(always)]
    pub(crate) fn update(&mut self, bit: bool, rate: i32) {
        let error = (((i32::from(bit) << 16) - self.chance) * rate) >> 4; // Below 2^20.
        // Error with 16 bits, input with 8, rate with 10: 34 bits, of which 20 are kept.
        let mut steps = [0; N];
        for i in 0..N {
            steps[i] = (self.inputs[i] * error + (1 << 13)) >> 14;
        }
        for set in self.picked {
            let set = &mut self.sets[set];
            for i in 0..N {
                set[i] = (set[i] + steps[i]).clamp(-Self::LIMIT, Self::LIMIT);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::stretch;
    use super::*;

    #[test]
    fn finds_out_which_opinion_to_trust() {
        let mut mixer = Mixer::<8, 2>::new(vec![[1 << 16; 8]; 2]);
        let mut state = 1u32;
        let mut cost = 0.0;
        for i in 0..4000 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let bit = state >> 31 == 1;
            let mut inputs = [0; 8];
            inputs[3] = stretch(if bit { 60_000 } else { 5_536 });
            inputs[5] = stretch((state >> 8) as u16 | 1);
            let chance = f64::from(mixer.mix(&inputs, [0, 1])) / 65536.0;
            if i >= 3000 {
                cost -= (if bit { chance } else { 1.0 - chance }).log2();
            }
            mixer.update(bit, 255);
        }
        assert!(cost < 20.0, "{cost} bits for 1000 certain ones");
    }

    #[test]
    fn extremes_stay_inside_32_bits() {
        // Relies on the overflow checks of a test build.
        let mut mixer = Mixer::<16, 1>::new(vec![[8 << WEIGHT_BITS; 16]]);
        for bit in [true, false, false, true] {
            for sign in [-1, 1] {
                for _ in 0..300 {
                    mixer.mix(&[sign * LOGIT_LIMIT; 16], [0]);
                    mixer.update(bit, 255);
                }
            }
        }
    }

    #[test]
    fn the_same_bits_on_every_machine() {
        // Any change in the arithmetic, rounding included, changes this number.
        let mut mixer = Mixer::<8, 3>::new(vec![[1 << 17; 8]; 6]);
        let mut state = 7u32;
        let mut digest = 0u32;
        for _ in 0..5000 {
            let inputs = std::array::from_fn(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 20) as i32 - 2048 + 1 - (state >> 31) as i32
            });
            let picked = [state as usize >> 9 & 1, 2, 3 + (state as usize >> 12) % 3];
            let chance = mixer.mix(&inputs.map(|x: i32| x.clamp(-2047, 2047)), picked);
            digest = digest.rotate_left(5).wrapping_mul(31) ^ u32::from(chance);
            mixer.update(state >> 15 & 3 == 0, 48);
        }
        assert_eq!(digest, 2_812_349_247);
    }
}
