//! Where and how networks run: `--device`, `--threads` and `--tile-size`.

use anyhow::Context;
use underdrawing::{DEFAULT_TILE_SIZE, HideOptions, Model, RevealOptions};

use crate::args::{ComputeArgs, Device, DeviceArgs};

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

    /// How to hide, as these arguments say.
    pub(crate) fn hide_options(&self, balance: underdrawing::Balance) -> HideOptions {
        HideOptions {
            tile_size: self.tile_size.unwrap_or(DEFAULT_TILE_SIZE),
            balance,
        }
    }

    /// How to reveal, as these arguments say.
    pub(crate) fn reveal_options(&self) -> RevealOptions {
        RevealOptions {
            tile_size: self.tile_size.unwrap_or(DEFAULT_TILE_SIZE),
            size: None,
        }
    }
}
