//! Plans of small networks against their layers one by one.

use super::reference::{Reference, assert_close_to_scale, noise};
use crate::simd::Isa;
use crate::{Activation, Conv, Kernel, Layer, Maps, Plan, PlanBuilder};

/// Maps `[n, channels, height, width]`.
#[derive(Clone)]
struct Picture {
    channels: usize,
    size: [usize; 2],
    numbers: Vec<f32>,
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
        let numbers = noise(N * channels * size[0] * size[1], self.seed);
        (
            self.builder.input(channels),
            Picture {
                channels,
                size,
                numbers,
            },
        )
    }

    /// A convolution, and another map to add.
    fn conv(
        &mut self,
        x: &Both,
        c_out: usize,
        kernel: Kernel,
        activation: Activation,
        add: Option<&Both>,
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
        let y = match add {
            Some(other) => self.builder.conv_add(maps, layer, other.0),
            None => self.builder.conv(maps, layer),
        };
        let shape = Conv {
            n: N,
            c_in: x.channels,
            c_out,
            height: x.size[0],
            width: x.size[1],
            kernel,
        };
        let expected = Reference::new(shape, &x.numbers, &weights, &vec![0.0; shape.y_len()]);
        let mut numbers = floats(&expected.activated(&bias, activation));
        if let Some((_, other)) = add {
            numbers
                .iter_mut()
                .zip(&other.numbers)
                .for_each(|(y, other)| *y += other);
        }
        let size = [shape.height_out(), shape.width_out()];
        (
            y,
            Picture {
                channels: c_out,
                size,
                numbers,
            },
        )
    }

    fn doubling(&mut self, x: &Both, c_out: usize) -> Both {
        let (maps, x) = (x.0, &x.1);
        let (weights, bias) = self.parameters(x.channels * c_out * 16, c_out);
        let layer = Layer {
            c_out,
            kernel: Kernel::HALVING,
            weights: &weights,
            bias: Some(&bias),
            activation: Activation::None,
        };
        let y = self.builder.doubling(maps, layer);
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
        let mut numbers = floats(&Reference::new(shape, &zeros, &weights, &x.numbers).dx);
        let area = size[0] * size[1];
        for (idx, y) in numbers.iter_mut().enumerate() {
            *y += bias[idx / area % c_out];
        }
        (
            y,
            Picture {
                channels: c_out,
                size,
                numbers,
            },
        )
    }

    fn again(&mut self, of: &Both, activation: impl Fn(f32) -> f32, name: Activation) -> Both {
        let maps = self.builder.again(name);
        let numbers = of.1.numbers.iter().map(|x| activation(*x)).collect();
        (
            maps,
            Picture {
                numbers,
                ..of.1.clone()
            },
        )
    }

    fn concat(&mut self, parts: &[&Both]) -> Both {
        let maps: Vec<Maps> = parts.iter().map(|part| part.0).collect();
        let maps = self.builder.concat(&maps);
        let size = parts[0].1.size;
        let area = size[0] * size[1];
        let mut numbers = Vec::new();
        for picture in 0..N {
            for (_, part) in parts {
                let len = part.channels * area;
                numbers.extend(&part.numbers[picture * len..][..len]);
            }
        }
        let channels = parts.iter().map(|part| part.1.channels).sum();
        (
            maps,
            Picture {
                channels,
                size,
                numbers,
            },
        )
    }

    fn couple(&mut self, state: &Both, update: &Both, inverse: bool) -> Both {
        let maps = self.builder.couple(state.0, update.0, inverse);
        let len = state.1.numbers.len() / N;
        let couple = |(idx, x): (usize, &f32)| {
            let first = 2 * (idx / len) * len + idx % len;
            let (log_scale, shift) = (
                update.1.numbers[first].tanh(),
                update.1.numbers[first + len],
            );
            if inverse {
                (x - shift) * (-log_scale).exp()
            } else {
                x * log_scale.exp() + shift
            }
        };
        let numbers = state.1.numbers.iter().enumerate().map(couple).collect();
        (
            maps,
            Picture {
                numbers,
                ..state.1.clone()
            },
        )
    }

    /// Weights that keep the maps' size about the same, and biases.
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

