//! Whole networks.

use underdrawing_net::{
    Architecture, CpuEngine, CpuRunner, Engine, HidingNetConfig, Networks, Pair2018Config,
    RevealNetConfig, Runner, Shape, Tensor, Triple2017Config,
};

use super::{LIFTING, Named, WIDE, assert_close, lively, noise, pass};

const UNET: Architecture = Architecture::Unet2018(Pair2018Config {
    hiding: HidingNetConfig { width: 4, depth: 3 },
    reveal: RevealNetConfig { width: 8 },
});

const DENSE: Architecture = Architecture::Dense2017(Triple2017Config { width: 6 });

/// What a network makes of a cover and a secret and back again, beside each other.
fn there_and_back<E: Engine>(engine: &E, networks: &Networks, shape: Shape) -> Named {
    let nets = networks.nets();
    pass(engine, networks, shape, |cover, secret| {
        let container = nets.hide(cover, secret);
        let revealed = nets.reveal(&container);
        E::Tensor::concat(&[container, revealed])
    })
}

/// Results, gradients and running statistics.
pub(crate) fn agree<E: Engine>(engine: &E, tolerance: f32) {
    for (architecture, [n, h, w]) in [
        (LIFTING, [2, 22, 34]),
        (LIFTING, [1, 2, 2]),
        (WIDE, [3, 20, 36]),
        (UNET, [2, 16, 24]),
        (DENSE, [2, 9, 11]),
    ] {
        let (networks, shape) = (lively(architecture), [n, 3, h, w]);
        let found = there_and_back(engine, &networks, shape);
        let expected = there_and_back(&CpuEngine::default(), &networks, shape);
        let what = format!("{architecture:?} at {shape:?}");
        assert_close(&what, &found, &expected, tolerance);
    }
}

/// The error feedback of rounding.
pub(crate) fn masked_parameters_agree<E: Engine>(engine: &E, tolerance: f32) {
    let (networks, shape) = (lively(LIFTING), [2, 12, 5, 7]);
    let nets = networks.nets();
    let found = pass(engine, &networks, shape, |x, _| nets.rounding_errors(x));
    let expected = pass(&CpuEngine::default(), &networks, shape, |x, _| {
        nets.rounding_errors(x)
    });
    assert_close("rounding errors", &found, &expected, tolerance);
}

/// Hiding and revealing, by several threads.
pub(crate) fn inference_agrees<E: Engine>(engine: &E, tolerance: f32) {
    for (architecture, [n, h, w]) in [
        (LIFTING, [2, 22, 34]),
        (LIFTING, [1, 2, 2]),
        (WIDE, [3, 20, 36]),
        (LIFTING, [1, 4, 160]),
        (UNET, [2, 16, 24]),
        (DENSE, [2, 9, 11]),
    ] {
        let (networks, shape) = (lively(architecture), [n, 3, h, w]);
        let [cover, secret] = [100, 101].map(|seed| noise(n * 3 * h * w, seed));
        let run = |runner: &dyn Runner| {
            vec![
                ("hidden".to_owned(), runner.hide(shape, &cover, &secret)),
                ("revealed".to_owned(), runner.reveal(shape, &cover)),
            ]
        };
        let runner = engine.runner(&networks);
        // Windows come from several threads.
        let found = std::thread::scope(|scope| scope.spawn(|| run(&*runner)).join());
        let found = found.expect("no panic");
        let what = format!("{architecture:?} at {shape:?}");
        let expected = run(&CpuRunner::new(&networks));
        assert_close(&what, &found, &expected, tolerance);
    }
}
