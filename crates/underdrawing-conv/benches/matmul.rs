//! Matrix products as in the Muon optimiser: the weights of a layer, `[c_out, c_in taps]`, times
//! their transpose, the square of the result, and the result times the weights.
//!
//! `cargo bench -p underdrawing-conv --bench matmul [FILTER]`. Items are multiplications.

use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing_conv::MatMul;

fn main() {
    divan::main();
}

/// `(rows, columns)` of weights: the lifting network's, then the 2018 networks'.
const WEIGHTS: [(usize, usize); 7] = [
    (32, 288),
    (12, 396),
    (64, 576),
    (128, 1152),
    (256, 2048),
    (256, 2304),
    (512, 4608),
];

fn bench(bencher: Bencher<'_, '_>, shape: MatMul) {
    let MatMul { m, n, k, .. } = shape;
    let (a, b, mut c) = (vec![0.25; m * k], vec![0.5; k * n], vec![0.0; m * n]);
    bencher
        .counter(ItemsCount::new(m * n * k))
        .bench_local(|| shape.run(&a, &b, &mut c));
}

#[divan::bench(args = WEIGHTS, sample_count = 20)]
fn with_its_transpose(bencher: Bencher<'_, '_>, (rows, columns): (usize, usize)) {
    let (m, n, k) = (rows, rows, columns);
    let transposed = true;
    bench(
        bencher,
        MatMul {
            m,
            n,
            k,
            transposed,
        },
    );
}

#[divan::bench(args = [12, 32, 64, 128, 256, 512], sample_count = 20)]
fn square(bencher: Bencher<'_, '_>, side: usize) {
    let (m, n, k) = (side, side, side);
    let transposed = false;
    bench(
        bencher,
        MatMul {
            m,
            n,
            k,
            transposed,
        },
    );
}

#[divan::bench(args = WEIGHTS, sample_count = 20)]
fn square_with_weights(bencher: Bencher<'_, '_>, (rows, columns): (usize, usize)) {
    let (m, n, k) = (rows, columns, rows);
    let transposed = false;
    bench(
        bencher,
        MatMul {
            m,
            n,
            k,
            transposed,
        },
    );
}
