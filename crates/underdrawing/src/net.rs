//! The networks, one file each, written once in burn's terms for every device.

mod batch_norm;
mod conv;
mod dense2017;
mod init;
mod lifting;
mod ops;
mod pair2018;
mod params;
mod reveal;
mod shaping;
mod unet;

use burn::module::Module;
use burn::prelude::*;

pub use crate::rounding::Rounding;
pub use dense2017::{PictureNet, PreparationNet, Triple2017, Triple2017Config};
pub use init::Init;
pub use lifting::{HEADROOM, LiftingNet, LiftingNetConfig};
pub use ops::{AdamFactors, AdamState, adam_step};
pub use pair2018::{Pair2018, Pair2018Config};
pub use params::{
    NamedTensor, is_statistic, n_parameters, named_shapes, named_tensors, with_tensors,
};
pub use reveal::{RevealNet, RevealNetConfig};
pub use shaping::NoiseShaping;
pub use unet::{HidingNet, HidingNetConfig};

/// All networks of a model, with one way to hide and one to reveal.
#[derive(Module, Debug)]
pub enum Networks {
    /// The invertible network.
    Lifting(LiftingNet),
    /// The 2018 system.
    Unet2018(Pair2018),
    /// The 2017 design.
    Dense2017(Triple2017),
}

impl Networks {
    /// Container from cover and secret: `[n, 3, h, w]` each, sRGB-encoded, nominally in [0, 1]; the
    /// container is not clamped.
    #[must_use]
    pub fn hide(&self, cover: Tensor<4>, secret: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(net) => net.hide(cover, secret),
            Self::Unet2018(net) => net.hide(cover, secret),
            Self::Dense2017(net) => net.hide(cover, secret),
        }
    }

    /// What the secret changes: the cover, with [`HEADROOM`] in lifting networks. Same layout.
    #[must_use]
    pub fn prepared(&self, cover: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(_) => lifting::with_headroom(cover),
            Self::Unet2018(_) | Self::Dense2017(_) => cover,
        }
    }

    /// Revealed picture from a container, same layout; not clamped.
    #[must_use]
    pub fn reveal(&self, container: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(net) => net.reveal(container),
            Self::Unet2018(net) => net.reveal(container),
            Self::Dense2017(net) => net.reveal(container),
        }
    }

    /// Errors that rounding a container brings, `[n, 3, 2h, 2w]`, out of errors of single samples
    /// that know nothing of each other, `[n, 12, h, w]` for blocks of 2x2 pixels.
    #[must_use]
    pub fn rounding_errors(&self, errors: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Lifting(net) => net.rounding_errors(errors),
            Self::Unet2018(_) | Self::Dense2017(_) => ops::from_corners(errors),
        }
    }

    /// How a container becomes 8 bits.
    #[must_use]
    pub fn rounding(&self) -> Rounding {
        match self {
            Self::Lifting(net) => net.rounding(),
            Self::Unet2018(_) | Self::Dense2017(_) => Rounding::nearest(),
        }
    }
}
