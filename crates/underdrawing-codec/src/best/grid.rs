//! A band's coefficients with a margin of zeros, so that neighbours need no bounds checks.

use crate::bands::Band;

/// Columns of zeros on both sides, rows above and below.
pub(crate) const MARGIN: usize = 4;

/// LL is clamped to this magnitude before models see it.
pub(crate) const MAX_LOW_SEEN: i32 = 1 << 15;

/// Details are clamped to this magnitude before models see them.
pub(crate) const MAX_SEEN: i32 = 1023;

/// Multiples of the step of one band and plane.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    pub(crate) width: usize,
    pub(crate) height: usize,
    stride: usize,
    limit: i32,
    values: Vec<i32>,
}

impl Grid {
    pub(crate) fn new(width: usize, height: usize, limit: i32) -> Self {
        let stride = width + 2 * MARGIN;
        Self {
            width,
            height,
            stride,
            limit,
            values: vec![0; stride * (height + 2 * MARGIN)],
        }
    }

    /// A band of a plane.
    pub(crate) fn of(plane: &[i32], band: &Band) -> Self {
        let mut grid = Self::new(band.width, band.height, MAX_SEEN);
        for y in 0..if band.width == 0 { 0 } else { band.height } {
            let row = &plane[band.row(y)..][..band.width];
            for (to, &n) in grid.row_mut(y).iter_mut().zip(row) {
                *to = n.clamp(-MAX_SEEN, MAX_SEEN);
            }
        }
        grid
    }

    /// A grid whose margins repeat its edges.
    pub(crate) fn repeated(
        width: usize,
        height: usize,
        value: &impl Fn(usize, usize) -> i32,
    ) -> Self {
        let mut grid = Self::new(width, height, i32::MAX);
        if width == 0 || height == 0 {
            return grid;
        }
        let inside = |i: usize, n: usize| i.saturating_sub(MARGIN).min(n - 1);
        for (y, row) in grid.values.chunks_exact_mut(grid.stride).enumerate() {
            for (x, to) in row.iter_mut().enumerate() {
                *to = value(inside(x, width), inside(y, height));
            }
        }
        grid
    }

    fn start(&self, y: i32) -> usize {
        (y + MARGIN as i32) as usize * self.stride
    }

    /// Row `y`, -4 to `height + 3`, with its margins: column `x` at `x + MARGIN`.
    #[inline(always)]
    pub(crate) fn wide(&self, y: i32) -> &[i32] {
        &self.values[self.start(y)..][..self.stride]
    }

    /// Sets the coefficient of row `y` that is being coded and returns what models see of it.
    #[inline(always)]
    pub(crate) fn put(&mut self, x: usize, y: usize, n: i32) -> i32 {
        let seen = n.clamp(-self.limit, self.limit);
        let at = self.start(y as i32) + MARGIN + x;
        self.values[at] = seen;
        seen
    }

    /// Row `y` without margins.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [i32] {
        let start = self.start(y as i32) + MARGIN;
        &mut self.values[start..][..self.width]
    }
}
