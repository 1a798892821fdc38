//! A picture codec made for being hidden: the most picture in a given number of bytes.
//!
//! It knows nothing of hiding. A coded picture is a list of segments, byte strings of known
//! length: the first holds what the whole picture needs, each further one a stripe of rows, so that
//! stripes can be decoded by threads of their own and a damaged one leaves the others whole.
//!
//! Every bit is decided by integers (or by plain multiply and add of floats, in the encoder alone),
//! so that the same picture gives the same bytes on every machine and with any number of threads.

mod bands;
mod best;
mod colour;
mod decoder;
mod encoder;
mod entropy;
mod fast;
#[cfg(feature = "fit")]
pub mod fit;
mod header;
mod lossless;
mod models;
mod normal;
mod parallel;
mod part;
mod picture;
mod planes;
mod quantise;
mod simd;
mod step;
mod wavelet;

pub use decoder::{DecodeError, Decoded, decode, n_segments, n_stripes};
pub use encoder::{Coded, EncodeError, Encoder, RateCurve};
pub use header::HeaderError;
pub use picture::{MAX_PIXELS, MAX_SIDE, Picture, PictureError};

/// How much work goes into fewer bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Tables and counters only.
    Fast,
    /// In between.
    Normal,
    /// The strongest models.
    #[default]
    Best,
}
