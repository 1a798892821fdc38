//! Our implementations against the definitions in burn's terms, in whole networks.

use std::cell::Cell;

use burn::prelude::*;
use burn::tensor::TensorData;

use crate::architecture::Architecture;
use crate::net::{
    HidingNetConfig, LiftingNetConfig, Networks, Pair2018Config, RevealNetConfig, Triple2017Config,
    named_tensors, with_tensors,
};

thread_local! {
    /// Whether operations run by their definitions on this thread.
    pub(super) static DEFINITIONS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with the definitions.
fn by_definition<R>(f: impl FnOnce() -> R) -> R {
    DEFINITIONS.set(true);
    let result = f();
    DEFINITIONS.set(false);
    result
}

/// Networks that do much to a picture.
fn lively(architecture: Architecture, device: &Device) -> Networks {
    let mut seed = 0;
    with_tensors(architecture.init(1, device), &mut |name, shape| {
        seed += 1;
        let n = shape.iter().product();
        if name.ends_with("running_var") {
            return noise(n, seed).iter().map(|v| 0.5 + v).collect();
        }
        let fan_in = shape[1..].iter().product::<usize>() as f32;
        let size = if shape.len() == 4 {
            3.0 / fan_in.sqrt()
        } else {
            1.0
        };
        noise(n, seed).iter().map(|v| (v - 0.5) * size).collect()
    })
}

/// Values in [0, 1), the same in each run.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32
    };
    (0..n).map(|_| next()).collect()
}

fn pictures([n, h, w]: [usize; 3], seed: u32, device: &Device) -> Tensor<4> {
    Tensor::from_data(
        TensorData::new(noise(n * 3 * h * w, seed), [n, 3, h, w]),
        device,
    )
}

/// Values by name.
type Named = Vec<(String, Vec<f32>)>;

fn values<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data().try_into_vec().unwrap()
}

/// Container, revealed picture, gradients of all parameters and of both pictures, statistics.
fn training(architecture: Architecture, size: [usize; 3]) -> Named {
    let device = Device::flex().autodiff();
    let networks = lively(architecture, &device);
    let cover = pictures(size, 100, &device).require_grad();
    let secret = pictures(size, 101, &device).require_grad();
    let container = networks.hide(cover.clone(), secret.clone());
    let revealed = networks.reveal(container.clone());
    let loss = (container.clone() - cover.clone()).square().mean()
        + (revealed.clone() - secret.clone()).square().mean();
    let gradients = loss.backward();
    let mut named = vec![
        ("container".to_owned(), values(container)),
        ("revealed".to_owned(), values(revealed)),
        ("cover".to_owned(), values(cover.grad(&gradients).unwrap())),
        (
            "secret".to_owned(),
            values(secret.grad(&gradients).unwrap()),
        ),
    ];
    let mut collector = Collector {
        gradients: &gradients,
        named: &mut named,
    };
    burn::module::Module::visit(&networks, &mut collector);
    let statistics = named_tensors(&networks).into_iter();
    let statistics = statistics.filter(|t| crate::net::is_statistic(&t.name));
    named.extend(statistics.map(|t| (t.name, t.values)));
    named
}

struct Collector<'a> {
    gradients: &'a burn::tensor::Gradients,
    named: &'a mut Named,
}

impl burn::module::ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
        if let Some(gradient) = param.val().grad(self.gradients) {
            let name = format!("parameter {}", self.named.len());
            self.named.push((name, values(gradient)));
        }
    }
}

/// Container and revealed picture without gradients.
fn inference(architecture: Architecture, size: [usize; 3]) -> Named {
    let device = Device::flex();
    let networks = lively(architecture, &device);
    let (cover, secret) = (pictures(size, 100, &device), pictures(size, 101, &device));
    let container = networks.hide(cover, secret);
    let revealed = networks.reveal(container.clone());
    vec![
        ("container".to_owned(), values(container)),
        ("revealed".to_owned(), values(revealed)),
    ]
}

