//! The three-network design of 2017: preparation, hiding, reveal.
//!
//! After Baluja, "Hiding Images in Plain Sight: Deep Steganography" (NIPS 2017), in the sizes of
//! the open PyTorch port of 2018. 2,650,656 parameters at width 50 (pinned by a test).
//!
//! Differs from the port: padding of the even kernels puts the odd zero at the right and bottom
//! (PyTorch's `padding="same"`), and normalisation by ImageNet's mean and deviation happens inside,
//! so pictures are `[0, 1]` outside.

use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel};

use crate::init::Init;
use crate::layers::ConvLayer;
use crate::tensor::Tensor;

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
    pub(crate) fn init(&self, init: &mut Init) -> Triple2017 {
        let features = 3 * self.width;
        let picture_net = |c_in: usize, init: &mut Init| PictureNet {
            body: init.within("body", |init| Body::init(c_in, self.width, init)),
            last: init.within("last", |init| conv(features, 3, /* kernel */ 1, init)),
        };
        Triple2017 {
            preparation: init.within("preparation", |init| PreparationNet {
                body: init.within("body", |init| Body::init(3, self.width, init)),
            }),
            hiding: init.within("hiding", |init| picture_net(3 + features, init)),
            reveal: init.within_reveal(|init| picture_net(3, init)),
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
#[derive(Clone, Debug)]
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
    pub fn hide<T: Tensor>(&self, cover: &T, secret: &T) -> T {
        let features = self.preparation.forward(&normalised(secret)); // [n, 3 width, h, w]
        let x = T::concat(&[normalised(cover), features]);
        denormalised(self.hiding.forward(&x))
    }

    /// Revealed picture from a container, same layout; the result is not clamped.
    #[must_use]
    pub fn reveal<T: Tensor>(&self, container: &T) -> T {
        denormalised(self.reveal.forward(&normalised(container)))
    }
}

/// Brings a secret into the form that the hiding network takes.
#[derive(Clone, Debug)]
pub struct PreparationNet {
    body: Body,
}

impl PreparationNet {
    /// `[n, 3, h, w]`, normalised by ImageNet's mean and deviation, to `[n, 3 width, h, w]`.
    #[must_use]
    pub fn forward<T: Tensor>(&self, secret: &T) -> T {
        self.body.forward(secret)
    }
}

/// A network that paints a picture: hiding or reveal.
#[derive(Clone, Debug)]
pub struct PictureNet {
    body: Body,
    last: ConvLayer,
}

impl PictureNet {
    /// `[n, c_in, h, w]` to `[n, 3, h, w]`, normalised by ImageNet's mean and deviation.
    #[must_use]
    pub fn forward<T: Tensor>(&self, x: &T) -> T {
        self.body.forward(x).conv(&self.last, Activation::None)
    }
}

/// Three branches of four convolutions, then three convolutions over all of them.
#[derive(Clone, Debug)]
struct Body {
    branches: Vec<Vec<ConvLayer>>,
    mixers: Vec<ConvLayer>,
}

impl Body {
    fn init(c_in: usize, width: usize, init: &mut Init) -> Self {
        Self {
            branches: init.list("branches", BRANCHES.len(), |init, branch| {
                let channels = [c_in, width, width, width];
                let layer = |(i, c_in): (usize, usize)| {
                    init.within(&i.to_string(), |init| {
                        conv(c_in, width, BRANCHES[branch], init)
                    })
                };
                channels.into_iter().enumerate().map(layer).collect()
            }),
            mixers: init.list("mixers", MIXERS.len(), |init, i| {
                conv(3 * width, width, MIXERS[i], init)
            }),
        }
    }

    fn forward<T: Tensor>(&self, x: &T) -> T {
        let relu = |x: &T, conv: &ConvLayer| x.conv(conv, Activation::Relu);
        let branch = |convs: &Vec<ConvLayer>| convs.iter().fold(x.clone(), |x, c| relu(&x, c));
        let branches: Vec<T> = self.branches.iter().map(branch).collect();
        let x = T::concat(&branches); // [n, 3 width, h, w]
        let mixers: Vec<T> = self.mixers.iter().map(|conv| relu(&x, conv)).collect();
        T::concat(&mixers) // [n, 3 width, h, w]
    }
}

/// A convolution of stride 1 that keeps the size.
fn conv(c_in: usize, c_out: usize, side: usize, init: &mut Init) -> ConvLayer {
    let bound = 1.0 / ((c_in * side * side) as f64).sqrt();
    ConvLayer {
        weight: init.uniform("weight", &[c_out, c_in, side, side], bound),
        bias: Some(init.uniform("bias", &[c_out], bound)),
        kernel: Kernel::same(side),
        c_out,
    }
}

fn normalised<T: Tensor>(picture: &T) -> T {
    let scale = DEVIATION.map(|deviation| 1.0 / deviation);
    let shift = [0, 1, 2].map(|c| -MEAN[c] / DEVIATION[c]);
    picture.clone().affine(&scale, &shift)
}

fn denormalised<T: Tensor>(picture: T) -> T {
    picture.affine(&DEVIATION, &MEAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2017_networks() {
        let mut init = Init::unfilled();
        Triple2017Config::default().init(&mut init);
        assert_eq!(crate::n_parameters(&init.into_params()), 2_650_656);
    }
}
