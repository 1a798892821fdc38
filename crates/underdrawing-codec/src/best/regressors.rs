//! The regressors of a row's coefficients, filled in before the row is coded.

use super::grid::{Grid, MARGIN, MAX_SEEN};
use crate::bands::{Band, Orientation};
use crate::entropy::REGRESSORS;

/// Fraction bits of regressors.
pub(super) const BITS: u32 = 4;

/// Places of the two neighbours to the left, which are known only while the row is coded.
pub(super) const LEFT: usize = 0;
pub(super) const LEFT_2: usize = 1;

/// The regressors of one coefficient.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Regressors {
    /// Those that its magnitude is predicted from.
    pub(super) sizes: [i32; REGRESSORS],
    /// Those that its value is predicted from.
    pub(super) values: [i32; REGRESSORS],
}

/// The grids that the regressors of one band and plane are taken from.
pub(super) struct Sources<'a> {
    orientation: Orientation,
    parent: Option<&'a Grid>,
    siblings: [Option<&'a Grid>; 2],
    earlier: &'a [Grid],
    low: Option<Grid>,
}

impl<'a> Sources<'a> {
    pub(super) fn new(
        band: &Band,
        plane: usize,
        grids: &'a [(Band, Vec<Grid>)],
        earlier: &'a [Grid],
        low: Option<Grid>,
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
            low: low.filter(|g| g.width > 0 && g.height > 0),
        }
    }
}

/// Which sibling is used, and for which band.
#[derive(Clone, Copy)]
enum Kind {
    HlForLh,
    HlForHh,
    LhForHh,
}

impl Regressors {
    /// Fills in row `y`.
    #[inline(always)]
    pub(super) fn fill(row: &mut Vec<Self>, sources: &Sources, own: &Grid, y: usize) {
        row.clear();
        row.resize(own.width, Self::default());
        let y = y as i32;
        let (above, above_2) = (own.wide(y - 1), own.wide(y - 2));
        for (x, to) in row.iter_mut().enumerate() {
            let at = x + MARGIN;
            let causal = [above[at], above[at - 1], above[at + 1], above_2[at]];
            for (i, n) in causal.into_iter().enumerate() {
                to.sizes[2 + i] = n.abs() << BITS;
                to.values[2 + i] = n << BITS;
            }
            to.sizes[15] = 1 << BITS;
        }
        if let Some(parent) = sources.parent {
            Self::fill_parent(row, parent, y);
        }
        for (i, sibling) in sources.siblings.into_iter().enumerate() {
            if let Some(sibling) = sibling.filter(|s| (y as usize) < s.height) {
                let kind = match (sources.orientation, i) {
                    (Orientation::Lh, _) => Kind::HlForLh,
                    (_, 0) => Kind::HlForHh,
                    _ => Kind::LhForHh,
                };
                Self::fill_sibling(row, sibling, y, i, kind);
            }
        }
        if let Some(low) = &sources.low {
            Self::fill_low(row, low, y, sources, sources.earlier.is_empty());
        }
        for (i, earlier) in sources.earlier.iter().enumerate() {
            Self::fill_earlier(row, earlier, y, i);
        }
    }

