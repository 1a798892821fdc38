//! Hides a full-size picture inside another picture and reveals it again, from the file that was
//! written.
//!
//! ```
//! use underdrawing::{CodedKey, CodedOptions, Pixels, Salvage, hide_coded, reveal_coded};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cover = Pixels::from_fn(64, 48, |x, y| [4 * x as u8, 5 * y as u8, 90])?;
//! let secret = Pixels::from_fn(40, 50, |x, y| [200, 5 * y as u8, 6 * x as u8])?;
//! let hidden = hide_coded(&cover, &secret, &CodedOptions::default())?;
//! let found = reveal_coded(&hidden.container, CodedKey::Public, Salvage::No)?;
//! assert_eq!((found.revealed.width(), found.revealed.height()), (40, 50));
//! # Ok(())
//! # }
//! ```
//!
//! With networks:
//!
//! ```
//! use underdrawing::{HideOptions, Model, Pixels, RevealOptions, built_in_models};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let cover = Pixels::from_fn(64, 48, |x, y| [4 * x as u8, 5 * y as u8, 90])?;
//! # let secret = Pixels::from_fn(40, 50, |x, y| [200, 5 * y as u8, 6 * x as u8])?;
//! let model = Model::from_bytes(built_in_models()[0].bytes)?;
//! let container = model.hide(&cover, &secret, &HideOptions::default())?;
//! let revealed = model.reveal(&container, &RevealOptions::default())?;
//! # Ok(())
//! # }
//! ```
//!
//! # Words
//! - **cover**: the picture that is shown;
//! - **secret**: the picture that is hidden;
//! - **container**: the cover with the secret inside, in 8 bits as a file holds it;
//! - **revealed**: what comes back out of the container.
//!
//! # How it works
//! Two methods. [`hide_coded`] compresses the secret, seals it under a password or a key that
//! everybody has, and gives each sample of the cover the nearest value whose remainder is the next
//! digit; [`reveal_coded`] reads the remainders. A [`Model`] is networks and their architecture:
//! [`Model::hide`] brings the secret to the cover's size, runs the hiding network over overlapping
//! tiles, rounds to 8 bits and writes a mark of 18 bytes into the least significant bits: the
//! secret's own size, whether it was turned, and the model's id. [`Model::reveal`] reads the mark,
//! runs the reveal network, and undoes turn and size. [`Picture`] decodes files and encodes
//! lossless ones, [`Comparison`] measures.
//!
//! # Limits
//! Without a password anybody can reveal, and with a model anybody who has it. A container must
//! stay as it is; JPEG, resizing and filters destroy what is hidden. The crate does no I/O: it takes
//! and gives bytes and pixels.

#![warn(clippy::disallowed_methods)]

mod coded;
mod metric;
mod network;
mod picture;
mod sheet;

pub use coded::{
    Capacity, CodedContainer, CodedHideError, CodedKey, CodedOptions, CodedRate, CodedRevealError,
    CodedRevealed, CodedSummary, Effort, Salvage, capacity, hide_coded, inspect_coded,
    reveal_coded,
};
pub use metric::{Comparison, FloatComparison, MetricError, psnr_db};
pub use network::{
    Balance, BuiltInModel, DEFAULT_TILE_SIZE, FloatPair, HideError, HideOptions, LEAST_SIDE, Mark,
    Model, ModelError, ModelId, ModelIdError, Precision, PthError, Quality, RevealError,
    RevealOptions, StateDictError, TileSizeError, TrainingRecord, built_in_model, built_in_models,
    read_mark,
};
pub use picture::{Conversion, FileFormat, ImageFileError, Limits, Picture, Pixels, PixelsError};
pub use sheet::{SheetColumn, amplified_difference, contact_sheet, training_sheet};

/// The README's code, compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
