//! Networks with their parameters.

use std::sync::Arc;

use crate::architecture::Architecture;
use crate::dense2017::Triple2017;
use crate::init::Init;
use crate::lifting::{self, LiftingNet};
use crate::pair2018::Pair2018;
use crate::param::{Param, Role, filled};
use crate::rounding::Rounding;
use crate::tensor::Tensor;

/// The layers of a model's networks, with one way to hide and one to reveal.
#[derive(Clone, Debug)]
pub enum Nets {
    /// The invertible network.
    Lifting(LiftingNet),
    /// The 2018 system.
    Unet2018(Pair2018),
    /// The 2017 design.
    Dense2017(Triple2017),
}

impl Nets {
    /// Container from cover and secret: `[n, 3, h, w]` each, sRGB-encoded, nominally in [0, 1]; the
    /// container is not clamped.
    #[must_use]
    pub fn hide<T: Tensor>(&self, cover: &T, secret: &T) -> T {
        match self {
            Self::Lifting(net) => net.hide(cover, secret),
            Self::Unet2018(net) => net.hide(cover, secret),
            Self::Dense2017(net) => net.hide(cover, secret),
        }
    }

    /// What the secret changes: the cover, with [`HEADROOM`](crate::HEADROOM) in lifting networks.
    /// Same layout.
    #[must_use]
    pub fn prepared<T: Tensor>(&self, cover: &T) -> T {
        match self {
            Self::Lifting(_) => lifting::with_headroom(cover),
            Self::Unet2018(_) | Self::Dense2017(_) => cover.clone(),
        }
    }

    /// Revealed picture from a container, same layout; not clamped.
    #[must_use]
    pub fn reveal<T: Tensor>(&self, container: &T) -> T {
        match self {
            Self::Lifting(net) => net.reveal(container),
            Self::Unet2018(net) => net.reveal(container),
            Self::Dense2017(net) => net.reveal(container),
        }
    }

    /// Errors that rounding a container brings, `[n, 3, 2h, 2w]`, out of errors of single samples
    /// that know nothing of each other, `[n, 12, h, w]` for blocks of 2x2 pixels.
    #[must_use]
    pub fn rounding_errors<T: Tensor>(&self, errors: &T) -> T {
        match self {
            Self::Lifting(net) => net.rounding_errors(errors),
            Self::Unet2018(_) | Self::Dense2017(_) => errors.pixel_shuffle(),
        }
    }
}

/// All networks of a model: what they are, their layers, their parameters.
///
/// Clones share the parameters.
#[derive(Clone, Debug)]
pub struct Networks {
    architecture: Architecture,
    nets: Nets,
    params: Arc<[Param]>,
}

impl Networks {
    /// With fresh parameters; equal seeds give equal ones.
    ///
    /// # Panics
    /// Panics on an architecture that [`Architecture::check`] refuses.
    #[must_use]
    pub fn new(architecture: Architecture, seed: u64) -> Self {
        let (nets, params) = init(&architecture, Init::new(seed));
        Self {
            architecture,
            nets,
            params: params.into(),
        }
    }

    /// With parameters that `values` gives, asked for each in turn.
    ///
    /// # Errors
    /// The first error of `values`.
    ///
    /// # Panics
    /// As [`Networks::new`]; or when `values` gives another number of values than the shape holds.
    pub fn with_values<E>(
        architecture: Architecture,
        values: impl FnMut(&Param) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let (nets, params) = init(&architecture, Init::unfilled());
        Ok(Self {
            architecture,
            nets,
            params: filled(params, values)?,
        })
    }

    /// The same networks with other values, which `values` gives for each parameter in turn.
    ///
    /// # Panics
    /// Panics when `values` gives another number of values than the shape holds.
    #[must_use]
    pub fn map(&self, mut values: impl FnMut(&Param) -> Vec<f32>) -> Self {
        let params = self.params.iter().map(|param| {
            let values = values(param);
            assert_eq!(values.len(), param.len(), "values of {}", param.name);
            Param {
                values,
                ..param.clone()
            }
        });
        Self {
            params: params.collect(),
            ..self.clone()
        }
    }

    /// Parameters of an architecture without their values, which takes no memory for them.
    #[must_use]
    pub fn shapes(architecture: Architecture) -> Vec<Param> {
        init(&architecture, Init::unfilled()).1
    }

    /// What they are built of.
    #[must_use]
    pub fn architecture(&self) -> &Architecture {
        &self.architecture
    }

    /// The layers.
    #[must_use]
    pub fn nets(&self) -> &Nets {
        &self.nets
    }

    /// Parameters and running statistics, in the order of the fields.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }

    /// How a container becomes 8 bits.
    #[must_use]
    pub fn rounding(&self) -> Rounding {
        match &self.nets {
            Nets::Lifting(net) => net.rounding(&self.params),
            Nets::Unet2018(_) | Nets::Dense2017(_) => Rounding::nearest(),
        }
    }
}

/// Layers and parameters.
fn init(architecture: &Architecture, mut init: Init) -> (Nets, Vec<Param>) {
    let nets = match architecture {
        Architecture::Lifting(config) => Nets::Lifting(config.init(&mut init)),
        Architecture::Unet2018(config) => Nets::Unet2018(config.init(&mut init)),
        Architecture::Dense2017(config) => Nets::Dense2017(config.init(&mut init)),
    };
    (nets, init.into_params())
}

/// Number of trained values: all but the running statistics.
#[must_use]
pub fn n_parameters(params: &[Param]) -> usize {
    let trained = params.iter().filter(|param| param.role != Role::Statistic);
    trained.map(Param::len).sum()
}
