//! Hiding network of the 2018 system: cover and secret -> container.
//!
//! The U-Net of pix2pix (Isola et al. 2017) as the PyTorch hiding network of 2018 uses it: seven
//! 4x4 convolutions of stride 2 down to a single point of a 128x128 picture, seven transposed ones
//! up again, each taking the features of its own scale from the way down beside those from below.
//! 41,832,067 parameters at width 64 and depth 7 (pinned by a test), 6.07 GMAC at 256x256.
//!
//! Differs from it: written as a loop over levels rather than as nested blocks, and any depth from
//! 2 up. `pth` translates the names of the nested blocks.

use burn::module::Param;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel, Layer, Plan, PlanBuilder};

use super::batch_norm::BatchNorm;
use super::conv::LEAKY_SLOPE;
use super::init::{FIRST_DEVIATION, Init};
use super::ops::{conv, doubling, rectified, rectified_leaky};
use super::params::values_of;

/// Side of every kernel.
const KERNEL: usize = 4;

/// Size of a [`HidingNet`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HidingNetConfig {
    /// Channels after the first convolution; the next levels have 2, 4, 8, 8, ... times as many.
    pub width: usize,
    /// Levels, 2 or more; each halves the sides.
    pub depth: usize,
}

impl Default for HidingNetConfig {
    fn default() -> Self {
        Self {
            width: 64,
            depth: 7,
        }
    }
}

impl HidingNetConfig {
    /// Fresh weights: convolutions N(0, 0.02); the one bias uniform as PyTorch starts it.
    ///
    /// # Panics
    /// Panics if the depth is below 2.
    #[must_use]
    pub fn init(&self, init: &mut Init) -> HidingNet {
        assert!(self.depth >= 2, "expected depth >= 2, got {}", self.depth);
        HidingNet {
            down: (0..self.depth)
                .map(|level| self.down(level, init))
                .collect(),
            up: (0..self.depth).map(|level| self.up(level, init)).collect(),
        }
    }

    /// Both sides of the pictures must be multiples of this.
    #[must_use]
    pub fn size_multiple(&self) -> usize {
        1 << self.depth
    }

    /// Channels after the downward convolution of a level, 0 the outermost.
    fn channels(&self, level: usize) -> usize {
        self.width << level.min(3)
    }

    fn down(&self, level: usize, init: &mut Init) -> Down {
        let outermost = level == 0;
        let innermost = level == self.depth - 1;
        let c_in = if outermost {
            6
        } else {
            self.channels(level - 1)
        };
        let c_out = self.channels(level);
        Down {
            weight: init.normal([c_out, c_in, KERNEL, KERNEL], 0.0, FIRST_DEVIATION),
            norm: (!outermost && !innermost).then(|| BatchNorm::init(c_out, init)),
        }
    }

    fn up(&self, level: usize, init: &mut Init) -> Up {
        let outermost = level == 0;
        let innermost = level == self.depth - 1;
        // Below the innermost level there is nothing to concatenate with.
        let c_in = self.channels(level) * if innermost { 1 } else { 2 };
        let c_out = if outermost {
            3
        } else {
            self.channels(level - 1)
        };
        // PyTorch takes a transposed convolution's fan-in from its second dimension, the output.
        let bound = 1.0 / ((c_out * KERNEL * KERNEL) as f64).sqrt();
        Up {
            weight: init.normal([c_in, c_out, KERNEL, KERNEL], 0.0, FIRST_DEVIATION),
            bias: outermost.then(|| init.uniform([c_out], bound)),
            norm: (!outermost).then(|| BatchNorm::init(c_out, init)),
        }
    }
}

/// The hiding network.
#[derive(Module, Debug)]
pub struct HidingNet {
    down: Vec<Down>, // outermost first
    up: Vec<Up>,     // outermost first
}

impl HidingNet {
    /// Container from cover and secret.
    ///
    /// # Shapes
    /// - `cover`, `secret`: `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`, sides multiples of
    ///   [`HidingNetConfig::size_multiple`]
    /// - returns `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    #[must_use]
    pub fn forward(&self, cover: Tensor<4>, secret: Tensor<4>) -> Tensor<4> {
        let mut x = Tensor::cat(vec![cover, secret], 1); // [n, 6, h, w]
        let mut skips = Vec::with_capacity(self.down.len());
        for (level, down) in self.down.iter().enumerate() {
            if level > 0 {
                skips.push(x.clone());
                x = rectified_leaky(x, LEAKY_SLOPE);
            }
            x = down.forward(x); // [n, channels, h / 2^(level + 1), w / 2^(level + 1)]
        }
        for up in self.up.iter().rev() {
            x = up.forward(rectified(x));
            if let Some(skip) = skips.pop() {
                x = Tensor::cat(vec![skip, x], 1);
            }
        }
        x
    }
}

