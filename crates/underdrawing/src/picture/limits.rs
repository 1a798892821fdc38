//! How large a picture may be, checked before anything is allocated for it.

use thiserror::Error;

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
        Self::OF_FORMATS
    }
}

impl Limits {
    /// The largest secrets that the containers' formats can name (`docs/format.md`, sections 2.3
    /// and 4.2).
    pub(crate) const OF_FORMATS: Self = Self {
        max_pixels: 120_000_000,
        max_side: 32_768,
    };

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_outside_are_refused() {
        let limits = Limits {
            max_pixels: 20,
            max_side: 10,
        };
        assert_eq!(limits.check(4, 5), Ok(()));
        assert_eq!(limits.check(10, 2), Ok(()));
        for (width, height) in [(7, 3), (11, 1), (1, 11), (u64::MAX, u64::MAX)] {
            let found = limits.check(width, height);
            assert!(
                matches!(found, Err(PixelsError::TooLarge { .. })),
                "{width}x{height}: {found:?}"
            );
        }
        for (width, height) in [(0, 7), (7, 0)] {
            let found = limits.check(width, height);
            assert!(matches!(found, Err(PixelsError::Empty { .. })), "{found:?}");
        }
    }
}
