//! Whole networks as plans: time by picture size, by the number of threads, and by path.
//!
//! `cargo bench -p underdrawing-conv --bench networks [FILTER]`. Items are pixels.

use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing_conv::{
    Activation, Kernel, Layer, Path, Plan, PlanBuilder, Workspace, force_path,
};

fn main() {
    divan::main();
}

const LEAKY: Activation = Activation::LeakyRelu(0.2);

/// A convolution with weights that keep numbers near 1.
fn layer(c_in: usize, c_out: usize, kernel: Kernel, activation: Activation) -> LayerParts {
    let len = c_in * c_out * kernel.side * kernel.side;
    let scale = 1.0 / ((len / c_out) as f32).sqrt();
    LayerParts {
        weights: (0..len)
            .map(|i| scale * ((i * 7919 % 1009) as f32 / 504.5 - 1.0))
            .collect(),
        c_out,
        kernel,
        activation,
    }
}

struct LayerParts {
    weights: Vec<f32>,
    c_out: usize,
    kernel: Kernel,
    activation: Activation,
}

impl LayerParts {
    fn get(&self) -> Layer<'_> {
        Layer {
            c_out: self.c_out,
            kernel: self.kernel,
            weights: &self.weights,
            bias: None,
            activation: self.activation,
        }
    }
}

/// The reveal network of 2018.
fn reveal(size: usize) -> Plan {
    let mut builder = PlanBuilder::default();
    let mut maps = builder.input(3);
    for pair in [3, 64, 128, 256, 128, 64].windows(2) {
        let layer = layer(pair[0], pair[1], Kernel::same(3), Activation::Relu);
        maps = builder.conv(maps, layer.get());
    }
    let last = layer(64, 3, Kernel::same(3), Activation::Sigmoid);
    maps = builder.conv(maps, last.get());
    builder.build(&[maps], [size; 2])
}

/// The hiding network of 2018. Its input is cover and secret, one after the other.
fn hiding(size: usize) -> Plan {
    const DEPTH: usize = 7;
    let channels = |level: usize| 64 << level.min(3);
    let mut builder = PlanBuilder::default();
    let mut down = builder.input(6);
    let mut skips = Vec::new();
    for level in 0..DEPTH {
        let c_in = if level == 0 { 6 } else { channels(level - 1) };
        let innermost = level == DEPTH - 1;
        let activation = if innermost { Activation::Relu } else { LEAKY };
        let layer = layer(c_in, channels(level), Kernel::HALVING, activation);
        down = builder.conv(down, layer.get());
        if !innermost {
            skips.push(builder.again(down, Activation::Relu));
        }
    }
    let mut up = down;
    for level in (0..DEPTH).rev() {
        let innermost = level == DEPTH - 1;
        let c_in = channels(level) * if innermost { 1 } else { 2 };
        let (c_out, activation) = match level {
            0 => (3, Activation::Sigmoid),
            _ => (channels(level - 1), Activation::Relu),
        };
        let layer = layer(c_in, c_out, Kernel::HALVING, activation);
        up = builder.conv_transpose(up, layer.get());
        if let Some(skip) = skips.pop() {
            up = builder.concat(&[skip, up]);
        }
    }
    builder.build(&[up], [size; 2])
}

/// Runs a plan on a picture of `c_in` channels.
fn bench(bencher: Bencher<'_, '_>, plan: Plan, size: usize, [c_in, c_out]: [usize; 2]) {
    let x: Vec<f32> = (0..c_in * size * size)
        .map(|i| (i % 255) as f32 / 255.0)
        .collect();
    let mut y = vec![0.0; c_out * size * size];
    let workspace = &mut Workspace::default();
    bencher
        .counter(ItemsCount::new(size * size))
        .bench_local(|| plan.run(workspace, 1, [size; 2], &[&x], &mut [&mut y]));
}

#[divan::bench(args = [64, 128, 256, 512], sample_count = 10)]
fn reveal_by_size(bencher: Bencher<'_, '_>, size: usize) {
    bench(bencher, reveal(size), size, [3, 3]);
}

#[divan::bench(args = [128, 256, 512], sample_count = 10)]
fn hiding_by_size(bencher: Bencher<'_, '_>, size: usize) {
    bench(bencher, hiding(size), size, [6, 3]);
}

#[divan::bench(args = [1, 2], sample_count = 10)]
fn reveal_by_threads(bencher: Bencher<'_, '_>, threads: usize) {
    let plan = reveal(256);
    let workspace = &mut Workspace::default();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("a pool of threads");
    let x = vec![0.5; 3 * 256 * 256];
    let mut y = vec![0.0; 3 * 256 * 256];
    bencher
        .counter(ItemsCount::new(256_usize * 256))
        .bench_local(|| pool.install(|| plan.run(workspace, 1, [256; 2], &[&x], &mut [&mut y])));
}

#[divan::bench(args = Path::ALL, sample_count = 5)]
fn reveal_by_path(bencher: Bencher<'_, '_>, path: Path) {
    if force_path(Some(path)) {
        bench(bencher, reveal(256), 256, [3, 3]);
        force_path(None);
    }
}
