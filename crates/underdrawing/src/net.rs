//! The networks, one file each, written once in burn's terms for every device.

mod conv;
mod haar;
mod init;
mod lifting;
mod ops;
mod params;

use burn::module::Module;
use burn::prelude::*;

pub use init::Init;
pub use lifting::{LiftingNet, LiftingNetConfig};
pub use params::{NamedTensor, named_tensors, with_tensors};

/// All networks of a model, with one way to hide and one to reveal.
#[derive(Module, Debug)]
pub enum Networks {
    /// The invertible network.
    Lifting(LiftingNet),
}

impl Networks {
    /// Container from cover and secret: `[n, 3, h, w]` each, sRGB-encoded, nominally in [0, 1]; the
    /// container is not clamped.
    #[must_use]
    pub fn hide(&self, cover: Tensor<4>, secret: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(net) => net.hide(cover, secret),
        }
    }

    /// Revealed picture from a container, same layout; not clamped.
    #[must_use]
    pub fn reveal(&self, container: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(net) => net.reveal(container),
        }
    }
}
