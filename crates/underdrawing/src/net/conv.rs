//! The 3x3 convolution layer that our own networks are built of.

use burn::module::Param;
use burn::prelude::*;
use underdrawing_conv::{Activation, Kernel};

use super::init::Init;
use super::ops::conv;
use super::params::values_of;

/// Slope of every leaky ReLU here.
pub(crate) const LEAKY_SLOPE: f32 = 0.2;

/// A 3x3 convolution with bias: stride 1, zeros outside, so the size stays.
#[derive(Module, Debug)]
pub(crate) struct Conv3x3 {
    weight: Param<Tensor<4>>, // [c_out, c_in, 3, 3]
    bias: Param<Tensor<1>>,   // [c_out]
}

impl Conv3x3 {
    /// Weights of deviation `gain * sqrt(2 / fan_in)` (He et al. 2015 for `gain` 1), bias zero.
    #[must_use]
    pub(crate) fn init(c_in: usize, c_out: usize, gain: f64, init: &mut Init) -> Self {
        let deviation = gain * (2.0 / (9 * c_in) as f64).sqrt();
        Self {
            weight: init.normal([c_out, c_in, 3, 3], 0.0, deviation),
            bias: init.constant([c_out], 0.0),
        }
    }

    /// From its parameters.
    #[must_use]
    pub(crate) fn new(weight: Param<Tensor<4>>, bias: Param<Tensor<1>>) -> Self {
        Self { weight, bias }
    }

    /// Weight `[c_out, c_in, 3, 3]` and bias `[c_out]`.
    #[must_use]
    pub(crate) fn values(&self) -> (Tensor<4>, Tensor<1>) {
        (self.weight.val(), self.bias.val())
    }

    /// `x` `[n, c_in, h, w]` to `[n, c_out, h, w]`.
    #[must_use]
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::None)
    }

    /// The same with a leaky ReLU behind it.
    #[must_use]
    pub(crate) fn forward_leaky(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::LeakyRelu(LEAKY_SLOPE))
    }

    /// The same with a sigmoid behind it.
    #[must_use]
    pub(crate) fn forward_sigmoid(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, Activation::Sigmoid)
    }

    /// Weights and bias as numbers, multiplied by `scale` and moved by `shift` channel by channel.
    pub(crate) fn scaled(&self, scale: &[f32], shift: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (weight, bias) = self.values();
        let (mut weight, mut bias) = (values_of(weight), values_of(bias));
        let per_channel = weight.len() / scale.len().max(1);
        for ((weight, bias), (scale, shift)) in weight
            .chunks_exact_mut(per_channel.max(1))
            .zip(&mut bias)
            .zip(scale.iter().zip(shift))
        {
            weight.iter_mut().for_each(|w| *w *= scale);
            *bias = *bias * scale + shift;
        }
        (weight, bias)
    }

    fn run(&self, x: Tensor<4>, activation: Activation) -> Tensor<4> {
        let (weight, bias) = self.values();
        conv(x, weight, Some(bias), Kernel::same(3), activation)
    }
}
