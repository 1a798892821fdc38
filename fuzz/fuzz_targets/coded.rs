//! Any pixels as a container of the coded method: an error or a picture, whatever is in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing::{Pixels, Progress, RevealOptions, inspect, reveal};

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (width, height, samples) = input;
    let Ok(container) = Pixels::from_fn(width.into(), height.into(), |x, y| {
        let i = y * usize::from(width) + x;
        std::array::from_fn(|c| samples.get(3 * i + c).copied().unwrap_or_default())
    }) else {
        return;
    };
    let options = RevealOptions {
        salvage: true,
        ..RevealOptions::default()
    };
    if let Ok(revealed) = reveal(&container, &options, &mut Progress::ignore) {
        assert_eq!(inspect(&container, None), Ok(revealed.found));
    }
});
