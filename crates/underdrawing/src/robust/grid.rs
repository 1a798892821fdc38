//! Which coefficients of a block hold how many bits (`docs/format.md`, section 5.2).

use underdrawing_jpeg::quality;

/// The lowest and highest qualities to survive.
pub(super) const SURVIVED: std::ops::RangeInclusive<u8> = 50..=95;

/// Prices of a bit that a header can name.
pub(super) const PRICES: u8 = 64;

/// Bits in one coefficient at most.
const MOST_BITS: u8 = 3;

/// Quality to survive and price of a bit: what coefficients hold follows from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// From [`SURVIVED`].
    pub(super) survive: u8,
    /// Below [`PRICES`].
    pub(super) price: u8,
}

/// What each coefficient of a block holds.
pub(super) struct Places {
    /// Steps in eighths: the scale of integer transforms.
    pub(super) steps: [i32; 64],
    /// Bits, 0 to [`MOST_BITS`].
    pub(super) bits: [u8; 64],
    /// Bits of a block without a header's.
    pub(super) n_bits: usize,
}

impl Grid {
    /// A price in squared grey levels, times 16: six to an octave.
    fn squared(self) -> u64 {
        const OCTAVE: [u64; 6] = [32, 36, 40, 45, 51, 57];
        OCTAVE[usize::from(self.price % 6)] << (self.price / 6)
    }

    /// Mean squared error of a container that is expected from the steps alone.
    pub(super) fn mse(self) -> f64 {
        let places = self.places();
        let of = |place: usize| match places.bits[place] {
            0 => 0,
            bits => (places.steps[place] / 8).pow(2) << (2 * bits),
        };
        f64::from((0..64).map(of).sum::<i32>()) / 12.0 / 64.0
    }

    pub(super) fn places(self) -> Places {
        let steps = steps(self.survive);
        let bits: [u8; 64] = std::array::from_fn(|place| {
            // A digit of `b` bits costs (2^b step)^2 / 12 on average; none costs nothing.
            let squared = (steps[place] / 8).pow(2) as u64;
            let cost = |bits: u8| if bits == 0 { 0 } else { squared << (2 * bits) };
            (1..=MOST_BITS)
                .take_while(|&b| 16 * (cost(b) - cost(b - 1)) <= 12 * self.squared())
                .last()
                .unwrap_or(0)
        });
        Places {
            steps,
            bits,
            n_bits: bits.iter().map(|&b| usize::from(b)).sum(),
        }
    }
}

/// The steps of a quality's luma table, in eighths.
pub(super) fn steps(quality: u8) -> [i32; 64] {
    quality::tables(quality)[0].map(|step| 8 * i32::from(step))
}
