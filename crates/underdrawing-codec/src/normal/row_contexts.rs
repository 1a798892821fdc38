//! The contexts of a row's coefficients besides the expected magnitude, for the normal models.

use crate::fast::context::{BandContext, N_CLASSES, band_index, class};
use crate::part::Part;
use crate::simd::with_simd;

/// Planes and bands.
pub(super) const N_BANDS: usize = 48;

/// Classes of the nearest neighbours.
pub(super) const N_NEAR: usize = N_CLASSES / 2;

/// Combinations of magnitudes of the parent and in the planes before, in five ranges each.
pub(super) const N_ELSEWHERE: usize = 5 * 5 * 5;

/// Combinations of signs of the left, the upper and the first plane's coefficient, by plane and
/// orientation.
pub(super) const N_SIGNS: usize = 27 * 12;

/// Contexts of a row's coefficients.
#[derive(Default)]
pub(super) struct RowContexts {
    pub(super) band: usize,
    above: Vec<i32>,
    elsewhere: Vec<u8>,
    signs: Vec<u16>,
}

impl RowContexts {
    /// Computes the contexts of row `y` of a band.
    pub(super) fn fill(
        &mut self,
        context: &BandContext,
        part: &Part,
        magnitudes: &[Vec<i32>],
        plane: usize,
        y: usize,
    ) {
        with_simd(
            #[inline(always)]
            || {
                let band = &context.band;
                let width = band.width;
                self.band = plane * 16 + band_index(band);
                self.fill_above(&magnitudes[plane], context, y);
                self.elsewhere.clear();
                self.elsewhere.resize(width, 0);
                if let Some(parent) = context.parent.filter(|p| !p.is_empty()) {
                    let row = &magnitudes[plane][parent.row((y / 2).min(parent.height - 1))..];
                    let row = &row[..parent.width];
                    for (pair, &m) in self.elsewhere.chunks_mut(2).zip(row) {
                        pair.fill(25 * range(m));
                    }
                }
                for (earlier, factor) in (0..plane).zip([1, 5]) {
                    let row = &magnitudes[earlier][band.row(y)..][..width];
                    for (e, &m) in self.elsewhere.iter_mut().zip(row) {
                        *e += factor * range(m);
                    }
                }
                let orientation = if band_index(band) == 0 {
                    0
                } else {
                    1 + (band_index(band) - 1) % 3
                };
                self.signs.clear();
                self.signs
                    .resize(width, (27 * (4 * plane + orientation)) as u16);
                if y > 0 {
                    let row = &part.planes[plane][band.row(y - 1)..][..width];
                    add_signs(&mut self.signs, row, 3);
                }
                if plane > 0 {
                    let row = &part.planes[0][band.row(y)..][..width];
                    add_signs(&mut self.signs, row, 9);
                }
            },
        );
    }

    #[inline(always)]
    fn fill_above(&mut self, own: &[i32], context: &BandContext, y: usize) {
        let (band, width) = (&context.band, context.band.width);
        self.above.clear();
        self.above.resize(width, 0);
        if y == 0 {
            return;
        }
        let row = &own[band.row(y - 1)..][..width];
        for (above, &m) in self.above.iter_mut().zip(row) {
            *above += 2 * m;
        }
        for (above, &m) in self.above[1..].iter_mut().zip(row) {
            *above += m;
        }
        for (above, &m) in self.above.iter_mut().zip(&row[1..]) {
            *above += m;
        }
        if y > 1 {
            let row = &own[band.row(y - 2)..][..width];
            for (above, &m) in self.above.iter_mut().zip(row) {
                *above += m;
            }
        }
    }

    /// Class of the nearest neighbours, given the two to the left.
    #[inline(always)]
    pub(super) fn near(&self, x: usize, left: i32, left_2: i32) -> usize {
        // The weights add up to 8: a mean with 12 fraction bits.
        class((self.above[x] + 2 * left + left_2) << 9) / 2
    }

    /// Ranges of the magnitudes at the same place in other bands and planes.
    #[inline(always)]
    pub(super) fn elsewhere(&self, x: usize) -> usize {
        self.elsewhere[x].into()
    }

    /// The context of a sign, given the one to the left.
    #[inline(always)]
    pub(super) fn signs(&self, x: usize, left: i32) -> usize {
        usize::from(self.signs[x]) + (left + 1) as usize
    }
}

/// One of five ranges of magnitudes.
#[inline(always)]
fn range(magnitude: i32) -> u8 {
    u8::from(magnitude > 0)
        + u8::from(magnitude > 1)
        + u8::from(magnitude > 3)
        + u8::from(magnitude > 7)
}

#[inline(always)]
fn add_signs(signs: &mut [u16], row: &[i32], factor: u16) {
    for (sign, &n) in signs.iter_mut().zip(row) {
        *sign += factor * (n.signum() + 1) as u16;
    }
}
