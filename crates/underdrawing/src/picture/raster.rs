//! RGB samples of any type in rows: turning, cutting, resampling, once for bytes and floats.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32x3, U8x3};
use fast_image_resize::{FilterType, PixelTrait, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;

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

    /// Turned and mirrored as an orientation asks.
    pub(crate) fn oriented(&self, orientation: Orientation) -> Self {
        let (width, height) = (self.width, self.height);
        let (right, bottom) = (width - 1, height - 1);
        match orientation {
            Orientation::NoTransforms => self.rearranged(width, height, |x, y| (x, y)),
            Orientation::Rotate90 => self.turned_clockwise(),
            Orientation::Rotate180 => {
                self.rearranged(width, height, |x, y| (right - x, bottom - y))
            }
            Orientation::Rotate270 => self.turned_counter_clockwise(),
            Orientation::FlipHorizontal => self.rearranged(width, height, |x, y| (right - x, y)),
            Orientation::FlipVertical => self.rearranged(width, height, |x, y| (x, bottom - y)),
            Orientation::Rotate90FlipH => self.rearranged(height, width, |x, y| (y, x)),
            Orientation::Rotate270FlipH => {
                self.rearranged(height, width, |x, y| (right - y, bottom - x))
            }
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

/// How many times the pixels of the larger one there may be on the way from one size to another.
const MOST_BETWEEN: usize = 16;

impl<T: Sample> Raster<T> {
    /// Resampled with a Lanczos filter (3 lobes, widened when shrinking); the same size gives the
    /// same samples. Neither side is zero.
    pub(crate) fn resized(&self, width: usize, height: usize) -> Self {
        // The resampler has its own order of width and height. A forged size must not make much more
        // pixels in between than there were and will be.
        let (across, down) = (width * self.height, self.width * height);
        let largest = (self.width * self.height).max(width * height);
        if across.max(down) > MOST_BETWEEN * largest {
            let first = match across < down {
                true => self.resized(width, self.height),
                false => self.resized(self.width, height),
            };
            return first.resized(width, height);
        }
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

/// What undoes an orientation.
pub(crate) fn inverse(orientation: Orientation) -> Orientation {
    match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        other => other,
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

#[cfg(test)]
mod tests {
    use super::*;

    /// On the way there must be no picture of a gigapixel.
    #[test]
    fn a_column_becomes_a_row_in_little_memory() {
        fn turned<T: Sample>(sample: T) {
            for (width, height) in [(32_768, 1), (1, 32_768)] {
                let line = Raster {
                    width,
                    height,
                    samples: vec![sample; 3 * 32_768],
                };
                let other = line.resized(height, width);
                assert_eq!(other.samples.len(), line.samples.len());
            }
        }
        turned(7_u8);
        turned(0.5_f32);
    }

    #[test]
    fn orientations_are_those_of_exif() {
        // The corners of a picture of 3x2: top left, top right, bottom left, bottom right.
        let picture = Raster {
            width: 3,
            height: 2,
            samples: [0_u8, 1, 2, 3, 4, 5].iter().flat_map(|&n| [n; 3]).collect(),
        };
        let corners = |raster: &Raster<u8>| {
            let (right, below) = (raster.width - 1, raster.width * (raster.height - 1));
            [0, right, below, below + right].map(|i| raster.samples[3 * i])
        };
        for (tag, expected) in [
            (1, [0, 2, 3, 5]),
            (2, [2, 0, 5, 3]),
            (3, [5, 3, 2, 0]),
            (4, [3, 5, 0, 2]),
            (5, [0, 3, 2, 5]),
            (6, [3, 0, 5, 2]),
            (7, [5, 2, 3, 0]),
            (8, [2, 5, 0, 3]),
        ] {
            let orientation = Orientation::from_exif(tag).unwrap();
            let turned = picture.oriented(orientation);
            assert_eq!(corners(&turned), expected, "tag {tag}");
            assert_eq!(turned.oriented(inverse(orientation)), picture, "tag {tag}");
        }
    }
}
