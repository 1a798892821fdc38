//! The three-network design of 2017: preparation, hiding, reveal.
//!
//! After Baluja, "Hiding Images in Plain Sight: Deep Steganography" (NIPS 2017), in the sizes of
//! the open PyTorch port of 2018. 2,650,656 parameters at width 50 (pinned by a test).
//!
//! Differs from the port: padding of the even kernels puts the odd zero at the right and bottom
//! (PyTorch's `padding="same"`), and normalisation by ImageNet's mean and deviation happens inside,
//! so pictures are `[0, 1]` outside.

use burn::module::Param;
use burn::prelude::*;
use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel};

use super::init::Init;
use super::ops::conv;

/// Kernel sides of the parallel branches.
const BRANCHES: [usize; 3] = [3, 4, 5];

/// Kernel sides of the convolutions over all branches, in the order of their outputs.
const MIXERS: [usize; 3] = [5, 4, 3];

/// Mean of ImageNet's pictures, RGB in `[0, 1]`.
const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// Deviation of ImageNet's pictures.
const DEVIATION: [f32; 3] = [0.229, 0.224, 0.225];

/// Size of a [`Triple2017`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Triple2017Config {
    /// Channels of each convolution.
    pub width: usize,
}

impl Default for Triple2017Config {
    fn default() -> Self {
        Self { width: 50 }
    }
}

impl Triple2017Config {
    /// Fresh weights: all uniform as PyTorch starts them; preparation, hiding, reveal in order.
    #[must_use]
    pub fn init(&self, init: &mut Init) -> Triple2017 {
        let features = 3 * self.width;
        Triple2017 {
            preparation: PreparationNet {
                body: Body::init(3, self.width, init),
            },
            hiding: PictureNet {
                body: Body::init(3 + features, self.width, init),
                last: Conv::init(features, 3, /* kernel */ 1, init),
            },
            reveal: PictureNet {
                body: Body::init(3, self.width, init),
                last: Conv::init(features, 3, /* kernel */ 1, init),
            },
        }
    }

    /// Pixels on each side that a container pixel depends on: preparation and hiding together.
    #[must_use]
    pub fn hide_radius(&self) -> usize {
        2 * self.reveal_radius()
    }

    /// Pixels on each side that a revealed pixel depends on: five 5x5 convolutions in a row.
    #[must_use]
    pub fn reveal_radius(&self) -> usize {
        10
    }
}

/// The three networks of 2017.
#[derive(Module, Debug)]
pub struct Triple2017 {
    /// Secret to features.
    pub preparation: PreparationNet,
    /// Cover and features to container.
    pub hiding: PictureNet,
    /// Container to revealed picture.
    pub reveal: PictureNet,
}

impl Triple2017 {
    /// Container from cover and secret: `[n, 3, h, w]` each, sRGB-encoded, `[0, 1]`. The result
    /// is not clamped.
    #[must_use]
    pub fn hide(&self, cover: Tensor<4>, secret: Tensor<4>) -> Tensor<4> {
        let features = self.preparation.forward(normalised(secret)); // [n, 3 width, h, w]
        let x = Tensor::cat(vec![normalised(cover), features], 1);
        denormalised(self.hiding.forward(x))
    }

    /// Revealed picture from a container, same layout; the result is not clamped.
    #[must_use]
    pub fn reveal(&self, container: Tensor<4>) -> Tensor<4> {
        denormalised(self.reveal.forward(normalised(container)))
    }
}

/// Brings a secret into the form that the hiding network takes.
#[derive(Module, Debug)]
pub struct PreparationNet {
    body: Body,
}

impl PreparationNet {
    /// `[n, 3, h, w]`, normalised by ImageNet's mean and deviation, to `[n, 3 width, h, w]`.
    #[must_use]
    pub fn forward(&self, secret: Tensor<4>) -> Tensor<4> {
        self.body.forward(secret)
    }
}

/// A network that paints a picture: hiding or reveal.
#[derive(Module, Debug)]
pub struct PictureNet {
    body: Body,
    last: Conv,
}

impl PictureNet {
    /// `[n, c_in, h, w]` to `[n, 3, h, w]`, normalised by ImageNet's mean and deviation.
    #[must_use]
    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.last.forward(self.body.forward(x))
    }
}

/// Three branches of four convolutions, then three convolutions over all of them.
#[derive(Module, Debug)]
struct Body {
    branches: Vec<Vec<Conv>>,
    mixers: Vec<Conv>,
}

impl Body {
    fn init(c_in: usize, width: usize, init: &mut Init) -> Self {
        Self {
            branches: BRANCHES
                .iter()
                .map(|&kernel| {
                    [c_in, width, width, width]
                        .map(|c_in| Conv::init(c_in, width, kernel, init))
                        .into()
                })
                .collect(),
            mixers: MIXERS
                .iter()
                .map(|&kernel| Conv::init(3 * width, width, kernel, init))
                .collect(),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let branches = self
            .branches
            .iter()
            .map(|convs| convs.iter().fold(x.clone(), |x, conv| conv.forward_relu(x)));
        let x = Tensor::cat(branches.collect(), 1); // [n, 3 width, h, w]
        let mixers = self.mixers.iter().map(|conv| conv.forward_relu(x.clone()));
        Tensor::cat(mixers.collect(), 1) // [n, 3 width, h, w]
    }
}

/// A convolution of stride 1 that keeps the size.
#[derive(Module, Debug)]
struct Conv {
    weight: Param<Tensor<4>>, // [c_out, c_in, k, k]
    bias: Param<Tensor<1>>,   // [c_out]
}

impl Conv {
    fn init(c_in: usize, c_out: usize, kernel: usize, init: &mut Init) -> Self {
        let bound = 1.0 / ((c_in * kernel * kernel) as f64).sqrt();
        Self {
            weight: init.uniform([c_out, c_in, kernel, kernel], bound),
            bias: init.uniform([c_out], bound),
        }
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::None)
    }

    /// The same with a ReLU behind it.
    fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::Relu)
    }

    fn run(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        let [_, _, side, _] = weight.dims();
        conv(x, weight, Some(bias), Kernel::same(side), activation)
    }
}

fn normalised(picture: Tensor<4>) -> Tensor<4> {
    let device = picture.device();
    (picture - per_channel(MEAN, &device)) / per_channel(DEVIATION, &device)
}

fn denormalised(picture: Tensor<4>) -> Tensor<4> {
    let device = picture.device();
    picture * per_channel(DEVIATION, &device) + per_channel(MEAN, &device)
}

fn per_channel(values: [f32; 3], device: &Device) -> Tensor<4> {
    Tensor::<1>::from_floats(values, device).reshape([1, 3, 1, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2017_networks() {
        let net = Triple2017Config::default().init(&mut Init::new(1, &Device::flex()));
        assert_eq!(crate::net::n_parameters(&net), 2_650_656);
    }
}
