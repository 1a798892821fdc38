//! Every operation's gradient against differences of its values, and the fast ways of inference
//! against the operations that they stand for.

use std::rc::Rc;
use std::sync::Arc;

use underdrawing_conv::{Activation, Kernel};

use super::buffer::Buffer;
use super::refiner::CpuRefiner;
use super::runner::CpuRunner;
use super::session::{Plans, Session};
use super::tensor::CpuTensor;
use crate::architecture::Architecture;
use crate::dense2017::Triple2017Config;
use crate::engine::Runner;
use crate::hiding2018::HidingNetConfig;
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer, ResidualNet};
use crate::lifting::LiftingNetConfig;
use crate::networks::Networks;
use crate::pair2018::Pair2018Config;
use crate::param::{Param, ParamId, Role};
use crate::ranks::{Alone, Ranks};
use crate::reveal2018::RevealNetConfig;
use crate::tensor::{Change, Differentiable, Shape, Tensor};

#[path = "../../agreement/values.rs"]
mod values;

use values::{lively, noise};

/// A pass in training.
fn training(params: &[Param], weights: &[Arc<Buffer>]) -> Session {
    let ranks: Rc<dyn Ranks> = Rc::new(Alone);
    Session::training(params, weights, &Arc::default(), &ranks)
}

/// What an operation is computed from, all of it parameters, so that all has gradients. Those that
/// are no parameters of a layer come as tensors, in their order.
type Operation<'a> = &'a dyn Fn(&[CpuTensor]) -> CpuTensor;

/// Checks the gradient of an operation on values from `low` to `low + 1` along a direction.
#[track_caller]
fn check(name: &str, shapes: &[Shape], low: f32, operation: Operation<'_>) {
    let params: Vec<Param> = shapes
        .iter()
        .map(|shape| Param {
            name: name.to_owned(),
            shape: shape.to_vec(),
            role: Role::Other,
            reveals: false,
            mask: None,
            values: Vec::new(),
        })
        .collect();
    let values = |seed: u32| -> Vec<Vec<f32>> {
        let seeds = (seed..).zip(&params);
        seeds.map(|(seed, p)| noise(p.len(), seed)).collect()
    };
    let (start, direction) = (values(1), values(100));
    // The result at `start` and `step` times the direction, and the session.
    let run = |step: f32| {
        let weights = start.iter().zip(&direction).map(|(start, direction)| {
            let along = start.iter().zip(direction);
            let values = along.map(|(v, d)| v + low + step * (d - 0.5));
            Arc::new(Buffer::from(values.collect::<Vec<f32>>()))
        });
        let weights: Vec<_> = weights.collect();
        let session = Rc::new(training(&params, &weights));
        let tensor =
            |(i, shape): (usize, &Shape)| CpuTensor::parameter(&session, ParamId(i), *shape);
        let inputs: Vec<_> = shapes.iter().enumerate().map(tensor).collect();
        operation(&inputs)
    };
    let weigh = |y: &CpuTensor| {
        let weights = noise(y.values().len(), 7);
        let products = y.values().iter().zip(weights);
        products
            .map(|(y, w)| f64::from(*y) * f64::from(w - 0.5))
            .sum::<f64>()
    };
    let y = run(0.0);
    let seed = noise(y.values().len(), 7).into_iter().map(|w| w - 0.5);
    let seed: Vec<f32> = seed.collect();
    let (gradients, _) = y.session.backward(y.node, seed.into());
    let mut expected = 0.0;
    let mut size = 0.0;
    for (gradient, direction) in gradients.iter().zip(&direction) {
        let Some(gradient) = gradient else { continue };
        for (g, d) in gradient.iter().zip(direction) {
            let term = f64::from(*g) * f64::from(d - 0.5);
            expected += term;
            size += term * term;
        }
    }
    const STEP: f32 = 1.0 / 256.0;
    let found = (weigh(&run(STEP)) - weigh(&run(-STEP))) / f64::from(2.0 * STEP);
    // A missing or wrong term of all that are added is as large as their root mean square.
    let tolerance = 0.02 * size.sqrt();
    assert!(
        (found - expected).abs() <= tolerance,
        "{name}: {expected} by the gradient, {found} by differences, at most {tolerance} apart"
    );
    assert!(size > 0.0, "{name} has no gradient");
}

