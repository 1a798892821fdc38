//! The 2018 system: a hiding and a reveal network, trained together.

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use super::init::Init;
use super::reveal::{RevealNet, RevealNetConfig};
use super::unet::{HidingNet, HidingNetConfig};

/// Sizes of a [`Pair2018`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair2018Config {
    /// The U-Net that hides.
    pub hiding: HidingNetConfig,
    /// The network that reveals.
    pub reveal: RevealNetConfig,
}

impl Pair2018Config {
    /// Fresh weights, the hiding network's drawn first.
    ///
    /// # Panics
    /// Panics if the depth of the hiding network is below 2.
    #[must_use]
    pub fn init(&self, init: &mut Init) -> Pair2018 {
        Pair2018 {
            hiding: self.hiding.init(init),
            reveal: self.reveal.init(init),
        }
    }
}

/// Both networks of the 2018 system.
#[derive(Module, Debug)]
pub struct Pair2018 {
    /// Hides.
    pub hiding: HidingNet,
    /// Reveals.
    pub reveal: RevealNet,
}

impl Pair2018 {
    /// Container from cover and secret, see [`HidingNet::forward`].
    #[must_use]
    pub fn hide(&self, cover: Tensor<4>, secret: Tensor<4>) -> Tensor<4> {
        self.hiding.forward(cover, secret)
    }

    /// Revealed picture from a container, see [`RevealNet::forward`].
    #[must_use]
    pub fn reveal(&self, container: Tensor<4>) -> Tensor<4> {
        self.reveal.forward(container)
    }
}
