//! The bands of a transformed plane: where they lie, in which order they are coded, and the norms
//! of their basis functions.

use std::ops::Range;

/// Levels of the wavelet.
pub(crate) const LEVELS: u32 = 5;

/// Levels coded in stripes of rows; the coarser ones belong to the whole picture.
pub(crate) const STRIPE_LEVELS: u32 = 2;

/// What a band holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Orientation {
    /// The mean of both directions, at the last level only.
    Ll,
    /// Horizontal detail: columns differ.
    Hl,
    /// Vertical detail: rows differ.
    Lh,
    /// Both.
    Hh,
}

/// A rectangle of coefficients in a transformed plane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    /// 1 (finest) to 5.
    pub(crate) level: u32,
    /// What it holds.
    pub(crate) orientation: Orientation,
    /// First column in the plane.
    pub(crate) x0: usize,
    /// First row in the plane.
    pub(crate) y0: usize,
    /// Columns; may be 0.
    pub(crate) width: usize,
    /// Rows; may be 0.
    pub(crate) height: usize,
    /// Samples from one row to the next.
    pub(crate) stride: usize,
}

impl Band {
    /// Index in the plane of the first coefficient of row `y`.
    pub(crate) fn row(&self, y: usize) -> usize {
        (self.y0 + y) * self.stride + self.x0
    }

    /// Number of coefficients.
    pub(crate) fn len(&self) -> usize {
        self.width * self.height
    }

    /// Whether the band has no coefficients.
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// See [`norm`].
    pub(crate) fn norm(&self) -> u32 {
        norm(self.level, self.orientation)
    }
}

/// Norm of a band's basis functions, times 65536: an error of c in a coefficient adds about
/// (c * norm)^2 to the picture's sum of squared errors. A test measures it on the transform.
pub(crate) fn norm(level: u32, orientation: Orientation) -> u32 {
    let level = level as usize - 1;
    match orientation {
        Orientation::Ll => LL_NORM,
        Orientation::Hl | Orientation::Lh => HL_NORMS[level],
        Orientation::Hh => HH_NORMS[level],
    }
}

/// Norm of LL at level 5, times 65536.
const LL_NORM: u32 = 280_119;

/// Norms of HL and LH at levels 1 to 5, times 65536.
const HL_NORMS: [u32; 5] = [66_276, 86_475, 119_713, 161_382, 214_517];

/// Norms of HH at levels 1 to 5, times 65536.
const HH_NORMS: [u32; 5] = [51_594, 63_388, 90_047, 123_066, 164_273];

/// The bands of a plane of `width` x `height` that was transformed `levels` times, coarsest first:
/// LL, then HL, LH and HH of each level. The finest level has the number `finest`.
pub(crate) fn bands(width: usize, height: usize, levels: u32, finest: u32) -> Vec<Band> {
    let mut sizes = vec![(width, height)];
    for level in 0..levels as usize {
        let (w, h) = sizes[level];
        sizes.push((w.div_ceil(2), h.div_ceil(2)));
    }
    let band = |level: u32, orientation, xs: Range<usize>, ys: Range<usize>| Band {
        level: level + finest,
        orientation,
        x0: xs.start,
        y0: ys.start,
        width: xs.len(),
        height: ys.len(),
        stride: width,
    };
    let (w, h) = sizes[levels as usize];
    let mut bands = vec![band(levels - 1, Orientation::Ll, 0..w, 0..h)];
    for level in (0..levels).rev() {
        let ((w, h), (w2, h2)) = (sizes[level as usize], sizes[level as usize + 1]);
        bands.push(band(level, Orientation::Hl, w2..w, 0..h2));
        bands.push(band(level, Orientation::Lh, 0..w2, h2..h));
        bands.push(band(level, Orientation::Hh, w2..w, h2..h));
    }
    bands
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wavelet;

    #[test]
    fn bands_cover_a_plane_once() {
        for (width, height) in [(1, 1), (2, 1), (1, 7), (33, 40), (64, 64), (100, 3)] {
            let mut covered = vec![0; width * height];
            for band in bands(width, height, 5, 1) {
                for y in 0..band.height {
                    for x in 0..band.width {
                        covered[band.row(y) + x] += 1;
                    }
                }
            }
            assert!(covered.iter().all(|&n| n == 1), "{width}x{height}");
        }
    }

    /// Sum of squares in the picture of one large coefficient in the middle of `band`.
    fn measured(band: &Band, size: usize) -> f64 {
        let mut plane = vec![0i32; size * size];
        let height = 1 << 16;
        plane[band.row(band.height / 2) + band.width / 2] = height;
        let mut out = vec![0i32; size * size];
        let sums = wavelet::inverse(
            (size, size),
            LEVELS,
            &[wavelet::Plane {
                size: (size, size),
                levels: LEVELS,
                numbers: plane,
            }],
            &mut out,
            size,
            &|_, rows, _| {
                rows[0]
                    .iter()
                    .map(|&v| (f64::from(v) / f64::from(height)).powi(2))
                    .sum::<f64>()
            },
        );
        sums.iter().sum::<f64>().sqrt()
    }

    #[test]
    fn norms_are_those_of_the_transform() {
        for band in bands(512, 512, LEVELS, 1) {
            let measured = measured(&band, 512) * 65536.0;
            let ratio = f64::from(band.norm()) / measured;
            assert!((ratio - 1.0).abs() < 0.001, "{band:?}: measured {measured}");
        }
    }
}
