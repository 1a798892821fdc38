//! What a convolution of a plan reads and writes.

use super::buffers::View;
use crate::activation::Activation;
use crate::shared::Shared;
use crate::simd::Simd;

/// Number of values of a large result: 4 MiB. Small in tests, so that they have some.
const LARGE: usize = if cfg!(test) { 1 << 14 } else { 1 << 20 };

/// What a convolution reads.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) values: &'a [f32],
    pub(super) view: View,
}

/// Where a result goes, and its activation.
pub(super) struct Target<'a> {
    pub(super) values: Shared<'a>,
    pub(super) view: View,
    pub(super) activation: Activation,
}

/// What becomes of the sums of a convolution.
pub(super) struct Sink<'a> {
    pub(super) targets: Vec<Target<'a>>,
    pub(super) bias: &'a [f32],
    /// What is added to the activated results.
    pub(super) term: Option<Source<'a>>,
}

/// A pixel of a result.
#[derive(Clone, Copy)]
pub(super) struct Pixel {
    pub(super) picture: usize,
    pub(super) row: usize,
    pub(super) col: usize,
}

/// A grid of pixels of a result.
#[derive(Clone, Copy)]
pub(super) struct Pixels {
    pub(super) first: Pixel,
    pub(super) rows: usize,
    pub(super) cols: usize,
    /// Distance between rows and between columns.
    pub(super) step: usize,
}

impl Sink<'_> {
    /// Height and width of the result.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.targets[0].view.height, self.targets[0].view.width]
    }

    /// Whether the result is too large to stay in a level-2 cache until it is read.
    pub(super) fn is_large(&self) -> bool {
        self.targets.iter().any(|target| target.values.len >= LARGE)
    }

    /// Asks for what [`Self::put`] will write. It pays if the result [is large](Self::is_large):
    /// the processor does not foresee pixels by tiles.
    #[inline(always)]
    pub(super) fn prefetch<S: Simd>(&self, simd: S, pixels: Pixels, c: usize) {
        for target in &self.targets {
            let grid = Grid::new(&target.view, pixels, c);
            for row in 0..pixels.rows {
                for col in 0..pixels.cols {
                    simd.prefetch(target.values.start.wrapping_add(grid.at([row, col])));
                }
            }
        }
    }

    /// Adds the bias to vectors of sums, those of the channels from `c` on, and writes the
    /// activated results of some pixels, which must be inside the pictures. `sums` gets row and
    /// column.
    ///
    /// # Safety
    /// No other thread may access these channels of these pixels meanwhile.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd>(
        &self,
        simd: S,
        pixels: Pixels,
        c: usize,
        sums: impl Fn(usize, usize) -> S::V,
    ) {
        let Pixels {
            first: Pixel { row, col, .. },
            rows,
            cols,
            step,
        } = pixels;
        if rows == 0 || cols == 0 {
            return;
        }
        let [height, width] = self.size();
        debug_assert!(row + (rows - 1) * step < height && col + (cols - 1) * step < width);
        let last = [rows - 1, cols - 1];
        let bias = &self.bias[c..][..S::LANES];
        // SAFETY: the slice has as many values as a vector.
        let bias = unsafe { simd.load(bias.as_ptr()) };
        for target in &self.targets {
            let grid = Grid::new(&target.view, pixels, c);
            assert!(grid.at(last) + S::LANES <= target.values.len);
            let term = self.term.map(|term| {
                let grid = Grid::new(&term.view, pixels, c);
                assert!(grid.at(last) + S::LANES <= term.values.len());
                (term.values, grid)
            });
            for r in 0..rows {
                for k in 0..cols {
                    let mut result = target.activation.apply(simd, simd.add(sums(r, k), bias));
                    if let Some((values, grid)) = &term {
                        // SAFETY: the last vector is inside the slice, as asserted.
                        let term = unsafe { simd.load(values.as_ptr().add(grid.at([r, k]))) };
                        result = simd.add(result, term);
                    }
                    // SAFETY: the last vector is inside the buffer, as asserted, and the caller
                    // vouches that it is alone.
                    unsafe { simd.store(target.values.start.add(grid.at([r, k])), result) };
                }
            }
        }
    }
}

/// Where a grid of pixels is in a buffer.
#[derive(Clone, Copy)]
struct Grid {
    start: usize,
    /// Distances between rows and between columns.
    steps: [usize; 2],
}

impl Grid {
    /// Channels from `c` on.
    #[inline(always)]
    fn new(view: &View, pixels: Pixels, c: usize) -> Self {
        let Pixel { picture, row, col } = pixels.first;
        Self {
            start: view.at(picture, row as isize, col as isize) + c,
            steps: [pixels.step * view.row, pixels.step * view.pixel],
        }
    }

    #[inline(always)]
    fn at(&self, [row, col]: [usize; 2]) -> usize {
        self.start + row * self.steps[0] + col * self.steps[1]
    }
}
