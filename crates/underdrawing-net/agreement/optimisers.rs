//! Steps of optimisers.

use underdrawing_net::{AdamFactors, CpuEngine, Engine, MuonFactors, Rule, Step};

use super::{Named, assert_close, noise};

/// Values and state of two parameters after a few steps from nothing, with gradients that change a
/// little and are shortened.
fn optimised<E: Engine>(engine: &E, shape: [usize; 2], by_muon: bool) -> Named {
    let [rows, columns] = shape;
    let upload = |values| engine.upload(&shape, values);
    let zeros = || upload(vec![0.0; rows * columns]);
    let mut moved = [zeros(), zeros()];
    let mut state = [zeros(), zeros(), zeros(), zeros()];
    for step in 1..=4 {
        let gradient = |seed: u32| {
            let gradient = noise(rows * columns, seed).into_iter();
            let more = noise(rows * columns, seed + step);
            let gradient = gradient.zip(more).map(|(a, b)| a - 0.5 + 0.2 * (b - 0.5));
            upload(gradient.collect())
        };
        let gradients = [gradient(7), gradient(70)];
        let adam = AdamFactors {
            beta_1: 0.9,
            beta_2: 0.99,
            root: 1.0 / (1.0 - 0.99f32.powi(step as i32)).sqrt(),
            epsilon: 1e-8,
            rate: 0.5 / (1.0 - 0.9f32.powi(step as i32)),
            keep: 0.9,
        };
        let muon = MuonFactors {
            rows,
            rate: 0.5,
            keep: 0.9,
        };
        let [mean, square, momentum, other] = &mut state;
        let first = match by_muon {
            true => Rule::Muon {
                momentum,
                factors: muon,
            },
            false => Rule::Adam {
                mean: momentum,
                square: other,
                factors: adam,
            },
        };
        let second = Rule::Adam {
            mean,
            square,
            factors: adam,
        };
        let rules = [first, second].into_iter();
        let steps = moved.iter_mut().zip(&gradients).zip(rules);
        let mut steps: Vec<_> = steps
            .map(|((value, gradient), rule)| Step {
                value,
                gradient,
                rule,
            })
            .collect();
        engine.update(&mut steps, (step > 1).then_some(0.8));
    }
    let buffers = moved.into_iter().chain(state).enumerate();
    let named = buffers.map(|(i, buffer)| (i.to_string(), engine.download(&buffer)));
    named.collect()
}

/// Adam and Muon, wide matrices and high ones, and one that is large.
pub(crate) fn agree<E: Engine>(engine: &E, tolerance: f32) {
    for shape in [[8, 18], [24, 5], [1, 9], [7, 30], [160, 200], [220, 150]] {
        for (name, by_muon) in [("Adam", false), ("Muon", true)] {
            let found = optimised(engine, shape, by_muon);
            let expected = optimised(&CpuEngine::default(), shape, by_muon);
            let what = format!("{name} of {shape:?}");
            assert_close(&what, &found, &expected, tolerance);
        }
    }
}
