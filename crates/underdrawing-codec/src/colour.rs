//! The colour transform: an orthonormal basis fitted to each picture, in integers.

mod klt;

use crate::Picture;

/// Fraction bits of the samples in planes.
pub(crate) const SAMPLE_BITS: u32 = 6;

/// Fraction bits of the matrix.
pub(crate) const MATRIX_BITS: u32 = 14;

/// Subtracted from each sample before the transform.
const MIDDLE: i32 = 128;

/// Three orthonormal rows with 14 fraction bits, the first of them usually near grey.
///
/// The third row is the cross product of the others, so only two are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ColourBasis {
    rows: [[i32; 3]; 3],
}

impl ColourBasis {
    /// A basis from its first two rows.
    pub(crate) fn from_rows(first: [i16; 3], second: [i16; 3]) -> Self {
        let (a, b) = (first.map(i32::from), second.map(i32::from));
        // Products are below 2^30, so the difference fits.
        let cross = |i: usize, j: usize| {
            a[i].wrapping_mul(b[j])
                .wrapping_sub(a[j].wrapping_mul(b[i]))
                >> MATRIX_BITS
        };
        Self {
            rows: [a, b, [cross(1, 2), cross(2, 0), cross(0, 1)]],
        }
    }

    /// The basis in which the picture's gradients are uncorrelated.
    pub(crate) fn of(picture: &Picture) -> Self {
        let [first, second] = klt::basis(&klt::gradients(picture));
        Self::from_rows(first, second)
    }

    /// The first two rows.
    pub(crate) fn stored(&self) -> [[i16; 3]; 2] {
        [0, 1].map(|r| self.rows[r].map(|v| v as i16))
    }

    /// Plane `p` of a row of RGB samples, with 6 fraction bits.
    #[inline(always)]
    pub(crate) fn forward_row(&self, p: usize, samples: &[u8], out: &mut [i32]) {
        let row = self.rows[p];
        let shift = MATRIX_BITS - SAMPLE_BITS;
        for (out, rgb) in out.iter_mut().zip(samples.chunks_exact(3)) {
            let sum: i32 = (0..3).map(|c| row[c] * (i32::from(rgb[c]) - MIDDLE)).sum();
            *out = (sum + (1 << (shift - 1))) >> shift;
        }
    }

    /// RGB samples of a row from its three planes, rounded and clamped.
    #[inline(always)]
    pub(crate) fn inverse_row(&self, planes: [&[i32]; 3], out: &mut [u8]) {
        let shift = MATRIX_BITS + SAMPLE_BITS;
        let planes = planes[0].iter().zip(planes[1]).zip(planes[2]);
        for (rgb, ((&a, &b), &c)) in out.chunks_exact_mut(3).zip(planes) {
            for (channel, out) in rgb.iter_mut().enumerate() {
                let [x, y, z] = [0, 1, 2].map(|p| self.rows[p][channel]);
                let sum = (a.wrapping_mul(x))
                    .wrapping_add(b.wrapping_mul(y))
                    .wrapping_add(c.wrapping_mul(z));
                let value = (sum.wrapping_add(1 << (shift - 1)) >> shift) + MIDDLE;
                *out = value.clamp(0, 255) as u8;
            }
        }
    }
}

/// The plane of a row of grey samples, one every `step` bytes, with 6 fraction bits.
#[inline(always)]
pub(crate) fn forward_grey(samples: &[u8], step: usize, out: &mut [i32]) {
    for (out, &sample) in out.iter_mut().zip(samples.iter().step_by(step)) {
        *out = (i32::from(sample) - MIDDLE) << SAMPLE_BITS;
    }
}

/// Grey samples, each written `step` times, rounded and clamped.
#[inline(always)]
pub(crate) fn inverse_grey(plane: &[i32], step: usize, out: &mut [u8]) {
    for (out, &value) in out.chunks_exact_mut(step).zip(plane) {
        let rounded = (value.wrapping_add(1 << (SAMPLE_BITS - 1)) >> SAMPLE_BITS) + MIDDLE;
        out.fill(rounded.clamp(0, 255) as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_come_back_from_any_basis() {
        // All corners of the colour cube and points between them, in the basis of their picture.
        let levels = [0u8, 1, 64, 127, 128, 200, 254, 255];
        let samples: Vec<u8> = (0..512usize)
            .flat_map(|i| [levels[i % 8], levels[i / 8 % 8], levels[i / 64]])
            .collect();
        let picture = Picture::new(32, 16, 3, samples.clone()).unwrap();
        let colour = ColourBasis::of(&picture);
        let planes: Vec<Vec<i32>> = (0..3)
            .map(|p| {
                let mut plane = vec![0; 512];
                colour.forward_row(p, &samples, &mut plane);
                plane
            })
            .collect();
        let mut back = vec![0; samples.len()];
        colour.inverse_row([&planes[0], &planes[1], &planes[2]], &mut back);
        assert_eq!(back, samples);
    }

    #[test]
    fn grey_comes_back() {
        let samples: Vec<u8> = (0..=255).collect();
        let mut plane = vec![0; 256];
        forward_grey(&samples, 1, &mut plane);
        let mut back = vec![0; 256];
        inverse_grey(&plane, 1, &mut back);
        assert_eq!(back, samples);
    }

    #[test]
    fn hostile_rows_do_not_panic() {
        let colour = ColourBasis::from_rows([i16::MIN; 3], [i16::MAX, i16::MIN, i16::MAX]);
        let extreme = [i32::MIN, i32::MAX, 0, -1];
        let mut out = [0; 12];
        colour.inverse_row([&extreme, &extreme, &extreme], &mut out);
        inverse_grey(&extreme, 3, &mut out);
    }
}
