//! How a picture's coefficients are cut into parts that are coded separately.
//!
//! The whole-picture part holds LL and levels 5 to 3. Its planes have a quarter of the picture's
//! sides, in the layout of a transform of three levels. A stripe holds the rows of levels 2 and 1
//! that belong to some rows of the picture, in the layout of a transform of two levels. In place of
//! its low band it has its rows of level 3, which are known when it is coded.

use crate::bands::{Band, LEVELS, Orientation, STRIPE_LEVELS, bands};
use std::ops::Range;

/// Rows of a stripe are a multiple of this: one row of level 3.
const ROW_UNIT: usize = 1 << (STRIPE_LEVELS + 1);

/// About how many pixels a stripe has. Smaller ones would cost rate, since each has to learn anew.
const STRIPE_PIXELS: u64 = 98_304;

/// The most stripes; pictures from about 6 megapixels on have as many.
const MAX_STRIPES: u64 = 64;

/// The coefficients of one part, quantised or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Columns of the planes.
    pub(crate) width: usize,
    /// Rows of the planes.
    pub(crate) height: usize,
    /// Whether this is the whole-picture part.
    pub(crate) whole: bool,
    /// One or three planes of `width * height` coefficients.
    pub(crate) planes: Vec<Vec<i32>>,
}

impl Part {
    /// A part of zeros.
    pub(crate) fn zeros(shape: Shape, n_planes: usize) -> Self {
        let Shape {
            width,
            height,
            whole,
        } = shape;
        Self {
            width,
            height,
            whole,
            planes: vec![vec![0; width * height]; n_planes],
        }
    }

    /// Size and kind.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            width: self.width,
            height: self.height,
            whole: self.whole,
        }
    }
}

/// Size and kind of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) whole: bool,
}

impl Shape {
    /// The bands that the part codes, in coding order.
    pub(crate) fn coded(&self) -> Vec<Band> {
        if self.whole {
            bands(
                self.width,
                self.height,
                LEVELS - STRIPE_LEVELS,
                STRIPE_LEVELS + 1,
            )
        } else {
            let mut bands = bands(self.width, self.height, STRIPE_LEVELS, 1);
            bands.remove(0); // Level 3 lies there.
            bands
        }
    }

    /// The band one level coarser of the same orientation, where the part has it.
    pub(crate) fn parent(&self, band: &Band) -> Option<Band> {
        let levels = if self.whole {
            LEVELS - STRIPE_LEVELS
        } else {
            STRIPE_LEVELS + 1
        };
        let finest = if self.whole { STRIPE_LEVELS + 1 } else { 1 };
        bands(self.width, self.height, levels, finest)
            .into_iter()
            .find(|b| {
                b.level == band.level + 1
                    && b.orientation == band.orientation
                    && b.orientation != Orientation::Ll
            })
    }
}

/// The cut of a picture into the whole-picture part and stripes of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    width: usize,
    height: usize,
    /// First row of each stripe, and the height at the end.
    starts: Vec<usize>,
}

impl Cut {
    /// The cut of every picture of this size.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let pixels = width as u64 * height as u64;
        let units = height.div_ceil(ROW_UNIT);
        let wanted = ((pixels + STRIPE_PIXELS / 2) / STRIPE_PIXELS).clamp(1, MAX_STRIPES) as usize;
        // A stripe has enough rows to learn from, and more than the filters' reach at either end.
        let n = wanted.min(units.div_ceil(4));
        let starts = (0..=n)
            .map(|i| (i * units / n * ROW_UNIT).min(height))
            .collect();
        Self {
            width,
            height,
            starts,
        }
    }

    /// Number of stripes.
    pub(crate) fn n_stripes(&self) -> usize {
        self.starts.len() - 1
    }

    /// Rows of the picture that stripe `i` belongs to.
    pub(crate) fn rows(&self, i: usize) -> Range<usize> {
        self.starts[i]..self.starts[i + 1]
    }

    /// Rows of the picture that stripe `i` affects, which are more because of the filters' reach.
    pub(crate) fn reached_rows(&self, i: usize) -> Range<usize> {
        // Synthesis at level 1 reaches 4 samples, at level 2 twice as far; together 12.
        let rows = self.rows(i);
        rows.start.saturating_sub(12)..(rows.end + 12).min(self.height)
    }

    /// The whole-picture part's shape.
    pub(crate) fn whole(&self) -> Shape {
        Shape {
            width: self.width.div_ceil(1 << STRIPE_LEVELS),
            height: self.height.div_ceil(1 << STRIPE_LEVELS),
            whole: true,
        }
    }

    /// Shape of stripe `i`.
    pub(crate) fn stripe(&self, i: usize) -> Shape {
        Shape {
            width: self.width,
            height: self.rows(i).len(),
            whole: false,
        }
    }

    /// The shapes of all parts, the whole-picture part first.
    pub(crate) fn shapes(&self) -> impl Iterator<Item = Shape> {
        std::iter::once(self.whole()).chain((0..self.n_stripes()).map(|i| self.stripe(i)))
    }

    /// The stripe that has row `y` of the bands of `level`, 1 or 2, and the row's number there.
    pub(crate) fn stripe_at(&self, level: u32, y: usize) -> (usize, usize) {
        let i = self.starts[1..self.n_stripes()].partition_point(|&start| start >> level <= y);
        (i, y - (self.starts[i] >> level))
    }

    /// Copies stripe `i`'s rows of level 3 to its plane; `read` reads from the whole-picture part's
    /// plane, from an index on.
    pub(crate) fn copy_context(
        &self,
        i: usize,
        read: &impl Fn(usize, &mut [i32]),
        stripe: &mut [i32],
    ) {
        let (whole_shape, shape) = (self.whole(), self.stripe(i));
        let outer = whole_shape.coded();
        let inner = bands(shape.width, shape.height, STRIPE_LEVELS + 1, 1);
        let first = self.starts[i] / ROW_UNIT;
        for inner in inner.iter().filter(|b| b.level == STRIPE_LEVELS + 1) {
            let Some(outer) = outer.iter().find(|b| {
                b.level == inner.level
                    && b.orientation == inner.orientation
                    && b.orientation != Orientation::Ll
            }) else {
                continue;
            };
            for y in 0..inner.height {
                read(
                    outer.row(first + y),
                    &mut stripe[inner.row(y)..][..inner.width],
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_stripes_follows_the_size() {
        let n = |w, h| Cut::new(w, h).n_stripes();
        assert_eq!(n(256, 256), 1);
        assert_eq!(n(768, 512), 4);
        assert_eq!(n(1, 1), 1);
        assert_eq!(n(32_768, 2), 1);
        assert_eq!(n(8000, 6000), 64);
    }
}
