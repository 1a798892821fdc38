//! All passes against sums in double precision, with every method and every instruction set of
//! this machine.

mod matmul;
mod plan;
mod reference;

use reference::{Reference, assert_close, assert_close_to_scale, largest, noise};

use crate::method::Method;
use crate::path::{Isa, dispatch};
use crate::simd::Simd;
use crate::{Activation, Conv, ConvTranspose, Kernel, Path};

const ONE: Kernel = Kernel::same(1);
const THREE: Kernel = Kernel::same(3);
const HALVING: Kernel = Kernel::HALVING;

/// Shorthand for a shape.
const fn conv(kernel: Kernel, n: usize, c_in: usize, c_out: usize, size: [usize; 2]) -> Conv {
    Conv {
        n,
        c_in,
        c_out,
        height: size[0],
        width: size[1],
        kernel,
    }
}

const SHAPES: [Conv; 42] = [
    conv(THREE, 1, 1, 1, [1, 1]),
    conv(THREE, 2, 3, 2, [1, 1]),
    conv(THREE, 3, 32, 5, [1, 7]),
    conv(THREE, 1, 2, 31, [7, 1]),
    conv(THREE, 2, 5, 3, [5, 3]),
    conv(THREE, 1, 12, 24, [4, 4]),
    conv(THREE, 3, 24, 12, [8, 8]),
    conv(THREE, 2, 12, 32, [17, 16]),
    conv(THREE, 1, 32, 32, [17, 16]),
    conv(THREE, 1, 31, 33, [16, 17]),
    conv(THREE, 5, 44, 12, [13, 11]),
    conv(THREE, 2, 44, 24, [48, 48]),
    conv(THREE, 1, 32, 32, [49, 50]),
    conv(THREE, 1, 3, 64, [23, 70]),
    conv(THREE, 1, 64, 3, [33, 35]),
    conv(THREE, 1, 64, 64, [21, 9]),
    conv(THREE, 1, 150, 70, [9, 30]),
    conv(ONE, 1, 1, 1, [1, 1]),
    conv(ONE, 2, 7, 19, [3, 5]),
    conv(ONE, 1, 150, 3, [20, 33]),
    conv(ONE, 3, 20, 40, [16, 16]),
    conv(HALVING, 1, 1, 1, [2, 2]),
    conv(HALVING, 2, 3, 5, [3, 2]),
    conv(HALVING, 3, 40, 24, [2, 2]),
    conv(HALVING, 1, 6, 64, [32, 34]),
    conv(HALVING, 2, 16, 32, [9, 11]),
    conv(HALVING, 1, 20, 17, [40, 7]),
    conv(HALVING, 1, 64, 70, [18, 33]),
    conv(HALVING, 2, 33, 12, [24, 70]),
    conv(HALVING, 1, 150, 40, [8, 4]),
    conv(THREE, 1, 300, 20, [3, 3]),
    conv(HALVING, 2, 20, 300, [4, 4]),
    conv(Kernel::same(2), 2, 20, 24, [5, 9]),
    conv(Kernel::same(2), 1, 5, 6, [1, 1]),
    conv(Kernel::same(4), 2, 5, 7, [6, 9]),
    conv(Kernel::same(4), 1, 50, 50, [10, 11]),
    conv(Kernel::same(5), 2, 4, 9, [7, 8]),
    conv(Kernel::same(5), 1, 50, 20, [12, 21]),
    // No padding: fewer pixels out than in.
    conv(
        Kernel {
            before: 0,
            after: 0,
            ..THREE
        },
        2,
        14,
        20,
        [9, 12],
    ),
    conv(
        Kernel {
            before: 2,
            after: 2,
            ..THREE
        },
        1,
        20,
        14,
        [3, 4],
    ),
    conv(
        Kernel {
            side: 2,
            stride: 2,
            before: 0,
            after: 0,
        },
        2,
        8,
        9,
        [7, 10],
    ),
    conv(
        Kernel {
            before: 0,
            after: 1,
            ..HALVING
        },
        1,
        12,
        18,
        [11, 9],
    ),
];

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Relu,
    Activation::LeakyRelu(0.2),
    Activation::Sigmoid,
    Activation::Tanh,
];

