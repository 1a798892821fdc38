//! Single layers at the shapes that the networks have: NCHW to NCHW, forward and both gradients.
//!
//! `cargo bench -p underdrawing-conv --bench layers [FILTER]`. Items are multiplications of the
//! defining sum, whatever the method.

use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing_conv::{Activation, Conv, ConvTranspose, Kernel};

fn main() {
    divan::main();
}

/// `(n, c_in, c_out, side)`: the lifting network's, then the 2018 reveal network's.
const CONVS_3X3: [(usize, usize, usize, usize); 14] = [
    (6, 12, 32, 48),
    (6, 32, 32, 48),
    (6, 44, 12, 48),
    (6, 44, 24, 48),
    (12, 32, 32, 48),
    (1, 12, 32, 592),
    (1, 32, 32, 592),
    (4, 128, 256, 128),
    (1, 3, 64, 256),
    (1, 64, 128, 256),
    (1, 128, 256, 256),
    (1, 256, 128, 256),
    (1, 128, 64, 256),
    (1, 64, 3, 256),
];

/// `(n, channels of the larger pictures, of the smaller, side of the larger)`: those of the 2018
/// hiding network at 256x256.
const HALVINGS: [(usize, usize, usize, usize); 7] = [
    (1, 6, 64, 256),
    (1, 64, 128, 128),
    (1, 128, 256, 64),
    (1, 256, 512, 32),
    (1, 512, 512, 16),
    (1, 512, 512, 4),
    (4, 64, 128, 64),
];

/// A layer's numbers.
struct Numbers {
    x: Vec<f32>,
    y: Vec<f32>,
    w: Vec<f32>,
}

impl Numbers {
    fn new(x: usize, y: usize, w: usize) -> Self {
        Self {
            x: vec![0.25; x],
            y: vec![0.5; y],
            w: vec![0.125; w],
        }
    }
}

fn conv(shape: (usize, usize, usize, usize), kernel: Kernel) -> (Conv, Numbers, ItemsCount) {
    let (n, c_in, c_out, side) = shape;
    let conv = Conv {
        n,
        c_in,
        c_out,
        height: side,
        width: side,
        kernel,
    };
    let w = c_in * c_out * kernel.side * kernel.side;
    let area_out = n * conv.height_out() * conv.width_out();
    let numbers = Numbers::new(n * c_in * side * side, area_out * c_out, w);
    (conv, numbers, ItemsCount::new(area_out * w))
}

fn forward(bencher: Bencher<'_, '_>, (conv, mut at, items): (Conv, Numbers, ItemsCount)) {
    bencher.counter(items).bench_local(|| {
        conv.forward(&at.x, &at.w, None, Activation::Relu, &mut at.y);
    });
}

fn backward_input(bencher: Bencher<'_, '_>, (conv, mut at, items): (Conv, Numbers, ItemsCount)) {
    bencher
        .counter(items)
        .bench_local(|| conv.backward_input(&at.w, &at.y, &mut at.x));
}

fn backward_weight(bencher: Bencher<'_, '_>, (conv, mut at, items): (Conv, Numbers, ItemsCount)) {
    bencher
        .counter(items)
        .bench_local(|| conv.backward_weight(&at.x, &at.y, &mut at.w));
}

macro_rules! passes {
    ($name:ident, $kernel:expr, $shapes:expr) => {
        #[divan::bench_group(sample_count = 10)]
        mod $name {
            use super::*;

            #[divan::bench(args = $shapes)]
            fn forward(bencher: Bencher<'_, '_>, shape: (usize, usize, usize, usize)) {
                super::forward(bencher, conv(shape, $kernel));
            }

            #[divan::bench(args = $shapes)]
            fn backward_input(bencher: Bencher<'_, '_>, shape: (usize, usize, usize, usize)) {
                super::backward_input(bencher, conv(shape, $kernel));
            }

            #[divan::bench(args = $shapes)]
            fn backward_weight(bencher: Bencher<'_, '_>, shape: (usize, usize, usize, usize)) {
                super::backward_weight(bencher, conv(shape, $kernel));
            }
        }
    };
}

passes!(conv_3x3, Kernel::same(3), CONVS_3X3);
passes!(halving, Kernel::HALVING, HALVINGS);
passes!(
    conv_1x1,
    Kernel::same(1),
    [(1, 150, 3, 256), (1, 64, 64, 256)]
);
passes!(conv_5x5, Kernel::same(5), [(1, 50, 50, 128)]);

/// The upsampling layers of the hiding network, by the shapes of the downsampling ones.
#[divan::bench(args = HALVINGS, sample_count = 10)]
fn conv_transpose(bencher: Bencher<'_, '_>, (n, c_out, c_in, side): (usize, usize, usize, usize)) {
    let shape = ConvTranspose {
        n,
        c_in,
        c_out,
        height: side / 2,
        width: side / 2,
    };
    let area = n * side * side;
    let mut at = Numbers::new(area / 4 * c_in, area * c_out, 16 * c_in * c_out);
    let items = ItemsCount::new(area / 4 * at.w.len());
    bencher.counter(items).bench_local(|| {
        shape.forward(&at.x, &at.w, None, Activation::Relu, &mut at.y);
    });
}
