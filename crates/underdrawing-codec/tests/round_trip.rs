//! Pictures of all kinds and sizes through segments and back.

use underdrawing_codec::{Coded, DecodeLimits, Effort, Encoder, Picture, decode, n_segments};

/// Something like a photograph: slopes, an edge and noise.
fn scene(width: usize, height: usize, channels: usize) -> Picture {
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

fn mean_squared_error(a: &Picture, b: &Picture) -> f64 {
    let sum: f64 = a
        .samples()
        .iter()
        .zip(b.samples())
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    sum / a.samples().len() as f64
}

fn decoded(coded: &Coded) -> Picture {
    let segments: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    assert_eq!(n_segments(&coded.segments[0]).unwrap(), segments.len());
    let decoded = decode(&segments, DecodeLimits::default()).unwrap();
    assert!(decoded.lost_rows.is_empty());
    decoded.picture
}

#[test]
fn the_error_is_the_one_promised() {
    for channels in [1, 3] {
        for (width, height) in [(256, 200), (37, 300), (600, 500)] {
            let picture = scene(width, height, channels);
            let encoder = Encoder::new(&picture, Effort::Fast);
            let budget = width * height * channels / 5;
            let coded = encoder.encode_to_bytes(budget).unwrap();
            let n: usize = coded.segments.iter().map(Vec::len).sum();
            assert!(n <= budget && n > budget * 98 / 100, "{n} of {budget}");
            let error = mean_squared_error(&picture, &decoded(&coded));
            assert!((error - coded.mse).abs() < 1e-9, "{error} {}", coded.mse);
            assert!(error < 60.0, "{error}");
        }
    }
}

#[test]
fn an_error_asked_for_is_kept() {
    let picture = scene(200, 150, 3);
    let encoder = Encoder::new(&picture, Effort::Fast);
    let mut longer = usize::MAX;
    for mse in [0.5, 2.0, 30.0] {
        let coded = encoder.encode_to_mse(mse).unwrap();
        let error = mean_squared_error(&picture, &decoded(&coded));
        assert!(error <= mse && error > 0.9 * mse, "{error} for {mse}");
        assert!(coded.len() < longer, "a larger error takes fewer bytes");
        longer = coded.len();
    }
}
