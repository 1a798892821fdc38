//! Hiding network of the 2018 system: cover and secret -> container.
//!
//! The U-Net of pix2pix (Isola et al. 2017) as the PyTorch hiding network of 2018 uses it: seven
//! 4x4 convolutions of stride 2 down to a single point of a 128x128 picture, seven transposed ones
//! up again, each taking the features of its own scale from the way down beside those from below.
//! 41,832,067 parameters at width 64 and depth 7 (pinned by a test), 6.07 GMAC at 256x256.
//!
//! Differs from it: written as a loop over levels rather than as nested blocks, and any depth from
//! 2 up. `pth` translates the names of the nested blocks.

use serde::{Deserialize, Serialize};
use underdrawing_conv::{Activation, Kernel};

use crate::init::{FIRST_DEVIATION, Init};
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer};
use crate::tensor::Tensor;

/// Slope of the leaky ReLU on the way down.
const LEAKY_SLOPE: f32 = 0.2;

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
    pub(crate) fn init(&self, init: &mut Init) -> HidingNet {
        assert!(self.depth >= 2, "expected depth >= 2, got {}", self.depth);
        HidingNet {
            down: init.list("down", self.depth, |init, level| self.down(level, init)),
            up: init.list("up", self.depth, |init, level| self.up(level, init)),
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
        let shape = [c_out, c_in, KERNEL, KERNEL];
        Down {
            conv: ConvLayer {
                weight: init.normal("weight", &shape, 0.0, FIRST_DEVIATION),
                bias: None,
                kernel: Kernel::HALVING,
                c_out,
            },
            norm: (!outermost && !innermost)
                .then(|| init.within("norm", |init| BatchNorm::init(c_out, init))),
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
        let shape = [c_in, c_out, KERNEL, KERNEL];
        Up {
            conv: ConvTransposeLayer {
                weight: init.normal("weight", &shape, 0.0, FIRST_DEVIATION),
                bias: outermost.then(|| init.uniform("bias", &[c_out], bound)),
                c_out,
            },
            norm: (!outermost).then(|| init.within("norm", |init| BatchNorm::init(c_out, init))),
        }
    }
}

/// The hiding network.
#[derive(Clone, Debug)]
pub struct HidingNet {
    down: Vec<Down>, // outermost first
    up: Vec<Up>,     // outermost first
}

/// A convolution that halves the sides.
#[derive(Clone, Debug)]
struct Down {
    conv: ConvLayer,
    norm: Option<BatchNorm>,
}

/// A transposed convolution that doubles the sides.
#[derive(Clone, Debug)]
struct Up {
    conv: ConvTransposeLayer,
    norm: Option<BatchNorm>,
}

impl HidingNet {
    /// Container from cover and secret.
    ///
    /// # Shapes
    /// - `cover`, `secret`: `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`, sides multiples of
    ///   [`HidingNetConfig::size_multiple`]
    /// - returns `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`
    #[must_use]
    pub fn forward<T: Tensor>(&self, cover: &T, secret: &T) -> T {
        let mut x = T::concat(&[cover.clone(), secret.clone()]); // [n, 6, h, w]
        let mut skips = Vec::with_capacity(self.down.len());
        for (level, down) in self.down.iter().enumerate() {
            if level > 0 {
                skips.push(x.clone());
                x = x.activated(Activation::LeakyRelu(LEAKY_SLOPE));
            }
            x = down.forward(&x); // [n, channels, h / 2^(level + 1), w / 2^(level + 1)]
        }
        for up in self.up.iter().rev() {
            x = up.forward(&x.activated(Activation::Relu));
            if let Some(skip) = skips.pop() {
                x = T::concat(&[skip, x]);
            }
        }
        x
    }
}

impl Down {
    fn forward<T: Tensor>(&self, x: &T) -> T {
        let x = x.conv(&self.conv, Activation::None);
        match &self.norm {
            Some(norm) => x.batch_norm(norm, Activation::None),
            None => x,
        }
    }
}

impl Up {
    /// The outermost one has a bias, and a sigmoid in the place of a normalisation.
    fn forward<T: Tensor>(&self, x: &T) -> T {
        match &self.norm {
            Some(norm) => {
                let x = x.conv_transpose(&self.conv, Activation::None);
                x.batch_norm(norm, Activation::None)
            }
            None => x.conv_transpose(&self.conv, Activation::Sigmoid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_parameters_of_the_2018_network() {
        let mut init = Init::unfilled();
        HidingNetConfig::default().init(&mut init);
        assert_eq!(crate::n_parameters(&init.into_params()), 41_832_067);
    }
}
