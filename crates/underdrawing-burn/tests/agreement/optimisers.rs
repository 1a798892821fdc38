//! Steps of optimisers.

use underdrawing_net::{AdamFactors, AdamState, CpuEngine, Engine, MuonFactors, MuonState};

use crate::{Named, assert_close, engine, noise};

/// Values and state after a few steps from nothing, with gradients that change a little.
fn optimised<E: Engine>(engine: &E, [rows, columns]: [usize; 2], by_muon: bool) -> Named {
    let zeros = || engine.upload(vec![0.0; rows * columns]);
    let (mut value, mut mean, mut square) = (zeros(), zeros(), zeros());
    for step in 1..=4 {
        let gradient = noise(rows * columns, 7).into_iter();
        let more = noise(rows * columns, step);
        let gradient = gradient.zip(more).map(|(a, b)| a - 0.5 + 0.2 * (b - 0.5));
        let gradient = engine.upload(gradient.collect());
        if by_muon {
            let state = MuonState {
                value: &mut value,
                momentum: &mut mean,
            };
            let factors = MuonFactors {
                rows,
                gradient: 0.3,
                rate: 0.5,
                keep: 0.9,
            };
            engine.muon(state, &gradient, factors);
        } else {
            let state = AdamState {
                value: &mut value,
                mean: &mut mean,
                square: &mut square,
            };
            let factors = AdamFactors {
                gradient: 0.3,
                beta_1: 0.9,
                beta_2: 0.99,
                root: 1.0 / (1.0 - 0.99f32.powi(step as i32)).sqrt(),
                epsilon: 1e-8,
                rate: 0.5 / (1.0 - 0.9f32.powi(step as i32)),
                keep: 0.9,
            };
            engine.adam(state, &gradient, factors);
        }
    }
    let squares = engine.sum_of_squares(&value) as f32;
    let buffers = [("value", value), ("mean", mean), ("square", square)];
    let named = buffers.map(|(name, buffer)| (name.to_owned(), engine.download(&buffer)));
    let mut named = Vec::from(named);
    named.push(("sum of squares".to_owned(), vec![squares]));
    named
}

#[test]
fn optimisers_agree() {
    for shape in [[8, 18], [24, 5], [1, 9]] {
        for (name, by_muon) in [("Adam", false), ("Muon", true)] {
            let found = optimised(&engine(), shape, by_muon);
            let expected = optimised(&CpuEngine::default(), shape, by_muon);
            assert_close(&format!("{name} of {shape:?}"), &found, &expected);
        }
    }
}
