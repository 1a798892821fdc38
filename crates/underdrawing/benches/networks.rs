//! Whole networks for inference, and whole pictures through the lifting network.
//!
//! `cargo bench -p underdrawing --bench networks [FILTER]`. Items are pixels of a picture.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use burn::prelude::*;
use burn::tensor::TensorData;
use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing::net::{Init, LiftingNetConfig, Pair2018Config};
use underdrawing::{Architecture, HideOptions, Model, Pixels, RevealOptions, TrainingRecord};

fn main() {
    divan::main();
}

/// Numbers in [0, 1), the same in each run.
fn noise(n: usize, seed: u32) -> Vec<f32> {
    (0..n as u32)
        .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32)
        .collect()
}

#[divan::bench(args = [256, 1024])]
fn reveal_2018(bencher: Bencher<'_, '_>, side: usize) {
    let pair = Pair2018Config::default().init(&mut Init::new(1, &Device::flex()));
    let mut plan = pair.reveal.plan([side, side]);
    let (x, mut y) = (noise(3 * side * side, 0), vec![0.0; 3 * side * side]);
    let run = || plan.run(1, [side, side], &[&x], &mut [&mut y]);
    bencher
        .counter(ItemsCount::new(side * side))
        .bench_local(run);
}

#[divan::bench(args = [256, 1024])]
fn hide_2018(bencher: Bencher<'_, '_>, side: usize) {
    let pair = Pair2018Config::default().init(&mut Init::new(1, &Device::flex()));
    let mut plan = pair.hiding.plan([side, side]);
    let [cover, secret] = [0, 7].map(|seed| noise(3 * side * side, seed));
    let mut y = vec![0.0; 3 * side * side];
    let run = || plan.run(1, [side, side], &[&cover, &secret], &mut [&mut y]);
    bencher
        .counter(ItemsCount::new(side * side))
        .bench_local(run);
}

#[divan::bench(args = [256, 1024])]
fn hide_lifting(bencher: Bencher<'_, '_>, side: usize) {
    let net = LiftingNetConfig::default().init(&mut Init::new(1, &Device::flex()));
    let picture = |seed| {
        let data = TensorData::new(noise(3 * side * side, seed), [1, 3, side, side]);
        Tensor::<4>::from_data(data, &Device::flex())
    };
    let (cover, secret) = (picture(0), picture(7));
    bencher
        .counter(ItemsCount::new(side * side))
        .bench(|| net.hide(cover.clone(), secret.clone()));
}

/// Sides of whole pictures.
const SIDES: [usize; 4] = [256, 512, 1024, 2048];

fn model_and_pictures(side: usize) -> (Model, Pixels, Pixels) {
    let architecture = Architecture::Lifting(LiftingNetConfig::default());
    let networks = architecture.init(1, &Device::flex());
    let picture = |seed| {
        let samples = noise(3 * side * side, seed);
        let bytes = samples.iter().map(|v| (v * 255.0) as u8).collect();
        Pixels::rgb8(bytes, side, side).unwrap()
    };
    let model = Model::new(architecture, networks, TrainingRecord::default());
    (model, picture(0), picture(7))
}

#[divan::bench(args = SIDES)]
fn hide(bencher: Bencher<'_, '_>, side: usize) {
    let (model, cover, secret) = model_and_pictures(side);
    bencher
        .counter(ItemsCount::new(side * side))
        .bench(|| model.hide(&cover, &secret, &HideOptions::default()));
}

#[divan::bench(args = SIDES)]
fn reveal(bencher: Bencher<'_, '_>, side: usize) {
    let (model, cover, secret) = model_and_pictures(side);
    let container = model
        .hide(&cover, &secret, &HideOptions::default())
        .unwrap();
    bencher
        .counter(ItemsCount::new(side * side))
        .bench(|| model.reveal(&container, &RevealOptions::default()));
}
