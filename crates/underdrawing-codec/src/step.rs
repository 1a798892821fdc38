//! Quantiser steps: a band's step follows from the picture's.

use crate::bands::Band;
use crate::quantise::TARGET_BITS;

/// Fraction bits of a band's step.
const BITS: u32 = 8;

/// A band's step in units of coefficients, with 8 fraction bits.
///
/// `step` is in 1/16384 grey levels; coefficients have 6 fraction bits and the band's norm.
pub(crate) fn of_band(step: u32, band: &Band) -> i32 {
    of_norm(step, band.norm())
}

/// The same of a band with this norm.
pub(crate) fn of_norm(step: u32, norm: u32) -> i32 {
    let shift = crate::colour::SAMPLE_BITS + BITS + 16 - 14;
    let norm = u64::from(norm);
    (((u64::from(step) << shift) + norm / 2) / norm) as i32
}

/// Converts a row of coefficients to 1/64 of the band's step, for the search.
#[inline(always)]
pub(crate) fn targets(size: i32, coefficients: &[i32], out: &mut [i32]) {
    let factor = (1 << (BITS + TARGET_BITS)) as f32 / size as f32;
    for (out, &c) in out.iter_mut().zip(coefficients) {
        *out = (c as f32 * factor) as i32;
    }
}

/// Converts multiples of the step to coefficients, in their place. It wraps for multiples that no
/// encoder writes.
#[inline(always)]
pub(crate) fn reconstruct(size: i32, row: &mut [i32]) {
    for n in row {
        *n = n.wrapping_mul(size).wrapping_add(1 << (BITS - 1)) >> BITS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bands::bands;

    #[test]
    fn steps_of_bands_follow_their_norms() {
        for band in bands(64, 64, 5, 1) {
            let size = f64::from(of_band(1 << 14, &band)) / 256.0;
            let expected = 64.0 / (f64::from(band.norm()) / 65536.0);
            assert!((size - expected).abs() < 0.01, "{band:?}: {size}");
        }
    }

    #[test]
    fn coefficients_come_back_within_a_step() {
        let coefficients: Vec<i32> = (-2000..2000).map(|i| i * 53).collect();
        let mut targets_64 = vec![0; coefficients.len()];
        let size = 5000;
        targets(size, &coefficients, &mut targets_64);
        let mut back: Vec<i32> = targets_64.iter().map(|t| (t + 32) >> TARGET_BITS).collect();
        reconstruct(size, &mut back);
        for (a, b) in coefficients.iter().zip(&back) {
            assert!((a - b).abs() <= size / 512 + 1, "{a} {b}");
        }
    }
}
