//! How many digits a picture's samples hold, and what that costs (`docs/format.md`, section 3.2).

use crate::picture::Pixels;

use super::digits::{self, MAX_RADIX};

/// Shares are counted in this many parts.
pub(super) const WHOLE: u32 = 1 << 16;

/// Two neighbouring odd radices and the share of samples that has the higher one.
///
/// Only odd ones, and 1 for samples that stay as they are: a digit of an even radix costs more
/// than the same bits in a mix of its odd neighbours (a mean square of 1/2 for one bit at 2, where
/// 1 and 3 give 0.42; 3/2 for two bits at 4, where 3 and 5 give 1.43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mix {
    /// The lower radix: odd, 1 to 15.
    pub(super) low: u8,
    /// Samples in [`WHOLE`] with radix `low + 2`; none at 15.
    pub(super) share: u16,
}

impl Mix {
    /// One digit of radix 3 in every sample: the least change for its bits, 0.42 a bit.
    pub(super) const TERNARY: Self = Self { low: 3, share: 0 };

    /// Digits of radix 15 in every sample.
    pub(super) const HIGHEST: Self = Self {
        low: MAX_RADIX,
        share: 0,
    };

    /// As the header holds it: the lower radix, then the share.
    pub(super) fn to_bytes(self) -> [u8; 3] {
        let [low, high] = self.share.to_le_bytes();
        [self.low, low, high]
    }

    /// The mix that [`Mix::to_bytes`] gave; none of other bytes.
    pub(super) fn from_bytes([low, share @ ..]: [u8; 3]) -> Option<Self> {
        let share = u16::from_le_bytes(share);
        let good = low % 2 == 1 && (low < MAX_RADIX || (low == MAX_RADIX && share == 0));
        good.then_some(Self { low, share })
    }

    /// A thousandth of the samples more with the higher radix; [`Mix::HIGHEST`] stays.
    pub(super) fn with_more(self) -> Self {
        Self::at((self.index() + WHOLE / 1000).min(Self::N - 1))
    }

    /// The radix of a sample whose random number is `random`.
    pub(super) fn radix(self, random: u16) -> u8 {
        self.low + if random < self.share { 2 } else { 0 }
    }

    /// The rest of a sample when divided by one of both radices, without a division.
    pub(super) fn rest(self) -> impl Fn(u8, u8) -> u8 {
        // Rounded up they are exact for samples of 8 bits.
        let reciprocals = [self.low, self.low + 2].map(|radix| WHOLE.div_ceil(radix.into()));
        move |sample, radix| {
            let reciprocal = reciprocals[usize::from(radix != self.low)];
            let quotient = (u32::from(sample) * reciprocal) >> 16;
            (u32::from(sample) - quotient * u32::from(radix)) as u8
        }
    }

    /// Bits a sample, on average.
    pub(super) fn bits(self) -> f64 {
        let (low, high, share) = self.parts();
        (1.0 - share) * digits::bits(low) + share * digits::bits(high)
    }

    /// Standard deviation of a sample's bits: which radix it has is left to chance.
    pub(super) fn deviation(self) -> f64 {
        let (low, high, share) = self.parts();
        (digits::bits(high) - digits::bits(low)) * (share * (1.0 - share)).sqrt()
    }

    /// Both radices, the same at the highest, and the share of the second.
    fn parts(self) -> (u8, u8, f64) {
        let share = f64::from(self.share) / f64::from(WHOLE);
        (self.low, MAX_RADIX.min(self.low + 2), share)
    }

    /// The mix of the most bits whose mean square error is at most `mse` in a cover.
    pub(super) fn within_error(mse: f64, costs: &Costs) -> Self {
        let above = Self::least(|mix| costs.mse(mix) > mse);
        above.map_or(Self::HIGHEST, |above| {
            Self::at(above.index().saturating_sub(1))
        })
    }

    /// Mixes by rising bits.
    const N: u32 = (MAX_RADIX as u32 - 1) / 2 * WHOLE + 1;

    fn at(index: u32) -> Self {
        let (steps, share) = (index / WHOLE, index % WHOLE);
        Self {
            low: 1 + 2 * steps as u8,
            share: share as u16,
        }
    }

    fn index(self) -> u32 {
        u32::from(self.low - 1) / 2 * WHOLE + u32::from(self.share)
    }

    /// The mix of the fewest bits that `enough` holds of, where it holds of all with more.
    pub(super) fn least(enough: impl Fn(Self) -> bool) -> Option<Self> {
        let (mut from, mut to) = (0, Self::N);
        while from < to {
            let middle = from.midpoint(to);
            if enough(Self::at(middle)) {
                to = middle;
            } else {
                from = middle + 1;
            }
        }
        (from < Self::N).then(|| Self::at(from))
    }
}

