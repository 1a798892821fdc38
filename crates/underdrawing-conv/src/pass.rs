//! What a convolution computes, put in one form for both directions and all strides.
//!
//! A convolution of stride `s` is one of stride 1 over the picture whose pixels are the blocks of
//! `s` x `s` pixels (space to depth), with kernels of a side `s` times smaller. Its gradient with
//! respect to the input is, for each of the `s` x `s` phases of the input's pixels, a convolution
//! of stride 1 with every `s`-th weight. A [`Pass`] is either, for one side in steps of `s` and
//! the other in steps of 1, and the kernels need to know no more. Rows and columns are alike.

/// The pictures on one side of a pass, `[n, channels, height, width]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Side {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    /// Rows (and columns) of this side to one of the grid that they have in common.
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
    /// Where the first tap is, by the phase of the result.
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

    /// Whether there is nothing to compute.
    pub(crate) fn is_empty(&self) -> bool {
        self.n * self.to.channels * self.to.height * self.to.width == 0
    }

    /// The earliest row or column that is read, relative to the grid's.
    pub(crate) fn start(&self) -> isize {
        self.first[0].min(self.first[self.to.step - 1])
    }

    /// How much later the first tap of a phase is than the earliest of all.
    pub(crate) fn delay(&self, phase: usize) -> usize {
        (self.first[phase] - self.start()) as usize
    }

    /// Rows or columns that a stretch of `count` rows or columns of the grid reads.
    pub(crate) fn reach(&self, count: usize) -> usize {
        let delay = self.delay(0).max(self.delay(self.to.step - 1));
        (count + self.taps - 1) * self.from.step + delay
    }

    /// The phases of the result, row and column.
    pub(crate) fn phases_to(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        phases(self.to.step)
    }

    /// The phases of what is summed, row and column.
    pub(crate) fn phases_from(&self) -> impl Iterator<Item = [usize; 2]> + use<> {
        phases(self.from.step)
    }
}

fn phases(step: usize) -> impl Iterator<Item = [usize; 2]> {
    (0..step * step).map(move |phase| [phase / step, phase % step])
}

/// Where the weights of a pass are among those of the convolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WeightMap {
    /// From a channel of the pass to the next.
    pub(crate) from_stride: usize,
    pub(crate) to_stride: usize,
    /// Side of the convolution's kernel.
    pub(crate) side: usize,
    /// The first tap's row (or column), by the phase of the result.
    pub(crate) first: [usize; 2],
    /// From a tap's row to the next.
    pub(crate) step: isize,
}

/// A weight of a pass: the phases, the channels, and the tap.
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
    pub(crate) numbers: &'a [f32],
    pub(crate) map: WeightMap,
}
