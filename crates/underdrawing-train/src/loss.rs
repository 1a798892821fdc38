//! What is minimised, and what stands between hiding and revealing in training.

use burn::prelude::*;
use burn::tensor::TensorData;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use underdrawing::net::Networks;

use crate::config::{LossKind, TrainConfig};
use crate::random::unit;

/// The two errors of one forward pass.
pub(crate) struct Pass {
    /// Mean square error of each container, `[n]`.
    pub(crate) container_mse: Tensor<1>,
    /// Mean square error of each revealed picture, `[n]`.
    pub(crate) revealed_mse: Tensor<1>,
}

/// Hides and reveals with gradients; `step` picks the noise.
///
/// The container's error counts what lies outside [0, 1] in full: a file cuts it off, but a network
/// that pays nothing for it drifts ever further out and training becomes unstable.
pub(crate) fn forward(
    networks: &Networks,
    cover: Tensor<4>,
    secret: Tensor<4>,
    config: &TrainConfig,
    step: u64,
) -> Pass {
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream((1 << 63) | step);
    let device = cover.device();
    let secret = with_strengths(secret, config.strengths as f32, &mut random);
    let mut container = networks.hide(cover.clone(), secret.clone());
    let [n, c, h, w] = container.dims();
    let mut carried = container.clone();
    if config.noise > 0.0 {
        let deviation = config.noise as f32;
        carried = carried + noise([n, c, h, w], &device, || gauss(&mut random) * deviation);
    }
    if config.simulate_file {
        // Rounding errs uniformly within half a grey level.
        let corners = [n, 4 * c, h / 2, w / 2];
        let errors = noise(corners, &device, || (unit(&mut random) - 0.5) / 255.0);
        let errors = networks.rounding_errors(errors);
        container = container + errors.clone();
        carried = clamped(carried + errors);
    }
    let revealed = networks.reveal(carried);
    Pass {
        container_mse: mean_square(container - cover),
        revealed_mse: mean_square(revealed - secret),
    }
}

impl Pass {
    /// The loss, `[1]`.
    pub(crate) fn loss(&self, config: &TrainConfig) -> Tensor<1> {
        let sum = self.container_mse.clone() + self.revealed_mse.clone() * config.reveal_weight;
        match config.loss {
            LossKind::Sum => sum.mean(),
            LossKind::Log => sum.log().mean(),
        }
    }
}

/// Values held within [0, 1]; the gradient passes as if they were not, so that what lies outside
/// can still learn to come back.
fn clamped(x: Tensor<4>) -> Tensor<4> {
    let excess = x.clone().inner() - x.clone().inner().clamp(0.0, 1.0);
    x - Tensor::from_inner(excess)
}

/// Mean square of each picture, `[n]`.
fn mean_square(x: Tensor<4>) -> Tensor<1> {
    let [n, c, h, w] = x.dims();
    x.square().reshape([n, c * h * w]).mean_dim(1).reshape([n])
}

/// Secrets of which the second half have another contrast, between `1 / most` and `most` times
/// their own; grey stays grey.
fn with_strengths(secret: Tensor<4>, most: f32, random: &mut ChaCha8Rng) -> Tensor<4> {
    if most == 1.0 {
        return secret;
    }
    let n = secret.dims()[0];
    let strengths = (0..n).map(|i| {
        if i < n.div_ceil(2) {
            1.0
        } else {
            most.powf(2.0 * unit(random) - 1.0)
        }
    });
    let strengths = TensorData::new(strengths.collect::<Vec<f32>>(), [n, 1, 1, 1]);
    (secret.clone() - 0.5) * Tensor::from_data(strengths, &secret.device()) + 0.5
}

/// A constant.
fn noise(shape: [usize; 4], device: &Device, mut value: impl FnMut() -> f32) -> Tensor<4> {
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| value()).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Normal with deviation 1 (Box-Muller transform).
fn gauss(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    radius * (std::f32::consts::TAU * unit(random)).cos()
}
