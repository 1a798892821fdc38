//! A picture codec for hidden pictures: the best quality in a given number of bytes.
//!
//! ```
//! use underdrawing_codec::{Effort, Encoder, MAX_PIXELS, Picture, decode};
//!
//! let samples = (0..3 * 96 * 64).map(|i| (i / 97) as u8).collect();
//! let picture = Picture::new(96, 64, 3, samples)?;
//! let coded = Encoder::new(&picture, Effort::Fast).encode_to_bytes(1500)?;
//! let segments: Vec<_> = coded.segments.iter().map(|s| Some(&s[..])).collect();
//! assert_eq!(decode(&segments, MAX_PIXELS)?.picture.width(), 96);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The codec knows nothing of hiding. A coded picture is a list of segments, byte strings whose
//! lengths the caller keeps. The first holds what the whole picture needs, each of the others a
//! stripe of rows. So stripes can be decoded in parallel, and damage to one leaves the others
//! intact.
//!
//! How it works: a colour transform fitted to the picture, a 9/7 wavelet, dependent (trellis-coded)
//! quantisation, and a binary range coder driven by one of three models, from counters to mixed
//! predictions. What fits without loss is coded without loss. `docs/format.md`, section 4,
//! describes the format.
//!
//! All decisions are made in integers, or in the encoder and the best models by plain float
//! arithmetic that is never fused, in an order that the source fixes. So the same picture gives the
//! same bytes on every machine and with any number of threads.

mod bands;
mod best;
mod best_v1;
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
mod parts;
mod picture;
mod planes;
mod quantise;
mod simd;
mod step;
mod wavelet;

pub use decoder::{DecodeError, Decoded, decode, is_lossless, n_segments, n_stripes};
pub use encoder::{Coded, EncodeError, Encoder, RateCurve};
pub use header::HeaderError;
pub use picture::{MAX_PIXELS, MAX_SIDE, Picture, PictureError};

/// How much time is spent to save bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Tables and counters: the fastest.
    Fast,
    /// In between.
    Normal,
    /// Regressions and mixing: the fewest bytes.
    #[default]
    Best,
}

/// The most pixels that [`Effort::Best`] and [`Effort::Normal`] are worth the wait for: about six
/// seconds on two cores.
const MAX_BEST: usize = 2_500_000;
const MAX_NORMAL: usize = 10_000_000;

impl Effort {
    /// The most effort for a picture of this size that nobody has to wait for: best up to 2.5
    /// megapixels, normal up to 10, else fast.
    #[must_use]
    pub fn for_size(width: usize, height: usize) -> Self {
        let pixels = width.saturating_mul(height);
        if pixels <= MAX_BEST {
            Self::Best
        } else if pixels <= MAX_NORMAL {
            Self::Normal
        } else {
            Self::Fast
        }
    }
}
