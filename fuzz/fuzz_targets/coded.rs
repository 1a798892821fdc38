//! Any pixels as a container of the coded method: an error or a picture, whatever the key.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing::{CodedKey, Pixels, Salvage, reveal_coded};

fuzz_target!(|input: (u8, u8, Vec<u8>)| {
    let (width, height, samples) = input;
    let Ok(container) = Pixels::from_fn(width.into(), height.into(), |x, y| {
        let i = y * usize::from(width) + x;
        std::array::from_fn(|c| samples.get(3 * i + c).copied().unwrap_or_default())
    }) else {
        return;
    };
    let _ = reveal_coded(&container, CodedKey::Public, Salvage::Yes);
});
