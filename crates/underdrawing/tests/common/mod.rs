//! Small models and pictures for tests.

use underdrawing::{Model, Pixels, TrainingRecord};
use underdrawing_net::{
    Architecture, HidingNetConfig, LiftingNetConfig, Networks, Pair2018Config, RevealNetConfig,
    Triple2017Config,
};

/// An untrained lifting network.
pub(crate) fn model(blocks: usize, width: usize) -> Model {
    untrained(Architecture::Lifting(LiftingNetConfig {
        blocks,
        width,
        ..LiftingNetConfig::default()
    }))
}

/// An untrained model of each architecture.
#[allow(dead_code)] // not every test file uses it
pub(crate) fn one_of_each() -> [Model; 3] {
    [
        model(1, 4),
        untrained(Architecture::Unet2018(Pair2018Config {
            hiding: HidingNetConfig { width: 1, depth: 2 },
            reveal: RevealNetConfig { width: 1 },
        })),
        untrained(Architecture::Dense2017(Triple2017Config { width: 1 })),
    ]
}

fn untrained(architecture: Architecture) -> Model {
    let networks = Networks::new(architecture, 11);
    Model::new(networks, TrainingRecord::default())
}

/// A picture with some texture.
#[allow(dead_code)] // not every test file uses it
pub(crate) fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [3, 5, 7].map(|step| (step * (x + seed) + y * y / 2 + x * y / 4) as u8)
    })
    .expect("tests ask for small pictures")
}
