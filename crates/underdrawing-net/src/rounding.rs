//! Rounding to 8 bits, with the errors where they do the least harm.
//!
//! A network that reveals is more sensitive to some errors of its container than to others. Error
//! diffusion lets each sample's rounding error change what later samples are rounded from, so that
//! the sum of all errors avoids what the network listens to: noise shaping, as audio converters do
//! it (Spang and Schultheiss 1962; in pictures, Floyd and Steinberg 1976). The coefficients are
//! parameters of the network and trained with it, see [`NoiseShaping`](crate::NoiseShaping).

use underdrawing_conv::vectorised;

/// Samples of a block of 2x2 pixels: pixel by pixel in reading order, each red, green, blue.
pub(crate) const BLOCK: usize = 12;
/// Blocks whose errors a block's samples see: the three above, the left one, itself.
pub(crate) const NEIGHBOURS: usize = 5;
/// Samples of a block, padded to whole vectors.
const LANES: usize = 16;

/// How samples become bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounding {
    /// What a unit of error of sample `i` of neighbour `n` adds to the samples of a block; the
    /// block's own come last, and are zero for samples that are not later. `None` is to the
    /// nearest.
    taps: Option<Vec<[[f32; LANES]; BLOCK]>>,
}

impl Rounding {
    /// Every sample to the nearest byte.
    #[must_use]
    pub fn nearest() -> Self {
        Self { taps: None }
    }

    /// With the errors of past samples: `taps[n][i][o]` is what a unit of error of sample `i` of
    /// neighbour `n` (above left, above, above right, left, the block itself) adds to sample `o`.
    #[must_use]
    pub fn diffusing(taps: impl Fn(usize, usize, usize) -> f32) -> Self {
        let row = |n: usize, i: usize| {
            std::array::from_fn(|o| {
                let past = o < BLOCK && (n + 1 < NEIGHBOURS || o > i);
                if past { taps(n, i, o) } else { 0.0 }
            })
        };
        Self {
            taps: Some(
                (0..NEIGHBOURS)
                    .map(|n| std::array::from_fn(|i| row(n, i)))
                    .collect(),
            ),
        }
    }

    /// Planes `[3, height, width]` in [0, 1] to bytes in the same order. Of an odd size, the last
    /// row or column is rounded to the nearest.
    #[must_use]
    pub fn round(&self, planes: &[f32], width: usize) -> Vec<u8> {
        self.rounder(width).rows(planes)
    }

    /// Rounds a picture of `width` columns strip by strip; the result is that of the whole.
    #[must_use]
    pub fn rounder(&self, width: usize) -> Rounder<'_> {
        Rounder {
            taps: self.taps.as_deref(),
            width,
            above: vec![[0.0; BLOCK]; width / 2 + 2],
        }
    }
}

/// A [`Rounding`] on its way down a picture.
#[derive(Clone, Debug)]
pub struct Rounder<'a> {
    taps: Option<&'a [[[f32; LANES]; BLOCK]]>,
    width: usize,
    /// Errors of the last row of blocks, with a block of zeros at each end.
    above: Vec<[f32; BLOCK]>,
}

impl Rounder<'_> {
    /// The next rows, planes `[3, rows, width]`, to bytes in the same order. Only the picture's
    /// last strip may have an odd number of rows.
    pub fn rows(&mut self, planes: &[f32]) -> Vec<u8> {
        let nearest = |&v: &f32| (255.0 * v).round().clamp(0.0, 255.0) as u8;
        let mut bytes: Vec<u8> = planes.iter().map(nearest).collect();
        if let Some(taps) = self.taps {
            let (width, above) = (self.width, &mut self.above);
            // Compiled for each kind of vectors; the order of additions, and so the result, is the
            // same in all.
            vectorised(
                #[inline(always)]
                || diffuse(taps, width, above, planes, &mut bytes),
            );
        }
        bytes
    }
}

