//! Where and how networks run: `--device` and `--threads`.

use anyhow::Context;
use underdrawing::Compute;

use crate::args::{ComputeArgs, Device};

impl ComputeArgs {
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
