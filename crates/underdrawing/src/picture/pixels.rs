//! Pictures in memory: 8-bit RGB, checked once at the door.

use std::sync::Arc;

use image::metadata::Orientation;
use underdrawing_jpeg::Jpeg;

use crate::picture::raster::{Raster, inverse};
use crate::picture::{Limits, PixelsError};

/// A picture: 8-bit sRGB-encoded RGB, interleaved, row by row from the top left.
///
/// The buffer always holds exactly `3 * width * height` bytes and neither side is zero, so nothing
/// behind this type has to check shapes again.
#[derive(Clone)]
pub struct Pixels {
    raster: Raster<u8>,
    /// How the file's own pixels were turned to give these.
    orientation: Orientation,
    /// The JPEG whose pixels these are, before they were turned.
    jpeg: Option<Arc<Jpeg>>,
}

impl PartialEq for Pixels {
    fn eq(&self, other: &Self) -> bool {
        self.raster == other.raster
    }
}

impl Eq for Pixels {}

impl Pixels {
    /// Takes a buffer of `3 * width * height` bytes, RGB interleaved.
    ///
    /// # Errors
    /// When a side is zero, over the default [`Limits`], or the buffer has another length.
    pub fn rgb8(data: Vec<u8>, width: usize, height: usize) -> Result<Self, PixelsError> {
        Self::rgb8_within(data, width, height, &Limits::default())
    }

    /// [`Pixels::rgb8`] under other limits.
    ///
    /// # Errors
    /// When a side is zero, over `limits`, or the buffer has another length.
    pub fn rgb8_within(
        data: Vec<u8>,
        width: usize,
        height: usize,
        limits: &Limits,
    ) -> Result<Self, PixelsError> {
        limits.check(width as u64, height as u64)?;
        let expected = width.saturating_mul(height).saturating_mul(3);
        if data.len() != expected {
            return Err(PixelsError::Length {
                width,
                height,
                expected,
                found: data.len(),
            });
        }
        Ok(Self::from_raster(Raster {
            width,
            height,
            samples: data,
        }))
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
        let mut samples = Vec::with_capacity(3 * width * height);
        for y in 0..height {
            for x in 0..width {
                samples.extend(rgb(x, y));
            }
        }
        Ok(Self::from_raster(Raster {
            width,
            height,
            samples,
        }))
    }

    /// A picture of a raster whose size was checked when it was made.
    pub(crate) fn from_raster(raster: Raster<u8>) -> Self {
        debug_assert_eq!(raster.samples.len(), 3 * raster.width * raster.height);
        Self {
            raster,
            orientation: Orientation::NoTransforms,
            jpeg: None,
        }
    }

    /// The pixels of a file, turned as it asks.
    pub(crate) fn turned(stored: &Raster<u8>, orientation: Orientation) -> Self {
        Self {
            orientation,
            ..Self::from_raster(stored.oriented(orientation))
        }
    }

    /// The pixels as the file stores them, where these were turned.
    pub(crate) fn stored(&self) -> Option<Self> {
        let turned = self.orientation != Orientation::NoTransforms;
        turned.then(|| Self {
            jpeg: self.jpeg.clone(),
            ..Self::from_raster(self.raster.oriented(inverse(self.orientation)))
        })
    }

    /// The same pixels, known to be those of a JPEG.
    pub(crate) fn with_jpeg(self, jpeg: Arc<Jpeg>) -> Self {
        Self {
            jpeg: Some(jpeg),
            ..self
        }
    }

    /// The samples alone, without what [`reveal`](crate::reveal) may need of the file that they came
    /// from: a JPEG's coefficients, two bytes each, and how the picture was turned. Covers and
    /// secrets need none of it.
    #[must_use]
    pub fn samples_alone(self) -> Self {
        Self::from_raster(self.raster)
    }

    /// The JPEG whose pixels these are, before they were turned.
    pub(crate) fn jpeg(&self) -> Option<&Jpeg> {
        self.jpeg.as_deref()
    }

    /// The samples and their size.
    pub(crate) fn raster(&self) -> &Raster<u8> {
        &self.raster
    }

    /// Columns.
    #[must_use]
    pub fn width(&self) -> usize {
        self.raster.width
    }

    /// Rows.
    #[must_use]
    pub fn height(&self) -> usize {
        self.raster.height
    }

    /// The samples: `3 * width * height` bytes, RGB interleaved.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        &self.raster.samples
    }

    /// The samples, for changing in place.
    pub fn data_mut(&mut self) -> &mut [u8] {
        self.jpeg = None;
        self.orientation = Orientation::NoTransforms;
        &mut self.raster.samples
    }

    /// The buffer itself.
    #[must_use]
    pub fn into_data(self) -> Vec<u8> {
        self.raster.samples
    }

    /// The pixel at column `x` and row `y`.
    ///
    /// # Panics
    /// When the position lies outside.
    #[must_use]
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(
            x < self.width() && y < self.height(),
            "pixel outside the picture"
        );
        let i = 3 * (y * self.width() + x);
        let data = self.data();
        [data[i], data[i + 1], data[i + 2]]
    }

    /// Turned by 90 degrees clockwise.
    #[must_use]
    pub fn turned_clockwise(&self) -> Self {
        Self::from_raster(self.raster.turned_clockwise())
    }

    /// Turned by 90 degrees counter-clockwise: undoes [`Pixels::turned_clockwise`].
    #[must_use]
    pub fn turned_counter_clockwise(&self) -> Self {
        Self::from_raster(self.raster.turned_counter_clockwise())
    }

    /// Resampled to another size with a Lanczos filter (3 lobes, widened when shrinking); the same
    /// size gives the same bytes.
    ///
    /// # Errors
    /// When the new size is zero or over the default [`Limits`].
    pub fn resized(&self, width: usize, height: usize) -> Result<Self, PixelsError> {
        Limits::default().check(width as u64, height as u64)?;
        Ok(Self::from_raster(self.raster.resized(width, height)))
    }

    /// Absolute differences from `other`, times 10, up to 255: black where nothing differs. `None`
    /// when the sizes differ.
    #[must_use]
    pub fn amplified_difference(&self, other: &Self) -> Option<Self> {
        if (self.width(), self.height()) != (other.width(), other.height()) {
            return None;
        }
        let mut difference = self.clone();
        for (sample, other) in difference.data_mut().iter_mut().zip(other.data()) {
            *sample = sample.abs_diff(*other).saturating_mul(10);
        }
        Some(difference)
    }
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixels({}x{})", self.width(), self.height())
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
        let small = Limits {
            max_pixels: 5,
            max_side: 5,
        };
        let data = || vec![0; 3 * 6];
        assert!(Pixels::rgb8_within(data(), 3, 2, &small).is_err());
        assert!(Pixels::rgb8(data(), 3, 2).is_ok());
        let (long, side) = (vec![0; 3 * 33_000], 33_000);
        assert!(Pixels::rgb8(long.clone(), side, 1).is_err());
        let large = Limits {
            max_side: side as u32,
            ..Limits::default()
        };
        assert!(Pixels::rgb8_within(long, side, 1, &large).is_ok());
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