/// Largest size of a value.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, v| v.abs().max(largest))
}

/// Compares by the largest value of each tensor. Some gradients are zero but for rounding, such as
/// that of a bias before a batch normalisation: hence a hundredth of the largest of all at least.
#[track_caller]
fn assert_close(what: &str, found: &Named, expected: &Named, tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let overall = expected.iter().map(|(_, values)| largest(values));
    let floor = 0.01 * overall.fold(0.0, f32::max);
    for ((name, found), (other, expected)) in found.iter().zip(expected) {
        assert_eq!((name, found.len()), (other, expected.len()), "{what}");
        let scale = largest(expected).max(floor);
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs() / scale;
            assert!(error <= tolerance, "{what}, {name}: {error:.1e}");
        }
    }
}

const LIFTING: Architecture = Architecture::Lifting(LiftingNetConfig {
    blocks: 2,
    width: 8,
    shaping: true,
});

const UNET: Architecture = Architecture::Unet2018(Pair2018Config {
    hiding: HidingNetConfig { width: 4, depth: 3 },
    reveal: RevealNetConfig { width: 8 },
});

const DENSE: Architecture = Architecture::Dense2017(Triple2017Config { width: 6 });

/// Single precision errs by 6e-8; through a dozen layers, each of sums of a hundred terms, and for
/// gradients back again, errors grow to a hundred times that.
const TOLERANCE: f32 = 2e-5;

/// What `run` computes by our operations and by their definitions is the same.
fn assert_agrees(
    run: fn(Architecture, [usize; 3]) -> Named,
    architecture: Architecture,
    size: [usize; 3],
) {
    let found = run(architecture, size);
    let expected = by_definition(|| run(architecture, size));
    let what = format!("{architecture:?} at {size:?}");
    assert_close(&what, &found, &expected, TOLERANCE);
}

#[test]
fn networks_and_gradients_agree_with_their_definitions() {
    for (architecture, size) in [
        (LIFTING, [2, 22, 34]),
        (LIFTING, [1, 2, 2]),
        (UNET, [2, 16, 24]),
        (DENSE, [2, 9, 11]),
    ] {
        assert_agrees(training, architecture, size);
    }
}

#[test]
fn inference_agrees_with_the_definitions() {
    for (architecture, size) in [
        (LIFTING, [2, 22, 34]),
        (LIFTING, [1, 2, 2]),
        // More than one part of the picture in both directions, and a narrow one.
        (LIFTING, [1, 390, 400]),
        (LIFTING, [1, 4, 1160]),
        (UNET, [2, 16, 24]),
        (DENSE, [2, 9, 11]),
    ] {
        assert_agrees(inference, architecture, size);
    }
}

#[test]
fn plans_agree_with_the_definitions() {
    let device = Device::flex();
    let Networks::Unet2018(pair) = lively(UNET, &device) else {
        panic!("a pair of networks of 2018");
    };
    let [n, h, w] = [2, 16, 24];
    let (cover, secret) = (
        pictures([n, h, w], 1, &device),
        pictures([n, h, w], 2, &device),
    );
    let expected = by_definition(|| {
        vec![
            (
                "container".to_owned(),
                values(pair.hide(cover.clone(), secret.clone())),
            ),
            ("revealed".to_owned(), values(pair.reveal(cover.clone()))),
        ]
    });
    let (cover, secret) = (values(cover), values(secret));
    let mut found = [vec![0.0; n * 3 * h * w], vec![0.0; n * 3 * h * w]];
    let [container, revealed] = &mut found;
    pair.hiding
        .plan([h, w])
        .run(n, [h, w], &[&cover, &secret], &mut [container]);
    pair.reveal
        .plan([h, w])
        .run(n, [h, w], &[&cover], &mut [revealed]);
    let [container, revealed] = found;
    let found = vec![
        ("container".to_owned(), container),
        ("revealed".to_owned(), revealed),
    ];
    assert_close("plans", &found, &expected, TOLERANCE);
}
