//! Networks on the processor: tensors as slices, computed by the kernels of `underdrawing-conv` and
//! by plain loops, on all threads. Results do not depend on the number of threads.

mod batch_norm;
mod buffer;
mod convolution;
mod coupling;
mod elementwise;
mod haar;
mod inference;
mod optimiser;
mod planner;
mod restorer;
mod runner;
mod session;
mod tensor;
#[cfg(test)]
mod tests;

pub use optimiser::CpuEngine;
pub use restorer::CpuRestorer;
pub use runner::CpuRunner;
pub use tensor::CpuTensor;
