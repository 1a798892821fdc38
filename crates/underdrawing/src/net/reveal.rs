//! Reveal network of the 2018 system: container -> revealed.
//!
//! Six 3x3 convolutions, 3-w-2w-4w-2w-w-3, with batch normalisation and ReLU after all but the
//! last and a sigmoid at the end, as the PyTorch reveal network of 2018. 742,659 parameters at
//! width 64 (pinned by a test), 48.5 GMAC at 256x256. Differs from it: nothing.

use burn::prelude::*;
use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel, Layer as PlanLayer, Maps, Plan, PlanBuilder};

use super::batch_norm::BatchNorm;
use super::conv::Conv3x3;
use super::init::{FIRST_DEVIATION, Init};

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
    #[must_use]
    pub fn init(&self, init: &mut Init) -> RevealNet {
        let w = self.width;
        let channels = [3, w, 2 * w, 4 * w, 2 * w, w];
        RevealNet {
            layers: channels
                .windows(2)
                .map(|pair| Layer {
                    conv: conv(pair[0], pair[1], init),
                    norm: BatchNorm::init(pair[1], init),
                })
                .collect(),
            last: conv(w, 3, init),
        }
    }

    /// Pixels on each side that a revealed pixel depends on: one a convolution.
    #[must_use]
    pub fn receptive_radius(&self) -> usize {
        6
    }
}

fn conv(c_in: usize, c_out: usize, init: &mut Init) -> Conv3x3 {
    let bound = 1.0 / ((9 * c_in) as f64).sqrt();
    Conv3x3::new(
        init.normal([c_out, c_in, 3, 3], 0.0, FIRST_DEVIATION),
        init.uniform([c_out], bound),
    )
}

/// The reveal network.
#[derive(Module, Debug)]
pub struct RevealNet {
    layers: Vec<Layer>,
    last: Conv3x3,
}

impl RevealNet {
    /// Revealed picture from a container.
    ///
    /// # Shapes
    /// - `container`: `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    /// - returns `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    #[must_use]
    pub fn forward(&self, container: Tensor<4>) -> Tensor<4> {
        let features = self.layers.iter().fold(container, |x, layer| {
            layer.norm.forward_relu(layer.conv.forward(x))
        }); // [n, width, h, w]
        self.last.forward_sigmoid(features)
    }
}

impl RevealNet {
    /// The network for inference, in the layout of our kernels from first to last: one input and
    /// one output as of [`RevealNet::forward`] with running statistics. It runs at any size and
    /// batch, and is fastest at `size`, height and width.
    #[must_use]
    pub fn plan(&self, size: [usize; 2]) -> Plan {
        let mut builder = PlanBuilder::default();
        let mut x = builder.input(3);
        let mut add = |x: Maps, (weights, bias): (Vec<f32>, Vec<f32>), activation: Activation| {
            let layer = PlanLayer {
                c_out: bias.len(),
                kernel: Kernel::same(3),
                weights: &weights,
                bias: Some(&bias),
                activation,
            };
            builder.conv(x, layer)
        };
        for layer in &self.layers {
            let (scale, shift) = layer.norm.scale_and_shift();
            x = add(x, layer.conv.scaled(&scale, &shift), Activation::Relu);
        }
        let (one, zero) = (vec![1.0; 3], vec![0.0; 3]);
        x = add(x, self.last.scaled(&one, &zero), Activation::Sigmoid);
        builder.build(&[x], size)
    }
}

#[derive(Module, Debug)]
struct Layer {
    conv: Conv3x3,
    norm: BatchNorm,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2018_network() {
        let net = RevealNetConfig::default().init(&mut Init::new(1, &Device::flex()));
        assert_eq!(crate::net::n_parameters(&net), 742_659);
    }
}
