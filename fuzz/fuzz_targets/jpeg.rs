//! Any bytes as a JPEG: an error, or pixels within the limit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing_jpeg::Jpeg;

fuzz_target!(|bytes: &[u8]| {
    let max_pixels = 20_000;
    let Ok(jpeg) = Jpeg::read(bytes, max_pixels) else {
        return;
    };
    let pixels = jpeg.width as u64 * jpeg.height as u64;
    assert!(pixels <= max_pixels);
    assert_eq!(jpeg.to_rgb().len() as u64, 3 * pixels);
});
