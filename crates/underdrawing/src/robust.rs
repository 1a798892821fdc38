//! The robust method: the secret, compressed and sealed, in the coefficients of JPEG's blocks, so
//! that it survives recompression. Normative: `docs/format.md`, section 5.

mod aim;
mod block;
mod capacity;
mod container;
mod embed;
mod grid;
mod header;
mod hide;
mod keys;
mod lattice;
mod ldpc;
mod message;
mod payload;
mod plan;
mod rate;
mod reveal;
mod search;
mod shaping;
mod sites;
mod ternary;
#[cfg(test)]
mod tests;
mod view;

pub(crate) use capacity::capacity;
pub(crate) use hide::hide;
pub(crate) use plan::Request;
pub(crate) use reveal::{Found, find};
