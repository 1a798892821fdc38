//! Which coefficients of a block hold a digit (`docs/format.md`, section 5.2).

use underdrawing_jpeg::quality;

/// The lowest and highest qualities to survive.
pub(super) const SURVIVED: std::ops::RangeInclusive<u8> = 50..=95;

/// Quality to survive, and how many coefficients of a block hold digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grid {
    /// From [`SURVIVED`].
    pub(super) survive: u8,
    /// In quarters: a coefficient of which not all are left is used in a part of the blocks. 4 to
    /// 255.
    pub(super) quarters: u8,
}

/// Coefficients in the order in which they are used: by their steps in the standard table, those
/// alike along the diagonals. So digits cost least.
#[rustfmt::skip]
const ORDER: [u8; 64] = [
    2, 1, 8, 9, 17, 16, 10, 24, 0, 3, 18, 25, 32, 11, 26, 33,
    4, 19, 40, 12, 27, 41, 34, 5, 20, 48, 6, 28, 42, 15, 35, 23,
    21, 13, 14, 7, 31, 49, 43, 36, 22, 56, 39, 50, 30, 44, 29, 51,
    57, 47, 58, 59, 63, 61, 55, 52, 38, 62, 45, 37, 60, 46, 54, 53,
];

/// Squared error of a shaped digit in squares of its step: the mean of 16 photographs, at qualities of
/// 50 and 75.
const DIGIT: f64 = 0.43;

/// The same of a digit that is fixed: 3^2 / 12.
const FIXED_DIGIT: f64 = 0.75;

/// What each coefficient of a block holds.
pub(super) struct Places {
    /// Steps in eighths: the scale of integer transforms.
    pub(super) steps: [i32; 64],
    /// In how many of four blocks they hold a digit.
    pub(super) used: [u8; 64],
    /// Where they stand in the order of use.
    pub(super) ranks: [u8; 64],
    /// The coefficients that hold one in each of four blocks, a bit each.
    pub(super) masks: [u64; 4],
}

impl Grid {
    pub(super) fn places(self) -> Places {
        let (mut used, mut ranks) = ([0; 64], [0; 64]);
        let mut left = self.quarters;
        for (rank, &place) in (0..).zip(&ORDER) {
            used[usize::from(place)] = left.min(4);
            ranks[usize::from(place)] = rank;
            left = left.saturating_sub(4);
        }
        let mask = |turn| {
            let bit = |place: usize| u64::from(turn < used[place]) << place;
            (0..64).map(bit).sum()
        };
        Places {
            steps: steps(self.survive),
            used,
            ranks,
            masks: [0, 1, 2, 3].map(mask),
        }
    }

    /// Whether containers survive encoders with libjpeg's fast transform: its errors are too large
    /// for the steps of high qualities.
    pub(super) fn survives_fast(self) -> bool {
        const MOST: u8 = 80;
        self.survive <= MOST
    }

    /// What parity, so many of 256 digits, adds to the mean squared errors of all blocks together because
    /// it cannot be shaped.
    pub(super) fn mse_of_fixed(self, ranks: &[u8], parity: usize) -> f64 {
        let steps = steps(self.survive);
        let square = |rank: usize| f64::from(steps[usize::from(ORDER[rank])] / 8).powi(2);
        let mut left = ranks.len() * parity / 256;
        let mut numbers = [0; 64];
        for &rank in ranks {
            numbers[usize::from(rank)] += 1;
        }
        // They have the coefficients that come first.
        let mut sum = 0.0;
        for (rank, number) in numbers.into_iter().enumerate() {
            let fixed = left.min(number);
            left -= fixed;
            sum += square(rank) * fixed as f64;
        }
        (FIXED_DIGIT - DIGIT) * sum / 64.0
    }

    /// Mean squared error of a container that is expected from the steps alone.
    pub(super) fn mse(self) -> f64 {
        let places = self.places();
        let of = |place: usize| (places.steps[place] / 8).pow(2) * i32::from(places.used[place]);
        DIGIT * f64::from((0..64).map(of).sum::<i32>()) / 4.0 / 64.0
    }
}

/// The steps of a quality's luma table, in eighths.
pub(super) fn steps(quality: u8) -> [i32; 64] {
    quality::tables(quality)[0].map(|step| 8 * i32::from(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_grow_along_the_order() {
        let steps = steps(50);
        let ordered: Vec<i32> = ORDER
            .iter()
            .map(|&place| steps[usize::from(place)])
            .collect();
        assert!(ordered.is_sorted());
        let mut places = ORDER;
        places.sort_unstable();
        assert!(places.into_iter().eq(0..64));
    }
}