/// Maximum error of an output, and of a gradient, relative to the largest value.
const OUTPUT_ERROR: f64 = 5e-6;
const GRADIENT_ERROR: f64 = 2e-5;

/// Checks all passes of a shape, computed with `isa`, by each method that can.
fn check(isa: Isa, shape: Conv, activation: Activation, seed: u32) {
    let x = noise(shape.x_len(), seed);
    let w = noise(shape.w_len(), seed + 1);
    let b = noise(shape.c_out, seed + 2);
    let dy = noise(shape.y_len(), seed + 3);
    let expected = Reference::new(shape, &x, &w, &dy);
    let biased = expected.activated(&b, activation);

    for method in [Method::Direct, Method::Matrix, Method::Winograd] {
        let what = |pass: &str| format!("{pass} of {shape:?} with {isa:?}, {method:?}");
        // NaN, since all of a result must be overwritten.
        if method.computes(&shape.pass()) {
            let mut y = vec![f32::NAN; shape.y_len()];
            shape.forward_with(isa, method, &x, &w, None, Activation::None, &mut y);
            assert_close(&what("y without bias"), &y, &expected.y, OUTPUT_ERROR);

            y.fill(f32::NAN);
            shape.forward_with(isa, method, &x, &w, Some(&b), activation, &mut y);
            // No activation is steeper than 1, but some make large values small.
            let scale = largest(&expected.y);
            assert_close_to_scale(&what("activated y"), &y, &biased, scale, OUTPUT_ERROR);

            let mut dw = vec![f32::NAN; shape.w_len()];
            shape.backward_weight_with(isa, method, &x, &dy, &mut dw);
            assert_close(&what("dw"), &dw, &expected.dw, GRADIENT_ERROR);
        }
        if method.computes(&shape.pass_back()) {
            let mut dx = vec![f32::NAN; shape.x_len()];
            shape.backward_input_with(isa, method, &w, &dy, None, Activation::None, &mut dx);
            assert_close(&what("dx"), &dx, &expected.dx, GRADIENT_ERROR);
        }
    }
}

#[test]
fn agrees_with_sums_in_double_precision() {
    for (idx, shape) in SHAPES.into_iter().enumerate() {
        for isa in Isa::all() {
            check(isa, shape, ACTIVATIONS[idx % 5], 1);
        }
    }
}

#[test]
fn agrees_at_a_thousand_random_shapes() {
    let kernels = [
        ONE,
        THREE,
        THREE,
        HALVING,
        HALVING,
        Kernel::same(2),
        Kernel::same(5),
    ];
    let mut random = noise(7000, 9).into_iter().map(|x| x + 0.5);
    let mut below = |end: usize| (random.next().expect("enough values") * end as f32) as usize;
    let isas = Isa::all();
    for case in 0..1000 {
        let kernel = kernels[below(kernels.len())];
        let size = [2 + below(20), 2 + below(20)];
        let shape = conv(kernel, 1 + below(3), 1 + below(40), 1 + below(40), size);
        check(
            isas[case % isas.len()],
            shape,
            ACTIVATIONS[below(5)],
            case as u32,
        );
    }
}

