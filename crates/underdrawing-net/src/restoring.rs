//! Restoring network: takes from a picture what coding at few bits a pixel has put into it.
//!
//! Works at half the resolution, on Haar bands: features of `width` channels go through `blocks`
//! residual networks, and what comes out is added to the picture's bands. The idea is that of
//! filters learned for decoders (Dai et al., "A Convolutional Neural Network Approach for
//! Post-Processing in HEVC Intra Coding", 2017). It is told how coarse the code was, so that one
//! network serves all rates.

use std::sync::Arc;

use underdrawing_conv::Activation;

use crate::init::Init;
use crate::layers::{ConvLayer, ResidualNet};
use crate::param::{Param, filled};
use crate::tensor::{Change, Tensor};

/// Channels of a picture after the Haar transform: 3 colours, 4 bands.
const BANDS: usize = 12;

/// Grey in the middle of the range; bands are of what differs from it.
const GREY: f32 = 0.5;

/// Size of a restoring network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestoringNetConfig {
    /// Residual networks, one after the other.
    pub blocks: usize,
    /// Channels of the features, and inside each residual network.
    pub width: usize,
}

/// The layers of a restoring network.
#[derive(Clone, Debug)]
pub struct RestoringNet {
    first: ConvLayer,
    blocks: Vec<ResidualNet>,
    last: ConvLayer,
}

impl RestoringNetConfig {
    /// Pixels on each side that a restored pixel depends on, 2 a convolution and 1 for the bands.
    #[must_use]
    pub fn receptive_radius(&self) -> usize {
        2 * (ResidualNet::RADIUS * self.blocks + 2) + 1
    }

    /// Fresh weights; the last layer starts near zero, so the first restored picture is nearly the
    /// one that came.
    fn init(&self, init: &mut Init) -> RestoringNet {
        let layer = |name: &str, c_in: usize, c_out: usize, gain: f64, init: &mut Init| {
            init.within(name, |init| ConvLayer::init_3x3(c_in, c_out, gain, init))
        };
        RestoringNet {
            first: layer("first", BANDS + 1, self.width, 1.0, init),
            blocks: init.list("blocks", self.blocks, |init, _| {
                ResidualNet::init(self.width, self.width, self.width, init)
            }),
            last: layer("last", self.width, BANDS, 0.05, init),
        }
    }
}

impl RestoringNet {
    /// What the network is told of the quantiser's step, which is in grey levels: its logarithm,
    /// near zero at the rates that it is for.
    #[must_use]
    pub fn coarseness(step: f64) -> f32 {
        (0.5 * (step / 32.0).log2()) as f32
    }

    /// The restored picture from a decoded one, `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`, even sides;
    /// not clamped. `coarseness` is `[n, 1, h/2, w/2]`, the same value throughout a picture.
    #[must_use]
    pub fn restore<T: Tensor>(&self, decoded: &T, coarseness: &T) -> T {
        let bands = decoded.haar(GREY); // [n, 12, h/2, w/2]
        let input = T::concat(&[bands.clone(), coarseness.clone()]);
        let leaky = Activation::LeakyRelu(ResidualNet::SLOPE);
        let mut features = input.conv(&self.first, leaky); // [n, width, h/2, w/2]
        for block in &self.blocks {
            let source = features.clone();
            features = features.change(block, &source, Change::Add);
        }
        let correction = features.conv(&self.last, Activation::None);
        bands.plus(&correction).inverse_haar(GREY)
    }
}

/// A restoring network with its parameters. Clones share them.
#[derive(Clone, Debug)]
pub struct Restoring {
    config: RestoringNetConfig,
    net: RestoringNet,
    params: Arc<[Param]>,
}

impl Restoring {
    /// With fresh parameters; equal seeds give equal ones.
    #[must_use]
    pub fn new(config: RestoringNetConfig, seed: u64) -> Self {
        let mut init = Init::new(seed);
        let net = config.init(&mut init);
        let params = init.into_params().into();
        Self {
            config,
            net,
            params,
        }
    }

    /// With parameters that `values` gives, asked for each in turn.
    ///
    /// # Errors
    /// The first error of `values`.
    ///
    /// # Panics
    /// Panics when `values` gives another number of values than the shape holds.
    pub fn with_values<E>(
        config: RestoringNetConfig,
        values: impl FnMut(&Param) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let mut init = Init::unfilled();
        Ok(Self {
            config,
            net: config.init(&mut init),
            params: filled(init.into_params(), values)?,
        })
    }

    /// What it is built of.
    #[must_use]
    pub fn config(&self) -> RestoringNetConfig {
        self.config
    }

    /// The layers.
    #[must_use]
    pub fn net(&self) -> &RestoringNet {
        &self.net
    }

    /// Parameters, in the order of the fields.
    #[must_use]
    pub fn params(&self) -> &[Param] {
        &self.params
    }
}
