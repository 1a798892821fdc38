//! Rounding to 8 bits, with the errors where they do the least harm.
//!
//! A network that reveals is more sensitive to some errors of its container than to others. Error
//! diffusion lets each sample's rounding error change what later samples are rounded from, so that
//! the sum of all errors avoids what the network listens to: noise shaping, as audio converters do
//! it (Spang and Schultheiss 1962; in pictures, Floyd and Steinberg 1976). The coefficients are
//! parameters of the network and trained with it, see [`NoiseShaping`](crate::NoiseShaping). Which of
//! two bytes a sample becomes is not decided at once: `search` looks ahead.

mod search;

use std::ops::Range;

use rayon::prelude::*;
use underdrawing_conv::vectorised;

use search::{Found, Samples, Segment};

/// Samples of a block of 2x2 pixels: pixel by pixel in reading order, each red, green, blue.
pub(crate) const BLOCK: usize = 12;
/// Blocks whose errors a block's samples see: the three above, the left one, itself.
pub(crate) const NEIGHBOURS: usize = 5;
/// Samples of a block, padded to whole vectors.
const LANES: usize = 16;
/// For each neighbour and each of its samples, what a unit of error adds to a block's samples.
type Taps = [[[f32; LANES]; BLOCK]; NEIGHBOURS];
/// Fewest blocks side by side that are searched together, but for the end of a row. What is lost
/// where they end is not seen in any mean.
const LEAST_SEGMENT: usize = 16;
/// Most segments in a row. Half as many rows are searched at the same time, and held.
const MOST_SEGMENTS: usize = 64;

/// How samples become bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounding {
    /// What a unit of error of sample `i` of neighbour `n` adds to the samples of a block; the
    /// block's own come last, and are zero for samples that are not later. `None` is to the
    /// nearest.
    taps: Option<Box<Taps>>,
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
            taps: Some(Box::new(std::array::from_fn(|n| {
                std::array::from_fn(|i| row(n, i))
            }))),
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
    taps: Option<&'a Taps>,
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
            diffuse(taps, self.width, &mut self.above, planes, &mut bytes);
        }
        bytes
    }
}

/// Whole blocks of a strip, samples `[3, rows, width]` of which each has a place.
#[derive(Clone, Copy)]
struct Blocks<'a> {
    planes: &'a [f32],
    width: usize,
}

impl Blocks<'_> {
    fn columns(&self) -> usize {
        self.width / 2
    }

    fn rows(&self) -> usize {
        self.planes.len() / 3 / self.width.max(1) / 2
    }

    /// Where sample `i` of a block is.
    fn place(&self, row: usize, column: usize, i: usize) -> usize {
        let (pixel, colour) = (i / 3, i % 3);
        let line = colour * (self.planes.len() / 3 / self.width) + 2 * row + pixel / 2;
        line * self.width + 2 * column + pixel % 2
    }

    /// Blocks of a segment; the last one may be shorter.
    fn length(&self) -> usize {
        self.columns().div_ceil(MOST_SEGMENTS).max(LEAST_SEGMENT)
    }

    /// The columns of a segment.
    fn segment(&self, segment: usize) -> Range<usize> {
        let start = segment * self.length();
        start..self.columns().min(start + self.length())
    }

    /// A segment whose row and the row above have such errors so far.
    fn search_for<'a>(
        &self,
        (row, segment): (usize, usize),
        above: &'a [Samples],
        own: &[Samples],
    ) -> Segment<'a> {
        let blocks = self.segment(segment);
        let value = |column, i| 255.0 * self.planes[self.place(row, column, i)];
        Segment {
            above: &above[blocks.start..blocks.end + 2],
            left: own[blocks.start],
            values: blocks
                .map(|column| std::array::from_fn(|i| value(column, i)))
                .collect(),
        }
    }
}