/// Rounds the whole blocks of a strip; an odd last row or column stays as it is.
#[inline(always)]
fn diffuse(
    taps: &[[[f32; LANES]; BLOCK]],
    width: usize,
    above: &mut Vec<[f32; BLOCK]>,
    planes: &[f32],
    bytes: &mut [u8],
) {
    let plane = planes.len() / 3;
    let mut errors = vec![[0.0f32; BLOCK]; above.len()];
    for row in 0..plane / width.max(1) / 2 {
        for column in 0..width / 2 {
            let left = errors[column];
            let seen = [
                &above[column],
                &above[column + 1],
                &above[column + 2],
                &left,
            ];
            // A sum for each neighbour, so that none waits for another.
            let mut parts = [[0.0f32; LANES]; NEIGHBOURS - 1];
            for ((errors, taps), sums) in seen.into_iter().zip(taps).zip(&mut parts) {
                for (error, taps) in errors.iter().zip(taps) {
                    for (sum, tap) in sums.iter_mut().zip(taps) {
                        *sum += error * tap;
                    }
                }
            }
            let mut sums: [f32; LANES] =
                std::array::from_fn(|o| parts[0][o] + parts[1][o] + parts[2][o] + parts[3][o]);
            let own = &mut errors[column + 1];
            for i in 0..BLOCK {
                let (pixel, colour) = (i / 3, i % 3);
                let row = 2 * row + pixel / 2;
                let place = colour * plane + row * width + 2 * column + pixel % 2;
                let value = 255.0 * planes[place] + sums[i];
                let byte = value.round_ties_even().clamp(0.0, 255.0);
                bytes[place] = byte as u8;
                // Where black or white cuts off more, the rest is lost: nothing could make up for
                // it. What is not a number has no error.
                let error = (byte - value).clamp(-0.5, 0.5);
                let error = if error.is_nan() { 0.0 } else { error };
                own[i] = error;
                for (sum, tap) in sums.iter_mut().zip(&taps[NEIGHBOURS - 1][i]) {
                    *sum += error * tap;
                }
            }
        }
        std::mem::swap(above, &mut errors);
        errors[0] = [0.0; BLOCK];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Planes of values that are no bytes, from `low` to `high`.
    fn planes(width: usize, height: usize, low: f32, high: f32) -> Vec<f32> {
        (0..3 * width * height)
            .map(|i| {
                let unit = (i as u32).wrapping_mul(2_654_435_761) >> 8;
                (low + (high - low) * unit as f32 / (1u32 << 24) as f32) / 255.0
            })
            .collect()
    }

    /// The errors of Floyd and Steinberg's kind: all of a sample's error goes to the same colour of
    /// the pixel to its right, inside the block or in the next one.
    fn to_the_right() -> Rounding {
        Rounding::diffusing(|n, i, o| {
            let right_in_block = n == 4 && o == i + 3 && i % 6 < 3;
            let from_left_block = n == 3 && i == o + 3 && o % 6 < 3;
            if right_in_block || from_left_block {
                -1.0
            } else {
                0.0
            }
        })
    }

    #[test]
    fn feedback_keeps_the_sum_of_every_row() {
        let (width, height) = (50, 70);
        let values = planes(width, height, 20.0, 230.0);
        for (rounding, most) in [(to_the_right(), 0.51), (Rounding::nearest(), f32::INFINITY)] {
            let bytes = rounding.round(&values, width);
            let mut worst: f32 = 0.0;
            for (bytes, values) in bytes.chunks(width).zip(values.chunks(width)) {
                let sum: f32 = bytes.iter().map(|&b| f32::from(b)).sum();
                worst = worst.max((sum - 255.0 * values.iter().sum::<f32>()).abs());
            }
            assert!(worst <= most, "{worst}");
            assert!(most < 1.0 || worst > 1.0, "plain rounding drifts: {worst}");
        }
    }

    #[test]
    fn an_odd_last_row_and_column_are_rounded_to_the_nearest() {
        let (width, height) = (7, 5);
        let values = planes(width, height, -9.0, 264.0);
        let bytes = to_the_right().round(&values, width);
        let nearest = Rounding::nearest().round(&values, width);
        for (i, (found, nearest)) in bytes.iter().zip(&nearest).enumerate() {
            let (x, y) = (i % width, i / width % height);
            if x == width - 1 || y == height - 1 {
                assert_eq!(found, nearest, "column {x}, row {y}");
            }
        }
        assert_ne!(bytes, nearest);
    }

    #[test]
    fn where_black_and_white_cut_off_errors_do_not_pile_up() {
        let (width, height) = (40, 2);
        let mut values = vec![300.0 / 255.0; 3 * width * height];
        for row in values.chunks_mut(width) {
            row[width / 2..].fill(100.0 / 255.0);
        }
        let bytes = to_the_right().round(&values, width);
        for row in bytes.chunks(width) {
            assert!(row[..width / 2].iter().all(|&b| b == 255));
            assert!(row[width / 2..].iter().all(|b| (99..=101).contains(b)));
        }
    }

    #[test]
    fn strips_are_rounded_as_the_whole_picture_is() {
        let (width, height) = (34, 61);
        let values = planes(width, height, 0.0, 255.0);
        let down = Rounding::diffusing(|n, i, o| if n == 1 && i == o { -0.9 } else { 0.01 });
        let whole = down.round(&values, width);
        let mut rounder = down.rounder(width);
        for rows in [0..2, 2..24, 24..26, 26..61] {
            let strip = |samples: &[f32]| -> Vec<f32> {
                let planes = samples.chunks_exact(width * height);
                let rows = planes.flat_map(|p| &p[rows.start * width..rows.end * width]);
                rows.copied().collect()
            };
            let found = rounder.rows(&strip(&values)).into_iter().map(f32::from);
            let whole: Vec<f32> = whole.iter().map(|b| f32::from(*b)).collect();
            assert_eq!(found.collect::<Vec<_>>(), strip(&whole), "{rows:?}");
        }
    }

    #[test]
    fn what_is_not_a_number_spoils_its_sample_only() {
        let (width, height) = (8, 8);
        let mut values = vec![0.5; 3 * width * height];
        values[0] = f32::NAN;
        let bytes = to_the_right().round(&values, width);
        assert!(bytes[1..].iter().all(|b| (127..=128).contains(b)));
    }

    #[test]
    fn a_tap_for_a_later_sample_counts_for_nothing() {
        let later = Rounding::diffusing(|n, i, o| f32::from(u8::from(n == 4 && o <= i)));
        let values = planes(8, 8, 0.0, 255.0);
        assert_eq!(
            later.round(&values, 8),
            Rounding::nearest().round(&values, 8)
        );
    }
}
