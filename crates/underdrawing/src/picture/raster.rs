//! RGB samples of any type in rows: turning, cutting, resampling, once for bytes and floats.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, IntoImageView, PixelType, ResizeAlg, ResizeOptions, Resizer};

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
        let source = ImageRef::new(
            side(raster.width),
            side(raster.height),
            &raster.samples,
            PixelType::U8x3,
        )
        .expect("the buffer fits its size by construction");
        lanczos(&source, width, height, PixelType::U8x3).into_vec()
    }
}

impl Sample for f32 {
    fn resample(raster: &Raster<Self>, width: usize, height: usize) -> Vec<Self> {
        // Copied, since the resampler takes bytes.
        let mut source = Image::new(side(raster.width), side(raster.height), PixelType::F32x3);
        let bytes = source.buffer_mut().as_chunks_mut().0;
        for (bytes, sample) in bytes.iter_mut().zip(&raster.samples) {
            *bytes = sample.to_ne_bytes();
        }
        let target = lanczos(&source, width, height, PixelType::F32x3);
        let (bytes, _) = target.buffer().as_chunks();
        bytes
            .iter()
            .map(|bytes| f32::from_ne_bytes(*bytes))
            .collect()
    }
}

fn lanczos(
    source: &impl IntoImageView,
    width: usize,
    height: usize,
    pixel: PixelType,
) -> Image<'static> {
    let mut target = Image::new(side(width), side(height), pixel);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new()
        .resize(source, &mut target, &options)
        .expect("both images are RGB and not empty");
    target
}

fn side(n: usize) -> u32 {
    u32::try_from(n).expect("limits hold every side within u32")
}