/// What digits cost in one cover.
pub(super) struct Costs {
    /// Mean square error, by radix, when every sample holds a uniform digit of it.
    mse: [f64; MAX_RADIX as usize + 1],
}

impl Costs {
    pub(super) fn of(cover: &Pixels) -> Self {
        let mut histogram = [0_u64; 256];
        for &sample in cover.data() {
            histogram[usize::from(sample)] += 1;
        }
        let n = cover.data().len() as f64;
        let mut mse = [0.0; MAX_RADIX as usize + 1];
        for radix in (3..=MAX_RADIX).step_by(2) {
            let mut total = 0.0;
            for (value, &count) in histogram.iter().enumerate() {
                let squares = (0..radix)
                    .map(|residue| nearest(value as u8, residue, radix).abs_diff(value as u8))
                    .map(|change| u32::from(change).pow(2))
                    .sum::<u32>();
                total += count as f64 * f64::from(squares) / f64::from(radix);
            }
            mse[usize::from(radix)] = total / n;
        }
        Self { mse }
    }

    /// Mean square error in grey levels that a mix is expected to make.
    pub(super) fn mse(&self, mix: Mix) -> f64 {
        let (low, high, share) = mix.parts();
        (1.0 - share) * self.mse[usize::from(low)] + share * self.mse[usize::from(high)]
    }
}

/// The value in 0..=255 nearest to `sample` that leaves `residue` when divided by `radix` (odd).
pub(super) fn nearest(sample: u8, residue: u8, radix: u8) -> u8 {
    nearest_of(sample, sample % radix, residue, radix)
}

/// [`nearest`] of a sample that leaves `rest`.
#[inline(always)]
pub(super) fn nearest_of(sample: u8, rest: u8, residue: u8, radix: u8) -> u8 {
    let up = i16::from(difference(residue, rest, radix));
    let (value, radix) = (i16::from(sample), i16::from(radix));
    let near = value + if 2 * up > radix { up - radix } else { up };
    let inside = match near {
        ..0 => near + radix,
        256.. => near - radix,
        _ => near,
    };
    inside as u8
}

/// `a - b` modulo the radix, both below it.
#[inline(always)]
pub(super) fn difference(a: u8, b: u8, radix: u8) -> u8 {
    if a < b { a + radix - b } else { a - b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_is_the_nearest() {
        for radix in (3..=MAX_RADIX).step_by(2) {
            for sample in 0..=255 {
                for residue in 0..radix {
                    let best = (0..=255_u8)
                        .filter(|value| value % radix == residue)
                        .min_by_key(|value| value.abs_diff(sample))
                        .unwrap();
                    assert_eq!(nearest(sample, residue, radix), best);
                }
            }
        }
    }

    #[test]
    fn rests_are_those_of_divisions() {
        for low in (1..=MAX_RADIX).step_by(2) {
            let rest = Mix { low, share: 9 }.rest();
            for (sample, radix) in (0..=255).flat_map(|s| [(s, low), (s, low + 2)]) {
                assert_eq!(rest(sample, radix), sample % radix);
            }
        }
    }

    #[test]
    fn ternary_digits_cost_two_thirds_and_five_thirds_at_the_ends() {
        let flat = |value| Pixels::from_fn(3, 3, |_, _| [value; 3]).unwrap();
        let cost = |value| Costs::of(&flat(value)).mse(Mix::TERNARY);
        assert!((cost(100) - 2.0 / 3.0).abs() < 1e-12);
        assert!((cost(0) - 5.0 / 3.0).abs() < 1e-12);
        assert!((cost(255) - 5.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_mix_is_found_for_any_rate() {
        let of_bits = |bits| Mix::least(|mix| mix.bits() >= bits);
        for bits in [0.01, 0.5, 1.0, 3_f64.log2(), 2.0, 7.0 / 3.0, 3.9] {
            let mix = of_bits(bits).unwrap();
            assert!((0.0..1e-3).contains(&(mix.bits() - bits)), "{bits}");
        }
        assert_eq!(of_bits(digits::bits(3)), Some(Mix::TERNARY));
        assert_eq!(of_bits(0.0), Some(Mix { low: 1, share: 0 }));
        assert_eq!(of_bits(4.0), None);
    }

    #[test]
    fn a_mix_keeps_within_an_error() {
        let cover = Pixels::from_fn(50, 50, |x, y| [x as u8, y as u8, 255]).unwrap();
        let costs = Costs::of(&cover);
        for mse in [0.0, 0.1, 0.7, 2.0, 9.0] {
            let mix = Mix::within_error(mse, &costs);
            let next = Mix::at(mix.index() + 1);
            assert!(costs.mse(mix) <= mse && mse < costs.mse(next), "{mse}");
        }
        assert_eq!(Mix::within_error(1e9, &costs).low, MAX_RADIX);
    }
}