impl HidingNet {
    /// The network for inference, in the layout of our kernels from first to last: cover and secret
    /// in, the container out, as of [`HidingNet::forward`] with running statistics. It runs at any
    /// size and batch, and is fastest at `size`, height and width.
    #[must_use]
    pub fn plan(&self, size: [usize; 2]) -> Plan {
        let mut builder = PlanBuilder::default();
        let pictures = [builder.input(3), builder.input(3)];
        let mut x = builder.concat(&pictures);
        // What is kept for the way up has its activation already, that of the way up.
        let mut skips = Vec::with_capacity(self.down.len());
        let innermost = self.down.len() - 1;
        for (level, down) in self.down.iter().enumerate() {
            let (weights, bias) = down.folded();
            let activation = match level == innermost {
                true => Activation::Relu,
                false => Activation::LeakyRelu(LEAKY_SLOPE),
            };
            x = builder.conv(x, layer(&weights, &bias, Kernel::HALVING, activation));
            if level < innermost {
                skips.push(builder.again(Activation::Relu));
            }
        }
        for up in self.up.iter().rev() {
            let (weights, bias) = up.folded();
            let skip = skips.pop();
            let activation = match skip {
                Some(_) => Activation::Relu,
                None => Activation::Sigmoid,
            };
            x = builder.doubling(x, layer(&weights, &bias, Kernel::HALVING, activation));
            if let Some(skip) = skip {
                x = builder.concat(&[skip, x]);
            }
        }
        builder.build(&[x], size)
    }
}

fn layer<'a>(
    weights: &'a [f32],
    bias: &'a [f32],
    kernel: Kernel,
    activation: Activation,
) -> Layer<'a> {
    Layer {
        c_out: bias.len(),
        kernel,
        weights,
        bias: Some(bias),
        activation,
    }
}

/// Scale and shift of `channels` channels.
fn scale_and_shift(norm: &Option<BatchNorm>, channels: usize) -> (Vec<f32>, Vec<f32>) {
    match norm {
        Some(norm) => norm.scale_and_shift(),
        None => (vec![1.0; channels], vec![0.0; channels]),
    }
}

/// A convolution that halves the sides.
#[derive(Module, Debug)]
struct Down {
    weight: Param<Tensor<4>>, // [c_out, c_in, 4, 4]
    norm: Option<BatchNorm>,
}

impl Down {
    /// Weights and bias with the normalisation in them.
    fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let [c_out, ..] = self.weight.val().dims();
        let (scale, shift) = scale_and_shift(&self.norm, c_out);
        let mut weights = values_of(self.weight.val());
        let per_channel = weights.len() / c_out;
        for (weights, scale) in weights.chunks_exact_mut(per_channel).zip(&scale) {
            weights.iter_mut().for_each(|w| *w *= scale);
        }
        (weights, shift)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let y = conv(
            x,
            self.weight.val(),
            None,
            Kernel::HALVING,
            Activation::None,
        );
        normalised(&self.norm, y)
    }
}

/// A transposed convolution that doubles the sides.
#[derive(Module, Debug)]
struct Up {
    weight: Param<Tensor<4>>,       // [c_in, c_out, 4, 4]
    bias: Option<Param<Tensor<1>>>, // [c_out]
    norm: Option<BatchNorm>,
}

impl Up {
    /// Weights and bias with the normalisation in them.
    fn folded(&self) -> (Vec<f32>, Vec<f32>) {
        let [_, c_out, ..] = self.weight.val().dims();
        let (scale, mut shift) = scale_and_shift(&self.norm, c_out);
        let mut weights = values_of(self.weight.val());
        for weights in weights.chunks_exact_mut(c_out * KERNEL * KERNEL) {
            for (weights, scale) in weights.chunks_exact_mut(KERNEL * KERNEL).zip(&scale) {
                weights.iter_mut().for_each(|w| *w *= scale);
            }
        }
        if let Some(bias) = &self.bias {
            let bias = values_of(bias.val());
            shift
                .iter_mut()
                .zip(&scale)
                .zip(bias)
                .for_each(|((shift, scale), bias)| {
                    *shift += scale * bias;
                });
        }
        (weights, shift)
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        // The outermost one has a bias, and a sigmoid in the place of a normalisation.
        let activation = match self.norm {
            Some(_) => Activation::None,
            None => Activation::Sigmoid,
        };
        let bias = self.bias.as_ref().map(Param::val);
        let y = doubling(x, self.weight.val(), bias, activation);
        normalised(&self.norm, y)
    }
}

fn normalised(norm: &Option<BatchNorm>, x: Tensor<4>) -> Tensor<4> {
    match norm {
        Some(norm) => norm.forward(x),
        None => x,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2018_network() {
        let net = HidingNetConfig::default().init(&mut Init::new(1, &Device::flex()));
        assert_eq!(crate::net::n_parameters(&net), 41_832_067);
    }

    #[test]
    fn keeps_the_size_at_every_depth() {
        for depth in [2, 3, 5] {
            let config = HidingNetConfig { width: 2, depth };
            let net = config.init(&mut Init::new(1, &Device::flex()));
            let picture = Tensor::<4>::zeros([1, 3, 32, 64], &Device::flex());
            let container = net.forward(picture.clone(), picture);
            assert_eq!(container.dims(), [1, 3, 32, 64], "depth {depth}");
        }
    }
}
