//! The robust method: the secret, compressed and sealed, in the coefficients of JPEG's blocks, so
//! that it survives recompression. Normative: `docs/format.md`, section 5.

mod block;
mod embed;
mod grid;
mod lattice;
mod ldpc;
mod sites;
