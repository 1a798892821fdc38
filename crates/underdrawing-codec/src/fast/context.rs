//! The expected magnitude of a coefficient: a weighted sum of magnitudes around it.
//!
//! Magnitudes are multiples of the step, clamped. The sum covers what is known when the coefficient
//! is coded: earlier neighbours in its band, and the surroundings of its place in the coarser band,
//! in the sibling bands and in earlier planes. Weights are fitted for each plane and band.

use super::tables::WEIGHTS;
use crate::bands::{Band, Orientation};
use crate::part::Shape;
use crate::simd::with_simd;

/// Number of a band's weights.
pub(crate) const N_WEIGHTS: usize = 16;

/// The places of a band's weights, named after what they multiply.
pub(crate) mod weight {
    pub(crate) const LEFT: usize = 0;
    pub(crate) const LEFT_2: usize = 1;
    pub(crate) const ABOVE: usize = 2;
    /// Both neighbours of the one above.
    pub(crate) const ABOVE_SIDES: usize = 3;
    pub(crate) const ABOVE_2: usize = 4;
    /// In the coarser band. The next weight is that of the four neighbours; likewise below.
    pub(crate) const PARENT: usize = 5;
    /// In HL, for LH and HH.
    pub(crate) const SIBLING: usize = 7;
    /// In LH, for HH.
    pub(crate) const SIBLING_2: usize = 9;
    pub(crate) const PLANE_0: usize = 11;
    pub(crate) const PLANE_1: usize = 13;
    /// Added without a factor.
    pub(crate) const CONSTANT: usize = 15;
}

/// Magnitudes are clamped to this, so that sums fit in 32 bits.
pub(crate) const MAX_MAGNITUDE: i32 = 4095;

/// Classes of expected magnitude, four per octave.
pub(crate) const N_CLASSES: usize = 64;

/// Class of an expected magnitude with 12 fraction bits: 0 below 5/256, 63 from 896 on.
#[inline(always)]
pub(crate) fn class(expected: i32) -> usize {
    let value = expected.clamp(64, (1 << 22) - 1);
    let log = value.ilog2();
    (4 * (log - 6) + (value as u32 >> (log - 2) & 3)) as usize
}

/// Weights of a band, with 12 fraction bits.
pub(crate) type Weights = [i32; N_WEIGHTS];

/// Index of a band's weights within a plane's.
pub(crate) fn band_index(band: &Band) -> usize {
    match band.orientation {
        Orientation::Ll => 0,
        Orientation::Hl => 3 * band.level as usize - 2,
        Orientation::Lh => 3 * band.level as usize - 1,
        Orientation::Hh => 3 * band.level as usize,
    }
}

/// The fitted weights of a band.
pub(crate) fn weights(plane: usize, band: &Band) -> &'static Weights {
    &WEIGHTS[plane][band_index(band)]
}

/// A band, and the bands that its coefficients' expected magnitudes draw on.
pub(crate) struct BandContext {
    pub(crate) band: Band,
    pub(crate) parent: Option<Band>,
    siblings: [Option<Band>; 2],
}

impl BandContext {
    /// The contexts of all bands that a part codes, in coding order.
    pub(crate) fn of(shape: &Shape) -> Vec<Self> {
        let bands = shape.coded();
        bands
            .iter()
            .map(|&band| {
                let sibling = |orientation| {
                    let found = |b: &&Band| b.level == band.level && b.orientation == orientation;
                    bands.iter().find(found).copied()
                };
                let siblings = match band.orientation {
                    Orientation::Ll | Orientation::Hl => [None, None],
                    Orientation::Lh => [sibling(Orientation::Hl), None],
                    Orientation::Hh => [sibling(Orientation::Hl), sibling(Orientation::Lh)],
                };
                Self {
                    band,
                    parent: shape.parent(&band),
                    siblings,
                }
            })
            .collect()
    }
}

/// The sums of a row.
pub(crate) struct RowSums {
    /// Each coefficient's expected magnitude, without the share of the two to its left; 12 fraction
    /// bits.
    pub(crate) sums: Vec<i32>,
    parent: Vec<i32>,
}

impl RowSums {
    pub(crate) fn new() -> Self {
        Self {
            sums: Vec::new(),
            parent: Vec::new(),
        }
    }

