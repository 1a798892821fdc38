//! Convolution kernels of underdrawing: plain slices in and out.
//!
//! [`Conv`] and [`ConvTranspose`] are the layers that the networks are built of, with their gradients.
//! Pictures are NCHW: contiguous, channel by channel, row by row. The result is the same for any
//! number of threads: what decides the method and the order of a sum is the shape alone. It
//! differs in the last digits from a processor with one vector length to one with another.
//!
//! [`MatMul`] is a product of matrices by the same kernels, for optimisers.
//!
//! [`PlanBuilder`] makes a [`Plan`] of a whole network for inference, which stays in the kernels'
//! own layout from the first layer to the last.
//!
//! There are three methods, written once in terms of the vectors of `simd` and of one micro-kernel,
//! `gemm`. `winograd` needs a quarter of the multiplications (for 3x3; two fifths for 4x4 of stride
//! 2) and is as exact: with noise of 150 channels it and the direct sum are wrong by 2e-6 of the
//! largest output. `direct` does the rest, but for layers of many channels and few pixels, where
//! `matrix` reads the weights as they lie. A number that isn't finite spreads to its whole patch
//! of 6x6 pixels in `winograd`, rather than to its neighbours alone.

// This crate exists to hold the `unsafe` that vector instructions need, so that no other has any.
#![allow(unsafe_code)]

mod activation;
mod bands;
mod block;
mod conv;
mod conv_transpose;
mod direct;
mod gemm;
mod layout;
mod matmul;
mod matrix;
mod memory;
mod method;
mod panel;
mod pass;
mod path;
mod plan;
mod reduce;
mod scratch;
mod shape;
mod simd;
#[cfg(test)]
mod tests;
mod transform;

mod winograd;

pub use activation::Activation;
pub use conv_transpose::ConvTranspose;
pub use matmul::MatMul;
pub use memory::keep_freed_memory;
pub use path::{Path, force_path, vectorised};
pub use plan::{Layer, Maps, Plan, PlanBuilder};
pub use shape::{Conv, Kernel};