const X: Shape = [2, 3, 6, 8];

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Relu,
    Activation::LeakyRelu(0.2),
    Activation::Sigmoid,
    Activation::Tanh,
];

#[test]
fn gradients_of_convolutions_are_slopes() {
    for activation in ACTIVATIONS {
        for (kernel, bias) in [
            (Kernel::same(3), Some(ParamId(2))),
            (Kernel::same(4), None),
            (Kernel::HALVING, Some(ParamId(2))),
        ] {
            let layer = ConvLayer {
                weight: ParamId(1),
                bias,
                kernel,
                c_out: 4,
            };
            let shapes = [X, [4, 3, kernel.side, kernel.side], [4, 1, 1, 1]];
            check("conv", &shapes, -0.5, &|x| x[0].conv(&layer, activation));
        }
        let layer = ConvTransposeLayer {
            weight: ParamId(1),
            bias: Some(ParamId(2)),
            c_out: 4,
        };
        let shapes = [X, [3, 4, 4, 4], [4, 1, 1, 1]];
        check("conv_transpose", &shapes, -0.5, &|x| {
            x[0].conv_transpose(&layer, activation)
        });
    }
}

#[test]
fn gradients_of_batch_normalisation_are_slopes() {
    let norm = BatchNorm {
        weight: ParamId(1),
        bias: ParamId(2),
        running_mean: ParamId(3),
        running_var: ParamId(4),
    };
    for activation in [Activation::None, Activation::Relu] {
        let shapes = [X, [3, 1, 1, 1], [3, 1, 1, 1]];
        check("batch_norm", &shapes, -0.5, &|x| {
            x[0].batch_norm(&norm, activation)
        });
    }
}

#[test]
fn gradients_of_single_operations_are_slopes() {
    type Case<'a> = (&'a str, f32, &'a dyn Fn(&CpuTensor) -> CpuTensor);
    let cases: [Case<'_>; 13] = [
        ("relu", -0.5, &|x| x.activated(Activation::Relu)),
        ("leaky relu", -0.5, &|x| {
            x.activated(Activation::LeakyRelu(0.2))
        }),
        ("affine", -0.5, &|x| {
            x.clone().affine(&[0.5, -2.0, 3.0], &[0.1, 0.2, 0.3])
        }),
        ("clamped", -0.5, &|x| x.clone().clamped(-0.2, 0.3)),
        ("haar", -0.5, &|x| x.haar(0.25)),
        ("inverse_haar", -0.5, &|x| {
            CpuTensor::concat(&[x.clone(), x.clone(), x.clone(), x.clone()]).inverse_haar(0.25)
        }),
        ("pixel_shuffle", -0.5, &|x| {
            CpuTensor::concat(&[x.clone(), x.clone(), x.clone(), x.clone()]).pixel_shuffle()
        }),
        ("mean_square", -0.5, &|x| x.mean_square()),
        ("square_means", -0.5, &|x| x.square_means(4)),
        ("times", -0.5, &|x| x.clone().times(-1.5)),
        ("ln", 0.5, &|x| x.clone().ln()),
        ("mean", -0.5, &|x| x.mean()),
        ("used twice", -0.5, &|x| {
            x.clone()
                .plus(x)
                .minus(&x.haar(0.0).inverse_haar(0.0).times(0.5))
        }),
    ];
    for (name, low, operation) in cases {
        check(name, &[X], low, &|x| operation(&x[0]));
    }
}