    #[inline(always)]
    fn fill_parent(row: &mut [Self], parent: &Grid, y: i32) {
        let py = (y / 2).min(parent.height as i32 - 1);
        let rows = [parent.wide(py - 1), parent.wide(py), parent.wide(py + 1)];
        for (x, to) in row.iter_mut().enumerate() {
            let at = (x / 2).min(parent.width - 1) + MARGIN;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            to.sizes[6] = here.abs() << BITS;
            to.sizes[7] = (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
        }
    }

    #[inline(always)]
    fn fill_sibling(row: &mut [Self], sibling: &Grid, y: i32, i: usize, kind: Kind) {
        let y2 = (y + 2).min(sibling.height as i32 + 1);
        let rows = [
            sibling.wide(y - 1),
            sibling.wide(y),
            sibling.wide(y + 1),
            sibling.wide(y2),
        ];
        let width = sibling.width;
        for (x, to) in row.iter_mut().enumerate().take(width) {
            let at = x + MARGIN;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            to.sizes[8 + 2 * i] = here.abs() << BITS;
            to.sizes[9 + 2 * i] = (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
            let column = |at: usize| rows[1][at] + rows[2][at] - rows[0][at] - rows[3][at];
            to.values[9 + i] = match kind {
                Kind::HlForLh => (column(at) + column(at - 1)) << (BITS - 1),
                Kind::HlForHh => column(at) << BITS,
                Kind::LhForHh => (here + right - left - rows[1][at + 2]) << BITS,
            };
        }
    }

    /// Gradients and curvatures of the low band around the detail.
    #[inline(always)]
    fn fill_low(row: &mut [Self], low: &Grid, y: i32, sources: &Sources, first_plane: bool) {
        let limit = |v: i32| v.clamp(-(MAX_SEEN << BITS), MAX_SEEN << BITS);
        let (h, w) = (low.height as i32, low.width);
        let rows: [&[i32]; 6] = std::array::from_fn(|i| low.wide((y + i as i32 - 2).min(h + 2)));
        for (x, to) in row.iter_mut().enumerate() {
            let at = x.min(w - 1) + MARGIN;
            // Second differences centred between two columns of a row, or two rows of a column.
            let across = |r: &[i32]| r[at] + r[at + 1] - r[at - 1] - r[at + 2];
            let across_2 = |r: &[i32]| r[at - 1] + r[at + 2] - r[at - 2] - r[at + 3];
            let down = |x: usize| rows[2][x] + rows[3][x] - rows[1][x] - rows[4][x];
            let down_2 = |x: usize| rows[1][x] + rows[4][x] - rows[0][x] - rows[5][x];
            let [a, b, c] = match sources.orientation {
                Orientation::Hl => [
                    across(rows[2]),
                    across_2(rows[2]),
                    (across(rows[1]) + across(rows[3])) / 2,
                ],
                Orientation::Lh => [down(at), down_2(at), (down(at - 1) + down(at + 1)) / 2],
                Orientation::Hh | Orientation::Ll => {
                    let (a, b) = (
                        across(rows[2]) + across(rows[3]),
                        across(rows[1]) + across(rows[4]),
                    );
                    [(a - b) / 2, a / 2, (down(at) + down(at + 1)) / 2]
                }
            };
            to.values[6] = limit(a);
            to.values[7] = limit(b);
            to.values[8] = limit(c);
            let here = rows[2][at];
            let horizontal = limit(rows[2][at + 1] - here).abs();
            let vertical = limit(rows[3][at] - here).abs();
            let hl = sources.orientation == Orientation::Hl;
            let n_free = if first_plane {
                12
            } else if hl {
                8
            } else if sources.orientation == Orientation::Lh {
                10
            } else {
                0
            };
            if n_free > 0 {
                to.sizes[n_free] = limit(a).abs();
                to.sizes[n_free + 1] = if hl { horizontal } else { vertical };
                if n_free != 10 {
                    to.sizes[n_free + 2] = if hl { vertical } else { horizontal };
                }
            }
        }
    }

    #[inline(always)]
    fn fill_earlier(row: &mut [Self], earlier: &Grid, y: i32, i: usize) {
        let rows = [earlier.wide(y - 1), earlier.wide(y), earlier.wide(y + 1)];
        for (x, to) in row.iter_mut().enumerate() {
            let at = x + MARGIN;
            let (up, here, down) = (rows[0][at], rows[1][at], rows[2][at]);
            let (left, right) = (rows[1][at - 1], rows[1][at + 1]);
            let around = (up.abs() + down.abs() + left.abs() + right.abs()) << (BITS - 2);
            to.values[12 + i] = here << BITS;
            if i == 0 {
                to.sizes[12] = here.abs() << BITS;
                to.sizes[13] = around;
            } else {
                to.sizes[14] = (here.abs() << (BITS - 1)) + (around >> 1);
            }
        }
    }
}
