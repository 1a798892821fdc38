//! Plans of small networks against their layers one by one.

use super::reference::{Reference, assert_close_to_scale, noise};
use crate::path::Isa;
use crate::{Activation, Conv, Kernel, Layer, Maps, Plan, PlanBuilder, Workspace};

/// Maps `[n, channels, height, width]`.
#[derive(Clone)]
struct Picture {
    channels: usize,
    size: [usize; 2],
    values: Vec<f32>,
}

const N: usize = 2;

/// Builds a plan and computes the same layer by layer.
struct Twin {
    builder: PlanBuilder,
    seed: u32,
}

type Both = (Maps, Picture);

impl Twin {
    fn input(&mut self, channels: usize, size: [usize; 2]) -> Both {
        self.seed += 1;
        let values = noise(N * channels * size[0] * size[1], self.seed);
        (
            self.builder.input(channels),
            Picture {
                channels,
                size,
                values,
            },
        )
    }

    fn conv(&mut self, x: &Both, c_out: usize, kernel: Kernel, activation: Activation) -> Both {
        self.conv_and_term(x, c_out, kernel, activation, None)
    }

    /// A convolution to as many channels as `term` has, which is added.
    fn conv_plus(&mut self, x: &Both, kernel: Kernel, activation: Activation, term: &Both) -> Both {
        self.conv_and_term(x, term.1.channels, kernel, activation, Some(term))
    }

    fn conv_and_term(
        &mut self,
        x: &Both,
        c_out: usize,
        kernel: Kernel,
        activation: Activation,
        term: Option<&Both>,
    ) -> Both {
        let (maps, x) = (x.0, &x.1);
        let (weights, bias) = self.parameters(x.channels * c_out * kernel.side.pow(2), c_out);
        let layer = Layer {
            c_out,
            kernel,
            weights: &weights,
            bias: Some(&bias),
            activation,
        };
        let y = match term {
            None => self.builder.conv(maps, layer),
            Some(term) => self.builder.conv_plus(maps, layer, term.0),
        };
        let shape = Conv {
            n: N,
            c_in: x.channels,
            c_out,
            height: x.size[0],
            width: x.size[1],
            kernel,
        };
        let expected = Reference::new(shape, &x.values, &weights, &vec![0.0; shape.y_len()]);
        let mut values = floats(&expected.activated(&bias, activation));
        if let Some(term) = term {
            for (y, term) in values.iter_mut().zip(&term.1.values) {
                *y += term;
            }
        }
        let size = [shape.height_out(), shape.width_out()];
        (
            y,
            Picture {
                channels: c_out,
                size,
                values,
            },
        )
    }

    fn conv_transpose(&mut self, x: &Both, c_out: usize) -> Both {
        let (maps, x) = (x.0, &x.1);
        let (weights, bias) = self.parameters(x.channels * c_out * 16, c_out);
        let layer = Layer {
            c_out,
            kernel: Kernel::HALVING,
            weights: &weights,
            bias: Some(&bias),
            activation: Activation::None,
        };
        let y = self.builder.conv_transpose(maps, layer);
        let size = x.size.map(|side| 2 * side);
        let shape = Conv {
            n: N,
            c_in: c_out,
            c_out: x.channels,
            height: size[0],
            width: size[1],
            kernel: Kernel::HALVING,
        };
        let zeros = vec![0.0; shape.x_len()];
        let mut values = floats(&Reference::new(shape, &zeros, &weights, &x.values).dx);
        let area = size[0] * size[1];
        for (idx, y) in values.iter_mut().enumerate() {
            *y += bias[idx / area % c_out];
        }
        (
            y,
            Picture {
                channels: c_out,
                size,
                values,
            },
        )
    }

    /// Applies an activation to the result of a convolution without one.
    fn again(&mut self, of: &Both, activation: Activation) -> Both {
        let apply = |x: &f32| match activation {
            Activation::None => *x,
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu(slope) => x.max(0.0) + slope * x.min(0.0),
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Tanh => x.tanh(),
        };
        (
            self.builder.again(of.0, activation),
            Picture {
                values: of.1.values.iter().map(apply).collect(),
                ..of.1.clone()
            },
        )
    }

