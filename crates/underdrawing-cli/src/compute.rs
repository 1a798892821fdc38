//! Where and how networks run: `--device`, `--threads` and `--tile-size`.

use anyhow::Context;
use underdrawing::{Compute, DEFAULT_TILE_SIZE, HideOptions, RevealOptions};

use crate::args::{ComputeArgs, Device, DeviceArgs};

impl DeviceArgs {
    /// Sets the number of threads for the whole program and names the device.
    pub(crate) fn start(&self) -> anyhow::Result<Compute> {
        if self.threads > 0 {
            rayon::ThreadPoolBuilder::new()
                .num_threads(self.threads)
                .build_global()
                .with_context(|| format!("failed to start {} threads", self.threads))?;
        }
        Ok(match self.device {
            Device::Cpu => Compute::Cpu,
            Device::Gpu => Compute::Gpu,
        })
    }
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
