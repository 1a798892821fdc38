//! What is minimised, and what stands between hiding and revealing in training.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use underdrawing_net::{Differentiable, Nets};

use crate::config::{LossKind, TrainConfig};
use crate::random::unit;
use crate::share::Share;

/// Side of the squares over which a container's errors are averaged to tell its ghosts.
const SQUARE: usize = 8;

/// The errors of one forward pass.
pub(crate) struct Pass<T> {
    /// Mean square error of each container, `[n, 1, 1, 1]`.
    pub(crate) container_mse: T,
    /// Mean square of the errors of each container's squares, likewise; only where it counts.
    ghost_mse: Option<T>,
    /// Mean square error of each revealed picture, likewise.
    pub(crate) revealed_mse: T,
}

/// Random numbers of a step.
pub(crate) fn random(config: &TrainConfig, step: u64) -> ChaCha8Rng {
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    random.set_stream((1 << 63) | step);
    random
}

/// Which pairs of a batch a pass is of, and how many the batch has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pairs {
    pub(crate) share: Share,
    pub(crate) of: usize,
}

impl Pairs {
    /// Their numbers in the batch.
    fn numbers(self) -> impl Iterator<Item = usize> {
        self.share.pairs(self.of)
    }

    /// How many they are.
    pub(crate) fn len(self) -> usize {
        self.share.pairs(self.of).len()
    }

    /// `len` values for each pair, and no others than the whole batch would have for it: a value
    /// takes so many words of `random`.
    fn values(
        self,
        len: usize,
        words: usize,
        random: &mut ChaCha8Rng,
        value: impl Fn(&mut ChaCha8Rng) -> f32,
    ) -> Vec<f32> {
        let start = random.get_word_pos();
        let place = |pair: usize| start + (pair * len * words) as u128;
        let mut values = Vec::with_capacity(self.len() * len);
        for pair in self.numbers() {
            random.set_word_pos(place(pair));
            values.extend((0..len).map(|_| value(random)));
        }
        random.set_word_pos(place(self.of));
        values
    }
}

/// Hides and reveals with gradients: a share of a batch.
///
/// The container's error counts what lies outside [0, 1] in full: a file cuts it off, but a network
/// that pays nothing for it drifts ever further out and training becomes unstable.
pub(crate) fn forward<T: Differentiable>(
    nets: &Nets,
    cover: &T,
    secret: &T,
    pairs: Pairs,
    config: &TrainConfig,
    random: &mut ChaCha8Rng,
) -> Pass<T> {
    let mut container = nets.hide(cover, secret);
    let [n, c, h, w] = container.shape();
    let mut carried = container.clone();
    if config.noise > 0.0 {
        let deviation = config.noise as f32;
        let noise = pairs.values(c * h * w, 2, random, |random| gauss(random) * deviation);
        let noise = carried.constant([n, c, h, w], &noise);
        carried = carried.plus(&noise);
    }
    if config.simulate_file {
        // Rounding errs uniformly within half a grey level.
        let corners = [n, 4 * c, h / 2, w / 2];
        let errors = if n == pairs.of {
            container.uniform(corners, random)
        } else {
            let errors = pairs.values(c * h * w, 1, random, |random| unit(random) - 0.5);
            container.constant(corners, &errors)
        };
        let errors = errors.times(1.0 / 255.0);
        let errors = nets.rounding_errors(&errors);
        container = container.plus(&errors);
        carried = carried.plus(&errors).clamped_straight_through();
    }
    let revealed = nets.reveal(&carried);
    // What is done to the cover alone is no ghost of the secret.
    let ghost_mse = (config.ghost_weight > 0.0).then(|| {
        let change = container.clone().minus(&nets.prepared(cover));
        change.square_means(SQUARE).mean_square()
    });
    Pass {
        ghost_mse,
        container_mse: container.minus(cover).mean_square(),
        revealed_mse: revealed.minus(secret).mean_square(),
    }
}

