//! Graphics cards for underdrawing's networks, by way of burn.
//!
//! `BurnEngine` says each operation of `underdrawing-net` in burn's terms, so that the networks
//! and losses written there run and train on a card. burn compiles the operations for the card at
//! run time, and tries several ways when a shape first comes.
//!
//! Which cards is a matter of features; without any of them this crate is empty and burn is not
//! built:
//! - `vulkan`: the same as `wgpu`, but Vulkan gets SPIR-V straight from burn;
//! - `wgpu`: all cards, by Vulkan, Metal, DirectX or OpenGL;
//! - `flex`: no card but the processor, for tests of this crate.

#![cfg(any(feature = "vulkan", feature = "wgpu", feature = "flex"))]

#[cfg(any(feature = "vulkan", feature = "wgpu"))]
mod device;
mod engine;
mod runner;
mod session;
mod tensor;

#[cfg(any(feature = "vulkan", feature = "wgpu"))]
pub use device::GpuError;
pub use engine::{BurnBuffer, BurnEngine};
pub use tensor::BurnTensor;
