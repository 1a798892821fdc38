//! Reveal network of the 2018 system: container -> revealed.
//!
//! Six 3x3 convolutions, 3-w-2w-4w-2w-w-3, with batch normalisation and ReLU after all but the
//! last and a sigmoid at the end, as the PyTorch reveal network of 2018. 742,659 parameters at
//! width 64 (pinned by a test), 48.5 GMAC at 256x256. Differs from it: nothing.

use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel};

use crate::init::{FIRST_DEVIATION, Init};
use crate::layers::{BatchNorm, ConvLayer};
use crate::tensor::Tensor;

/// Size of a [`RevealNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealNetConfig {
    /// Channels after the first convolution.
    pub width: usize,
}

impl Default for RevealNetConfig {
    fn default() -> Self {
        Self { width: 64 }
    }
}

impl RevealNetConfig {
    /// Fresh weights: convolutions N(0, 0.02), their biases uniform as PyTorch starts them.
    pub(crate) fn init(&self, init: &mut Init) -> RevealNet {
        let w = self.width;
        let channels = [3, w, 2 * w, 4 * w, 2 * w, w];
        RevealNet {
            layers: init.list("layers", channels.len() - 1, |init, i| {
                let (c_in, c_out) = (channels[i], channels[i + 1]);
                Layer {
                    conv: init.within("conv", |init| conv(c_in, c_out, init)),
                    norm: init.within("norm", |init| BatchNorm::init(c_out, init)),
                }
            }),
            last: init.within("last", |init| conv(w, 3, init)),
        }
    }

    /// Pixels on each side that a revealed pixel depends on: one a convolution.
    #[must_use]
    pub fn receptive_radius(&self) -> usize {
        6
    }
}

fn conv(c_in: usize, c_out: usize, init: &mut Init) -> ConvLayer {
    let bound = 1.0 / ((9 * c_in) as f64).sqrt();
    ConvLayer {
        weight: init.normal("weight", &[c_out, c_in, 3, 3], 0.0, FIRST_DEVIATION),
        bias: Some(init.uniform("bias", &[c_out], bound)),
        kernel: Kernel::same(3),
        c_out,
    }
}

/// The reveal network.
#[derive(Clone, Debug)]
pub struct RevealNet {
    layers: Vec<Layer>,
    last: ConvLayer,
}

#[derive(Clone, Debug)]
struct Layer {
    conv: ConvLayer,
    norm: BatchNorm,
}

impl RevealNet {
    /// Revealed picture from a container.
    ///
    /// # Shapes
    /// - `container`: `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    /// - returns `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    #[must_use]
    pub fn forward<T: Tensor>(&self, container: &T) -> T {
        let mut x = container.clone();
        for layer in &self.layers {
            x = x.conv(&layer.conv, Activation::None);
            x = x.batch_norm(&layer.norm, Activation::Relu);
        }
        x.conv(&self.last, Activation::Sigmoid) // from [n, width, h, w]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2018_network() {
        let mut init = Init::unfilled();
        RevealNetConfig::default().init(&mut init);
        assert_eq!(crate::n_parameters(&init.into_params()), 742_659);
    }
}
