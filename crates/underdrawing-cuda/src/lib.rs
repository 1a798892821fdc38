//! Networks of underdrawing on NVIDIA cards.
//!
//! [`CudaEngine`] runs and trains the networks of `underdrawing-net`. Convolutions of any size are
//! cuDNN's; the residual networks of the lifting network and all that lies between convolutions are
//! kernels of this crate, compiled for the card by NVRTC when the engine starts. Values are single
//! precision, channels last.
//!
//! Nothing of CUDA is needed to build this crate. Its libraries are loaded when
//! [`CudaEngine::open`] is called, which says what is missing.
//!
//! Work for the card is noted first and sent as a whole (`device`); a training step that repeats the one
//! before is a single call to the driver.

#![allow(unsafe_code)]

mod arena;
mod buffer;
mod cache;
mod card;
mod compiler;
mod convolution;
mod device;
mod engine;
mod error;
mod kernels;
mod launches;
mod layout;
mod libraries;
mod optimiser;
mod residual;
mod residual_kernels;
mod runner;
mod session;
mod tensor;

pub use buffer::CudaBuffer;
pub use engine::{CudaEngine, CudaOptions};
pub use error::CudaError;
pub use tensor::CudaTensor;
