//! Matrix products against sums in double precision.

use super::reference::{assert_close, noise};
use crate::MatMul;
use crate::path::Isa;

const SHAPES: [[usize; 3]; 12] = [
    [1, 1, 1],
    [3, 2, 5],
    [5, 17, 3],
    [12, 12, 396],
    [7, 31, 257],
    [32, 33, 1],
    [1, 40, 300],
    [40, 1, 300],
    [97, 16, 64],
    [64, 64, 576],
    [130, 70, 512],
    [191, 100, 33],
];

fn cases() -> impl Iterator<Item = (MatMul, Vec<f32>, Vec<f32>)> {
    SHAPES.into_iter().flat_map(|[m, n, k]| {
        [false, true].map(|transposed| {
            let shape = MatMul {
                m,
                n,
                k,
                transposed,
            };
            (shape, noise(m * k, 1), noise(k * n, 2))
        })
    })
}

#[test]
fn agrees_with_sums_in_double_precision() {
    for (shape, a, b) in cases() {
        let MatMul {
            m,
            n,
            k,
            transposed,
        } = shape;
        let mut expected = vec![0.0; m * n];
        for row in 0..m {
            for col in 0..n {
                for i in 0..k {
                    let b = b[if transposed { col * k + i } else { i * n + col }];
                    expected[row * n + col] += f64::from(a[row * k + i]) * f64::from(b);
                }
            }
        }
        for isa in Isa::all() {
            let mut c = vec![f32::NAN; m * n];
            shape.run_with(isa, &a, &b, &mut c);
            assert_close(&format!("{shape:?} with {isa:?}"), &c, &expected, 2e-6);
        }
    }
}

#[test]
fn gives_the_same_bytes_for_any_number_of_threads() {
    for (shape, a, b) in cases() {
        for isa in Isa::all() {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
                let mut c = vec![f32::NAN; shape.m * shape.n];
                let pool = pool.expect("a pool of threads");
                pool.install(|| shape.run_with(isa, &a, &b, &mut c));
                c.into_iter().map(f32::to_bits).collect::<Vec<_>>()
            };
            let one = run(1);
            for threads in [2, 7] {
                assert!(one == run(threads), "{shape:?}, {isa:?}, {threads} threads");
            }
        }
    }
}

#[test]
fn empty_products_are_zero() {
    for [m, n, k] in [[2, 3, 0], [0, 3, 2], [2, 0, 3]] {
        let shape = MatMul {
            m,
            n,
            k,
            transposed: false,
        };
        let mut c = vec![f32::NAN; m * n];
        shape.run(&vec![1.0; m * k], &vec![1.0; k * n], &mut c);
        assert_eq!(c, vec![0.0; m * n], "{shape:?}");
    }
}

#[test]
#[should_panic(
    expected = "`b` has 5 values, MatMul { m: 1, n: 2, k: 3, transposed: false } needs 6"
)]
fn rejects_a_matrix_of_a_wrong_length() {
    let shape = MatMul {
        m: 1,
        n: 2,
        k: 3,
        transposed: false,
    };
    shape.run(&[0.0; 3], &[0.0; 5], &mut [0.0; 2]);
}
