//! The coded method: the secret, compressed and sealed, in residues of the cover's samples.
//!
//! secret -> codec ([`underdrawing_codec`]) -> sealed parts -> bytes -> digits -> residues of the
//! cover's samples, and back. Normative: `docs/format.md`, section 3.

mod capacity;
mod channel;
mod digits;
mod hide;
mod key;
mod layout;
mod mix;
mod preamble;
mod rate;
mod reveal;
#[cfg(test)]
mod tests;

pub use capacity::{Capacity, capacity};
pub use hide::{CodedContainer, CodedHideError, CodedOptions, CodedRate, hide_coded};
pub use key::CodedKey;
pub use reveal::{
    CodedRevealError, CodedRevealed, CodedSummary, Salvage, inspect_coded, reveal_coded,
};
pub use underdrawing_codec::Effort;
