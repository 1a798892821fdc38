//! Ranks that train together: their sums, and batch normalisation over shares of a batch. They are
//! threads here.

use std::rc::Rc;

use underdrawing_net::{
    Architecture, CpuEngine, Differentiable, Engine, HidingNetConfig, Networks, Pair2018Config,
    Ranks, RevealNetConfig, Role, add_up, add_up_few,
};

#[path = "../agreement/thread_ranks.rs"]
mod thread_ranks;
#[path = "../agreement/values.rs"]
mod values;

use thread_ranks::on_ranks;
use values::{lively, noise};

#[test]
fn sums_are_those_of_all_ranks_and_the_same_bits_everywhere() {
    for n in 1..=5 {
        for len in [0, 1, 4, 7, 1000] {
            let given = |rank: usize| noise(len, rank as u32);
            let found = on_ranks(n, |ranks| {
                let mut many = given(ranks.rank());
                add_up(&ranks, &mut many);
                let mut few: Vec<f64> = given(ranks.rank()).into_iter().map(f64::from).collect();
                add_up_few(&ranks, &mut few);
                (many, few)
            });
            for i in 0..len {
                let expected: f64 = (0..n).map(|rank| f64::from(given(rank)[i])).sum();
                for (many, few) in &found {
                    assert_eq!(many[i].to_bits(), (expected as f32).to_bits());
                    assert_eq!(few[i].to_bits(), expected.to_bits());
                }
            }
            assert!(
                found
                    .iter()
                    .all(|(many, few)| (many.len(), few.len()) == (len, len))
            );
        }
    }
}

/// What a rank has in the end.
struct Trained {
    gradients: Vec<f32>,
    statistics: Vec<f32>,
}

/// Gradients and running statistics of a pass of five pictures, on `n` ranks.
fn pass(n: usize) -> Vec<Trained> {
    const PICTURES: usize = 5;
    const LEN: usize = 3 * 16 * 24;
    let networks: Networks = lively(Architecture::Unet2018(Pair2018Config {
        hiding: HidingNetConfig { width: 4, depth: 3 },
        reveal: RevealNetConfig { width: 8 },
    }));
    let [covers, secrets] = [100, 101].map(|seed| noise(PICTURES * LEN, seed));
    on_ranks(n, |ranks| {
        let mine: Vec<usize> = (ranks.rank()..PICTURES).step_by(n).collect();
        let of_mine = |pictures: &[f32]| -> Vec<f32> {
            let mine = mine.iter().map(|i| &pictures[i * LEN..][..LEN]);
            mine.collect::<Vec<_>>().concat()
        };
        let ranks: Rc<dyn Ranks> = Rc::new(ranks);
        let mut engine = CpuEngine::default();
        assert!(engine.join(&ranks));
        let params = networks.params();
        let upload = |values: &Vec<f32>| engine.upload(&[values.len()], values.clone());
        let mut weights: Vec<_> = params.iter().map(|param| upload(&param.values)).collect();
        let shape = [mine.len(), 3, 16, 24];
        let cover = engine.begin(params, &weights, shape, &of_mine(&covers));
        let secret = cover.constant(shape, &of_mine(&secrets));
        let nets = networks.nets();
        let revealed = nets.reveal(&nets.hide(&cover, &secret));
        let share = mine.len() as f32 / PICTURES as f32;
        let loss = revealed.mean_square().mean().times(share);
        drop((cover, secret, revealed));
        let gradients = engine.finish(loss, &mut weights);
        let gradients = gradients.iter().flatten();
        let mut gradients: Vec<f32> = gradients.flat_map(|g| engine.download(g)).collect();
        add_up(&*ranks, &mut gradients);
        let running = params.iter().zip(&weights);
        let running = running.filter(|(param, _)| param.role == Role::Statistic);
        Trained {
            gradients,
            statistics: running.flat_map(|(_, w)| engine.download(w)).collect(),
        }
    })
}

/// Six layers of 32 bits each round by 6e-8; statistics and gradients are sums of thousands.
const TOLERANCE: f32 = 1e-5;

#[track_caller]
fn assert_close(found: &[f32], expected: &[f32]) {
    let largest =
        |values: &mut dyn Iterator<Item = f32>| values.fold(0.0f32, |a, b| a.max(b.abs()));
    let scale = largest(&mut expected.iter().copied());
    let error = largest(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    assert!(error <= TOLERANCE * scale, "{error:e} of {scale}");
}

#[test]
fn shares_of_a_batch_are_normalised_as_the_whole() {
    let whole = &pass(1)[0];
    assert!(!whole.statistics.is_empty());
    for n in [2, 3, 5] {
        let ranks = pass(n);
        for rank in &ranks {
            assert_close(&rank.gradients, &whole.gradients);
            assert_close(&rank.statistics, &whole.statistics);
            assert_eq!(rank.gradients, ranks[0].gradients);
            assert_eq!(rank.statistics, ranks[0].statistics);
        }
    }
}
