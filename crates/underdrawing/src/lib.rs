//! Hides a full-size picture inside another picture and reveals it again, from the file that was
//! written.
//!
//! ```
//! use underdrawing::{HideOptions, Pixels, Progress, RevealOptions, hide, reveal};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let cover = Pixels::from_fn(64, 48, |x, y| [4 * x as u8, 5 * y as u8, 90])?;
//! let secret = Pixels::from_fn(40, 50, |x, y| [200, 5 * y as u8, 6 * x as u8])?;
//! let ignore = &mut Progress::ignore;
//! let hidden = hide(&cover, &secret, &HideOptions::default(), ignore)?;
//! let revealed = reveal(&hidden.container, &RevealOptions::default(), ignore)?;
//! assert_eq!((revealed.picture.width(), revealed.picture.height()), (40, 50));
//! # Ok(())
//! # }
//! ```
//!
//! With networks, or a password:
//!
//! ```
//! use underdrawing::{CodedOptions, HideOptions, NetworkOptions, Password};
//!
//! let by_network = HideOptions::Network(NetworkOptions::default());
//! let with_password = HideOptions::Coded(CodedOptions {
//!     password: Some(Password::new("correct horse")),
//!     ..CodedOptions::default()
//! });
//! ```
//!
//! # Words
//! - **cover**: the picture that is shown;
//! - **secret**: the picture that is hidden;
//! - **container**: the cover with the secret inside, in 8 bits as a file holds it;
//! - **revealed**: what comes back out of the container.
//!
//! # How it works
//! [`hide`] takes one of three methods, [`reveal`] and [`inspect`] find out which one a container
//! was made by. The coded method ([`CodedOptions`]) compresses the secret, seals it under a password
//! or a key that everybody has, and gives each sample of the cover the nearest value whose
//! remainder is the next digit. The robust method ([`HideOptions::Robust`]) puts the same into the
//! coefficients of JPEG's blocks, with error correction, so that it survives recompression. The
//! network method ([`NetworkOptions`]) brings the secret to the cover's size, runs the hiding
//! network of a [`Model`] over overlapping tiles, rounds to 8 bits and writes a mark of 18 bytes
//! into the least significant bits: the secret's own size, whether it was
//! turned, and the model's id. Revealing reads the mark, runs the reveal network, and undoes turn
//! and size. [`capacity`] says beforehand what to expect; [`Picture`] decodes files and encodes
//! lossless ones, [`Comparison`] measures, [`Sheet`] shows.
//!
//! # Limits
//! Without a password anybody can reveal, and with a model anybody who has it. A container must
//! stay as it is; JPEG, resizing and filters destroy what is hidden, but for JPEG what the robust
//! method hid. The crate does no I/O: it takes and gives bytes and pixels.

#![warn(clippy::disallowed_methods)]

mod channel;
mod coded;
mod coding;
mod door;
mod error;
mod metric;
mod network;
mod options;
mod picture;
mod progress;
mod reduction;
mod report;
mod restoring;
mod robust;
mod secrecy;
mod settings;
mod sheet;

pub use channel::Channel;
pub use coded::{Capacity, CodedOptions, CodedRate, Effort};
pub use door::{capacity, hide, inspect, reveal};
pub use error::{Error, ErrorKind, Salvage};
pub use metric::{Comparison, MetricError};
pub use network::{
    Balance, BuiltInModel, Model, ModelError, ModelId, ModelIdError, NetworkOptions, Precision,
    PthError, Quality, TrainingRecord,
};
pub use options::{HideOptions, RevealOptions};
pub use picture::{Conversion, FileFormat, ImageFileError, Limits, Picture, Pixels, PixelsError};
pub use progress::Progress;
pub use report::{Hidden, HiddenDetails, Inspection, Revealed};
pub use secrecy::Password;
pub use settings::{BalanceSetting, HideSettings, Method, SettingsError};
pub use sheet::Sheet;

/// The README's code, compiled with the other examples.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
