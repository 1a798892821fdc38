//! Secrecy: passwords, keys that follow from them, seals, bytes that look like noise.
//!
//! Knows nothing of how sealed bytes are embedded: salts are bytes, and purposes are names that the
//! methods choose.

mod derive;
mod password;
mod seal;
mod uniform;

pub use password::Password;

pub(crate) use derive::{Cost, Key, KeyTree, digest};
pub(crate) use seal::{Sealer, TAG_BYTES};
pub(crate) use uniform::Uniform;
