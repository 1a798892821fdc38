//! Pictures in memory: 8-bit RGB, checked once at the door.

use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image};
use thiserror::Error;

/// A picture: 8-bit sRGB-encoded RGB, interleaved, row by row from the top left.
///
/// The buffer always holds exactly `3 * width * height` bytes and neither side is zero, so nothing
/// behind this type has to check shapes again.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

/// How large an untrusted picture may be before it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Most pixels (width times height).
    pub max_pixels: u64,
    /// Longest side in pixels.
    pub max_side: u32,
}

impl Default for Limits {
    /// 120 megapixels and 32,768 pixels a side: larger than any camera's picture, small enough
    /// that a forged header cannot exhaust the memory of a laptop.
    fn default() -> Self {
        Self {
            max_pixels: 120_000_000,
            max_side: 32_768,
        }
    }
}

impl Limits {
    /// Refuses a size that is zero or over the limits.
    ///
    /// # Errors
    /// [`PixelsError::Empty`] or [`PixelsError::TooLarge`].
    pub fn check(&self, width: u64, height: u64) -> Result<(), PixelsError> {
        if width == 0 || height == 0 {
            return Err(PixelsError::Empty { width, height });
        }
        let side = u64::from(self.max_side);
        if width > side || height > side || width.saturating_mul(height) > self.max_pixels {
            return Err(PixelsError::TooLarge {
                width,
                height,
                max_pixels: self.max_pixels,
                max_side: self.max_side,
            });
        }
        Ok(())
    }
}

/// Why a buffer is not a picture.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PixelsError {
    /// A side is zero.
    #[error("a picture of {width}x{height} has no pixels")]
    Empty {
        /// Width found.
        width: u64,
        /// Height found.
        height: u64,
    },
    /// Over the limits.
    #[error(
        "a picture of {width}x{height} is too large: at most {max_pixels} pixels and {max_side} a side"
    )]
    TooLarge {
        /// Width found.
        width: u64,
        /// Height found.
        height: u64,
        /// Most pixels allowed.
        max_pixels: u64,
        /// Longest side allowed.
        max_side: u32,
    },
    /// The buffer's length does not fit the size.
    #[error("a buffer of {found} bytes is not a picture of {width}x{height}: expected {expected}")]
    Length {
        /// Width stated.
        width: usize,
        /// Height stated.
        height: usize,
        /// Bytes that the size asks for.
        expected: usize,
        /// Bytes there.
        found: usize,
    },
}

impl Pixels {
    /// Takes a buffer of `3 * width * height` bytes, RGB interleaved.
    ///
    /// # Errors
    /// When a side is zero, over the default [`Limits`], or the buffer has another length.
    pub fn rgb8(data: Vec<u8>, width: usize, height: usize) -> Result<Self, PixelsError> {
        Limits::default().check(width as u64, height as u64)?;
        let expected = 3 * width * height;
        if data.len() != expected {
            return Err(PixelsError::Length {
                width,
                height,
                expected,
                found: data.len(),
            });
        }
        Ok(Self {
            width,
            height,
            data,
        })
    }

    /// A picture whose pixel at column `x` and row `y` is `rgb(x, y)`.
    ///
    /// # Errors
    /// When a side is zero or over the default [`Limits`].
    pub fn from_fn(
        width: usize,
        height: usize,
        mut rgb: impl FnMut(usize, usize) -> [u8; 3],
    ) -> Result<Self, PixelsError> {
        Limits::default().check(width as u64, height as u64)?;
        let mut data = Vec::with_capacity(3 * width * height);
        for y in 0..height {
            for x in 0..width {
                data.extend(rgb(x, y));
            }
        }
        Ok(Self {
            width,
            height,
            data,
        })
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The samples: `3 * width * height` bytes, RGB interleaved.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The samples, for changing in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// The buffer itself.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// The pixel at column `x` and row `y`.
    ///
    /// # Panics
    /// When the position lies outside.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(
            x < self.width && y < self.height,
            "pixel outside the picture"
        );
        let i = 3 * (y * self.width + x);
        [self.data[i], self.data[i + 1], self.data[i + 2]]
    }

    /// Turned by 90 degrees clockwise.
    #[must_use]
    pub fn turned_clockwise(&self) -> Self {
        self.turned(|x, y| (y, self.height - 1 - x))
    }

    /// Turned by 90 degrees counter-clockwise: undoes [`Pixels::turned_clockwise`].
    #[must_use]
    pub fn turned_counter_clockwise(&self) -> Self {
        self.turned(|x, y| (self.width - 1 - y, x))
    }

    /// Sides swapped; `source` gives the old position of a new one.
    fn turned(&self, source: impl Fn(usize, usize) -> (usize, usize)) -> Self {
        let (width, height) = (self.height, self.width);
        let mut data = Vec::with_capacity(self.data.len());
        for y in 0..height {
            for x in 0..width {
                let (old_x, old_y) = source(x, y);
                data.extend(self.pixel(old_x, old_y));
            }
        }
        Self {
            width,
            height,
            data,
        }
    }

    /// Resampled to another size with a Lanczos filter (3 lobes, widened when shrinking); the same
    /// size gives the same bytes.
    ///
    /// # Errors
    /// When the new size is zero or over the default [`Limits`].
    pub fn resized(&self, width: usize, height: usize) -> Result<Self, PixelsError> {
        Limits::default().check(width as u64, height as u64)?;
        if (width, height) == (self.width, self.height) {
            return Ok(self.clone());
        }
        let side = |n: usize| u32::try_from(n).expect("a side is within u32 by the limits");
        let source = fast_image_resize::images::ImageRef::new(
            side(self.width),
            side(self.height),
            &self.data,
            PixelType::U8x3,
        )
        .expect("the buffer fits its size by construction");
        let mut target = Image::new(side(width), side(height), PixelType::U8x3);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
        Resizer::new()
            .resize(&source, &mut target, &options)
            .expect("both images are RGB and not empty");
        Ok(Self {
            width,
            height,
            data: target.into_vec(),
        })
    }
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixels({}x{})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(width: usize, height: usize) -> Pixels {
        Pixels::from_fn(width, height, |x, y| [x as u8, y as u8, (x * y) as u8]).unwrap()
    }

    #[test]
    fn rejects_a_buffer_of_another_length() {
        let error = Pixels::rgb8(vec![0; 11], 2, 2).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a buffer of 11 bytes is not a picture of 2x2: expected 12"
        );
    }

    #[test]
    fn rejects_sizes_outside_the_limits() {
        assert!(Pixels::rgb8(vec![], 0, 7).is_err());
        assert!(matches!(
            Limits::default().check(60_000, 60_000),
            Err(PixelsError::TooLarge { .. })
        ));
        assert!(Limits::default().check(u64::MAX, u64::MAX).is_err());
    }

    #[test]
    fn turns_clockwise_and_back() {
        let picture = ramp(5, 3);
        let turned = picture.turned_clockwise();
        assert_eq!((turned.width(), turned.height()), (3, 5));
        assert_eq!(
            turned.pixel(2, 0),
            picture.pixel(0, 0),
            "top left goes to the top right"
        );
        assert_eq!(turned.turned_counter_clockwise(), picture);
    }

    #[test]
    fn resizing_keeps_a_flat_picture_flat() {
        let flat = Pixels::from_fn(9, 7, |_, _| [10, 128, 250]).unwrap();
        let larger = flat.resized(31, 2).unwrap();
        assert_eq!((larger.width(), larger.height()), (31, 2));
        assert!(larger.data().chunks(3).all(|p| p == [10, 128, 250]));
    }
}