#[test]
fn gradients_of_operations_of_several_tensors_are_slopes() {
    let update = [2, 6, 6, 8];
    check("plus", &[X, X], -0.5, &|x| x[0].clone().plus(&x[1]));
    check("minus", &[X, X], -0.5, &|x| x[0].clone().minus(&x[1]));
    check("couple", &[X, update], -0.5, &|x| {
        x[0].clone().couple(&x[1])
    });
    check("uncouple", &[X, update], -0.5, &|x| {
        x[0].clone().uncouple(&x[1])
    });
    check("concat", &[X, update, X], -0.5, &CpuTensor::concat);
    check("after_sum", &[X, update, update], -0.5, &|x| {
        x[0].after_sum(&x[1], &x[2])
    });
}

#[test]
fn gradients_of_changes_are_slopes() {
    for (change, c_out) in [
        (Change::Add, 3),
        (Change::Subtract, 3),
        (Change::Couple, 6),
        (Change::Uncouple, 6),
    ] {
        let layer = |first: usize, c_out: usize| ConvLayer {
            weight: ParamId(first),
            bias: Some(ParamId(first + 1)),
            kernel: Kernel::same(3),
            c_out,
        };
        let net = ResidualNet {
            first: layer(2, 4),
            middle: layer(4, 4),
            last: layer(6, c_out),
        };
        let bias = |n: usize| [n, 1, 1, 1];
        let shapes = [
            X,
            X,
            [4, 3, 3, 3],
            bias(4),
            [4, 4, 3, 3],
            bias(4),
            [c_out, 7, 3, 3],
            bias(c_out),
        ];
        check("change", &shapes, -0.5, &|x| {
            x[0].clone().change(&net, &x[1], change)
        });
    }
}

