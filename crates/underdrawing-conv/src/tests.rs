//! All passes against sums in double precision, on every instruction set of this machine.

use super::*;

/// Names a size `(n, c_in, c_out, height, width)`.
const fn conv(n: usize, c_in: usize, c_out: usize, height: usize, width: usize) -> Conv3x3 {
    Conv3x3 {
        n,
        c_in,
        c_out,
        height,
        width,
    }
}

const SHAPES: [Conv3x3; 17] = [
    conv(1, 1, 1, 1, 1),
    conv(2, 3, 2, 1, 1),
    conv(3, 32, 5, 1, 7),
    conv(1, 2, 31, 7, 1),
    conv(2, 5, 3, 5, 3),
    conv(1, 12, 24, 4, 4),
    conv(3, 24, 12, 8, 8),
    conv(2, 12, 32, 17, 16),
    conv(1, 32, 32, 17, 16),
    conv(1, 31, 33, 16, 17),
    conv(5, 44, 12, 13, 11),
    conv(2, 44, 24, 48, 48),
    conv(1, 32, 32, 49, 50),
    conv(1, 3, 64, 23, 70),
    conv(1, 64, 3, 33, 35),
    conv(1, 64, 64, 21, 9),
    conv(1, 150, 70, 9, 30),
];

/// Numbers in [-0.5, 0.5), the same in each run.
fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

/// Calls `visit` with the indices in `x`, `w` and `y` of each product of a convolution.
fn each_product(shape: Conv3x3, mut visit: impl FnMut(usize, usize, usize)) {
    let Conv3x3 {
        n,
        c_in,
        c_out,
        height,
        width,
    } = shape;
    for picture in 0..n {
        for o in 0..c_out {
            for i in 0..c_in {
                for row in 0..height {
                    for col in 0..width {
                        for tap in 0..9 {
                            let (y, x) = (row + tap / 3, col + tap % 3);
                            if y == 0 || x == 0 || y > height || x > width {
                                continue;
                            }
                            visit(
                                ((picture * c_in + i) * height + y - 1) * width + x - 1,
                                (o * c_in + i) * 9 + tap,
                                ((picture * c_out + o) * height + row) * width + col,
                            );
                        }
                    }
                }
            }
        }
    }
}

#[track_caller]
fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected
        .iter()
        .fold(1e-30_f64, |largest, e| largest.max(e.abs()));
    for (idx, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / largest;
        assert!(
            error <= tolerance,
            "{what}: [{idx}] is {found}, not {expected}: {error:.1e}"
        );
    }
}

#[test]
fn agrees_with_sums_in_double_precision() {
    for shape in SHAPES {
        let x = noise(shape.x_len(), 1);
        let w = noise(shape.w_len(), 2);
        let b = noise(shape.c_out, 3);
        let dy = noise(shape.y_len(), 4);
        let area = shape.height * shape.width;
        let bias = |idx: usize| f64::from(b[idx / area % shape.c_out]);
        let mut y_expected: Vec<f64> = vec![0.0; shape.y_len()];
        let mut dx_expected: Vec<f64> = vec![0.0; shape.x_len()];
        let mut dw_expected: Vec<f64> = vec![0.0; shape.w_len()];
        each_product(shape, |xi, wi, yi| {
            y_expected[yi] += f64::from(x[xi]) * f64::from(w[wi]);
            dx_expected[xi] += f64::from(dy[yi]) * f64::from(w[wi]);
            dw_expected[wi] += f64::from(dy[yi]) * f64::from(x[xi]);
        });

        for (isa, method) in every_way(shape) {
            let what = |pass: &str| format!("{pass} of {shape:?} with {isa:?}, {method:?}");
            // Not a number: all of a result must be overwritten.
            let mut y = vec![f32::NAN; shape.y_len()];
            shape.forward_with(isa, method, &x, &w, None, &mut y);
            assert_close(&what("y without bias"), &y, &y_expected, 5e-6);

            let biased: Vec<f64> = y_expected
                .iter()
                .enumerate()
                .map(|(idx, y)| y + bias(idx))
                .collect();
            y.fill(f32::NAN);
            shape.forward_with(isa, method, &x, &w, Some(&b), &mut y);
            assert_close(&what("y"), &y, &biased, 5e-6);

            let mut dx = vec![f32::NAN; shape.x_len()];
            shape.backward_input_with(isa, method, &w, &dy, &mut dx);
            assert_close(&what("dx"), &dx, &dx_expected, 2e-5);

            let mut dw = vec![f32::NAN; shape.w_len()];
            shape.backward_weight_with(isa, method, &x, &dy, &mut dw);
            assert_close(&what("dw"), &dw, &dw_expected, 2e-5);
        }
    }
}

