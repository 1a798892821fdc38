//! Pictures in memory.

use std::borrow::Cow;
use thiserror::Error;

/// The most pixels of a picture that the format can hold. How many a decoder accepts is for its
/// caller to decide.
pub const MAX_PIXELS: u64 = 120_000_000;

/// The longest side, in pixels, of a picture that the format can hold.
pub const MAX_SIDE: usize = 32_768;

/// A grey or RGB picture: 8-bit samples, its own or borrowed, interleaved, row by row from the top
/// left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture<'s> {
    width: usize,
    height: usize,
    channels: usize,
    samples: Cow<'s, [u8]>,
}

/// Why a buffer is not a picture.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum PictureError {
    /// A side is zero or too large.
    #[error(
        "a picture of {width}x{height}: expected sides of 1 to {MAX_SIDE} and at most {MAX_PIXELS} pixels"
    )]
    Size {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
    },
    /// The number of channels is neither 1 (grey) nor 3 (RGB).
    #[error("{found} samples per pixel: expected 1 or 3")]
    Channels {
        /// Samples per pixel found.
        found: usize,
    },
    /// The buffer's length does not match the size.
    #[error("a buffer of {found} samples: expected {expected}")]
    Length {
        /// Samples that the size and the channels ask for.
        expected: usize,
        /// Samples in the buffer.
        found: usize,
    },
}

impl<'s> Picture<'s> {
    /// Takes `channels * width * height` samples, interleaved; `channels` is 1 (grey) or 3 (RGB).
    ///
    /// # Errors
    /// When the format cannot hold a picture of this size or with these channels, or the buffer has
    /// another length.
    pub fn new(
        width: usize,
        height: usize,
        channels: usize,
        samples: Vec<u8>,
    ) -> Result<Self, PictureError> {
        Self::checked(width, height, channels, samples.into())
    }

    /// Borrows the samples; otherwise as [`Picture::new`].
    ///
    /// # Errors
    /// As those of [`Picture::new`].
    pub fn borrowed(
        width: usize,
        height: usize,
        channels: usize,
        samples: &'s [u8],
    ) -> Result<Self, PictureError> {
        Self::checked(width, height, channels, samples.into())
    }

    fn checked(
        width: usize,
        height: usize,
        channels: usize,
        samples: Cow<'s, [u8]>,
    ) -> Result<Self, PictureError> {
        let pixels = (width as u64).saturating_mul(height as u64);
        if pixels == 0 || pixels > MAX_PIXELS || width.max(height) > MAX_SIDE {
            return Err(PictureError::Size { width, height });
        }
        if channels != 1 && channels != 3 {
            return Err(PictureError::Channels { found: channels });
        }
        let expected = channels * width * height;
        if samples.len() != expected {
            return Err(PictureError::Length {
                expected,
                found: samples.len(),
            });
        }
        Ok(Self {
            width,
            height,
            channels,
            samples,
        })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Samples per pixel: 1 or 3.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The samples, interleaved.
    #[must_use]
    pub fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// The samples, as a buffer of their own.
    #[must_use]
    pub fn into_samples(self) -> Vec<u8> {
        self.samples.into_owned()
    }
}