    /// Computes the sums of row `y` of a band and plane from `magnitudes`, a vector per plane.
    pub(crate) fn fill(
        &mut self,
        context: &BandContext,
        weights: &Weights,
        magnitudes: &[Vec<i32>],
        plane: usize,
        y: usize,
    ) {
        with_simd(
            #[inline(always)]
            || {
                let band = &context.band;
                let own = &magnitudes[plane];
                self.sums.clear();
                self.sums.resize(band.width, weights[weight::CONSTANT]);
                if let Some(parent) = &context.parent {
                    self.add_parent(parent, weights, own, y);
                }
                if y > 0 {
                    let row = &own[band.row(y - 1)..][..band.width];
                    add(&mut self.sums, row, weights[weight::ABOVE]);
                    add_sides(&mut self.sums, row, weights[weight::ABOVE_SIDES]);
                }
                if y > 1 {
                    let row = &own[band.row(y - 2)..][..band.width];
                    add(&mut self.sums, row, weights[weight::ABOVE_2]);
                }
                for (sibling, first) in context
                    .siblings
                    .iter()
                    .zip([weight::SIBLING, weight::SIBLING_2])
                {
                    if let Some(sibling) = sibling {
                        add_cross(&mut self.sums, own, sibling, y, &weights[first..first + 2]);
                    }
                }
                for (earlier, first) in (0..plane).zip([weight::PLANE_0, weight::PLANE_1]) {
                    let pair = &weights[first..first + 2];
                    add_cross(&mut self.sums, &magnitudes[earlier], band, y, pair);
                }
            },
        );
    }

    #[inline(always)]
    fn add_parent(&mut self, parent: &Band, weights: &Weights, own: &[i32], y: usize) {
        if parent.is_empty() {
            return;
        }
        self.parent.clear();
        self.parent.resize(parent.width, 0);
        let pair = &weights[weight::PARENT..weight::PARENT + 2];
        let y = (y / 2).min(parent.height - 1);
        add_cross(&mut self.parent, own, parent, y, pair);
        for (pair, &value) in self.sums.chunks_mut(2).zip(&self.parent) {
            for sum in pair {
                *sum += value;
            }
        }
    }
}

/// Adds `weight` times `row`.
#[inline(always)]
fn add(sums: &mut [i32], row: &[i32], weight: i32) {
    for (sum, &value) in sums.iter_mut().zip(row) {
        *sum += weight * value;
    }
}

/// Adds `weight` times both neighbours in `row`; outside of it there are zeros.
#[inline(always)]
fn add_sides(sums: &mut [i32], row: &[i32], weight: i32) {
    add(&mut sums[1..], row, weight);
    if row.len() > 1 {
        add(sums, &row[1..], weight);
    }
}

/// Adds `weights[0]` times row `y` of `band` and `weights[1]` times the four neighbours. Where the
/// band is a row or column smaller than the sums, nothing is added.
fn add_cross(sums: &mut [i32], magnitudes: &[i32], band: &Band, y: usize, weights: &[i32]) {
    if band.width == 0 || y >= band.height {
        return;
    }
    let width = sums.len().min(band.width);
    let row = |y: usize| &magnitudes[band.row(y)..][..width];
    let sums = &mut sums[..width];
    with_simd(
        #[inline(always)]
        || {
            add(sums, row(y), weights[0]);
            add_sides(sums, row(y), weights[1]);
            if y > 0 {
                add(sums, row(y - 1), weights[1]);
            }
            if y + 1 < band.height {
                add(sums, row(y + 1), weights[1]);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_quarter_octaves() {
        assert_eq!(class(0), 0);
        assert_eq!(class(79), 0);
        assert_eq!(class(80), 1);
        assert_eq!(class(1 << 12), 24);
        assert_eq!(class(i32::MAX), 63);
        assert!((0..100_000).all(|v| class(v) <= class(v + 1)));
    }

    #[test]
    fn each_weight_takes_its_neighbours() {
        // With one nonzero magnitude at a time, the sum is its weight.
        let shape = Shape {
            width: 16,
            height: 16,
            whole: false,
        };
        let contexts = BandContext::of(&shape);
        let hh = contexts
            .iter()
            .find(|a| a.band.orientation == Orientation::Hh && a.band.level == 2);
        let hh = hh.unwrap(); // 4x4 at (4, 4), parent 2x2 at (2, 2).
        let weights: Weights = std::array::from_fn(|i| 1 << i);
        let mut magnitudes = vec![vec![0; 256]; 3];
        let mut sums = RowSums::new();
        let mut at = |plane: usize, x: usize, y: usize| {
            magnitudes[plane][y * 16 + x] = 1;
            sums.fill(hh, &weights, &magnitudes, 2, 2);
            magnitudes[plane][y * 16 + x] = 0;
            sums.sums[1] - weights[weight::CONSTANT]
        };
        assert_eq!(at(2, 5, 5), 1 << weight::ABOVE);
        assert_eq!(at(2, 4, 5), 1 << weight::ABOVE_SIDES);
        assert_eq!(at(2, 5, 4), 1 << weight::ABOVE_2);
        assert_eq!(at(2, 2, 3), 1 << weight::PARENT);
        assert_eq!(at(2, 3, 3), 1 << (weight::PARENT + 1));
        assert_eq!(at(2, 5, 2), 1 << weight::SIBLING);
        assert_eq!(at(2, 5, 3), 1 << (weight::SIBLING + 1));
        assert_eq!(at(2, 1, 6), 1 << weight::SIBLING_2);
        assert_eq!(at(0, 5, 6), 1 << weight::PLANE_0);
        assert_eq!(at(1, 6, 6), 1 << (weight::PLANE_1 + 1));
        assert_eq!(at(2, 5, 6), 0, "itself");
    }
}