/// Rounds the whole blocks of a strip; an odd last row or column stays as it is.
///
/// A segment can be searched when the one to its left and the one above right of it have been. So
/// a row is two segments behind the one above it, and what lies on such a slope is searched at the
/// same time.
fn diffuse(taps: &Taps, width: usize, above: &mut [Samples], planes: &[f32], bytes: &mut [u8]) {
    let blocks = Blocks { planes, width };
    let segments = blocks.columns().div_ceil(blocks.length());
    // Errors of the rows that are being searched and of the one above them, by turns.
    let turns = segments / 2 + 2;
    let mut errors = vec![above.to_vec(); turns];
    for slope in 0..2 * blocks.rows() + segments {
        let first = (slope + 1).saturating_sub(segments).div_ceil(2);
        let places: Vec<(usize, usize)> = (first..blocks.rows().min(slope / 2 + 1))
            .map(|row| (row, slope - 2 * row))
            .collect();
        let search = |places: &[(usize, usize)]| {
            let search_for = |&place: &(usize, usize)| {
                let [above, own] = [place.0, place.0 + 1].map(|row| &errors[row % turns]);
                blocks.search_for(place, above, own)
            };
            let segments: Vec<Segment<'_>> = places.iter().map(search_for).collect();
            // Compiled for each kind of vectors; the order of additions, and so the result, is the
            // same in all.
            vectorised(
                #[inline(always)]
                || search::search(taps, &segments),
            )
        };
        let found: Vec<Vec<Found>> = places.par_chunks(2).flat_map_iter(search).collect();
        for ((row, segment), found) in places.into_iter().zip(found) {
            for (column, found) in blocks.segment(segment).zip(found) {
                errors[(row + 1) % turns][column + 1] = found.errors;
                for (i, byte) in found.bytes.into_iter().enumerate() {
                    bytes[blocks.place(row, column, i)] = byte;
                }
            }
        }
    }
    above.copy_from_slice(&errors[blocks.rows() % turns]);
}

#[cfg(test)]
mod tests {
    use underdrawing_conv::{Path, force_path};

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

    /// Taps of which each error reaches all samples around, as trained ones do.
    fn of_all_kinds() -> Rounding {
        Rounding::diffusing(|n, i, o| {
            let unit = (((n * BLOCK + i) * BLOCK + o) as u32).wrapping_mul(2_654_435_761) >> 8;
            0.3 * (unit as f32 / (1u32 << 24) as f32 - 0.5)
        })
    }

    #[test]
    fn errors_are_smaller_than_those_of_the_nearest_bytes() {
        let (width, height) = (150, 40);
        let values = planes(width, height, 20.0, 230.0);
        let rounding = of_all_kinds();
        let mut rounder = rounding.rounder(width);
        let mut errors: Vec<f32> = Vec::new();
        for strip in values.chunks(3 * 2 * width) {
            rounder.rows(strip);
            errors.extend(rounder.above[1..=width / 2].as_flattened());
        }
        let worst = errors.iter().fold(0.0f32, |worst, e| worst.max(e.abs()));
        assert!(worst <= 1.0, "a byte on neither side of its value: {worst}");
        // Errors of nearest bytes are spread evenly over -1/2..1/2: their mean square is 1/12.
        let mean = errors.iter().map(|e| e * e).sum::<f32>() / errors.len() as f32;
        assert!(mean < 0.94 / 12.0, "{mean}");
    }

    #[test]
    fn threads_and_kinds_of_vectors_make_no_difference() {
        let rounding = of_all_kinds();
        // One block, a segment and a little more, several rows of them, more than the most.
        for (width, height) in [(2, 2), (34, 2), (201, 60), (2100, 6)] {
            let values = planes(width, height, -3.0, 258.0);
            let expected = rounding.round(&values, width);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
                let pool = pool.build().unwrap();
                let bytes = pool.install(|| rounding.round(&values, width));
                assert!(bytes == expected, "{width}x{height}, {threads} threads");
            }
            for path in Path::ALL.into_iter().filter(|path| path.is_available()) {
                assert!(force_path(Some(path)));
                let bytes = rounding.round(&values, width);
                force_path(None);
                assert!(bytes == expected, "{width}x{height}, {path:?}");
            }
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
