//! A first guess at the step that gives a size, from the coefficients alone.

use crate::bands::Band;
use crate::header::STEPS;
use crate::parallel;
use crate::parts::Parts;
use crate::simd::with_simd;
use crate::step;

/// Bits that the fast model takes for a coefficient c, divided by log2(1 + |c| / step): in
/// photographs 1.6 to 1.75 at 4.75 bits a pixel, 1.1 to 1.3 at 0.3, about 1 at 0.15.
const BITS_A_UNIT: f64 = 1.6;

/// Units a coefficient at which half as many bits are taken.
const SPARSE: f64 = 0.03;

/// In large bands, only one in this many rows is looked at.
const ROWS: usize = 4;

/// The step at which the parts take about `bytes` bytes with the fast model.
pub(super) fn step_for(parts: &Parts, bytes: f64) -> u32 {
    let (mut low, mut high) = (*STEPS.start(), *STEPS.end());
    let bands = |i: usize| parts.shape(i).coded().iter().map(Band::len).sum::<usize>();
    let n: usize = (0..parts.len()).map(|i| parts.n_planes() * bands(i)).sum();
    let bits = |units: f64| BITS_A_UNIT * units * units / (units + SPARSE * n as f64).max(1.0);
    // To about 1 %; the guess is no better than that.
    while high - low > low / 64 {
        let middle = (f64::from(low) * f64::from(high)).sqrt() as u32;
        let middle = middle.clamp(low + 1, high - 1);
        if bits(units(parts, middle).iter().sum()) / 8.0 > bytes {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Sum of log2(1 + |coefficient| / step) over each part's coefficients, extrapolated where rows are
/// skipped.
pub(super) fn units(parts: &Parts, step: u32) -> Vec<f64> {
    parallel::map(0..parts.len(), |i| units_of(parts, i, step))
}

fn units_of(parts: &Parts, part: usize, step: u32) -> f64 {
    let mut sum = 0.0;
    let mut row = Vec::new();
    for band in parts.shape(part).coded() {
        let every = if band.height < 4 * ROWS { 1 } else { ROWS };
        let factor = 256.0 / step::of_band(step, &band) as f32;
        row.resize(band.width, 0);
        for plane in 0..parts.n_planes() {
            let mut in_band = 0i64;
            for y in (0..if band.width == 0 { 0 } else { band.height }).step_by(every) {
                in_band += with_simd(
                    #[inline(always)]
                    || {
                        parts.read(part, plane, band.row(y), &mut row);
                        row.iter().map(|&c| i64::from(log2(c, factor))).sum::<i64>()
                    },
                );
            }
            let rows = band.height.div_ceil(every).max(1) as f64;
            sum += in_band as f64 * band.height as f64 / rows;
        }
    }
    sum / f64::from(1 << 23)
}

/// log2(1 + |c| * factor) in 1/2^23, approximated by a float's bits: its exponent, with its
/// mantissa as the fraction.
#[inline(always)]
fn log2(c: i32, factor: f32) -> i32 {
    const ONE: i32 = 127 << 23;
    (1.0 + (c.unsigned_abs() as f32) * factor).to_bits() as i32 - ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms_are_close() {
        for c in [0, 1, 5, -5, 100, 70_000, i32::MIN] {
            let found = f64::from(log2(c, 0.5)) / f64::from(1 << 23);
            let exact = (1.0 + 0.5 * f64::from(c).abs()).log2();
            assert!((found - exact).abs() < 0.09, "{c}: {found} {exact}");
        }
    }
}
