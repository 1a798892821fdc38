//! From a picture to its parts of coefficients, and back.

use crate::Picture;
use crate::bands::{LEVELS, Orientation, STRIPE_LEVELS, norm};
use crate::colour::{ColourBasis, forward_grey, inverse_grey};
use crate::parallel;
use crate::part::Cut;
use crate::parts::{Packed, PackedPart, Parts};
use crate::simd::with_simd;
use crate::step;
use crate::wavelet::{self, Bands, Fill};

/// The basis fitted to a picture; none if it is grey, with one channel or with three.
pub(crate) fn colour_of(picture: &Picture) -> Option<ColourBasis> {
    let grey = picture.channels() == 1
        || picture
            .samples()
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2]);
    (!grey).then(|| ColourBasis::of(picture))
}

/// Transforms a picture to coefficients with 6 fraction bits.
pub(crate) fn transform(picture: &Picture, colour: Option<&ColourBasis>, cut: &Cut) -> Parts {
    let (width, channels) = (picture.width(), picture.channels());
    let stride = channels * width;
    let n_planes = if colour.is_some() { 3 } else { 1 };
    let planes = parallel::map(0..n_planes, |p| {
        let fill = |y: usize, row: &mut [i32]| {
            let samples = &picture.samples()[y * stride..][..stride];
            with_simd(
                #[inline(always)]
                || match colour {
                    Some(colour) => colour.forward_row(p, samples, row),
                    None => forward_grey(samples, channels, row),
                },
            );
        };
        transform_plane((width, picture.height()), cut, &fill)
    });
    let mut parts: Vec<PackedPart> = cut.shapes().map(PackedPart::missing).collect();
    for plane in planes {
        for (part, plane) in parts.iter_mut().zip(plane) {
            part.push(plane);
        }
    }
    Parts::new(cut, parts)
}

/// Transforms a plane, and packs what is done of it stripe by stripe. The whole-picture part's
/// coefficients come first.
fn transform_plane((width, height): (usize, usize), cut: &Cut, fill: &Fill) -> Vec<Packed> {
    let half = |(w, h): (usize, usize)| (w.div_ceil(2), h.div_ceil(2));
    let (first, second) = ((width, height), half((width, height)));
    let third = half(second);
    let mut low_1 = vec![0; second.0 * second.1];
    let mut low_2 = vec![0; third.0 * third.1];
    let mut stripes = Vec::new();
    // The stripe whose level 2 waits for the rows below it.
    let mut waiting: Option<Vec<i32>> = None;
    for i in 0..=cut.n_stripes() {
        let next = (i < cut.n_stripes()).then(|| {
            let rows = cut.rows(i);
            let pairs = rows.start / 2..rows.end.div_ceil(2);
            let mut stripe = vec![0; rows.len() * width];
            let low = &mut low_1[pairs.start * second.0..pairs.end * second.0];
            wavelet::forward_level(first, pairs, fill, low, &mut stripe, width);
            stripe
        });
        if let Some(mut stripe) = std::mem::replace(&mut waiting, next) {
            let rows = cut.rows(i - 1);
            let pairs = rows.start / 4..rows.end.div_ceil(4);
            let low = &mut low_2[pairs.start * third.0..pairs.end * third.0];
            let copy = |y: usize, row: &mut [i32]| {
                row.copy_from_slice(&low_1[y * second.0..][..second.0]);
            };
            wavelet::forward_level(second, pairs, &copy, low, &mut stripe, width);
            stripes.push(Packed::of(&stripe));
        }
    }
    let copy = |y: usize, row: &mut [i32]| row.copy_from_slice(&low_2[y * third.0..][..third.0]);
    let whole = wavelet::forward(third.0, third.1, LEVELS - STRIPE_LEVELS, &copy);
    std::iter::once(Packed::of(&whole)).chain(stripes).collect()
}

/// A plane of multiples of the step, as coefficients.
struct Dequantised<'p> {
    parts: &'p Parts,
    plane: usize,
    step: u32,
}

impl Dequantised<'_> {
    /// Reads from the band of this orientation, which begins in column `x` of row `y` of the part.
    fn row(
        &self,
        part: usize,
        (x, y): (usize, usize),
        (level, orientation): (u32, Orientation),
        row: &mut [i32],
    ) {
        let size = step::of_norm(self.step, norm(level, orientation));
        let from = y * self.parts.shape(part).width + x;
        with_simd(
            #[inline(always)]
            || {
                self.parts.read(part, self.plane, from, row);
                step::reconstruct(size, row);
            },
        );
    }

    /// The part that has row `y` of a level's bands, the row's number there, the part's size, and
    /// the level's number in it.
    fn place(&self, level: u32, y: usize) -> (usize, usize, (usize, usize), u32) {
        let (part, y, level) = if level > STRIPE_LEVELS {
            (0, y, level - STRIPE_LEVELS)
        } else {
            let (stripe, y) = self.parts.cut().stripe_at(level, y);
            (1 + stripe, y, level)
        };
        let shape = self.parts.shape(part);
        (part, y, (shape.width, shape.height), level)
    }
}

