//! Where a convolution of a plan reads and writes.

use super::memory::Spot;
use crate::activation::Activation;
use crate::layout::Shared;
use crate::simd::Simd;

/// What a convolution reads.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) numbers: &'a [f32],
    pub(super) spot: Spot,
}

/// Where a result goes.
pub(super) struct Target<'a> {
    pub(super) numbers: Shared<'a>,
    pub(super) spot: Spot,
    pub(super) activation: Activation,
}

/// What is done with the sums of a convolution.
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
        [self.targets[0].spot.height, self.targets[0].spot.width]
    }

    /// Writes a vector of sums, those of the channels from `c` on, of a pixel inside of the result.
    ///
    /// # Safety
    /// No other thread may use these channels of this pixel meanwhile.
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
        // SAFETY: the slice has as many numbers as a vector.
        let sums = simd.add(sums, unsafe { simd.load(bias.as_ptr()) });
        for target in &self.targets {
            let result = target.activation.apply(simd, sums);
            let at = target.spot.at(picture, row as isize, col as isize) + c;
            // SAFETY: the caller vouches that it is alone.
            unsafe { target.numbers.store(simd, at, result) };
        }
    }
}
