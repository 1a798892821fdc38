//! Any pixels as a container, with and without a size: an error or a picture of that size.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use underdrawing_net::{Architecture, Networks, LiftingNetConfig};
use underdrawing::{
    Inspection, Model, Pixels, Progress, RevealOptions, TrainingRecord, inspect, reveal,
};

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
    let mut options = RevealOptions {
        models: vec![MODEL.clone()],
        tile_size: 16,
        ..RevealOptions::default()
    };
    if let Ok(revealed) = reveal(&container, &options, &mut Progress::ignore) {
        let found = inspect(&container, None).expect("only a container is revealed");
        assert_eq!(found, revealed.found);
        if let Inspection::Network { secret_width, secret_height, .. } = found {
            let picture = &revealed.picture;
            assert_eq!((picture.width(), picture.height()), (secret_width, secret_height));
        }
    }
    let size = (secret_width.into(), secret_height.into());
    options.size = Some(size);
    if let Ok(revealed) = reveal(&container, &options, &mut Progress::ignore) {
        let picture = &revealed.picture;
        assert_eq!((picture.width(), picture.height()), size);
    }
});