impl<T: Differentiable> Pass<T> {
    /// The loss, one value.
    pub(crate) fn loss(&self, config: &TrainConfig) -> T {
        let revealed = self.revealed_mse.clone();
        let revealed = revealed.times(config.reveal_weight as f32);
        let mut container = self.container_mse.clone();
        if let Some(ghost_mse) = &self.ghost_mse {
            container = container.plus(&ghost_mse.clone().times(config.ghost_weight as f32));
        }
        match config.loss {
            LossKind::Sum => container.plus(&revealed).mean(),
            LossKind::Log => container.plus(&revealed).ln().mean(),
            LossKind::LogSquares => {
                // There is one value for each pair: its mean square is its square.
                let squares = container.mean_square().plus(&revealed.mean_square());
                squares.ln().mean().times(0.5)
            }
        }
    }
}

/// Gives the second half of a batch's secrets another contrast, between `1 / most` and `most` times
/// their own; grey stays grey. `secrets` are those of `pairs`.
pub(crate) fn vary_strengths(
    secrets: &mut [f32],
    pairs: Pairs,
    most: f32,
    random: &mut ChaCha8Rng,
) {
    if most == 1.0 {
        return;
    }
    let kept = pairs.of.div_ceil(2);
    let strength = |_| most.powf(2.0 * unit(random) - 1.0);
    let strengths: Vec<f32> = (kept..pairs.of).map(strength).collect();
    let len = secrets.len() / pairs.len();
    for (secret, pair) in secrets.chunks_exact_mut(len).zip(pairs.numbers()) {
        let Some(strength) = pair.checked_sub(kept).map(|i| strengths[i]) else {
            continue;
        };
        secret
            .iter_mut()
            .for_each(|v| *v = (*v - 0.5) * strength + 0.5);
    }
}

/// Normal with deviation 1 (Box-Muller transform).
fn gauss(random: &mut ChaCha8Rng) -> f32 {
    let radius = (-2.0 * (1.0 - unit(random)).ln()).sqrt();
    radius * (std::f32::consts::TAU * unit(random)).cos()
}

#[cfg(test)]
mod tests {
    use underdrawing_net::{CpuEngine, CpuTensor, Engine, Shape};

    use super::*;
    use crate::config::Preset;

    fn tensor(shape: Shape, values: Vec<f32>) -> CpuTensor {
        CpuEngine::default().begin(&[], &[], shape, &values)
    }

    fn assert_close(found: Vec<f32>, expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-6, "{found:?}, expected {expected:?}");
        }
    }

    /// Two pictures of 2x3 squares, and a rest that does not count.
    fn ghosts(error: impl Fn([usize; 4]) -> f32) -> Vec<f32> {
        const SHAPE: Shape = [2, 3, 20, 28];
        let values = (0..SHAPE.iter().product())
            .map(|i: usize| error([i / 1680, i / 560 % 3, i / 28 % 20, i % 28]));
        let error = tensor(SHAPE, values.collect());
        error.square_means(SQUARE).mean_square().to_vec()
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
        let beside = tensor([1, 1, 1, 1], vec![0.0]);
        let pair = |values: [f32; 2]| beside.constant([2, 1, 1, 1], &values);
        let pass = |ghosts: Option<[f32; 2]>| Pass {
            container_mse: pair([1.0, 2.0]),
            ghost_mse: ghosts.map(pair),
            revealed_mse: pair([3.0, 4.0]),
        };
        let mut config = TrainConfig {
            loss: LossKind::Sum,
            reveal_weight: 0.5,
            ghost_weight: 8.0,
            ..Preset::Default.config()
        };
        let loss = |config: &TrainConfig, ghosts| pass(ghosts).loss(config).to_vec();
        assert_close(loss(&config, Some([0.25, 0.5])), &[(4.5 + 8.0) / 2.0]);
        assert_close(loss(&config, None), &[(2.5 + 4.0) / 2.0]);
        config.loss = LossKind::Log;
        let logs = (4.5f32.ln() + 8.0f32.ln()) / 2.0;
        assert_close(loss(&config, Some([0.25, 0.5])), &[logs]);
        config.loss = LossKind::LogSquares;
        let squares = [
            3.0f32.powi(2) + 1.5f32.powi(2),
            6.0f32.powi(2) + 2.0f32.powi(2),
        ];
        let logs = (squares[0].ln() + squares[1].ln()) / 4.0;
        assert_close(loss(&config, Some([0.25, 0.5])), &[logs]);
    }
}
