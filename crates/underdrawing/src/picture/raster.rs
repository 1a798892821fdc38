//! RGB samples of any type in rows: turning, cutting, resampling, once for bytes and floats.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32x3, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};

/// A picture of `3 * width * height` samples, RGB interleaved, row by row from the top left; the
/// samples' range is the caller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Raster<T> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<T>,
}

/// A sample that can be resampled.
pub(crate) trait Sample: Copy {
    /// `raster` in another size.
    fn resample(raster: &Raster<Self>, width: usize, height: usize) -> Vec<Self>;
}

impl<T: Copy> Raster<T> {
    /// A picture whose pixels are copied: `source` gives the old position of a new one.
    pub(crate) fn rearranged(
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

    /// Turned by 90 degrees clockwise.
    pub(crate) fn turned_clockwise(&self) -> Self {
        self.rearranged(self.height, self.width, |x, y| (y, self.height - 1 - x))
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
}

impl<T: Sample> Raster<T> {
    /// Resampled with a Lanczos filter (3 lobes, widened when shrinking); the same size gives the
    /// same samples. Neither side is zero.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        let samples = if (width, height) == (self.width, self.height) {
            self.samples.clone()
        } else {
            T::resample(self, width, height)
        };
        Self {
            width,
            height,
            samples,
        }
    }
}

impl Sample for u8 {
    fn resample(raster: &Raster<Self>, width: usize, height: usize) -> Vec<Self> {
        let pixels = raster
            .samples
            .as_chunks()
            .0
            .iter()
            .map(|rgb| U8x3::new(*rgb));
        let source: Vec<U8x3> = pixels.collect();
        let target = lanczos(raster.width, raster.height, &source, width, height);
        target.pixels().iter().flat_map(|pixel| pixel.0).collect()
    }
}

impl Sample for f32 {
    fn resample(raster: &Raster<Self>, width: usize, height: usize) -> Vec<Self> {
        let pixels = raster
            .samples
            .as_chunks()
            .0
            .iter()
            .map(|rgb| F32x3::new(*rgb));
        let source: Vec<F32x3> = pixels.collect();
        let target = lanczos(raster.width, raster.height, &source, width, height);
        target.pixels().iter().flat_map(|pixel| pixel.0).collect()
    }
}

/// By the resampler's typed interface: the other one compiles all its pixel types, three megabytes
/// of machine code.
fn lanczos<P: PixelTrait>(
    source_width: usize,
    source_height: usize,
    source: &[P],
    width: usize,
    height: usize,
) -> TypedImage<'static, P> {
    let source = TypedImageRef::new(side(source_width), side(source_height), source)
        .expect("the buffer fits its size by construction");
    let mut target = TypedImage::new(side(width), side(height));
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .expect("neither image is empty");
    target
}

fn side(n: usize) -> u32 {
    u32::try_from(n).expect("limits hold every side within u32")
}
