//! Networks on the processor: tensors as slices, computed by the kernels of `underdrawing-conv` and
//! by plain loops, on all threads. Results do not depend on the number of threads.

// What training alone uses stays where it is, and is left out of what is built without.
#![cfg_attr(not(feature = "training"), allow(dead_code, unreachable_pub))]

mod batch_norm;
mod buffer;
mod convolution;
mod coupling;
mod elementwise;
mod haar;
mod inference;
#[cfg(feature = "training")]
mod minimum;
#[cfg(feature = "training")]
mod optimiser;
mod planner;
#[cfg(feature = "training")]
mod refiner;
mod restorer;
mod runner;
mod session;
mod tensor;
#[cfg(all(test, feature = "training"))]
mod tests;

#[cfg(feature = "training")]
pub use optimiser::CpuEngine;
#[cfg(feature = "training")]
pub use refiner::CpuRefiner;
pub use restorer::CpuRestorer;
pub use runner::CpuRunner;
pub use tensor::CpuTensor;
