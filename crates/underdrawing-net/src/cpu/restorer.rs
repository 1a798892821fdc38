//! Restoring networks on the processor.

use super::inference::Inference;
use crate::restoring::{Restoring, RestoringNet, RestoringNetConfig};

/// Runs a restoring network on all cores.
pub struct CpuRestorer {
    config: RestoringNetConfig,
    net: RestoringNet,
    inference: Inference,
}

impl CpuRestorer {
    /// Runs this network.
    #[must_use]
    pub fn new(restoring: &Restoring) -> Self {
        Self {
            config: restoring.config(),
            net: restoring.net().clone(),
            inference: Inference::new(restoring.params()),
        }
    }

    /// What the network is built of.
    #[must_use]
    pub fn config(&self) -> RestoringNetConfig {
        self.config
    }

    /// The restored picture from a decoded one, `[3, h, w]`, sRGB-encoded, `[0, 1]`, even sides; not
    /// clamped. For `coarseness` see [`RestoringNet::restore`].
    #[must_use]
    pub fn restore(&self, [h, w]: [usize; 2], decoded: &[f32], coarseness: f32) -> Vec<f32> {
        let plane = [1, 1, h / 2, w / 2];
        let coarseness = vec![coarseness; plane.iter().product()];
        let inputs = [([1, 3, h, w], decoded), (plane, &coarseness[..])];
        self.inference
            .run(&inputs, |x| self.net.restore(&x[0], &x[1]))
    }
}
