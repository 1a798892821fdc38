//! What a convolution computes, in one form for both directions and all strides.
//!
//! A convolution with stride `s` is one with stride 1 over a picture whose pixels are the blocks of
//! `s` x `s` pixels (space to depth), with kernels whose side is `s` times smaller. For each of the
//! `s` x `s` phases of the input's pixels, its gradient with respect to the input is a convolution
//! with stride 1 and every `s`-th weight. A [`Pass`] is either of the two: one side advances in
//! steps of `s`, the other in steps of 1. The kernels need to know no more. Rows and columns are
//! treated alike.

/// The pictures on one side of a pass, `[n, channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Rows (and columns) of this side per row (and column) of the grid that both sides share.
    pub(crate) step: usize,
}

/// A sum of products from one side to the other:
///
/// `to[to.step R + q] = sum over t and p of w(q, p, t) from[first[q] + from.step (R + t) + p]`
///
/// for rows and columns alike, with phases `q < to.step` and `p < from.step` and `t < taps`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass {
    pub(crate) n: usize,
    pub(crate) from: Side,
    pub(crate) to: Side,
    /// Side of the kernel, counted in the common grid.
    pub(crate) taps: usize,
    /// Where the first tap is, for each phase of the result.
    pub(crate) first: [isize; 2],
}

impl Pass {
    /// Rows of the common grid.
    pub(crate) fn rows(&self) -> usize {
        self.to.height.div_ceil(self.to.step)
    }

    /// Columns of the common grid.
    pub(crate) fn cols(&self) -> usize {
        self.to.width.div_ceil(self.to.step)
    }

    /// Whether the result is empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.n * self.to.channels * self.to.height * self.to.width == 0
    }

    /// The first row or column that is read, relative to the grid.
    pub(crate) fn start(&self) -> isize {
        self.first[0].min(self.first[self.to.step - 1])
    }

    /// Distance from the first tap of all phases to that of one phase.
    pub(crate) fn delay(&self, phase: usize) -> usize {
        (self.first[phase] - self.start()) as usize
    }

    /// Rows or columns that are read for `count` rows or columns of the grid.
    pub(crate) fn reach(&self, count: usize) -> usize {
        let delay = self.delay(0).max(self.delay(self.to.step - 1));
        (count + self.taps - 1) * self.from.step + delay
    }

    /// The phases of the result, row and column.
    pub(crate) fn phases_to(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        phases(self.to.step)
    }

    /// The phases of the input, row and column.
    pub(crate) fn phases_from(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        phases(self.from.step)
    }
}

fn phases(step: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..step * step).map(move |phase| [phase / step, phase % step])
}

/// Where the weights of a pass are in the weights of the convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightMap {
    /// Distance between channels of the pass.
    pub(crate) from_stride: usize,
    pub(crate) to_stride: usize,
    /// Side of the convolution's kernel.
    pub(crate) side: usize,
    /// Row (or column) of the first tap, for each phase of the result.
    pub(crate) first: [usize; 2],
    /// Distance between the rows of consecutive taps.
    pub(crate) step: isize,
}

/// A weight of a pass, by phases, channels and tap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightIdx {
    pub(crate) to_phase: [usize; 2],
    pub(crate) from_phase: [usize; 2],
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) tap: [usize; 2],
}

impl WeightMap {
    /// Index of a weight.
    #[inline(always)]
    pub(crate) fn get(&self, idx: WeightIdx) -> usize {
        let along = |axis: usize| {
            let first = self.first[idx.to_phase[axis]] + idx.from_phase[axis];
            first.wrapping_add_signed(self.step * idx.tap[axis] as isize)
        };
        idx.to * self.to_stride + idx.from * self.from_stride + along(0) * self.side + along(1)
    }
}

/// The weights of a pass.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) map: WeightMap,
}