    fn concat(&mut self, parts: &[&Both]) -> Both {
        let maps: Vec<Maps> = parts.iter().map(|part| part.0).collect();
        let maps = self.builder.concat(&maps);
        let size = parts[0].1.size;
        let area = size[0] * size[1];
        let mut values = Vec::new();
        for picture in 0..N {
            for (_, part) in parts {
                let len = part.channels * area;
                values.extend(&part.values[picture * len..][..len]);
            }
        }
        let channels = parts.iter().map(|part| part.1.channels).sum();
        (
            maps,
            Picture {
                channels,
                size,
                values,
            },
        )
    }

    /// Weights that keep values at about the same size, and biases.
    fn parameters(&mut self, len: usize, c_out: usize) -> (Vec<f32>, Vec<f32>) {
        self.seed += 2;
        let scale = 3.0 / (len as f32 / c_out as f32).sqrt();
        let weights = noise(len, self.seed)
            .into_iter()
            .map(|w| w * scale)
            .collect();
        (weights, noise(c_out, self.seed + 1))
    }
}

fn floats(values: &[f64]) -> Vec<f32> {
    values.iter().map(|x| *x as f32).collect()
}

/// Builds a network with `build`, which returns inputs and outputs, and runs it twice.
fn check(what: &str, size: [usize; 2], build: impl Fn(&mut Twin) -> (Vec<Both>, Vec<Both>)) {
    // Errors of several layers add up, and values stay near 1.
    check_within(1e-5, what, size, build);
}

fn check_within(
    tolerance: f64,
    what: &str,
    size: [usize; 2],
    build: impl Fn(&mut Twin) -> (Vec<Both>, Vec<Both>),
) {
    let mut workspace = Workspace::default();
    for isa in Isa::all() {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let (inputs, outputs) = build(&mut twin);
        let maps: Vec<Maps> = outputs.iter().map(|output| output.0).collect();
        let plan = twin.builder.build_with(isa, &maps, size);
        let inputs: Vec<&[f32]> = inputs.iter().map(|input| &*input.1.values).collect();
        for round in 0..2 {
            // Each run works in what the last one has left, also with other instructions.
            let found = run_in(&mut workspace, &plan, size, &inputs, &outputs);
            for (found, (_, expected)) in found.iter().zip(&outputs) {
                let expected: Vec<f64> = expected.values.iter().map(|x| f64::from(*x)).collect();
                let what = format!("{what}, {isa:?}, round {round}");
                assert_close_to_scale(&what, found, &expected, 1.0, tolerance);
            }
        }
    }
}

fn run(plan: &Plan, size: [usize; 2], inputs: &[&[f32]], outputs: &[Both]) -> Vec<Vec<f32>> {
    run_in(&mut Workspace::default(), plan, size, inputs, outputs)
}

fn run_in(
    workspace: &mut Workspace,
    plan: &Plan,
    size: [usize; 2],
    inputs: &[&[f32]],
    outputs: &[Both],
) -> Vec<Vec<f32>> {
    let mut found: Vec<Vec<f32>> = outputs
        .iter()
        .map(|output| vec![f32::NAN; output.1.values.len()])
        .collect();
    let mut slices: Vec<&mut [f32]> = found.iter_mut().map(|found| &mut found[..]).collect();
    plan.run(workspace, N, size, inputs, &mut slices);
    found
}

#[test]
fn runs_a_chain_of_convolutions() {
    for size in [[1, 1], [5, 7], [24, 17], [40, 33]] {
        check(&format!("a chain at {size:?}"), size, |twin| {
            let x = twin.input(3, size);
            let a = twin.conv(&x, 20, Kernel::same(3), Activation::Relu);
            let b = twin.conv(&a, 40, Kernel::same(3), Activation::LeakyRelu(0.2));
            let c = twin.conv(&b, 9, Kernel::same(1), Activation::Tanh);
            let d = twin.conv(&c, 12, Kernel::same(5), Activation::None);
            let y = twin.conv(&d, 3, Kernel::same(3), Activation::Sigmoid);
            (vec![x], vec![y])
        });
    }
}

