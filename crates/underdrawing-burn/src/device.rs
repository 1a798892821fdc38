//! Finding a graphics card.

use burn::tensor::{Device, DeviceKind, DeviceType};
use thiserror::Error;

/// Why networks cannot run on a graphics card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no card, or none whose driver is installed.
    #[error(
        "expected a graphics card with a driver for Vulkan, Metal, DirectX or OpenGL, found none"
    )]
    NoCard,
    /// There is only a driver that does a card's work on the processor, for which the program has
    /// loops of its own.
    #[error("expected a graphics card, found only a driver that computes on the processor")]
    SoftwareOnly,
}

/// The card that wgpu takes for the fastest.
pub(crate) fn card() -> Result<Device, GpuError> {
    let found = Device::enumerate(DeviceType::Wgpu).into_vec();
    if found.iter().any(|device| *device != software()) {
        return Ok(Device::wgpu(DeviceKind::DefaultDevice));
    }
    if !found.is_empty() {
        return Err(GpuError::SoftwareOnly);
    }
    Err(GpuError::NoCard)
}

/// A card's work done on the processor.
pub(crate) fn software() -> Device {
    Device::wgpu(DeviceKind::Cpu)
}
