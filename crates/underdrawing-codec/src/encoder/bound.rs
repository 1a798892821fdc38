//! About how few bits a lossless coding takes, told without coding.

use super::guess::log2;
use crate::simd::with_simd;
use crate::{Picture, parallel};

/// A pixel is new whose colour none of so many to its left has, nor those above them, nor as many
/// to the right of the one above; and that ends no sequence of [`SEQUENCE`] colours that was in its
/// row before, as in textures that repeat.
const REACH: usize = 8;
const SEQUENCE: usize = 4;

/// Sequences of a row that are remembered.
const REMEMBERED: usize = 1 << 12;

/// One in so many rows is looked at.
const EVERY: usize = 8;

/// Fraction bits of numbers of bits.
const FRACTION: u32 = 8;

/// Bits of the new pixels; others are repetitions, which may take none.
pub(super) fn least_bits(picture: &Picture) -> f64 {
    let rows: Vec<usize> = (1..picture.height()).step_by(EVERY).collect();
    let bits = parallel::map(&rows, |&y| {
        let [above, here] = [y - 1, y].map(|y| Row::of(picture, y));
        f64::from(here.least_bits(&above))
    });
    let share = picture.height() as f64 / rows.len().max(1) as f64;
    bits.into_iter().sum::<f64>() / f64::from(1 << FRACTION) * share
}

struct Row {
    /// All samples of a pixel as one number.
    colours: Vec<u32>,
    /// Green, red less green and blue less green, or grey.
    planes: Vec<Vec<i32>>,
}

impl Row {
    fn of(picture: &Picture, y: usize) -> Self {
        let channels = picture.channels();
        let stride = picture.width() * channels;
        let pixels = picture.samples()[y * stride..][..stride].chunks_exact(channels);
        let mut row = Self {
            colours: Vec::with_capacity(picture.width()),
            planes: vec![Vec::with_capacity(picture.width()); channels],
        };
        for pixel in pixels {
            let colour = pixel.iter().fold(0, |sum, &v| sum << 8 | u32::from(v));
            row.colours.push(colour);
            match *pixel {
                [r, g, b] => {
                    let [r, g, b] = [r, g, b].map(i32::from);
                    for (plane, value) in row.planes.iter_mut().zip([g, r - g, b - g]) {
                        plane.push(value);
                    }
                }
                _ => row.planes[0].push(pixel[0].into()),
            }
        }
        row
    }

    /// A bit for each new pixel, and log2(1 + 2 |error|) for each of its samples, `error` that of the
    /// median of both neighbours and of the plane through three. Photographs take 1.4 to 2.5 times
    /// as many, noise 1.1 to 1.6.
    fn least_bits(&self, above: &Self) -> u32 {
        let mut new = vec![1; self.colours.len()];
        forget_sequences(&mut new, &self.colours);
        with_simd(
            #[inline(always)]
            || {
                let (here, above) = (self, above);
                for distance in 0..=REACH {
                    let after = |row| <[u32]>::get(row, distance..).unwrap_or_default();
                    let colours = after(&here.colours);
                    let new_after = new.get_mut(distance..).unwrap_or_default();
                    if distance > 0 {
                        forget(new_after, colours, &here.colours);
                    }
                    forget(new_after, colours, &above.colours);
                    forget(&mut new, &here.colours, after(&above.colours));
                }
                let mut bits = new.iter().sum::<u32>() << FRACTION;
                for (here, above) in here.planes.iter().zip(&above.planes) {
                    for (x, new) in new.iter().enumerate().skip(1) {
                        let [west, north] = [here[x - 1], above[x]];
                        let plane = west + north - above[x - 1];
                        let median = plane.clamp(west.min(north), west.max(north));
                        let error = here[x] - median;
                        bits += new * (log2(error, 2.0) >> (23 - FRACTION)) as u32;
                    }
                }
                bits
            },
        )
    }
}

/// Pixels of a colour that is there are not new.
#[inline(always)]
fn forget(new: &mut [u32], colours: &[u32], there: &[u32]) {
    for ((new, colour), there) in new.iter_mut().zip(colours).zip(there) {
        *new &= u32::from(colour != there);
    }
}

/// Nor are those that end a sequence of before.
fn forget_sequences(new: &mut [u32], colours: &[u32]) {
    let mut seen = vec![0; REMEMBERED];
    let ends = new.get_mut(SEQUENCE - 1..).unwrap_or_default();
    for (sequence, new) in colours.windows(SEQUENCE).zip(ends) {
        let hash = sequence.iter().fold(0u32, |hash, colour| {
            (hash ^ colour).wrapping_mul(0x9e37_79b1).rotate_left(13)
        });
        let slot = &mut seen[hash as usize % REMEMBERED];
        if *slot == hash {
            *new = 0;
        }
        *slot = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lossless;

    fn picture(
        width: usize,
        height: usize,
        channels: usize,
        of: impl Fn(usize, usize, usize) -> u8,
    ) -> Picture<'static> {
        let stride = width * channels;
        let at = |i: usize| of(i % stride / channels, i / stride, i % channels);
        let samples = (0..stride * height).map(at).collect();
        Picture::new(width, height, channels, samples).unwrap()
    }

    /// Grain on a slope; every `period` pixels of a row it repeats.
    fn grainy(channels: usize, amplitude: u32, period: usize) -> Picture<'static> {
        let (width, height) = (200, 120);
        let mut state = 5u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (u64::from(state) * u64::from(amplitude) >> 32) as u8
        };
        let grain: Vec<u8> = (0..width * height * channels).map(|_| next()).collect();
        picture(width, height, channels, |x, y, c| {
            let x = x % period;
            grain[(y * width + x) * channels + c].wrapping_add(((x + y) / 9) as u8)
        })
    }

    fn taken(picture: &Picture) -> f64 {
        8.0 * lossless::encode(picture, 0..picture.height()).len() as f64
    }

    #[test]
    fn it_is_less_than_what_coding_takes_and_not_far_below() {
        for (channels, amplitude, share) in [
            (1, 64, 0.5..0.95),
            (1, 256, 0.7..0.95),
            (3, 4, 0.5..0.95),
            (3, 16, 0.7..0.95),
            (3, 64, 0.7..0.95),
            (3, 256, 0.7..0.95),
        ] {
            let picture = grainy(channels, amplitude, 200);
            let found = least_bits(&picture) / taken(&picture);
            assert!(share.contains(&found), "{channels}, {amplitude}: {found}");
        }
    }

    #[test]
    fn textures_that_repeat_are_not_counted_again() {
        let (once, often) = (grainy(3, 64, 200), grainy(3, 64, 25));
        assert!(least_bits(&often) < 0.2 * least_bits(&once));
        assert!(least_bits(&often) < 0.7 * taken(&often));
    }

    #[test]
    fn repetitions_are_not_counted() {
        let flat = picture(
            90,
            50,
            3,
            |x, y, _| if (x / 9 + y / 5) % 2 == 0 { 0 } else { 200 },
        );
        assert!(least_bits(&flat) < 0.05 * 90.0 * 50.0);
        for (width, height) in [(1, 1), (1, 9), (3, 40), (7, 2)] {
            let one = picture(width, height, 1, |_, _, _| 9);
            assert_eq!(least_bits(&one), 0.0);
        }
    }
}
