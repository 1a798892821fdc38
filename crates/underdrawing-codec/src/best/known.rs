//! What is known around each coefficient of a row before the row is coded.

use super::grid::{Grid, MARGIN};
use crate::bands::{Band, Orientation};
use crate::entropy::REGRESSORS;

/// Fraction bits of regressors.
pub(super) const BITS: u32 = 4;

/// Slots of the magnitudes that the row itself gives.
pub(super) const LEFT: usize = 0;
pub(super) const LEFT_2: usize = 1;

/// Regressors of one coefficient; those to its left in its row are filled in on the way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Of the magnitude.
    pub(super) sizes: [i32; REGRESSORS],
    /// Of the value.
    pub(super) values: [i32; REGRESSORS],
}

/// Grids around one band and plane.
pub(super) struct Surroundings<'a> {
    orientation: Orientation,
    parent: Option<&'a Grid>,
    siblings: [Option<&'a Grid>; 2],
    earlier: &'a [Grid],
}

impl<'a> Surroundings<'a> {
    pub(super) fn new(
        band: &Band,
        plane: usize,
        grids: &'a [(Band, Vec<Grid>)],
        earlier: &'a [Grid],
    ) -> Self {
        let find = |level, orientation| {
            let same =
                |(b, _): &&(Band, Vec<Grid>)| b.level == level && b.orientation == orientation;
            grids.iter().find(same).map(|(_, planes)| &planes[plane])
        };
        let siblings = match band.orientation {
            Orientation::Ll | Orientation::Hl => [None, None],
            Orientation::Lh => [find(band.level, Orientation::Hl), None],
            Orientation::Hh => [
                find(band.level, Orientation::Hl),
                find(band.level, Orientation::Lh),
            ],
        };
        let parent = match band.orientation {
            Orientation::Ll => None,
            orientation => find(band.level + 1, orientation),
        };
        Self {
            orientation: band.orientation,
            parent: parent.filter(|g| g.width > 0 && g.height > 0),
            siblings,
            earlier,
        }
    }
}

impl Known {
    /// Fills in row `y`.
    #[inline(always)]
    pub(super) fn fill(row: &mut Vec<Self>, around: &Surroundings, own: &Grid, y: usize) {
        row.clear();
        row.resize(own.width, Self::default());
        let y = y as i32;
        let (above, above_2) = (own.wide(y - 1), own.wide(y - 2));
        for (x, known) in row.iter_mut().enumerate() {
            let at = x + MARGIN;
            let causal = [above[at], above[at - 1], above[at + 1], above_2[at]];
            for (i, n) in causal.into_iter().enumerate() {
                known.sizes[2 + i] = n.abs() << BITS;
                known.values[2 + i] = n << BITS;
            }
            known.sizes[15] = 1 << BITS;
        }
        if let Some(parent) = around.parent {
            Self::fill_parent(row, parent, y);
        }
        for (i, sibling) in around.siblings.into_iter().enumerate() {
            if let Some(sibling) = sibling.filter(|s| (y as usize) < s.height) {
                let hl = around.orientation != Orientation::Hh || i == 0;
                Self::fill_sibling(row, sibling, y, i, hl);
            }
        }
        for (i, earlier) in around.earlier.iter().enumerate() {
            Self::fill_earlier(row, earlier, y, i);
        }
    }

    #[inline(always)]
    fn fill_parent(row: &mut [Self], parent: &Grid, y: i32) {
        let py = (y / 2).min(parent.height as i32 - 1);
        let rows = [parent.wide(py - 1), parent.wide(py), parent.wide(py + 1)];
        let odd_y = y & 1;
        for (x, known) in row.iter_mut().enumerate() {
            let at = (x / 2).min(parent.width - 1) + MARGIN;
            let odd_x = x as i32 & 1;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            known.sizes[6] = here.abs() << BITS;
            known.sizes[7] = (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
            let sign = |odd: i32| 1 - 2 * odd;
            known.values[6] = (here * sign(odd_x)) << BITS;
            known.values[7] = (here * sign(odd_y)) << BITS;
            known.values[8] = (right - left) << (BITS - 1);
            known.values[9] = (down - up) << (BITS - 1);
        }
    }

    #[inline(always)]
    fn fill_sibling(row: &mut [Self], sibling: &Grid, y: i32, i: usize, hl: bool) {
        let rows = [sibling.wide(y - 1), sibling.wide(y), sibling.wide(y + 1)];
        let width = sibling.width;
        for (x, known) in row.iter_mut().enumerate().take(width) {
            let at = x + MARGIN;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            known.sizes[8 + 2 * i] = here.abs() << BITS;
            known.sizes[9 + 2 * i] =
                (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
            known.values[10 + i] = if hl { here - down } else { here - right } << BITS;
        }
    }

    #[inline(always)]
    fn fill_earlier(row: &mut [Self], earlier: &Grid, y: i32, i: usize) {
        let rows = [earlier.wide(y - 1), earlier.wide(y), earlier.wide(y + 1)];
        for (x, known) in row.iter_mut().enumerate() {
            let at = x + MARGIN;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            let around = (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
            known.values[12 + i] = here << BITS;
            if i == 0 {
                known.sizes[12] = here.abs() << BITS;
                known.sizes[13] = around;
            } else {
                known.sizes[14] = (here.abs() << (BITS - 1)) + (around >> 1);
            }
        }
    }
}
