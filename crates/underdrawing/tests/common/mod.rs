//! Small models and pictures for tests.

use underdrawing::net::{Init, LiftingNetConfig};
use underdrawing::{Architecture, Compute, Model, Pixels, TrainingRecord};

/// An untrained lifting network.
pub fn model(blocks: usize, width: usize) -> Model {
    let architecture = Architecture::Lifting(LiftingNetConfig { blocks, width });
    let device = Compute::Cpu.device().unwrap();
    let networks = architecture.init(11, &device);
    Model::new(architecture, networks, TrainingRecord::default())
}

/// A picture with some texture.
#[allow(dead_code)] // not every test file uses it
pub fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [3, 5, 7].map(|step| (step * (x + seed) + y * y / 2 + x * y / 4) as u8)
    })
    .unwrap()
}
