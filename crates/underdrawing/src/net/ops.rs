//! Operations of our own where burn's CPU backend is slow.
//!
//! Each has a definition in burn's terms, which is what it means and what every other device runs,
//! and an implementation on slices for the CPU, forward and backward: one pass over memory, on all
//! threads, with the convolution kernels of `underdrawing-conv`. Tests run both and compare. The
//! files below are the only ones that touch burn's backend internals.

// Without automatic differentiation nobody reads what the way back would need.
#![cfg_attr(not(feature = "autodiff"), allow(dead_code))]

mod activation;
mod adam;
mod batch_norm;
mod conv;
mod coupling;
mod flex;
mod function;
mod haar;
#[cfg(feature = "autodiff")]
mod record;
mod residual;
#[cfg(test)]
mod tests;

use burn::prelude::*;

pub(crate) use activation::{rectified, rectified_leaky};
pub use adam::{AdamFactors, AdamState, adam_step};
pub(crate) use batch_norm::batch_norm_train;
pub(crate) use conv::{conv, doubling};
pub(crate) use coupling::{couple, uncouple};
pub(crate) use function::{Change, changed, in_parts};
pub(crate) use haar::{from_corners, haar, inverse_haar};
pub(crate) use residual::sum_beside;

/// Whether our implementations run where this tensor lives.
fn ours<const D: usize>(x: &Tensor<D>) -> bool {
    #[cfg(test)]
    if tests::DEFINITIONS.get() {
        return false;
    }
    x.device() == Device::flex()
}
