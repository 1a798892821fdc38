//! The regressors of a row's coefficients, filled in before the row is coded.

use super::grid::{Grid, MARGIN, MAX_SEEN};
use crate::bands::{Band, Orientation};
use crate::entropy::REGRESSORS;

/// Fraction bits of regressors.
pub(crate) const BITS: u32 = 4;

/// The first regressors are the neighbours to the left, nearest first. They are known only while the
/// row is coded.
pub(crate) const N_LEFT: usize = 2;

/// One regressor for each coefficient of a row.
type Columns = [Vec<i32>; REGRESSORS];

/// The regressors of a row's coefficients.
#[derive(Clone, Debug, Default)]
pub(crate) struct Regressors {
    /// Those that magnitudes are predicted from.
    pub(crate) sizes: Columns,
    /// Those that values are predicted from.
    pub(crate) values: Columns,
}

/// The grids that the regressors of one band and plane are taken from.
pub(crate) struct Sources<'a> {
    orientation: Orientation,
    parent: Option<&'a Grid>,
    siblings: [Option<&'a Grid>; 2],
    earlier: &'a [Grid],
    low: Option<Grid>,
}

impl<'a> Sources<'a> {
    pub(crate) fn new(
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
    /// Fills in row `y`, but for the neighbours to the left.
    #[inline(always)]
    pub(crate) fn fill(&mut self, sources: &Sources, own: &Grid, y: usize) {
        for column in self.sizes.iter_mut().chain(&mut self.values) {
            column.clear();
            column.resize(own.width, 0);
        }
        let y = y as i32;
        let (above, above_2) = (own.wide(y - 1), own.wide(y - 2));
        let causal = [
            &above[MARGIN..],
            &above[MARGIN - 1..],
            &above[MARGIN + 1..],
            &above_2[MARGIN..],
        ];
        for (i, row) in causal.into_iter().enumerate() {
            scale(&mut self.values[2 + i], row);
            scale_sizes(&mut self.sizes[2 + i], row);
        }
        self.sizes[15].fill(1 << BITS);
        if let Some(parent) = sources.parent {
            self.fill_parent(parent, y);
        }
        for (i, sibling) in sources.siblings.into_iter().enumerate() {
            if let Some(sibling) = sibling.filter(|s| (y as usize) < s.height) {
                let kind = match (sources.orientation, i) {
                    (Orientation::Lh, _) => Kind::HlForLh,
                    (_, 0) => Kind::HlForHh,
                    _ => Kind::LhForHh,
                };
                self.fill_sibling(sibling, y, i, kind);
            }
        }
        if let Some(low) = &sources.low {
            self.fill_low(low, y, sources.orientation, sources.earlier.is_empty());
        }
        for (i, earlier) in sources.earlier.iter().enumerate() {
            self.fill_earlier(earlier, y, i);
        }
    }

    /// Fills in the neighbours to the left, once the row `seen` is coded.
    #[inline(always)]
    pub(crate) fn fill_left(&mut self, seen: &[i32]) {
        for i in 0..N_LEFT {
            let n = seen.len().saturating_sub(i + 1);
            let at = seen.len() - n;
            scale(&mut self.values[i][at..], &seen[..n]);
            scale_sizes(&mut self.sizes[i][at..], &seen[..n]);
        }
    }

    #[inline(always)]
    fn fill_parent(&mut self, parent: &Grid, y: i32) {
        let py = (y / 2).min(parent.height as i32 - 1);
        let rows = [parent.wide(py - 1), parent.wide(py), parent.wide(py + 1)];
        let (here, next) = self.sizes[6..8].split_at_mut(1);
        for (x, (to, around)) in here[0].iter_mut().zip(&mut next[0]).enumerate() {
            let at = (x / 2).min(parent.width - 1) + MARGIN;
            *to = rows[1][at].abs() << BITS;
            *around = (rows[0][at].abs()
                + rows[2][at].abs()
                + rows[1][at - 1].abs()
                + rows[1][at + 1].abs())
                << (BITS - 2);
        }
    }

    #[inline(always)]
    fn fill_sibling(&mut self, sibling: &Grid, y: i32, i: usize, kind: Kind) {
        let y2 = (y + 2).min(sibling.height as i32 + 1);
        let rows = [
            sibling.wide(y - 1),
            sibling.wide(y),
            sibling.wide(y + 1),
            sibling.wide(y2),
        ];
        let n = self.values[0].len().min(sibling.width);
        scale_sizes(&mut self.sizes[8 + 2 * i][..n], &rows[1][MARGIN..]);
        add_around(
            &mut self.sizes[9 + 2 * i][..n],
            [rows[0], rows[1], rows[2]],
            BITS - 2,
        );
        let to = &mut self.values[9 + i][..n];
        let column = |at: usize| rows[1][at] + rows[2][at] - rows[0][at] - rows[3][at];
        for (x, to) in to.iter_mut().enumerate() {
            let at = x + MARGIN;
            *to = match kind {
                Kind::HlForLh => (column(at) + column(at - 1)) << (BITS - 1),
                Kind::HlForHh => column(at) << BITS,
                Kind::LhForHh => across(rows[1], at) << BITS,
            };
        }
    }

    /// Gradients and curvatures of the low band around the detail.
    #[inline(always)]
    fn fill_low(&mut self, low: &Grid, y: i32, orientation: Orientation, first_plane: bool) {
        let h = low.height as i32;
        let rows: [&[i32]; 6] = std::array::from_fn(|i| low.wide((y + i as i32 - 2).min(h + 2)));
        let [a, b, c] = [6, 7, 8];
        let width = low.width;
        let hl = orientation == Orientation::Hl;
        let v = &mut self.values;
        match orientation {
            Orientation::Hl => {
                let [_, above, row, below, ..] = rows;
                each_inside(
                    &mut v[a],
                    width,
                    #[inline(always)]
                    |at| limit(across(row, at)),
                );
                each_inside(
                    &mut v[b],
                    width,
                    #[inline(always)]
                    |at| limit(row[at - 1] + row[at + 2] - row[at - 2] - row[at + 3]),
                );
                each_inside(
                    &mut v[c],
                    width,
                    #[inline(always)]
                    |at| limit((across(above, at) + across(below, at)) / 2),
                );
            }
            Orientation::Lh => {
                each_inside(
                    &mut v[a],
                    width,
                    #[inline(always)]
                    |at| limit(down(&rows, at)),
                );
                each_inside(
                    &mut v[b],
                    width,
                    #[inline(always)]
                    |at| limit(rows[1][at] + rows[4][at] - rows[0][at] - rows[5][at]),
                );
                each_inside(
                    &mut v[c],
                    width,
                    #[inline(always)]
                    |at| limit((down(&rows, at - 1) + down(&rows, at + 1)) / 2),
                );
            }
            Orientation::Hh | Orientation::Ll => {
                each_inside(
                    &mut v[b],
                    width,
                    #[inline(always)]
                    |at| across(rows[2], at) + across(rows[3], at),
                );
                each_inside(
                    &mut v[a],
                    width,
                    #[inline(always)]
                    |at| across(rows[1], at) + across(rows[4], at),
                );
                let [outer, inner] = &mut v[a..=b] else {
                    unreachable!("two slots were asked for")
                };
                for (outer, inner) in outer.iter_mut().zip(inner) {
                    *outer = limit((*inner - *outer) / 2);
                    *inner = limit(*inner / 2);
                }
                each_inside(
                    &mut v[c],
                    width,
                    #[inline(always)]
                    |at| limit((down(&rows, at) + down(&rows, at + 1)) / 2),
                );
            }
        }
        // The slots of the magnitude's regressors that are free.
        let free = match (first_plane, orientation) {
            (true, _) => 12..15,
            (false, Orientation::Hl) => 8..11,
            (false, Orientation::Lh) => 10..12,
            (false, _) => return,
        };
        for (i, to) in self.sizes[free].iter_mut().enumerate() {
            if i == 0 {
                for (to, &v) in to.iter_mut().zip(&self.values[a]) {
                    *to = v.abs();
                }
            } else if (i == 1) == hl {
                each_inside(
                    to,
                    width,
                    #[inline(always)]
                    |at| limit(rows[2][at + 1] - rows[2][at]).abs(),
                );
            } else {
                each_inside(
                    to,
                    width,
                    #[inline(always)]
                    |at| limit(rows[3][at] - rows[2][at]).abs(),
                );
            }
        }
    }

    #[inline(always)]
    fn fill_earlier(&mut self, earlier: &Grid, y: i32, i: usize) {
        let rows = [earlier.wide(y - 1), earlier.wide(y), earlier.wide(y + 1)];
        scale(&mut self.values[12 + i], &rows[1][MARGIN..]);
        if i == 0 {
            scale_sizes(&mut self.sizes[12], &rows[1][MARGIN..]);
            add_around(&mut self.sizes[13], rows, BITS - 2);
        } else {
            let to = &mut self.sizes[14];
            add_around(to, rows, BITS - 3);
            for (to, n) in to.iter_mut().zip(&rows[1][MARGIN..]) {
                *to += n.abs() << (BITS - 1);
            }
        }
    }
}

/// A gradient or curvature within its bounds.
#[inline(always)]
fn limit(v: i32) -> i32 {
    v.clamp(-(MAX_SEEN << BITS), MAX_SEEN << BITS)
}

/// The second difference centred between two columns of a row.
#[inline(always)]
fn across(row: &[i32], at: usize) -> i32 {
    row[at] + row[at + 1] - row[at - 1] - row[at + 2]
}

/// The second difference centred between the third and the fourth of six rows.
#[inline(always)]
fn down(rows: &[&[i32]; 6], at: usize) -> i32 {
    rows[2][at] + rows[3][at] - rows[1][at] - rows[4][at]
}

/// Computes each number of a row from its place in the rows, with margins, of a grid of `width`
/// columns, the last of which is repeated.
#[inline(always)]
fn each_inside(to: &mut [i32], width: usize, of: impl Fn(usize) -> i32) {
    let (inside, outside) = to.split_at_mut(to.len().min(width));
    for (x, to) in inside.iter_mut().enumerate() {
        *to = of(x + MARGIN);
    }
    if !outside.is_empty() {
        outside.fill(of(width - 1 + MARGIN));
    }
}

/// A row with fraction bits.
#[inline(always)]
fn scale(to: &mut [i32], row: &[i32]) {
    for (to, &n) in to.iter_mut().zip(row) {
        *to = n << BITS;
    }
}

/// A row's magnitudes with fraction bits.
#[inline(always)]
fn scale_sizes(to: &mut [i32], row: &[i32]) {
    for (to, &n) in to.iter_mut().zip(row) {
        *to = n.abs() << BITS;
    }
}

/// Adds the magnitudes of the four neighbours in a grid's rows above, here and below.
#[inline(always)]
fn add_around(to: &mut [i32], [above, here, below]: [&[i32]; 3], bits: u32) {
    let vertical = above[MARGIN..].iter().zip(&below[MARGIN..]);
    let horizontal = here[MARGIN - 1..].iter().zip(&here[MARGIN + 1..]);
    for ((to, (a, b)), (c, d)) in to.iter_mut().zip(vertical).zip(horizontal) {
        *to += (a.abs() + b.abs() + c.abs() + d.abs()) << bits;
    }
}
