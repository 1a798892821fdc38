//! Convolution kernels of underdrawing: plain slices in and out.
//!
//! [`Conv`] and [`Doubling`] are the layers that the networks are built of, with their gradients.
//! Pictures are NCHW: contiguous, channel by channel, row by row. The result is the same for any
//! number of threads: what decides the method and the order of a sum is the shape alone. It
//! differs in the last digits from a processor with one vector length to one with another.
//!
//! There are two methods, `direct` and `winograd`, written once in terms of the vectors of
//! `simd` and of one micro-kernel, `gemm`. From a dozen channels on both sides Winograd's
//! is two to three times as fast, and as exact: with noise of 150 channels both are wrong by
//! 2e-6 of the largest output. A number that isn't finite spreads to its whole patch of 6x6 pixels
//! there, rather than to its neighbours alone.

// This crate exists to hold the `unsafe` that vector instructions need, so that no other has any.
#![allow(unsafe_code)]

mod activation;
mod bands;
mod block;
mod conv;
mod conv3x3;
mod direct;
mod gemm;
mod layout;
mod matrix;
mod method;
mod pass;
mod path;
mod plan;
mod reduce;
mod scratch;
mod simd;
#[cfg(test)]
mod tests;
mod transform;
mod transpose;
mod winograd;

pub use activation::Activation;
pub use conv::{Conv, Kernel};
pub use conv3x3::Conv3x3;
pub use path::{Path, force_path};
pub use plan::{Layer, Maps, Plan, PlanBuilder};
pub use transpose::Doubling;