impl Bands for Dequantised<'_> {
    fn low(&self, y: usize, row: &mut [i32]) {
        self.row(0, (0, y), (LEVELS, Orientation::Ll), row);
    }

    fn beside(&self, level: u32, y: usize, row: &mut [i32]) {
        let (part, y, (width, _), inner) = self.place(level, y);
        let x = width.div_ceil(1 << inner);
        self.row(part, (x, y), (level, Orientation::Hl), row);
    }

    fn below(&self, level: u32, y: usize, row: &mut [i32]) {
        let (part, y, (width, height), inner) = self.place(level, y);
        let (x, y) = (width.div_ceil(1 << inner), height.div_ceil(1 << inner) + y);
        let (left, right) = row.split_at_mut(x);
        self.row(part, (0, y), (level, Orientation::Lh), left);
        self.row(part, (x, y), (level, Orientation::Hh), right);
    }
}

/// All planes of multiples of the step.
fn dequantised(parts: &Parts, step: u32) -> Vec<Dequantised<'_>> {
    let of = |plane| Dequantised { parts, plane, step };
    (0..parts.n_planes()).map(of).collect()
}

/// Computes rows of samples from rows of planes.
fn finish_rows(
    planes: &[Vec<i32>],
    colour: Option<&ColourBasis>,
    width: usize,
    channels: usize,
    out: &mut [u8],
) {
    for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
        let row = |p: usize| &planes[p][y * width..][..width];
        match colour {
            Some(colour) => colour.inverse_row([row(0), row(1), row(2)], out),
            None => inverse_grey(row(0), channels, out),
        }
    }
}

/// The samples that multiples of the step decode to.
pub(crate) fn samples(
    parts: &Parts,
    (width, height, channels): (usize, usize, usize),
    colour: Option<&ColourBasis>,
    step: u32,
) -> Vec<u8> {
    let planes = dequantised(parts, step);
    let mut samples = vec![0; width * height * channels];
    wavelet::inverse(
        (width, height),
        LEVELS,
        &planes,
        &mut samples,
        width * channels,
        &|_, rows, out| finish_rows(rows, colour, width, channels, out),
    );
    samples
}

/// Mean squared error of the samples that multiples of the step decode to, in squared grey levels.
pub(crate) fn mean_squared_error(
    picture: &Picture,
    parts: &Parts,
    colour: Option<&ColourBasis>,
    step: u32,
) -> f64 {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels());
    let stride = width * channels;
    let planes = dequantised(parts, step);
    let sums = wavelet::inverse(
        (width, height),
        LEVELS,
        &planes,
        &mut vec![(); height],
        1,
        &|first, rows, out: &mut [()]| {
            let mut decoded = vec![0; out.len() * stride];
            finish_rows(rows, colour, width, channels, &mut decoded);
            let original = &picture.samples()[first * stride..][..decoded.len()];
            squared_error(original, &decoded)
        },
    );
    sums.iter().sum::<u64>() as f64 / picture.samples().len() as f64
}

/// Sum of squared differences.
fn squared_error(a: &[u8], b: &[u8]) -> u64 {
    a.chunks(1024)
        .zip(b.chunks(1024))
        .map(|(a, b)| {
            let squares = a.iter().zip(b).map(|(&a, &b)| {
                let difference = i32::from(a) - i32::from(b);
                (difference * difference) as u32
            });
            u64::from(squares.sum::<u32>())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bands::bands;

    #[test]
    fn parts_hold_the_transformed_plane() {
        let mut sizes = vec![(256, 256), (300, 700), (1, 3000), (2000, 9), (333, 1111)];
        sizes.extend((1..=20).flat_map(|w| (1..=20).map(move |h| (w, h))));
        for (width, height) in sizes {
            let samples: Vec<u8> = (0..width * height)
                .map(|i| (i * i / 7 % 251) as u8)
                .collect();
            let picture = Picture::new(width, height, 1, samples).unwrap();
            let cut = Cut::new(width, height);
            let parts = transform(&picture, None, &cut);
            let fill = |y: usize, row: &mut [i32]| {
                forward_grey(&picture.samples()[y * width..][..width], 1, row);
            };
            let plane = wavelet::forward(width, height, LEVELS, &fill);
            let mut seen = 0;
            for i in 0..parts.len() {
                let part = parts.part(i);
                for band in part.shape().coded() {
                    let outer = bands(width, height, LEVELS, 1)
                        .into_iter()
                        .find(|b| b.level == band.level && b.orientation == band.orientation)
                        .unwrap();
                    let first = if i == 0 {
                        0
                    } else {
                        cut.rows(i - 1).start >> band.level
                    };
                    for y in 0..if band.width == 0 { 0 } else { band.height } {
                        let here = &part.planes[0][band.row(y)..][..band.width];
                        let there = &plane[outer.row(first + y)..][..outer.width];
                        assert_eq!(here, there, "{width}x{height}, part {i}, {band:?}, row {y}");
                        seen += band.width;
                    }
                }
            }
            assert_eq!(seen, plane.len(), "{width}x{height}");
        }
    }
}
