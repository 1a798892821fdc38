//! Any segments as a coded picture: an error or a picture within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing_codec::{decode, n_segments};

fuzz_target!(|input: Vec<Option<Vec<u8>>>| {
    let mut segments: Vec<Option<&[u8]>> = input.iter().map(Option::as_deref).collect();
    let max_pixels = 20_000;
    if let Some(first) = segments.first().copied().flatten()
        && let Ok(n) = n_segments(first)
    {
        segments.resize(n.min(64), Some(&[]));
    }
    if let Ok(decoded) = decode(&segments, max_pixels) {
        assert!((decoded.picture.width() * decoded.picture.height()) as u64 <= max_pixels);
    }
});
