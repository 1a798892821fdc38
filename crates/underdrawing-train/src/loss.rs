//! What is minimised, and what stands between hiding and revealing in training.

use burn::prelude::*;
use burn::tensor::TensorData;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use underdrawing::net::Networks;

use crate::config::{LossKind, TrainConfig};

/// The two errors of one forward pass.
pub(crate) struct Pass {
    /// Mean square error of the container, `[1]`.
    pub(crate) container_mse: Tensor<1>,
    /// Mean square error of the revealed picture, `[1]`.
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
    let container = networks.hide(cover.clone(), secret.clone());
    let mut carried = container.clone();
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream((1 << 63) | step);
    if config.noise > 0.0 {
        let deviation = config.noise as f32;
        carried = carried + noise(&container, &mut random, |r| gauss(r) * deviation);
    }
    if config.simulate_file {
        // Rounding errs uniformly within half a grey level.
        carried = carried + noise(&container, &mut random, |r| (unit(r) - 0.5) / 255.0);
        carried = clamped(carried);
    }
    let revealed = networks.reveal(carried);
    Pass {
        container_mse: (container - cover).square().mean(),
        revealed_mse: (revealed - secret).square().mean(),
    }
}

impl Pass {
    /// The loss, `[1]`.
    pub(crate) fn loss(&self, config: &TrainConfig) -> Tensor<1> {
        let sum = self.container_mse.clone() + self.revealed_mse.clone() * config.reveal_weight;
        match config.loss {
            LossKind::Sum => sum,
            LossKind::Log => sum.log(),
        }
    }
}

/// Values held within [0, 1]; the gradient passes as if they were not, so that what lies outside
/// can still learn to come back.
fn clamped(x: Tensor<4>) -> Tensor<4> {
    let excess = x.clone().inner() - x.clone().inner().clamp(0.0, 1.0);
    x - Tensor::from_inner(excess)
}

/// A constant of the shape of `like`.
fn noise(
    like: &Tensor<4>,
    random: &mut ChaCha8Rng,
    mut value: impl FnMut(&mut ChaCha8Rng) -> f32,
) -> Tensor<4> {
    let shape = like.dims();
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| value(random)).collect();
    Tensor::from_data(TensorData::new(values, shape), &like.device())
}

/// Uniform in [0, 1).
fn unit(random: &mut ChaCha8Rng) -> f32 {
    (random.next_u32() >> 8) as f32 / (1u32 << 24) as f32
}

/// Normal with deviation 1 (Box-Muller transform).
fn gauss(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    radius * (std::f32::consts::TAU * unit(random)).cos()
}
