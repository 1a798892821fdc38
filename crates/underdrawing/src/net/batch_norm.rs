//! Batch normalisation (Ioffe and Szegedy 2015) as PyTorch computes it.
//!
//! Our own because burn's layer feeds the running variance with the biased variance of the batch,
//! PyTorch with the unbiased one; imported and trained statistics would drift apart.

use burn::module::{Param, RunningState};
use burn::prelude::*;
use burn::tensor::activation::relu;
use burn::tensor::module::batch_norm;

use super::init::Init;
use super::ops::batch_norm_train;
use super::params::values_of;

/// Added to the variance.
const EPSILON: f64 = 1e-5;

/// Weight of the newest batch in the running statistics.
const MOMENTUM: f64 = 0.1;

/// Scales and shifts each channel to a learned mean and deviation.
///
/// Trains where its input can carry gradients (`x.device().is_autodiff()`): there it normalises by
/// the statistics of the batch and updates the running ones. Elsewhere it normalises by the
/// running statistics; `module.valid()` leads there.
///
/// A clone shares the running statistics with its original; `valid()` copies them.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    weight: Param<Tensor<1>>, // [channels]
    bias: Param<Tensor<1>>,   // [channels]
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
}

impl BatchNorm {
    /// Weights N(1, 0.02), the rest as PyTorch starts: bias and running mean 0, variance 1.
    #[must_use]
    pub(crate) fn init(channels: usize, init: &mut Init) -> Self {
        Self {
            weight: init.normal([channels], 1.0, 0.02),
            bias: init.constant([channels], 0.0),
            running_mean: RunningState::new(Tensor::zeros([channels], init.device())),
            running_var: RunningState::new(Tensor::ones([channels], init.device())),
        }
    }

    /// `x` `[n, channels, h, w]`, same shape out.
    #[must_use]
    pub(crate) fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, /* activate */ false)
    }

    /// The same with a ReLU behind it.
    #[must_use]
    pub(crate) fn forward_relu(&self, x: Tensor<4>) -> Tensor<4> {
        self.run(x, /* activate */ true)
    }

    /// Scale and shift of each channel by the running statistics, for a convolution before it to
    /// take over.
    pub(crate) fn scale_and_shift(&self) -> (Vec<f32>, Vec<f32>) {
        let (mean, variance) = (self.running_mean.value(), self.running_var.value());
        let scale = self.weight.val() / (variance + EPSILON).sqrt();
        let shift = self.bias.val() - mean * scale.clone();
        (values_of(scale), values_of(shift))
    }

    fn run(&self, x: Tensor<4>, activate: bool) -> Tensor<4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        if !x.device().is_autodiff() {
            let (mean, variance) = (self.running_mean.value(), self.running_var.value());
            let y = batch_norm(x, weight, bias, mean, variance, EPSILON);
            return if activate { relu(y) } else { y };
        }
        let [n, _, h, w] = x.dims();
        let samples = (n * h * w) as f64;
        let unbiased = samples / (samples - 1.0).max(1.0);
        let batch = batch_norm_train(x, weight, bias, EPSILON, activate);
        update(&self.running_mean, batch.mean);
        update(&self.running_var, batch.variance * unbiased);
        batch.output
    }
}

/// Moves a running statistic towards that of the batch.
fn update(running: &RunningState<Tensor<1>>, batch: Tensor<1>) {
    let old = running.value_sync();
    running.update((old * (1.0 - MOMENTUM) + batch.detach() * MOMENTUM).detach());
    // burn keeps an update back until the next; who saves the module now must see this one.
    running.value_sync();
}
