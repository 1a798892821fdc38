//! The shape of a convolution, and the passes that it breaks down into.

use crate::pass::{Pass, Side, WeightMap};

/// Which input pixels an output pixel is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Rows and columns of weights.
    pub side: usize,
    /// Input pixels per output pixel along each axis: 1, or 2 if `side` is even.
    pub stride: usize,
    /// Rows of zeros above the input, and columns of zeros to its left.
    pub before: usize,
    /// Rows of zeros below the input, and columns of zeros to its right.
    pub after: usize,
}

impl Kernel {
    /// Stride 1, output as large as the input. With an even side, the extra zero is at the end.
    #[must_use]
    pub const fn same(side: usize) -> Self {
        Self {
            side,
            stride: 1,
            before: (side - 1) / 2,
            after: side / 2,
        }
    }

    /// 4x4 with stride 2: output half as high and wide as the input.
    pub const HALVING: Self = Self {
        side: 4,
        stride: 2,
        before: 1,
        after: 1,
    };

    /// Output pixels along an axis with `size` input pixels.
    #[must_use]
    pub const fn size_out(&self, size: usize) -> usize {
        match (size + self.before + self.after).checked_sub(self.side) {
            Some(moves) => moves / self.stride + 1,
            None => 0,
        }
    }
}

/// Shape of a convolution.
///
/// With `n` pictures of `height` x `width`, `x` and `dx` are `[n, c_in, height, width]`, `y` and
/// `dy` are `[n, c_out, height_out, width_out]`, `w` and `dw` are `[c_out, c_in, side, side]`, `b`
/// and `db` are `[c_out]`. All methods overwrite their result, and panic if a slice has the wrong
/// length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Pictures in the batch.
    pub n: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Channels of the output.
    pub c_out: usize,
    /// Rows of an input picture.
    pub height: usize,
    /// Columns of an input picture.
    pub width: usize,
    /// The pixels that it reads.
    pub kernel: Kernel,
}

impl Conv {
    /// Rows of an output picture.
    #[must_use]
    pub fn height_out(&self) -> usize {
        self.kernel.size_out(self.height)
    }

    /// Columns of an output picture.
    #[must_use]
    pub fn width_out(&self) -> usize {
        self.kernel.size_out(self.width)
    }

    /// The pass from `x` to `y`.
    pub(crate) fn pass(&self) -> Pass {
        let Kernel {
            side,
            stride,
            before,
            ..
        } = self.kernel;
        assert!(
            (stride == 1 || stride == 2) && side > 0 && side % stride == 0,
            "{:?} is not supported",
            self.kernel
        );
        Pass {
            n: self.n,
            from: self.outer(),
            to: self.inner(),
            taps: side / stride,
            first: [-(before as isize); 2],
        }
    }

    /// The pass from `dy` to `dx`. Pixel `q` of `dx` is a sum over the pixels `r` of `dy` for which
    /// tap `q + before - stride * r` exists.
    pub(crate) fn pass_back(&self) -> Pass {
        let first = self.map_back().first;
        let Kernel { stride, before, .. } = self.kernel;
        Pass {
            from: self.inner(),
            to: self.outer(),
            first: [0, 1]
                .map(|q| (q as isize + before as isize - first[q] as isize) / stride as isize),
            ..self.pass()
        }
    }

    pub(crate) fn map(&self) -> WeightMap {
        let side = self.kernel.side;
        WeightMap {
            from_stride: side * side,
            to_stride: self.c_in * side * side,
            side,
            first: [0; 2],
            step: self.kernel.stride as isize,
        }
    }

    pub(crate) fn map_back(&self) -> WeightMap {
        let Kernel {
            side,
            stride,
            before,
            ..
        } = self.kernel;
        WeightMap {
            from_stride: self.c_in * side * side,
            to_stride: side * side,
            side,
            // The last tap of the phase belongs to the first pixel of `dy`.
            first: [0, 1].map(|q| side - stride + (q + before) % stride),
            step: -(stride as isize),
        }
    }

    fn outer(&self) -> Side {
        Side {
            channels: self.c_in,
            height: self.height,
            width: self.width,
            step: self.kernel.stride,
        }
    }

    fn inner(&self) -> Side {
        Side {
            channels: self.c_out,
            height: self.height_out(),
            width: self.width_out(),
            step: 1,
        }
    }

    pub(crate) fn x_len(&self) -> usize {
        self.n * self.c_in * self.height * self.width
    }

    pub(crate) fn y_len(&self) -> usize {
        self.n * self.c_out * self.height_out() * self.width_out()
    }

    pub(crate) fn w_len(&self) -> usize {
        self.c_out * self.c_in * self.kernel.side * self.kernel.side
    }
}
