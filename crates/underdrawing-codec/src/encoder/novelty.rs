//! How many pixels of a picture have a colour that is not nearby: what a lossless coding cannot take
//! for repetitions.

use crate::simd::with_simd;
use crate::{Picture, parallel};

/// A pixel is new whose colour none of so many to its left has, nor those above them, nor as many
/// to the right of the one above.
const REACH: usize = 8;

/// One in so many rows is looked at.
const EVERY: usize = 8;

/// About how many pixels are new.
pub(super) fn new_pixels(picture: &Picture) -> f64 {
    let rows: Vec<usize> = (1..picture.height()).step_by(EVERY).collect();
    let new = parallel::map(&rows, |&y| {
        let [above, here] = [y - 1, y].map(|y| colours(picture, y));
        u64::from(new_in_row(&here, &above))
    });
    let share = picture.height() as f64 / rows.len().max(1) as f64;
    new.into_iter().sum::<u64>() as f64 * share
}

/// All samples of each pixel of a row as one number.
fn colours(picture: &Picture, y: usize) -> Vec<u32> {
    let channels = picture.channels();
    let stride = picture.width() * channels;
    let colour = |pixel: &[u8]| pixel.iter().fold(0, |sum, &v| sum << 8 | u32::from(v));
    let samples = &picture.samples()[y * stride..][..stride];
    samples.chunks_exact(channels).map(colour).collect()
}

fn new_in_row(here: &[u32], above: &[u32]) -> u32 {
    with_simd(
        #[inline(always)]
        || {
            let mut new = vec![1; here.len()];
            forget(&mut new, here, above);
            for distance in 1..=REACH.min(here.len() - 1) {
                forget(&mut new[distance..], &here[distance..], here);
                forget(&mut new[distance..], &here[distance..], above);
                forget(&mut new, here, &above[distance..]);
            }
            new.iter().sum()
        },
    )
}

/// Pixels of a colour that is there are not new.
#[inline(always)]
fn forget(new: &mut [u32], colours: &[u32], there: &[u32]) {
    for ((new, colour), there) in new.iter_mut().zip(colours).zip(there) {
        *new &= u32::from(colour != there);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_nearby_are_found_on_all_sides_and_no_others() {
        let here = |other: &[(usize, u32)], n: usize| {
            // Twenty colours that are all different, but for those given.
            let mut row: Vec<u32> = (0..20).map(|x| 1000 * n as u32 + x).collect();
            for &(x, colour) in other {
                row[x] = colour;
            }
            row
        };
        let above = |other: &[(usize, u32)]| here(other, 7);
        assert_eq!(new_in_row(&here(&[], 1), &above(&[])), 20);
        // Pixel 10 of the row, one that is as far away as counts, and one that is further.
        for (x, is_near) in [(2, true), (9, true), (1, false), (11, true)] {
            let found = new_in_row(&here(&[(10, 5), (x, 5)], 1), &above(&[]));
            // A pixel to its right is not looked at, but looks back.
            assert_eq!(found == 19, is_near, "{x}");
        }
        for (x, is_near) in [(1, false), (2, true), (10, true), (18, true), (19, false)] {
            let found = new_in_row(&here(&[(10, 5)], 1), &above(&[(x, 5)]));
            assert_eq!(found == 19, is_near, "above, {x}");
        }
    }

    #[test]
    fn all_pixels_of_noise_are_new_and_none_of_a_flat_picture() {
        for channels in [1, 3] {
            for (width, height) in [(1, 1), (1, 9), (3, 40), (200, 50)] {
                let n = width * height * channels;
                let flat = Picture::new(width, height, channels, vec![9; n]).unwrap();
                assert_eq!(new_pixels(&flat), 0.0);
            }
        }
        let mut state = 5u32;
        let samples = (0..3 * 200 * 50).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise = Picture::new(200, 50, 3, samples.collect()).unwrap();
        assert!((9_990.0..=10_000.0).contains(&new_pixels(&noise)));
    }
}
