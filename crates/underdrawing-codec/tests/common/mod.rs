//! Helpers shared by the tests.
// Each test file uses only some of them, and they may panic.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use underdrawing_codec::{Coded, MAX_PIXELS, Picture, decode, n_segments};

/// Something like a photograph: slopes, an edge and noise.
pub fn scene(width: usize, height: usize, channels: usize) -> Picture<'static> {
    let mut state = 9u32;
    let mut samples = Vec::with_capacity(width * height * channels);
    for y in 0..height {
        for x in 0..width {
            let base = (3 * x + 2 * y) % 200 + if x > y { 40 } else { 0 };
            for c in 0..channels {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                samples.push((base + c * 5 + (state >> 28) as usize) as u8);
            }
        }
    }
    Picture::new(width, height, channels, samples).unwrap()
}

pub fn mean_squared_error(a: &Picture, b: &Picture) -> f64 {
    let sum: f64 = a
        .samples()
        .iter()
        .zip(b.samples())
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    sum / a.samples().len() as f64
}

pub fn decoded(coded: &Coded) -> Picture<'static> {
    let segments: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    assert_eq!(n_segments(&coded.segments[0]).unwrap(), segments.len());
    let decoded = decode(&segments, MAX_PIXELS).unwrap();
    assert!(decoded.lost_rows.is_empty());
    decoded.picture
}
