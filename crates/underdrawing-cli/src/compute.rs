//! Where and how networks run: `--device`, `--threads` and `--tile-size`.

use anyhow::Context;
use underdrawing::{Model, NetworkOptions};

use crate::args::{ComputeArgs, Device, DeviceArgs};

#[cfg(all(
    feature = "gpu",
    not(any(feature = "cuda", feature = "vulkan", feature = "wgpu"))
))]
compile_error!("`gpu` is no backend by itself: expected the feature `wgpu`, `vulkan` or `cuda`");

/// What networks run on.
#[derive(Clone)]
pub(crate) enum Compute {
    /// All cores of the processor.
    Cpu,
    /// A graphics card.
    #[cfg(feature = "gpu")]
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
            #[cfg(feature = "gpu")]
            Self::Gpu(engine) => {
                let runner = underdrawing_net::Engine::runner(engine, model.networks());
                model.with_runner(runner)
            }
        }
    }
}

impl DeviceArgs {
    /// Sets the number of threads for the whole program and finds the device.
    pub(crate) fn start(&self) -> anyhow::Result<Compute> {
        if self.threads > 0 {
            rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .build_global()
                .with_context(|| format!("failed to start {} threads", self.threads))?;
        }
        match self.device {
            Device::Cpu => Ok(Compute::Cpu),
            Device::Gpu => gpu(),
        }
    }
}

#[cfg(feature = "gpu")]
fn gpu() -> anyhow::Result<Compute> {
    Ok(Compute::Gpu(underdrawing_burn::BurnEngine::gpu()?))
}

#[cfg(not(feature = "gpu"))]
fn gpu() -> anyhow::Result<Compute> {
    anyhow::bail!(
        "built without a GPU backend: expected the Cargo feature `wgpu`, `vulkan` or `cuda`"
    )
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
