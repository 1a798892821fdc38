//! Finding a graphics card.

#[cfg(any(feature = "vulkan", feature = "wgpu"))]
use burn::tensor::DeviceKind;
use burn::tensor::{Device, DeviceType};
use thiserror::Error;

/// Why networks cannot run on a graphics card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no card, or none whose driver is installed.
    #[error("expected a graphics card with a driver for {DRIVERS}, found none")]
    NoCard,
    /// There is only a driver that does a card's work on the processor, for which the program has
    /// loops of its own.
    #[error("expected a graphics card, found only a driver that computes on the processor")]
    SoftwareOnly,
}

/// What this program was built for.
const DRIVERS: &str = match (
    cfg!(feature = "cuda"),
    cfg!(any(feature = "vulkan", feature = "wgpu")),
) {
    (true, true) => "CUDA, Vulkan, Metal, DirectX or OpenGL",
    (true, false) => "CUDA",
    _ => "Vulkan, Metal, DirectX or OpenGL",
};

/// A card: by CUDA where that was built and finds one, otherwise by wgpu.
pub(crate) fn card() -> Result<Device, GpuError> {
    #[cfg(feature = "cuda")]
    if !Device::enumerate(DeviceType::Cuda).into_vec().is_empty() {
        return Ok(Device::cuda(burn::tensor::DeviceIndex::Default));
    }
    #[cfg(any(feature = "vulkan", feature = "wgpu"))]
    {
        let found = Device::enumerate(DeviceType::Wgpu).into_vec();
        if found.iter().any(|device| *device != software()) {
            return Ok(Device::wgpu(DeviceKind::DefaultDevice));
        }
        if !found.is_empty() {
            return Err(GpuError::SoftwareOnly);
        }
    }
    Err(GpuError::NoCard)
}

/// A card's work done on the processor.
#[cfg(any(feature = "vulkan", feature = "wgpu"))]
pub(crate) fn software() -> Device {
    Device::wgpu(DeviceKind::Cpu)
}