fn floats(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

fn relu(x: f32) -> f32 {
    x.max(0.0)
}

/// Builds a network with `build`, which returns inputs and outputs, and runs it twice.
fn check(what: &str, size: [usize; 2], build: impl Fn(&mut Twin) -> (Vec<Both>, Vec<Both>)) {
    for isa in Isa::all() {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let (inputs, outputs) = build(&mut twin);
        let maps: Vec<Maps> = outputs.iter().map(|output| output.0).collect();
        let mut plan = twin.builder.build_with(isa, &maps, size);
        let inputs: Vec<&[f32]> = inputs.iter().map(|input| &*input.1.numbers).collect();
        for round in 0..2 {
            // The second time over what the first has left.
            let found = run(&mut plan, size, &inputs, &outputs);
            for (found, (_, expected)) in found.iter().zip(&outputs) {
                let expected: Vec<f64> = expected.numbers.iter().map(|x| f64::from(*x)).collect();
                let what = format!("{what}, {isa:?}, round {round}");
                // Errors of several layers add up, and sizes stay near 1.
                assert_close_to_scale(&what, found, &expected, 1.0, 1e-5);
            }
        }
    }
}

fn run(plan: &mut Plan, size: [usize; 2], inputs: &[&[f32]], outputs: &[Both]) -> Vec<Vec<f32>> {
    let mut found: Vec<Vec<f32>> = outputs
        .iter()
        .map(|output| vec![f32::NAN; output.1.numbers.len()])
        .collect();
    let mut slices: Vec<&mut [f32]> = found.iter_mut().map(|found| &mut found[..]).collect();
    plan.run(N, size, inputs, &mut slices);
    found
}

#[test]
fn runs_a_chain_of_convolutions() {
    for size in [[1, 1], [5, 7], [24, 17], [40, 33]] {
        check(&format!("a chain at {size:?}"), size, |twin| {
            let x = twin.input(3, size);
            let a = twin.conv(&x, 20, Kernel::same(3), Activation::Relu, None);
            let b = twin.conv(&a, 40, Kernel::same(3), Activation::LeakyRelu(0.2), None);
            let c = twin.conv(&b, 9, Kernel::same(1), Activation::Tanh, None);
            let d = twin.conv(&c, 12, Kernel::same(5), Activation::None, None);
            let y = twin.conv(&d, 3, Kernel::same(3), Activation::Sigmoid, None);
            (vec![x], vec![y])
        });
    }
}

#[test]
fn runs_steps_of_a_lifting_network() {
    for size in [[6, 9], [20, 24]] {
        for inverse in [false, true] {
            check(
                &format!("lifting at {size:?}, inverse {inverse}"),
                size,
                |twin| {
                    let (cover, secret) = (twin.input(12, size), twin.input(12, size));
                    let leaky = Activation::LeakyRelu(0.2);
                    let function = |twin: &mut Twin, x: &Both, c_out: usize, add: Option<&Both>| {
                        let features = twin.conv(x, 20, Kernel::same(3), leaky, None);
                        let sum = twin.conv(&features, 20, Kernel::same(3), leaky, Some(&features));
                        let all = twin.concat(&[&sum, x]);
                        twin.conv(&all, c_out, Kernel::same(3), Activation::None, add)
                    };
                    let cover = function(twin, &secret, 12, Some(&cover));
                    let update = function(twin, &cover, 24, None);
                    // The cover is concatenated again, so it must be copied.
                    let second = function(twin, &cover, 12, None);
                    let secret = twin.couple(&secret, &update, inverse);
                    let input = |seed: u32| Picture {
                        channels: 12,
                        size,
                        numbers: noise(N * 12 * size[0] * size[1], seed),
                    };
                    let inputs = vec![(cover.0, input(1)), (cover.0, input(2))];
                    (inputs, vec![cover, secret, second])
                },
            );
        }
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
                down = twin.conv(&down, channels, Kernel::HALVING, leaky, None);
                // Relu of the leaky ReLU is that of what was before it.
                skips.push(twin.again(&down, relu, Activation::Relu));
            }
            let mut up = skips.pop().expect("three skips");
            for channels in [20, 12] {
                let skip = skips.pop().expect("two skips");
                up = twin.doubling(&up, channels);
                up = twin.concat(&[&skip, &up]);
            }
            let y = twin.doubling(&up, 3);
            (vec![x], vec![y])
        });
    }
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
        let wide = twin.conv(&x, 40, Kernel::same(3), Activation::Relu, None);
        let small = twin.conv(&wide, 70, Kernel::HALVING, Activation::Relu, None);
        let smaller = twin.conv(&small, 70, Kernel::HALVING, Activation::Relu, None);
        let up = twin.doubling(&smaller, 40);
        let mut plan = twin.builder.build_with(isa, &[up.0], size);
        let mut run_with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.expect("a pool of threads");
            let inputs = [&x.1.numbers[..]];
            let found =
                pool.install(|| self::run(&mut plan, size, &inputs, std::slice::from_ref(&up)));
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
fn computes_large_pictures_in_strips_to_the_same_bytes() {
    let [height, width] = [203, 30];
    for isa in Isa::all() {
        let mut twin = Twin {
            builder: PlanBuilder::default(),
            seed: 0,
        };
        let x = twin.input(3, [height, width]);
        let a = twin.conv(&x, 40, Kernel::same(3), Activation::Relu, None);
        let y = twin.conv(&a, 5, Kernel::same(3), Activation::Relu, None);
        let mut plan = twin.builder.build_with(isa, &[y.0], [height, width]);
        let found = run(
            &mut plan,
            [height, width],
            &[&x.1.numbers],
            std::slice::from_ref(&y),
        );
        // Short enough to be computed whole, and long enough to be right in the upper rows.
        let short = 32;
        let rows = |numbers: &[f32], from: usize, count: usize| -> Vec<f32> {
            let planes = numbers.chunks_exact(from * width);
            planes
                .flat_map(|plane| plane[..count * width].to_vec())
                .collect()
        };
        let top = rows(&x.1.numbers, height, short);
        let mut part = vec![f32::NAN; N * 5 * short * width];
        plan.run(N, [short, width], &[&top], &mut [&mut part]);
        assert_eq!(
            rows(&found[0], height, short - 4),
            rows(&part, short, short - 4),
            "{isa:?}"
        );
        let expected: Vec<f64> = y.1.numbers.iter().map(|x| f64::from(*x)).collect();
        assert_close_to_scale(&format!("strips, {isa:?}"), &found[0], &expected, 1.0, 1e-5);
    }
}
