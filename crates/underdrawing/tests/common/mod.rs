//! Small models and pictures for tests.

use underdrawing::{
    HideOptions, Model, NetworkOptions, Pixels, Progress, RevealOptions, TrainingRecord, hide,
    reveal,
};
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

/// The container that a model makes with default options.
#[allow(dead_code)] // not every test file uses it
pub(crate) fn hidden(model: &Model, cover: &Pixels, secret: &Pixels) -> Pixels {
    let options = HideOptions::Network(NetworkOptions::new(model.clone()));
    hide(cover, secret, &options, &mut Progress::ignore)
        .expect("the cover is large enough")
        .container
}

/// What a model reveals with default options.
#[allow(dead_code)] // not every test file uses it
pub(crate) fn revealed(model: &Model, container: &Pixels) -> Pixels {
    let options = RevealOptions {
        models: vec![model.clone()],
        ..RevealOptions::default()
    };
    reveal(container, &options, &mut Progress::ignore)
        .expect("the model's own container")
        .picture
}

/// The sum that PNG's chunks and marks end with.
#[allow(dead_code)] // not every test file uses it
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}
