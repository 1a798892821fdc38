//! Where and how networks run: `--device`, `--threads` and `--tile-size`.

use underdrawing::{Model, NetworkOptions};

use crate::args::{ComputeArgs, Device, DeviceArgs};

/// What networks run on.
#[derive(Clone)]
pub(crate) enum Compute {
    /// All cores of the processor.
    Cpu,
    /// A card of NVIDIA.
    #[cfg(feature = "cuda")]
    Cuda(underdrawing_cuda::CudaEngine),
    /// Another graphics card.
    #[cfg(any(feature = "vulkan", feature = "wgpu"))]
    Gpu(underdrawing_burn::BurnEngine),
}

impl Compute {
    /// Whether models run there by themselves.
    pub(crate) fn is_default(&self) -> bool {
        matches!(self, Self::Cpu)
    }

    /// The model, run there.
    pub(crate) fn run(&self, model: Model) -> Model {
        match self {
            Self::Cpu => model,
            #[cfg(feature = "cuda")]
            Self::Cuda(engine) => on(engine, model),
            #[cfg(any(feature = "vulkan", feature = "wgpu"))]
            Self::Gpu(engine) => on(engine, model),
        }
    }
}

/// The model, run by an engine.
#[cfg(any(feature = "cuda", feature = "vulkan", feature = "wgpu"))]
fn on(engine: &impl underdrawing_net::Engine, model: Model) -> Model {
    let runner = engine.runner(model.networks());
    model.with_runner(runner)
}

impl DeviceArgs {
    /// Finds the device.
    pub(crate) fn start(&self) -> anyhow::Result<Compute> {
        match self.device {
            Device::Cpu if self.tf32 => anyhow::bail!("--tf32 needs --device gpu"),
            Device::Cpu => Ok(Compute::Cpu),
            Device::Gpu => gpu(self.tf32),
        }
    }
}

/// A card, by the first of the ways that the program was built for which finds one.
fn gpu(tf32: bool) -> anyhow::Result<Compute> {
    let ways: &[fn(bool) -> anyhow::Result<Compute>] = &[
        #[cfg(feature = "cuda")]
        |tf32| {
            let options = underdrawing_cuda::CudaOptions::default().with_tf32(tf32);
            Ok(Compute::Cuda(underdrawing_cuda::CudaEngine::open(options)?))
        },
        #[cfg(any(feature = "vulkan", feature = "wgpu"))]
        |tf32| {
            anyhow::ensure!(!tf32, "--tf32 is for cards of NVIDIA, by CUDA");
            Ok(Compute::Gpu(underdrawing_burn::BurnEngine::gpu()?))
        },
    ];
    let mut first = None;
    for way in ways {
        match way(tf32) {
            Ok(compute) => return Ok(compute),
            Err(err) => first = first.or(Some(err)),
        }
    }
    Err(first.unwrap_or_else(|| {
        anyhow::anyhow!(
            "this build has no GPU support; rebuild with the feature `cuda`, `wgpu` or `vulkan`"
        )
    }))
}

impl ComputeArgs {
    /// As [`DeviceArgs::start`].
    pub(crate) fn start(&self) -> anyhow::Result<Compute> {
        self.device.start()
    }

    /// Side of the tiles.
    pub(crate) fn tile_size(&self) -> usize {
        self.tile_size.unwrap_or(NetworkOptions::TILE_SIZE)
    }
}
