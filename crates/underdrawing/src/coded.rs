//! The coded method: the secret, compressed and sealed, in residues of the cover's samples.
//!
//! secret -> codec ([`underdrawing_codec`]) -> sealed parts -> bytes -> digits -> residues of the
//! cover's samples, and back. Normative: `docs/format.md`, section 3.

mod capacity;
mod channel;
mod digits;
mod hide;
mod keys;
mod layout;
mod mix;
mod options;
mod preamble;
mod rate;
mod reveal;
#[cfg(test)]
mod tests;

pub use capacity::Capacity;
pub use options::{CodedOptions, CodedRate};
pub use underdrawing_codec::Effort;

pub(crate) use capacity::capacity;
pub(crate) use hide::hide;
pub(crate) use reveal::{Request, inspect, is_open, reveal};
