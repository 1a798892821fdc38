//! Convolution kernels of underdrawing: plain slices in and out.
//!
//! [`Conv`] and [`ConvTranspose`] are the layers that the networks are built of, with their
//! gradients. Pictures are contiguous NCHW. The result does not depend on the number of threads:
//! the shape alone decides the method and the order of summation. Processors with different vector
//! lengths differ in the last digits.
//!
//! [`MatMul`] multiplies matrices with the same kernels, for optimisers.
//!
//! [`PlanBuilder`] turns a whole network into a [`Plan`] for inference, which keeps all maps in the
//! kernels' own layout from the first layer to the last.
//!
//! There are three methods, each written once, on top of the vectors of `simd` and one
//! micro-kernel, `gemm`. `winograd` needs a quarter of the multiplications (for 3x3; two fifths for
//! 4x4 with stride 2) and is as accurate: on noise with 150 channels, both it and the direct sum
//! are off by 2e-6 of the largest output. In a plan, 3x3 layers with many channels and pixels need
//! a fifth, off by four times as much. `direct` handles everything else, except layers with many
//! channels and few pixels, where `matrix` reads the weights in place. With `winograd`, a value
//! that is not finite spreads to its whole patch of 6x6 (8x8) pixels rather than just to its neighbours.

// This crate holds the `unsafe` code that vector instructions need, so that no other crate has any.
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
mod method;
mod panel;
mod parallel;
mod pass;
mod path;
mod plan;
mod reduce;
mod scratch;
mod shape;
mod shared;
mod simd;
mod stretch;
#[cfg(test)]
mod tests;
mod transform;
mod winograd;

pub use activation::Activation;
pub use conv_transpose::ConvTranspose;
pub use matmul::MatMul;
pub use path::{Path, force_path, vectorised};
pub use plan::{Layer, Maps, Plan, PlanBuilder, Workspace};
pub use shape::{Conv, Kernel};
pub use stretch::Stretch;
