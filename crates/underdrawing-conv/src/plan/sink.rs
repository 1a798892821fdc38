//! What a convolution of a plan reads and writes.

use super::buffers::View;
use crate::activation::Activation;
use crate::shared::Shared;
use crate::simd::Simd;

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
}

/// A pixel of a result.
#[derive(Clone, Copy)]
pub(super) struct Pixel {
    pub(super) picture: usize,
    pub(super) row: usize,
    pub(super) col: usize,
}

impl Sink<'_> {
    /// Height and width of the result.
    pub(super) fn size(&self) -> [usize; 2] {
        [self.targets[0].view.height, self.targets[0].view.width]
    }

    /// Adds the bias to a vector of sums, those of the channels from `c` on, and writes the
    /// activated results of a pixel, which must be inside the pictures.
    ///
    /// # Safety
    /// No other thread may access these channels of this pixel meanwhile.
    #[inline(always)]
    pub(super) unsafe fn put<S: Simd>(&self, simd: S, pixel: Pixel, c: usize, sums: S::V) {
        let Pixel { picture, row, col } = pixel;
        debug_assert!(
            [row, col]
                .iter()
                .zip(self.size())
                .all(|(at, size)| *at < size)
        );
        let bias = &self.bias[c..][..S::LANES];
        // SAFETY: the slice has as many values as a vector.
        let sums = simd.add(sums, unsafe { simd.load(bias.as_ptr()) });
        for target in &self.targets {
            let result = target.activation.apply(simd, sums);
            let at = target.view.at(picture, row as isize, col as isize) + c;
            // SAFETY: the caller vouches that it is alone.
            unsafe { target.values.store(simd, at, result) };
        }
    }
}