#[test]
fn doubles_as_the_gradient_of_halving() {
    for (n, c_in, c_out, height, width) in [(1, 1, 1, 1, 1), (2, 24, 16, 5, 3), (1, 40, 3, 9, 20)] {
        let shape = ConvTranspose {
            n,
            c_in,
            c_out,
            height,
            width,
        };
        let mirror = conv(HALVING, n, c_out, c_in, [2 * height, 2 * width]);
        let (x, dy) = (noise(mirror.y_len(), 1), noise(mirror.x_len(), 2));
        let (w, b) = (noise(mirror.w_len(), 3), noise(c_out, 4));
        let expected = Reference::new(mirror, &dy, &w, &x);
        let area = 4 * height * width;
        let leaky = |x: f64| if x > 0.0 { x } else { 0.2 * x };
        let biased: Vec<f64> = expected
            .dx
            .iter()
            .enumerate()
            .map(|(idx, y)| leaky(y + f64::from(b[idx / area % c_out])))
            .collect();

        let mut y = vec![f32::NAN; mirror.x_len()];
        shape.forward(&x, &w, Some(&b), Activation::LeakyRelu(0.2), &mut y);
        assert_close(&format!("y of {shape:?}"), &y, &biased, OUTPUT_ERROR);
        let mut dx = vec![f32::NAN; mirror.y_len()];
        shape.backward_input(&w, &dy, &mut dx);
        assert_close(
            &format!("dx of {shape:?}"),
            &dx,
            &expected.y,
            GRADIENT_ERROR,
        );
        let mut dw = vec![f32::NAN; mirror.w_len()];
        shape.backward_weight(&x, &dy, &mut dw);
        assert_close(
            &format!("dw of {shape:?}"),
            &dw,
            &expected.dw,
            GRADIENT_ERROR,
        );
        let mut db = vec![f32::NAN; c_out];
        shape.backward_bias(&dy, &mut db);
        let sums = reference::sums(&dy, area, c_out);
        assert_close(&format!("db of {shape:?}"), &db, &sums, GRADIENT_ERROR);
    }
}

#[test]
fn sums_the_gradient_of_the_bias() {
    for shape in [
        conv(THREE, 1, 1, 1, [1, 1]),
        conv(THREE, 3, 1, 5, [7, 3]),
        conv(HALVING, 2, 1, 3, [65, 130]),
    ] {
        let dy = noise(shape.y_len(), 5);
        let area = shape.height_out() * shape.width_out();
        let mut db = vec![f32::NAN; shape.c_out];
        shape.backward_bias(&dy, &mut db);
        let expected = reference::sums(&dy, area, shape.c_out);
        assert_close(&format!("db of {shape:?}"), &db, &expected, GRADIENT_ERROR);
    }
}

