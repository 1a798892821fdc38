//! What is minimised, and what stands between hiding and revealing in training.

use burn::prelude::*;
use burn::tensor::TensorData;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use underdrawing::net::Networks;

use crate::config::{LossKind, TrainConfig};
use crate::random::unit;

/// Side of the squares over which a container's errors are averaged to tell its ghosts.
const SQUARE: usize = 8;

/// The errors of one forward pass.
pub(crate) struct Pass {
    /// Mean square error of each container, `[n]`.
    pub(crate) container_mse: Tensor<1>,
    /// Mean square of the errors of each container's squares, `[n]`; only where it counts.
    ghost_mse: Option<Tensor<1>>,
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
    // What is done to the cover alone is no ghost of the secret.
    let ghost = |container: Tensor<4>| squares(container - networks.prepared(cover.clone()));
    Pass {
        ghost_mse: (config.ghost_weight > 0.0).then(|| mean_square(ghost(container.clone()))),
        container_mse: mean_square(container - cover.clone()),
        revealed_mse: mean_square(revealed - secret),
    }
}

impl Pass {
    /// The loss, `[1]`.
    pub(crate) fn loss(&self, config: &TrainConfig) -> Tensor<1> {
        let mut sum = self.container_mse.clone() + self.revealed_mse.clone() * config.reveal_weight;
        if let Some(ghost_mse) = &self.ghost_mse {
            sum = sum + ghost_mse.clone() * config.ghost_weight;
        }
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

/// Means over squares, `[n, c, h / 8, w / 8]`; what is left of the sides does not count.
fn squares(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let (rows, columns) = (h / SQUARE, w / SQUARE);
    x.narrow(2, 0, rows * SQUARE)
        .narrow(3, 0, columns * SQUARE)
        .reshape([n, c, rows, SQUARE, columns, SQUARE])
        .mean_dim(5)
        .mean_dim(3)
        .reshape([n, c, rows, columns])
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Preset;

    fn values(t: Tensor<1>) -> Vec<f32> {
        t.into_data().try_to_vec().unwrap()
    }

    fn assert_close(found: Vec<f32>, expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-6, "{found:?}, expected {expected:?}");
        }
    }

    /// Two pictures of 2x3 squares, and a rest that does not count.
    fn ghosts(error: impl Fn([usize; 4]) -> f32) -> Vec<f32> {
        const SHAPE: [usize; 4] = [2, 3, 20, 28];
        let values: Vec<f32> = (0..SHAPE.iter().product())
            .map(|i| error([i / 1680, i / 560 % 3, i / 28 % 20, i % 28]))
            .collect();
        let error = TensorData::new(values, SHAPE);
        self::values(mean_square(squares(Tensor::from_data(
            error,
            &Device::flex(),
        ))))
    }

    #[test]
    fn a_tint_is_a_ghost_and_fine_grain_is_not() {
        let grain = |[n, _, y, x]: [usize; 4]| [0.1, -0.1][(x + y) % 2] + 0.2 * n as f32;
        assert_close(ghosts(grain), &[0.0, 0.04]);
        let one_square = |[n, c, y, x]: [usize; 4]| {
            let inside = (n, c) == (1, 2) && (8..16).contains(&y) && (16..24).contains(&x);
            f32::from(u8::from(inside))
        };
        assert_close(ghosts(one_square), &[0.0, 1.0 / 18.0]);
        let rest = |[_, _, y, x]: [usize; 4]| f32::from(u8::from(y >= 16 || x >= 24));
        assert_close(ghosts(rest), &[0.0, 0.0]);
    }

    #[test]
    fn the_loss_is_the_weighted_sum_of_errors_or_its_logarithm() {
        let tensor = |values: [f32; 2]| Tensor::<1>::from_data(values, &Device::flex());
        let pass = |ghosts: Option<[f32; 2]>| Pass {
            container_mse: tensor([1.0, 2.0]),
            ghost_mse: ghosts.map(tensor),
            revealed_mse: tensor([3.0, 4.0]),
        };
        let mut config = TrainConfig {
            loss: LossKind::Sum,
            reveal_weight: 0.5,
            ghost_weight: 8.0,
            ..Preset::Default.config()
        };
        let loss = |config: &TrainConfig, ghosts| values(pass(ghosts).loss(config));
        assert_close(loss(&config, Some([0.25, 0.5])), &[(4.5 + 8.0) / 2.0]);
        assert_close(loss(&config, None), &[(2.5 + 4.0) / 2.0]);
        config.loss = LossKind::Log;
        let logs = (4.5f32.ln() + 8.0f32.ln()) / 2.0;
        assert_close(loss(&config, Some([0.25, 0.5])), &[logs]);
    }
}
