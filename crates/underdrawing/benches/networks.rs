//! Whole networks for inference, and whole pictures through the lifting network.
//!
//! `cargo bench -p underdrawing --bench networks [FILTER]`. Items are pixels of a picture.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing::{
    HideOptions, Model, NetworkOptions, Pixels, Progress, TrainingRecord, hide as hide_secret,
    reveal,
};
use underdrawing_net::{
    Architecture, CpuRunner, LiftingNetConfig, Networks, Pair2018Config, Runner,
};

fn main() {
    divan::main();
}

/// Numbers in [0, 1), the same in each run.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32)
        .collect()
}

fn runner(architecture: Architecture) -> CpuRunner {
    CpuRunner::new(&Networks::new(architecture, 1))
}

#[divan::bench(args = [256, 1024])]
fn reveal_2018(bencher: Bencher<'_, '_>, side: usize) {
    let runner = runner(Architecture::Unet2018(Pair2018Config::default()));
    let x = noise(3 * side * side, 0);
    bencher
        .counter(ItemsCount::new(side * side))
        .bench_local(|| runner.reveal([1, 3, side, side], &x));
}

#[divan::bench(args = [256, 1024])]
fn hide_2018(bencher: Bencher<'_, '_>, side: usize) {
    hide(
        bencher,
        side,
        Architecture::Unet2018(Pair2018Config::default()),
    );
}

#[divan::bench(args = [256, 1024])]
fn hide_lifting(bencher: Bencher<'_, '_>, side: usize) {
    hide(
        bencher,
        side,
        Architecture::Lifting(LiftingNetConfig::default()),
    );
}

fn hide(bencher: Bencher<'_, '_>, side: usize, architecture: Architecture) {
    let runner = runner(architecture);
    let [cover, secret] = [0, 7].map(|seed| noise(3 * side * side, seed));
    bencher
        .counter(ItemsCount::new(side * side))
        .bench_local(|| runner.hide([1, 3, side, side], &cover, &secret));
}

/// Sides of whole pictures.
const SIDES: [usize; 4] = [256, 512, 1024, 2048];

fn options_and_pictures(side: usize) -> (HideOptions, Pixels, Pixels) {
    let architecture = Architecture::Lifting(LiftingNetConfig::default());
    let picture = |seed| {
        let samples = noise(3 * side * side, seed);
        let bytes = samples.iter().map(|v| (v * 255.0) as u8).collect();
        Pixels::rgb8(bytes, side, side).unwrap()
    };
    let model = Model::new(Networks::new(architecture, 1), TrainingRecord::default());
    let options = HideOptions::Network(NetworkOptions::new(model));
    (options, picture(0), picture(7))
}

#[divan::bench(args = SIDES)]
fn hide_picture(bencher: Bencher<'_, '_>, side: usize) {
    let (options, cover, secret) = options_and_pictures(side);
    bencher
        .counter(ItemsCount::new(side * side))
        .bench(|| hide_secret(&cover, &secret, &options, &mut Progress::ignore));
}

#[divan::bench(args = SIDES)]
fn reveal_picture(bencher: Bencher<'_, '_>, side: usize) {
    let (options, cover, secret) = options_and_pictures(side);
    let hidden = hide_secret(&cover, &secret, &options, &mut Progress::ignore).unwrap();
    let options = options.to_reveal();
    bencher
        .counter(ItemsCount::new(side * side))
        .bench(|| reveal(&hidden.container, &options, &mut Progress::ignore));
}