#[test]
fn runs_a_dense_network() {
    for size in [[6, 9], [20, 24]] {
        check(&format!("a dense network at {size:?}"), size, |twin| {
            let (x, other) = (twin.input(12, size), twin.input(5, size));
            let leaky = Activation::LeakyRelu(0.2);
            // Parts computed from another part, belonging to another concatenation, or given twice.
            let a = twin.conv(&x, 20, Kernel::same(3), leaky);
            let first = twin.concat(&[&x, &a]);
            let b = twin.conv(&first, 7, Kernel::same(3), leaky);
            let second = twin.concat(&[&a, &other, &b, &x]);
            let c = twin.conv(&second, 24, Kernel::same(3), Activation::None);
            let third = twin.concat(&[&c, &c, &b]);
            let d = twin.conv(&third, 9, Kernel::same(1), Activation::None);
            (vec![x, other], vec![d, b, third])
        });
    }
}

#[test]
fn runs_a_u_net() {
    for size in [[8, 16], [48, 40]] {
        check(&format!("a U-Net at {size:?}"), size, |twin| {
            let x = twin.input(6, size);
            let leaky = Activation::LeakyRelu(0.2);
            let mut skips = Vec::new();
            let mut down = x.clone();
            for channels in [12, 20, 40] {
                let sums = twin.conv(&down, channels, Kernel::HALVING, Activation::None);
                down = twin.again(&sums, leaky);
                skips.push(sums);
            }
            let deepest = skips.pop().expect("three skips");
            let mut up = twin.again(&deepest, Activation::Relu);
            for channels in [20, 12] {
                let skip = skips.pop().expect("two skips");
                let skip = twin.again(&skip, Activation::Relu);
                up = twin.conv_transpose(&up, channels);
                up = twin.concat(&[&skip, &up]);
            }
            let y = twin.conv_transpose(&up, 3);
            (vec![x], vec![y])
        });
    }
}

#[test]
fn gives_a_convolutions_result_with_several_activations() {
    let size = [24, 17];
    check("activations", size, |twin| {
        let x = twin.input(3, size);
        let sums = twin.conv(&x, 20, Kernel::same(3), Activation::None);
        let relu = twin.again(&sums, Activation::Relu);
        let other = twin.conv(&relu, 5, Kernel::same(3), Activation::Relu);
        let tanh = twin.again(&sums, Activation::Tanh);
        let sigmoid = twin.again(&sums, Activation::Sigmoid);
        assert_eq!(twin.again(&sums, Activation::Tanh).0, tanh.0);
        assert_eq!(twin.again(&sums, Activation::None).0, sums.0);
        let y = twin.conv(&tanh, 5, Kernel::same(3), Activation::None);
        (vec![x], vec![y, other, sigmoid, sums])
    });
}

#[test]
fn what_nothing_uses_costs_nothing() {
    let size = [24, 17];
    let build = |with_unused: bool| {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let x = twin.input(3, size);
        let seed = twin.seed;
        let hidden = if with_unused {
            let sums = twin.conv(&x, 20, Kernel::same(3), Activation::None);
            twin.again(&sums, Activation::Sigmoid);
            let hidden = twin.again(&sums, Activation::Relu);
            let seed = twin.seed;
            let unused = twin.conv(&hidden, 30, Kernel::same(3), Activation::None);
            let halved = twin.conv(&unused, 30, Kernel::HALVING, Activation::None);
            twin.concat(&[&halved, &halved]);
            twin.concat(&[&hidden, &unused]);
            twin.seed = seed;
            hidden
        } else {
            twin.conv(&x, 20, Kernel::same(3), Activation::Relu)
        };
        assert!(twin.seed > seed);
        let y = twin.conv(&hidden, 5, Kernel::same(3), Activation::Relu);
        let plan = twin.builder.build(&[y.0], size);
        let found = run(&plan, size, &[&x.1.values], &[y]);
        (found, plan.cost())
    };
    assert!(build(true) == build(false));
}

#[test]
#[should_panic(expected = "only the result of a convolution")]
fn an_input_has_no_other_activation() {
    let mut builder = PlanBuilder::default();
    let x = builder.input(3);
    builder.again(x, Activation::Relu);
}

