//! The 2018 system: a hiding and a reveal network, trained together.

use serde::{Deserialize, Serialize};

use crate::hiding2018::{HidingNet, HidingNetConfig};
use crate::init::Init;
use crate::reveal2018::{RevealNet, RevealNetConfig};
use crate::tensor::Tensor;

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
    pub(crate) fn init(&self, init: &mut Init) -> Pair2018 {
        Pair2018 {
            hiding: init.within("hiding", |init| self.hiding.init(init)),
            reveal: init.within_reveal(|init| self.reveal.init(init)),
        }
    }
}

/// Both networks of the 2018 system.
#[derive(Clone, Debug)]
pub struct Pair2018 {
    /// Hides.
    pub hiding: HidingNet,
    /// Reveals.
    pub reveal: RevealNet,
}

impl Pair2018 {
    /// Container from cover and secret, see [`HidingNet::forward`].
    #[must_use]
    pub fn hide<T: Tensor>(&self, cover: &T, secret: &T) -> T {
        self.hiding.forward(cover, secret)
    }

    /// Revealed picture from a container, see [`RevealNet::forward`].
    #[must_use]
    pub fn reveal<T: Tensor>(&self, container: &T) -> T {
        self.reveal.forward(container)
    }
}
