//! Pictures of unrounded samples, for figures that compare with published ones.

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};

/// A picture of `f32` samples, RGB interleaved, row by row; the samples' range is the caller's.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Floats {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<f32>,
}

impl Floats {
    /// A picture whose pixels are copied: `source` gives the old position of a new one.
    fn rearranged(
        &self,
        width: usize,
        height: usize,
        source: impl Fn(usize, usize) -> (usize, usize),
    ) -> Self {
        let mut samples = Vec::with_capacity(3 * width * height);
        for y in 0..height {
            for x in 0..width {
                let (old_x, old_y) = source(x, y);
                let i = 3 * (old_y * self.width + old_x);
                samples.extend_from_slice(&self.samples[i..i + 3]);
            }
        }
        Self {
            width,
            height,
            samples,
        }
    }

    /// Turned by 90 degrees counter-clockwise.
    pub(crate) fn turned_counter_clockwise(&self) -> Self {
        self.rearranged(self.height, self.width, |x, y| (self.width - 1 - y, x))
    }

    /// Made larger by repeating the last column and row.
    pub(crate) fn extended(&self, width: usize, height: usize) -> Self {
        let (right, bottom) = (self.width - 1, self.height - 1);
        self.rearranged(width, height, |x, y| (x.min(right), y.min(bottom)))
    }

    /// Resampled with the filter of [`Pixels::resized`](crate::Pixels::resized).
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let side = |n: usize| u32::try_from(n).expect("a side is within u32 by the limits");
        let mut source = Image::new(side(self.width), side(self.height), PixelType::F32x3);
        let bytes = source.buffer_mut().as_chunks_mut().0;
        for (bytes, sample) in bytes.iter_mut().zip(&self.samples) {
            *bytes = sample.to_ne_bytes();
        }
        let mut target = Image::new(side(width), side(height), PixelType::F32x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
        Resizer::new()
            .resize(&source, &mut target, &options)
            .expect("both images are RGB and not empty");
        let samples = target
            .buffer()
            .as_chunks()
            .0
            .iter()
            .map(|bytes| f32::from_ne_bytes(*bytes))
            .collect();
        Self {
            width,
            height,
            samples,
        }
    }
}
