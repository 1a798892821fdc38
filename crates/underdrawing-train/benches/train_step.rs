//! One training step: forward, loss, backward and Adam, without the loading of pictures.
//!
//! `cargo bench -p underdrawing-train --bench train_step [FILTER]`. Items are pictures.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use divan::Bencher;
use divan::counter::ItemsCount;
use underdrawing_net::CpuEngine;
use underdrawing_train::{Learner, Preset, Rates, TrainConfig};

fn main() {
    divan::main();
}

/// The default preset's step.
#[divan::bench]
fn lifting(bencher: Bencher<'_, '_>) {
    step(bencher, &Preset::Default.config());
}

/// The 2018 system at full widths, four pictures of 128x128.
#[divan::bench]
fn system_2018(bencher: Bencher<'_, '_>) {
    let config = TrainConfig {
        batch_size: 4,
        size: 128,
        ..Preset::Recipe2018.config()
    };
    step(bencher, &config);
}

fn step(bencher: Bencher<'_, '_>, config: &TrainConfig) {
    let mut learner = Learner::new(config, CpuEngine::default());
    let n = config.batch_size * 3 * config.size * config.size;
    let batch: Vec<f32> = (0..n).map(|i| (i * 37 % 256) as f32 / 255.0).collect();
    let rates = Rates {
        hiding: config.learning_rate,
        reveal: config.learning_rate,
    };
    let mut n_steps = 0;
    bencher
        .counter(ItemsCount::new(config.batch_size))
        .bench_local(|| {
            n_steps += 1;
            learner.step(batch.clone(), n_steps, rates)
        });
}
