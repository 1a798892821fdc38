//! The metrics against scikit-image: testdata/reference/metrics.json, made by
//! tools/reference/ssim.py.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

use underdrawing::{Comparison, Limits, MetricError, Picture, Pixels};

/// What scikit-image and this crate may differ by; the order of the sums differs.
const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/reference")
}

fn picture(name: &str) -> Pixels {
    let bytes = std::fs::read(folder().join(name)).unwrap();
    Picture::decode(&bytes, &Limits::default()).unwrap().pixels
}

fn noise(width: usize, height: usize, seed: u32) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let i = (y * width + x) as u32;
        [0, 1, 2].map(|c| (seed.wrapping_add(3 * i + c).wrapping_mul(2_654_435_761) >> 24) as u8)
    })
    .unwrap()
}

#[test]
fn agrees_with_scikit_image() {
    let json = std::fs::read(folder().join("metrics.json")).unwrap();
    let reference: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let pairs = reference["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 3);
    for pair in pairs {
        let name = pair["name"].as_str().unwrap();
        let a = picture(&format!("metric_{name}_a.png"));
        let b = picture(&format!("metric_{name}_b.png"));
        let found = Comparison::of(&a, &b).unwrap();
        // The same small pattern as in the script.
        let width = a.width();
        let moved: Vec<f32> = (0..b.data().len())
            .map(|i| {
                let pattern = i % 3 + (i / 3) % width + i / (3 * width);
                f32::from(b.data()[i]) + ((pattern % 5) as f32 - 2.0) * 0.2
            })
            .collect();
        let float = Comparison::of_floats(&moved, &a).unwrap();
        // f32 samples, so the script's f64 ones are only met to f32's precision.
        for (what, found, tolerance) in [
            ("psnr_db", found.psnr_db.unwrap(), TOLERANCE),
            ("ssim", found.ssim, TOLERANCE),
            ("apd", found.apd, TOLERANCE),
            ("rmse", found.rmse, TOLERANCE),
            ("max_difference", found.max_difference.into(), 0.0),
            ("float_psnr_db", float.psnr_db.unwrap(), 1e-6),
            ("float_ssim", float.ssim, 1e-6),
            ("float_apd", float.apd, 1e-5),
        ] {
            let expected = pair[what].as_f64().unwrap();
            assert!(
                (found - expected).abs() <= tolerance,
                "{name} {what}: expected {expected}, found {found}"
            );
        }
    }
}

#[test]
fn identical_pictures_differ_by_nothing() {
    for (width, height) in [(1, 1), (2, 10), (11, 11), (30, 4)] {
        let a = noise(width, height, 5);
        let found = Comparison::of(&a, &a).unwrap();
        assert_eq!(found.psnr_db, None);
        assert!(
            (found.ssim - 1.0).abs() < 1e-12,
            "{width}x{height}: {}",
            found.ssim
        );
        assert_eq!((found.apd, found.rmse, found.max_difference), (0.0, 0.0, 0));
    }
}

#[test]
fn a_constant_step_gives_the_known_figures() {
    let a = Pixels::from_fn(20, 15, |_, _| [100; 3]).unwrap();
    let b = Pixels::from_fn(20, 15, |_, _| [110; 3]).unwrap();
    let found = Comparison::of(&a, &b).unwrap();
    assert!((found.psnr_db.unwrap() - 28.130_803_608_679_1).abs() < 1e-9);
    assert_eq!(
        (found.apd, found.rmse, found.max_difference),
        (10.0, 10.0, 10)
    );
    // Only the luminance term is left: (2ab + C1) / (a² + b² + C1).
    let expected = (2.0 * 11_000.0 + 6.5025) / (22_100.0 + 6.5025);
    assert!((found.ssim - expected).abs() < 1e-9, "{}", found.ssim);
}

#[test]
fn pictures_below_the_window_are_compared() {
    for (width, height) in [(1, 1), (1, 40), (2, 2), (10, 10), (12, 3)] {
        let a = noise(width, height, 1);
        let b = noise(width, height, 900);
        let found = Comparison::of(&a, &b).unwrap();
        assert!(
            (-1.0..1.0).contains(&found.ssim),
            "{width}x{height}: {}",
            found.ssim
        );
    }
}

#[test]
fn the_largest_difference_counts_in_both_directions() {
    let a = Pixels::rgb8(vec![0, 10, 255], 1, 1).unwrap();
    let b = Pixels::rgb8(vec![3, 0, 55], 1, 1).unwrap();
    assert_eq!(Comparison::of(&a, &b).unwrap().max_difference, 200);
    assert_eq!(Comparison::of(&b, &a).unwrap().max_difference, 200);
}

#[test]
fn float_samples_that_are_whole_give_the_same_figures() {
    let (a, b) = (noise(33, 21, 1), noise(33, 21, 2));
    let samples: Vec<f32> = a.data().iter().map(|&sample| sample.into()).collect();
    let eight_bit = Comparison::of(&a, &b).unwrap();
    let float = Comparison::of_floats(&samples, &b).unwrap();
    assert_eq!(float, eight_bit);
    let alone = Comparison::psnr_db_only(&a, &b);
    assert_eq!(alone, Ok(eight_bit.psnr_db));
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let (a, b) = (noise(301, 257, 1), noise(301, 257, 2));
    let samples: Vec<f32> = a.data().iter().map(|&s| f32::from(s) / 3.0).collect();
    let figures = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(|| {
            let eight_bit = Comparison::of(&a, &b).unwrap();
            (eight_bit, Comparison::of_floats(&samples, &b).unwrap())
        })
    };
    let one = figures(1);
    for threads in [2, 3, 7] {
        assert_eq!(figures(threads), one, "{threads} threads");
    }
}

#[test]
fn refuses_what_cannot_be_compared() {
    let picture = noise(3, 2, 1);
    let error = Comparison::of(&picture, &noise(2, 3, 1)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "pictures of 3x2 and 2x3 cannot be compared: expected the same size"
    );
    let error = Comparison::of_floats(&[0.0; 17], &picture).unwrap_err();
    assert_eq!(
        error,
        MetricError::Length {
            expected: 18,
            found: 17
        }
    );
    for bad in [f32::NAN, f32::INFINITY] {
        let mut samples = [0.0; 18];
        samples[7] = bad;
        let error = Comparison::of_floats(&samples, &picture).unwrap_err();
        assert_eq!(error, MetricError::NotFinite);
    }
}
