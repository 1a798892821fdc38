//! Why a file was not read.

use thiserror::Error;

/// Why a JPEG was not read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum JpegError {
    /// The bytes end before the picture does.
    #[error("the file ends early")]
    Truncated,
    /// The bytes break the format's rules.
    #[error("{0}")]
    Damaged(&'static str),
    /// A JPEG of a kind that is not read.
    #[error("a JPEG with {0} is not read")]
    Unsupported(&'static str),
    /// More pixels than the caller allows.
    #[error("{width}x{height} are more than {max_pixels} pixels")]
    TooLarge {
        /// Width in the header.
        width: usize,
        /// Height in the header.
        height: usize,
        /// Pixels allowed.
        max_pixels: u64,
    },
}
