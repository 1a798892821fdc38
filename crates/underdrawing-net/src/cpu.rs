//! Networks on the processor: tensors as slices, computed by the kernels of `underdrawing-conv` and
//! by plain loops, on all threads. Results do not depend on the number of threads.

// What gradients alone use stays where it is, and is left out of what is built without.
#![cfg_attr(not(feature = "gradients"), allow(dead_code, unreachable_pub))]

mod batch_norm;
mod buffer;
mod convolution;
mod coupling;
mod elementwise;
mod haar;
mod inference;
#[cfg(feature = "gradients")]
mod minimum;
#[cfg(feature = "gradients")]
mod optimiser;
mod planner;
#[cfg(feature = "gradients")]
mod refiner;
mod restorer;
mod runner;
mod session;
mod tensor;
#[cfg(all(test, feature = "gradients"))]
mod tests;

#[cfg(feature = "gradients")]
pub use optimiser::CpuEngine;
#[cfg(feature = "gradients")]
pub use refiner::CpuRefiner;
pub use restorer::CpuRestorer;
pub use runner::CpuRunner;
pub use tensor::CpuTensor;
