//! Any pixels as a container, with and without a size: an error or a picture of that size.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use underdrawing_net::{Architecture, Networks, LiftingNetConfig};
use underdrawing::{Model, Pixels, RevealOptions, TrainingRecord, read_mark};

static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let architecture = Architecture::Lifting(LiftingNetConfig {
        blocks: 1,
        width: 2,
        ..LiftingNetConfig::default()
    });
    let networks = Networks::new(architecture, /* seed */ 1);
    Model::new(networks, TrainingRecord::default())
});

fuzz_target!(|input: (u8, u8, u8, u8, Vec<u8>)| {
    let (width, height, secret_width, secret_height, samples) = input;
    let Ok(container) = Pixels::from_fn(width.into(), height.into(), |x, y| {
        let i = y * usize::from(width) + x;
        std::array::from_fn(|c| samples.get(3 * i + c).copied().unwrap_or_default())
    }) else {
        return;
    };
    if let Ok(revealed) = MODEL.reveal(&container, &RevealOptions::default()) {
        let mark = read_mark(&container).expect("only a marked container is revealed");
        assert_eq!((revealed.width(), revealed.height()), (mark.secret_width, mark.secret_height));
    }
    let size = (secret_width.into(), secret_height.into());
    let options = RevealOptions { size: Some(size), tile_size: 16 };
    if let Ok(revealed) = MODEL.reveal(&container, &options) {
        assert_eq!((revealed.width(), revealed.height()), size);
    }
});