#[test]
fn gives_the_same_bytes_for_any_number_of_threads() {
    let run = |isa: Isa, shape: Conv, threads: usize| {
        let x = noise(shape.x_len(), 6);
        let w = noise(shape.w_len(), 7);
        let dy = noise(shape.y_len(), 8);
        let mut y = vec![0.0; shape.y_len()];
        let mut dx = vec![0.0; shape.x_len()];
        let mut dw = vec![0.0; shape.w_len()];
        let mut db = vec![0.0; shape.c_out];
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool of threads");
        let (forward, back) = (Method::of(&shape.pass()), Method::of(&shape.pass_back()));
        pool.install(|| {
            shape.forward_with(isa, forward, &x, &w, None, Activation::None, &mut y);
            shape.backward_input_with(isa, back, &w, &dy, None, Activation::None, &mut dx);
            let gradient = Method::of_gradient(&shape.pass());
            shape.backward_weight_with(isa, gradient, &x, &dy, &mut dw);
            shape.backward_bias(&dy, &mut db);
        });
        [y, dx, dw, db]
            .concat()
            .into_iter()
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    for shape in [
        conv(THREE, 5, 3, 12, [30, 33]),
        conv(THREE, 4, 32, 44, [48, 48]),
        conv(THREE, 1, 16, 16, [100, 90]),
        conv(THREE, 2, 128, 70, [20, 20]),
        conv(ONE, 2, 30, 20, [50, 60]),
        conv(HALVING, 2, 24, 64, [64, 50]),
        conv(HALVING, 3, 130, 150, [8, 8]),
    ] {
        for isa in Isa::all() {
            let one = run(isa, shape, 1);
            for threads in [2, 7] {
                assert!(
                    one == run(isa, shape, threads),
                    "{shape:?} with {isa:?} differs with {threads} threads"
                );
            }
        }
    }
}

#[test]
fn plain_loops_give_the_same_bits_on_every_instruction_set() {
    let (x, y) = (noise(1003, 11), noise(1003, 12));
    let run = |isa: Isa| {
        let mut sums = [0.0f32; 7];
        dispatch!(isa, simd => simd.run(
            #[inline(always)]
            || {
                for (i, (x, y)) in x.iter().zip(&y).enumerate() {
                    sums[i % 7] += x * y + 0.1;
                }
            },
        ));
        sums.map(f32::to_bits)
    };
    for isa in Isa::all() {
        assert_eq!(run(isa), run(Isa::of(Path::Portable).unwrap()), "{isa:?}");
    }
}

#[test]
fn chooses_the_method_by_the_shape() {
    for (shape, method) in [
        (conv(THREE, 6, 32, 12, [48, 48]), Method::Winograd),
        (conv(THREE, 1, 6, 32, [1, 1]), Method::Winograd),
        (conv(HALVING, 1, 6, 64, [128, 128]), Method::Winograd),
        (conv(HALVING, 4, 512, 512, [8, 8]), Method::Matrix),
        (conv(ONE, 1, 64, 64, [2, 2]), Method::Matrix),
        (conv(THREE, 6, 5, 64, [48, 48]), Method::Direct),
        (conv(THREE, 6, 8, 8, [48, 48]), Method::Direct),
        (conv(THREE, 0, 32, 32, [48, 48]), Method::Direct),
        (conv(THREE, 1, 32, 32, [0, 48]), Method::Direct),
        (conv(ONE, 1, 64, 64, [48, 48]), Method::Direct),
    ] {
        assert_eq!(Method::of(&shape.pass()), method, "{shape:?}");
    }
}

#[test]
fn accepts_empty_batches_pictures_and_channels() {
    for (shape, w, x, y, dw) in [
        (conv(THREE, 0, 2, 3, [4, 4]), 54, 0, 0, 54),
        (conv(THREE, 1, 32, 32, [0, 48]), 9216, 0, 0, 9216),
        (conv(THREE, 1, 0, 1, [2, 2]), 0, 0, 4, 0),
        (conv(THREE, 1, 2, 0, [2, 2]), 0, 8, 0, 0),
        (conv(HALVING, 1, 2, 1, [1, 1]), 32, 2, 0, 32),
    ] {
        let bias = vec![0.5; shape.c_out];
        let (mut out_y, mut out_x) = (vec![f32::NAN; y], vec![f32::NAN; x]);
        let mut out_w = vec![f32::NAN; dw];
        shape.forward(
            &vec![1.0; x],
            &vec![1.0; w],
            Some(&bias),
            Activation::None,
            &mut out_y,
        );
        shape.backward_input(&vec![1.0; w], &vec![1.0; y], &mut out_x);
        shape.backward_weight(&vec![1.0; x], &vec![1.0; y], &mut out_w);
        assert_eq!(out_y, vec![0.5; y], "{shape:?}");
        assert_eq!(out_x, vec![0.0; x], "{shape:?}");
        assert_eq!(out_w, vec![0.0; dw], "{shape:?}");
    }
}

#[test]
#[should_panic(expected = "`w` has 17 values, Conv { n: 1, c_in: 2, c_out: 1")]
fn rejects_weights_of_a_wrong_length() {
    let shape = conv(THREE, 1, 2, 1, [2, 2]);
    shape.forward(&[0.0; 8], &[0.0; 17], None, Activation::None, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "`y` has 5 values")]
fn rejects_a_result_of_a_wrong_length() {
    let shape = conv(THREE, 1, 2, 1, [2, 2]);
    shape.forward(&[0.0; 8], &[0.0; 18], None, Activation::None, &mut [0.0; 5]);
}