#[test]
fn the_gradient_passes_a_straight_through_clamp() {
    let values = vec![-1.0, 0.5, 2.0];
    let param = Param {
        name: String::new(),
        shape: vec![1, 1, 1, 3],
        role: Role::Other,
        reveals: false,
        mask: Some(vec![1.0, 1.0, 0.0]),
        values: Vec::new(),
    };
    let weights = [Arc::new(Buffer::from(values))];
    let session = Rc::new(training(&[param], &weights));
    let x = CpuTensor::parameter(&session, ParamId(0), [1, 1, 1, 3]);
    assert_eq!(x.values(), [-1.0, 0.5, 0.0], "masked");
    let y = x.clamped_straight_through();
    assert_eq!(y.values(), [0.0, 0.5, 0.0]);
    let (gradients, _) = session.backward(y.node, vec![1.0, 2.0, 3.0].into());
    let gradient = gradients[0].as_ref().expect("a gradient");
    assert_eq!(gradient[..], [1.0, 2.0, 0.0], "masked as well");
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

/// Single precision errs by 6e-8; through a dozen layers, each of sums of a hundred terms, errors
/// grow to a hundred times that.
const TOLERANCE: f32 = 2e-5;

/// Compares by the largest value.
#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let largest =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, |a, b| a.max(b.abs()));
    let scale = largest(&mut expected.iter().copied());
    let error = largest(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    assert!(error <= TOLERANCE * scale, "{what}: {error:e} of {scale}");
    assert!(!found.iter().any(|v| v.is_nan()), "{what}");
}

#[test]
fn inference_agrees_with_the_single_operations() {
    for (architecture, [n, h, w]) in [
        (LIFTING, [2, 22, 34]),
        (LIFTING, [1, 2, 2]),
        // More than one part of the picture in both directions, and a narrow one.
        (LIFTING, [1, 390, 400]),
        (LIFTING, [1, 4, 1160]),
        (UNET, [2, 16, 24]),
        (DENSE, [2, 9, 11]),
    ] {
        let networks = lively(architecture);
        let shape = [n, 3, h, w];
        let [cover, secret] = [100, 101].map(|seed| noise(n * 3 * h * w, seed));
        let runner = CpuRunner::new(&networks);
        let container = runner.hide(shape, &cover, &secret);
        let revealed = runner.reveal(shape, &cover);

        let params = networks.params();
        let weights: Vec<_> = params
            .iter()
            .map(|param| Arc::new(Buffer::from(param.values.clone())))
            .collect();
        // Normalisation by running statistics is what a session for inference does; residual
        // networks run layer by layer in one for training.
        let session = Rc::new(match architecture {
            Architecture::Unet2018(_) => {
                Session::inference(weights, &Arc::default(), Plans::default())
            }
            _ => training(params, &weights),
        });
        let tensor = |values: &Vec<f32>| CpuTensor::new(&session, shape, values.clone().into());
        let (cover, secret) = (tensor(&cover), tensor(&secret));
        let what = format!("{architecture:?} at {shape:?}");
        let nets = networks.nets();
        assert_close(&what, &container, nets.hide(&cover, &secret).values());
        assert_close(&what, &revealed, nets.reveal(&cover).values());
    }
}

#[test]
fn gradients_of_inputs_are_slopes_where_parameters_stay() {
    for architecture in [DENSE, LIFTING] {
        check_inputs(architecture);
    }
}

/// Checks the gradient of hiding and revealing by both pictures.
fn check_inputs(architecture: Architecture) {
    let networks = lively(architecture);
    let weights = networks.params().iter();
    let weights = weights.map(|param| Arc::new(Buffer::from(param.values.clone())));
    let weights: Vec<_> = weights.collect();
    let shape = [1, 3, 16, 16];
    let len = shape.iter().product();
    let (start, direction) = (
        [noise(len, 1), noise(len, 2)],
        [noise(len, 3), noise(len, 4)],
    );
    let run = |step: f32| {
        let session = Rc::new(Session::refining(weights.clone(), &Arc::default(), 2));
        let input = |i: usize| {
            let along = start[i].iter().zip(&direction[i]);
            let values = along.map(|(v, d)| v + step * (d - 0.5));
            CpuTensor::input(&session, i, shape, values.collect::<Vec<f32>>().into())
        };
        let container = networks.nets().hide(&input(0), &input(1));
        networks.nets().reveal(&container).mean_square()
    };
    let y = run(0.0);
    let runner = CpuRunner::new(&networks);
    let revealed = runner.reveal(shape, &runner.hide(shape, &start[0], &start[1]));
    let squares: f32 = revealed.iter().map(|v| v * v).sum();
    let (found, expected) = (y.values()[0], squares / len as f32);
    assert!(
        (found - expected).abs() < 1e-4 * expected,
        "{architecture:?}: {found}, and {expected} by the runner"
    );
    let (gradients, _) = y.session.backward(y.node, vec![1.0].into());
    let terms = gradients.iter().zip(&direction);
    let terms = terms.flat_map(|(gradient, direction)| {
        let gradient = gradient.as_ref().expect("a gradient of each input");
        let terms = gradient.iter().zip(direction);
        terms.map(|(g, d)| f64::from(g * (d - 0.5)))
    });
    let terms: Vec<f64> = terms.collect();
    assert_eq!(terms.len(), 2 * len, "parameters have no gradients");
    let expected: f64 = terms.iter().sum();
    let size = terms.iter().map(|term| term * term).sum::<f64>().sqrt();
    const STEP: f32 = 1.0 / 256.0;
    let value = |step| f64::from(run(step).values()[0]);
    let found = (value(STEP) - value(-STEP)) / f64::from(2.0 * STEP);
    assert!(
        (found - expected).abs() <= 0.05 * size,
        "{architecture:?}: {expected} by the gradient, {found} by differences, of {size}"
    );
}

#[test]
fn normalisation_by_known_statistics_is_a_scale_and_a_shift_to_inputs() {
    let norm = BatchNorm {
        weight: ParamId(0),
        bias: ParamId(1),
        running_mean: ParamId(2),
        running_var: ParamId(3),
    };
    let params = [
        [1.5, -0.5, 2.0],
        [0.1, 0.2, -0.3],
        [0.4, 0.5, 0.6],
        [0.25, 4.0, 1.0],
    ];
    let weights = params.map(|values| Arc::new(Buffer::from(values.to_vec())));
    let values = noise(X.iter().product(), 1);
    let session = Rc::new(Session::refining(weights.to_vec(), &Arc::default(), 1));
    let x = CpuTensor::input(&session, 0, X, values.clone().into());
    let y = x.batch_norm(&norm, Activation::Relu);
    let ones = vec![1.0; values.len()];
    let (gradients, _) = session.backward(y.node, ones.into());
    let gradient = gradients[0].as_ref().unwrap();
    let plane = X[2] * X[3];
    for (i, x) in values.iter().enumerate() {
        let [weight, bias, mean, variance] = params.map(|param| param[i / plane % 3]);
        let scale = weight / (variance + BatchNorm::EPSILON as f32).sqrt();
        let expected = (x - mean) * scale + bias;
        let slope = if expected > 0.0 { scale } else { 0.0 };
        assert!(
            (y.values()[i] - expected.max(0.0)).abs() < 1e-5,
            "value {i}"
        );
        assert!(
            expected.abs() < 1e-5 || (gradient[i] - slope).abs() < 1e-5,
            "slope {i}"
        );
    }
}

#[test]
fn refining_makes_both_errors_together_smaller() {
    let networks = lively(LIFTING);
    let shape = [1, 3, 24, 32];
    let len = shape.iter().product();
    let [cover, secret] = [noise(len, 71), noise(len, 72)];
    let runner = CpuRunner::new(&networks);
    let error = |inputs: [&[f32]; 2]| {
        let container = runner.hide(shape, inputs[0], inputs[1]);
        let container: Vec<f32> = container.iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let revealed = runner.reveal(shape, &container);
        let squares =
            |a: &[f32], b: &[f32]| -> f32 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
        2.0 * squares(&container, &cover) + squares(&revealed, &secret)
    };
    let refiner = CpuRefiner::new(&networks);
    let plain = error([&cover, &secret]);
    let mut last = plain;
    for steps in [1, 4, 12] {
        let [a, b] = refiner.refine(shape, &cover, &secret, steps);
        let now = error([&a, &b]);
        assert!(now <= last, "{steps} steps: {now} after {last}");
        last = now;
    }
    assert!(last < 0.8 * plain, "{last} of {plain}");
}

#[test]
fn refining_does_not_spoil_one_picture_for_a_little_of_the_other() {
    // A fresh network reveals grey from anything: a grey secret comes back nearly perfect, and would
    // lose that for a little of the container.
    let networks = Networks::new(LIFTING, 1);
    let shape = [1, 3, 16, 16];
    let len = shape.iter().product();
    let (cover, secret) = (noise(len, 1), vec![0.5; len]);
    let [a, b] = CpuRefiner::new(&networks).refine(shape, &cover, &secret, 6);
    let runner = CpuRunner::new(&networks);
    let decibels = |inputs: [&[f32]; 2]| {
        let container = runner.hide(shape, inputs[0], inputs[1]);
        let container: Vec<f32> = container.iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let revealed = runner.reveal(shape, &container);
        let error = |a: &[f32], b: &[f32]| {
            let squares = a.iter().zip(b).map(|(a, b)| f64::from((a - b) * (a - b)));
            squares.sum::<f64>().max(1e-12).log10()
        };
        -10.0 * (error(&container, &cover) + error(&revealed, &secret))
    };
    let (plain, refined) = (decibels([&cover, &secret]), decibels([&a, &b]));
    assert!(refined >= plain - 1e-3, "{refined} after {plain}");
}
