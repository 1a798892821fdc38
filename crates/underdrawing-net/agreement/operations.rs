//! Single operations, on what a network makes of pictures, so that all have gradients.

use rand_chacha::rand_core::SeedableRng;
use underdrawing_net::{Activation, ChaCha8Rng, CpuEngine, Differentiable, Engine};

use super::{LIFTING, assert_close, lively, noise, pass};

/// Operations of two tensors of `[n, 3, h, w]`.
const OPERATIONS: [&str; 23] = [
    "relu",
    "leaky relu",
    "concat",
    "plus",
    "minus",
    "affine",
    "clamped",
    "haar",
    "inverse haar",
    "pixel shuffle",
    "couple",
    "uncouple",
    "after sum",
    "clamped straight through",
    "constant",
    "uniform",
    "mean square",
    "square means",
    "square means of the rest",
    "times",
    "ln",
    "mean",
    "no parameters",
];

fn operate<T: Differentiable>(name: &str, x: &T, y: &T) -> T {
    let both = || T::concat(&[x.clone(), y.clone()]);
    let four = || T::concat(&[both(), both()]);
    match name {
        "relu" => x.activated(Activation::Relu),
        "leaky relu" => x.activated(Activation::LeakyRelu(0.2)),
        "concat" => both(),
        "plus" => x.clone().plus(y),
        "minus" => x.clone().minus(y),
        "affine" => x.clone().affine(&[0.5, -2.0, 3.0], &[0.1, 0.2, 0.3]),
        "clamped" => x.clone().clamped(-0.2, 0.3),
        "haar" => x.haar(0.25),
        "inverse haar" => four().inverse_haar(0.25),
        "pixel shuffle" => four().pixel_shuffle(),
        "couple" => x.clone().couple(&both()),
        "uncouple" => x.clone().uncouple(&both()),
        "after sum" => x.after_sum(&both(), &both().times(0.5)),
        "clamped straight through" => x.clone().clamped_straight_through(),
        "constant" => x
            .clone()
            .minus(&x.constant(x.shape(), &noise(x.to_vec().len(), 9))),
        "uniform" => {
            let mut random = ChaCha8Rng::from_seed([7; 32]);
            random.set_stream(u64::MAX - 5);
            random.set_word_pos(21);
            let noise = x.uniform(x.shape(), &mut random);
            let more = x.uniform(x.shape(), &mut random);
            x.clone().plus(&noise).minus(&more.times(0.5))
        }
        "mean square" => x.mean_square(),
        "square means" => x.square_means(2),
        "square means of the rest" => x.square_means(5),
        "times" => x.clone().times(-1.5),
        "ln" => x.mean_square().ln(),
        "mean" => x.mean(),
        "no parameters" => x.constant(x.shape(), &x.to_vec()),
        _ => unreachable!("{name}"),
    }
}

/// Each operation and its gradients.
pub(crate) fn agree<E: Engine>(engine: &E, tolerance: f32) {
    let (networks, shape) = (lively(LIFTING), [2, 3, 8, 12]);
    let nets = networks.nets();
    for name in OPERATIONS {
        let found = pass(engine, &networks, shape, |x, y| {
            operate(name, &nets.reveal(x), &nets.hide(x, y))
        });
        let expected = pass(&CpuEngine::default(), &networks, shape, |x, y| {
            operate(name, &nets.reveal(x), &nets.hide(x, y))
        });
        assert_close(name, &found, &expected, tolerance);
    }
}