#[test]
fn gives_the_same_bytes_for_any_number_of_threads() {
    let size = [40, 72];
    for isa in Isa::all() {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let x = twin.input(3, size);
        let wide = twin.conv(&x, 40, Kernel::same(3), Activation::Relu);
        let wide = twin.conv(&wide, 40, Kernel::same(3), Activation::Relu);
        let small = twin.conv(&wide, 70, Kernel::HALVING, Activation::Relu);
        let smaller = twin.conv(&small, 70, Kernel::HALVING, Activation::Relu);
        let up = twin.conv_transpose(&smaller, 40);
        let plan = twin.builder.build_with(isa, &[up.0], size);
        let run_with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.expect("a pool of threads");
            let inputs = [&x.1.values[..]];
            let found = pool.install(|| self::run(&plan, size, &inputs, std::slice::from_ref(&up)));
            found[0].iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        };
        let one = run_with(1);
        for threads in [2, 7] {
            assert!(
                one == run_with(threads),
                "{isa:?} differs with {threads} threads"
            );
        }
    }
}

#[test]
fn computes_large_pictures_in_parts() {
    for size in [[203, 30], [70, 130], [25, 49]] {
        check(&format!("parts of {size:?}"), size, |twin| {
            let x = twin.input(3, size);
            let a = twin.conv(&x, 40, Kernel::same(3), Activation::Relu);
            let b = twin.conv(&a, 24, Kernel::same(3), Activation::Relu);
            let y = twin.conv(&b, 5, Kernel::same(3), Activation::Relu);
            (vec![x], vec![y])
        });
    }
}

#[test]
fn adds_up_many_channels() {
    // Whole tiles, one row or column more, and one less.
    for size in [[24, 36], [25, 37], [23, 35]] {
        // Too few results for tiles of 6x6.
        check(&format!("few of many channels at {size:?}"), size, |twin| {
            let x = twin.input(130, size);
            let y = twin.conv(&x, 19, Kernel::same(3), Activation::None);
            (vec![x], vec![y])
        });
        // Tiles of 6x6 are less exact than others the more channels there are: 1.1e-5 was found.
        check_within(2e-5, &format!("many channels at {size:?}"), size, |twin| {
            let x = twin.input(130, size);
            let y = twin.conv(&x, 33, Kernel::same(3), Activation::None);
            (vec![x], vec![y])
        });
    }
}

#[test]
fn adds_an_earlier_result() {
    for size in [[2, 3], [6, 9], [33, 70]] {
        check(&format!("a sum at {size:?}"), size, |twin| {
            let x = twin.input(12, size);
            let leaky = Activation::LeakyRelu(0.2);
            let a = twin.conv(&x, 20, Kernel::same(3), leaky);
            let sum = twin.conv_plus(&a, Kernel::same(3), leaky, &a);
            let other = twin.conv_plus(&sum, Kernel::same(1), Activation::None, &a);
            let both = twin.concat(&[&sum, &x]);
            let y = twin.conv(&both, 24, Kernel::same(3), Activation::None);
            (vec![x], vec![y, other])
        });
    }
}

#[test]
fn plans_take_turns_in_a_workspace() {
    let isa = Isa::chosen();
    let plans = [12, 24, 40].map(|c_out| {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let x = twin.input(12, [40, 40]);
        let a = twin.conv(&x, 20, Kernel::same(3), Activation::Relu);
        let b = twin.conv(&a, c_out, Kernel::same(3), Activation::None);
        let y = twin.conv(&b, c_out, Kernel::same(c_out / 12), Activation::None);
        (twin.builder.build_with(isa, &[y.0], [40, 40]), c_out)
    });
    let mut shared = Workspace::default();
    for size in [[40, 40], [39, 40], [9, 13], [40, 40]] {
        let area = N * size[0] * size[1];
        let input = noise(12 * area, 1);
        for (plan, c_out) in &plans {
            let run = |workspace: &mut Workspace| {
                let mut y = vec![f32::NAN; c_out * area];
                plan.run(workspace, N, size, &[&input], &mut [&mut y]);
                y
            };
            let alone = run(&mut Workspace::default());
            assert!(run(&mut shared) == alone, "{c_out} channels at {size:?}");
        }
    }
}
