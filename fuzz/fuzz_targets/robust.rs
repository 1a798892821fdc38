//! Any file as a container of the robust method: an error or a picture, whatever happened to it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing::{Limits, Picture, Progress, RevealOptions, inspect, reveal};

fuzz_target!(|file: &[u8]| {
    let limits = Limits {
        max_pixels: 20_000,
        ..Limits::default()
    };
    let Ok(container) = Picture::decode(file, &limits) else {
        return;
    };
    let options = RevealOptions {
        limits,
        ..RevealOptions::default()
    };
    if let Ok(revealed) = reveal(&container.pixels, &options, &mut Progress::ignore) {
        assert_eq!(inspect(&container.pixels, None), Ok(revealed.found));
    }
});
