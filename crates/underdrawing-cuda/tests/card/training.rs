//! Training runs and whole pictures on a card beside those on the processor.

use underdrawing::{
    BuiltInModel, Comparison, HideOptions, Model, NetworkOptions, Pixels, Progress, RevealOptions,
    hide, reveal,
};
use underdrawing_net::{CpuEngine, Engine, Runner};
use underdrawing_train::{Learner, OptimiserKind, Preset, Rates, TrainConfig};

use crate::common;

/// Errors of a few steps of a small run. More than four, so that what the card's driver has recorded
/// runs as well.
fn errors<E: Engine>(config: &TrainConfig, engine: E) -> Vec<(f64, f64)> {
    let mut learner = Learner::new(config, engine);
    let rates = Rates {
        hiding: config.learning_rate,
        reveal: config.learning_rate / 2.0,
    };
    let len = config.batch_size * 3 * config.size * config.size;
    let steps = (0..7).map(|step| {
        let batch = (0..len as u32).map(|i| {
            let word = (i / 3 + 1000 * step).wrapping_mul(2_654_435_761);
            0.5 + 0.4 * (i as f32 * 0.01 + step as f32).sin() + (word >> 24) as f32 / 2560.0
        });
        learner.step(batch.collect(), step.into(), rates)
    });
    let errors = steps.collect::<Vec<_>>().into_iter();
    errors.map(|errors| errors.values()).collect()
}

#[track_caller]
fn assert_follows(config: &TrainConfig) {
    let Some(engine) = common::engine(false) else {
        return;
    };
    let found = errors(config, engine);
    let expected = errors(config, CpuEngine::default());
    for (found, expected) in found.iter().zip(&expected) {
        for (found, expected) in [(found.0, expected.0), (found.1, expected.1)] {
            assert!(
                (found / expected - 1.0).abs() < 1e-3,
                "{found} instead of {expected}"
            );
        }
    }
    assert_ne!(expected[0], expected[6], "nothing was learned");
}

#[test]
fn a_lifting_run_follows_the_processors() {
    for optimiser in [OptimiserKind::Muon, OptimiserKind::Adam] {
        assert_follows(&TrainConfig {
            optimiser,
            batch_size: 4,
            size: 16,
            depth: 2,
            width: 16,
            ..Preset::Default.config()
        });
    }
}

#[test]
fn a_2018_run_follows_the_processors() {
    assert_follows(&TrainConfig {
        batch_size: 4,
        size: 32,
        width: 4,
        reveal_width: 4,
        depth: 4,
        ..Preset::Recipe2018.config()
    });
}

#[test]
fn pictures_are_hidden_and_revealed_within_a_grey_level() {
    let Some(engine) = common::engine(false) else {
        return;
    };
    let picture = |seed: usize| {
        Pixels::from_fn(72, 56, |x, y| {
            let value =
                |by: usize| (128.0 + 90.0 * ((x * by + y * seed) as f32 * 0.05).sin()) as u8;
            [value(1), value(2), value(3)]
        })
        .expect("a picture")
    };
    let (cover, secret) = (picture(2), picture(5));
    let shape = [1, 3, cover.height(), cover.width()];
    for model in BuiltInModel::all().iter().map(BuiltInModel::model) {
        let runner = engine.runner(model.networks());
        let processor = CpuEngine::default().runner(model.networks());
        // Before they are rounded: what is rounded another way at a tie is fed back to its
        // neighbours.
        let hidden =
            |runner: &dyn Runner| runner.hide(shape, &cover.to_planes(), &secret.to_planes());
        for (found, expected) in hidden(&*runner).iter().zip(hidden(&*processor)) {
            let levels = 255.0 * (found - expected).abs();
            assert!(levels < 0.01, "{levels} levels apart");
        }

        let options = HideOptions::Network(NetworkOptions::new(model.clone()));
        let hidden = hide(&cover, &secret, &options, &mut Progress::ignore);
        let container = hidden.expect("hidden").container;
        let revealed = |model: Model| {
            let options = RevealOptions {
                models: vec![model],
                ..RevealOptions::default()
            };
            let revealed = reveal(&container, &options, &mut Progress::ignore);
            revealed.expect("revealed").picture
        };
        let (found, expected) = (revealed(model.clone().with_runner(runner)), revealed(model));
        let comparison = Comparison::of(&found, &expected).expect("of one size");
        assert!(comparison.max_difference <= 1, "{comparison:?}");
    }
}
