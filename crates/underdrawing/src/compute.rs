//! Where networks compute.

use burn::prelude::*;
use thiserror::Error;

/// The kind of hardware that runs the networks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compute {
    /// All cores of the processor.
    #[default]
    Cpu,
    /// A graphics card; needs the Cargo feature `cuda` or `wgpu` (`cuda` goes first where both are
    /// on).
    Gpu,
}

/// Why the hardware asked for is not there.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ComputeError {
    /// Built without a GPU backend.
    #[error("built without a GPU backend: expected the Cargo feature `wgpu` or `cuda`")]
    NoGpuBackend,
    /// The backend found no graphics card or no driver for it.
    #[error("expected a graphics card and its driver, found none")]
    NoGpu,
}

impl Compute {
    /// The device that tensors live on.
    ///
    /// # Errors
    /// For [`Compute::Gpu`] without a GPU backend or without a graphics card.
    pub fn device(self) -> Result<Device, ComputeError> {
        match self {
            Self::Cpu => Ok(Device::flex()),
            Self::Gpu => gpu(),
        }
    }
}

#[cfg(not(any(feature = "wgpu", feature = "cuda")))]
fn gpu() -> Result<Device, ComputeError> {
    Err(ComputeError::NoGpuBackend)
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
fn gpu() -> Result<Device, ComputeError> {
    use burn::tensor::DeviceType;

    #[cfg(feature = "cuda")]
    if !Device::enumerate(DeviceType::Cuda).into_vec().is_empty() {
        return Ok(Device::cuda(DeviceIndex::Default));
    }
    #[cfg(feature = "wgpu")]
    if !Device::enumerate(DeviceType::Wgpu).into_vec().is_empty() {
        return Ok(Device::wgpu(DeviceKind::DefaultDevice));
    }
    Err(ComputeError::NoGpu)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_always_there() {
        assert!(Compute::default().device().is_ok());
    }

    #[cfg(not(any(feature = "wgpu", feature = "cuda")))]
    #[test]
    fn says_which_feature_a_gpu_needs() {
        assert_eq!(
            Compute::Gpu.device().unwrap_err().to_string(),
            "built without a GPU backend: expected the Cargo feature `wgpu` or `cuda`"
        );
    }
}