/// All instruction sets of this machine with all methods.
fn every_way(shape: Conv3x3) -> impl Iterator<Item = (Isa, Method)> {
    assert!(shape.n * shape.c_in * shape.c_out * shape.height * shape.width > 0);
    let methods = [Method::Direct, Method::Winograd];
    Isa::all()
        .into_iter()
        .flat_map(move |isa| methods.map(|method| (isa, method)))
}

#[test]
fn sums_the_gradient_of_the_bias() {
    for shape in [
        conv(1, 1, 1, 1, 1),
        conv(3, 1, 5, 7, 3),
        conv(2, 1, 3, 65, 130),
    ] {
        let dy = noise(shape.y_len(), 5);
        let mut expected = vec![0.0; shape.c_out];
        for (channel, dy) in dy.chunks(shape.height * shape.width).enumerate() {
            expected[channel % shape.c_out] += dy.iter().map(|x| f64::from(*x)).sum::<f64>();
        }
        let mut db = vec![f32::NAN; shape.c_out];
        shape.backward_bias(&dy, &mut db);
        assert_close(&format!("db of {shape:?}"), &db, &expected, 2e-5);
    }
}

#[test]
fn gives_the_same_bytes_for_any_number_of_threads() {
    let run = |shape: Conv3x3, threads: usize| {
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
        pool.install(|| {
            shape.forward(&x, &w, None, &mut y);
            shape.backward_input(&w, &dy, &mut dx);
            shape.backward_weight(&x, &dy, &mut dw);
            shape.backward_bias(&dy, &mut db);
        });
        [y, dx, dw, db]
            .concat()
            .into_iter()
            .map(f32::to_bits)
            .collect::<Vec<_>>()
    };
    for shape in [
        conv(5, 3, 12, 30, 33),
        conv(4, 32, 44, 48, 48),
        conv(1, 16, 16, 100, 90),
    ] {
        let one = run(shape, 1);
        for threads in [2, 7] {
            assert!(
                one == run(shape, threads),
                "{shape:?} differs with {threads} threads"
            );
        }
    }
}

#[test]
fn chooses_the_method_by_the_shape() {
    for (shape, method) in [
        (conv(6, 32, 12, 48, 48), Method::Winograd),
        (conv(1, 6, 32, 1, 1), Method::Winograd),
        (conv(6, 5, 64, 48, 48), Method::Direct),
        (conv(6, 8, 8, 48, 48), Method::Direct),
        (conv(0, 32, 32, 48, 48), Method::Direct),
        (conv(1, 32, 32, 0, 48), Method::Direct),
    ] {
        assert_eq!(Method::of(&shape), method, "{shape:?}");
    }
}

#[test]
fn accepts_empty_batches_pictures_and_channels() {
    let shape = conv(0, 2, 3, 4, 4);
    let mut dw = vec![f32::NAN; shape.w_len()];
    shape.forward(&[], &[0.0; 54], None, &mut []);
    shape.backward_input(&[0.0; 54], &[], &mut []);
    shape.backward_weight(&[], &[], &mut dw);
    assert_eq!(dw, vec![0.0; 54]);

    let shape = conv(1, 32, 32, 0, 48);
    let mut dw = vec![f32::NAN; shape.w_len()];
    shape.forward(&[], &vec![0.0; shape.w_len()], None, &mut []);
    shape.backward_input(&vec![0.0; shape.w_len()], &[], &mut []);
    shape.backward_weight(&[], &[], &mut dw);
    assert!(dw.iter().all(|dw| *dw == 0.0));

    let shape = conv(1, 0, 1, 2, 2);
    let mut y = [f32::NAN; 4];
    shape.forward(&[], &[], Some(&[0.5]), &mut y);
    assert_eq!(y, [0.5; 4]);
    shape.backward_input(&[], &[1.0; 4], &mut []);
    shape.backward_weight(&[], &[1.0; 4], &mut []);

    let shape = conv(1, 2, 0, 2, 2);
    let mut dx = [f32::NAN; 8];
    shape.backward_input(&[], &[], &mut dx);
    assert_eq!(dx, [0.0; 8]);
}

#[test]
#[should_panic(expected = "`w` has 17 numbers, Conv3x3 { n: 1, c_in: 2, c_out: 1")]
fn rejects_weights_of_a_wrong_length() {
    conv(1, 2, 1, 2, 2).forward(&[0.0; 8], &[0.0; 17], None, &mut [0.0; 4]);
}

#[test]
#[should_panic(expected = "`y` has 5 numbers")]
fn rejects_a_result_of_a_wrong_length() {
    conv(1, 2, 1, 2, 2).forward(&[0.0; 8], &[0.0; 18], None, &mut [0.0; 5]);
}
