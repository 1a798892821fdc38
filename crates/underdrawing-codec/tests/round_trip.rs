//! Pictures of all kinds and sizes through segments and back.

mod common;

use common::{decoded, mean_squared_error, scene};
use underdrawing_codec::{Effort, EncodeError, Encoder, Picture};

const EFFORTS: [Effort; 3] = [Effort::Fast, Effort::Normal, Effort::Best];

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
        let coded = encoder.encode_to_mse(mse);
        let error = mean_squared_error(&picture, &decoded(&coded));
        assert!(error <= mse && error > 0.9 * mse, "{error} for {mse}");
        assert!(coded.len() < longer, "a larger error takes fewer bytes");
        longer = coded.len();
    }
}

#[test]
fn all_small_sizes_come_back() {
    for width in 1..=40 {
        for height in 1..=40 {
            // The fast models take nearly all sizes, the others some of them.
            let effort = if (width * 41 + height) % 11 == 0 {
                EFFORTS[1 + width % 2]
            } else {
                Effort::Fast
            };
            let picture = scene(width, height, if height % 4 == 0 { 1 } else { 3 });
            let coded = Encoder::new(&picture, effort).encode_to_mse(2.0);
            let error = mean_squared_error(&picture, &decoded(&coded));
            assert!((error - coded.mse).abs() < 1e-9, "{width}x{height}");
            assert!(error <= 2.0, "{width}x{height}: {error}");
        }
    }
}

#[test]
fn long_and_narrow_pictures_come_back() {
    for (width, height) in [(1, 2000), (2000, 1), (3, 5000), (5000, 2)] {
        let picture = scene(width, height, 3);
        let coded = Encoder::new(&picture, Effort::Fast).encode_to_mse(4.0);
        let error = mean_squared_error(&picture, &decoded(&coded));
        assert!(error <= 4.0, "{width}x{height}: {error}");
    }
}

#[test]
fn extreme_pictures_come_back() {
    let mut state = 1u32;
    let mut noise = |_: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let (width, height) = (160, 130);
    let n = width * height * 3;
    let at = |i: usize| (i / 3 % width, i / 3 / width);
    let kinds: [(&str, Vec<u8>); 6] = [
        ("black", vec![0; n]),
        ("noise", (0..n).map(&mut noise).collect()),
        ("bits", (0..n).map(|i| 255 * (noise(i) >> 7)).collect()),
        (
            "columns",
            (0..n).map(|i| 255 * (at(i).0 % 2) as u8).collect(),
        ),
        (
            "squares",
            (0..n)
                .map(|i| 255 * ((at(i).0 / 16 + at(i).1 / 16) % 2) as u8)
                .collect(),
        ),
        (
            "colours",
            (0..n).map(|i| 255 * (i % 3 == i / 9 % 3) as u8).collect(),
        ),
    ];
    for (name, samples) in kinds {
        let picture = Picture::new(width, height, 3, samples).unwrap();
        for effort in EFFORTS {
            let encoder = Encoder::new(&picture, effort);
            for mse in [0.3, 50.0] {
                let coded = encoder.encode_to_mse(mse);
                let error = mean_squared_error(&picture, &decoded(&coded));
                assert!(error <= mse, "{name}: {error} for {mse}");
                assert!((error - coded.mse).abs() < 1e-9, "{name}");
            }
            let budget = width * height / 8;
            match encoder.encode_to_bytes(budget) {
                Ok(coded) => {
                    assert!(coded.len() <= budget, "{name}");
                    let error = mean_squared_error(&picture, &decoded(&coded));
                    assert!((error - coded.mse).abs() < 1e-9, "{name}");
                }
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
}

#[test]
fn a_flat_picture_takes_a_few_bytes() {
    let picture = Picture::new(300, 200, 3, vec![77; 180_000]).unwrap();
    let coded = Encoder::new(&picture, Effort::Fast).encode_to_mse(0.25);
    assert!(coded.len() < 60, "{}", coded.len());
}

#[test]
fn what_fits_without_loss_is_kept_without_loss() {
    // A drawing: flat areas and edges, several stripes.
    let (width, height) = (500, 420);
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let inside = (x / 40 + y / 30) % 2 == 0;
            if inside { [250, 240, 20] } else { [10, 60, 90] }
        })
        .collect();
    let picture = Picture::new(width, height, 3, samples).unwrap();
    let encoder = Encoder::new(&picture, Effort::Fast);
    let by_bytes = encoder.encode_to_bytes(20_000).unwrap();
    let by_error = encoder.encode_to_mse(0.0);
    for coded in [by_bytes, by_error] {
        assert_eq!(coded.mse, 0.0);
        assert!(coded.len() < 2_000, "{}", coded.len());
        assert!(decoded(&coded) == picture);
    }
    // Noise is lossless too when that is asked for, however many bytes it takes.
    let noise = scene(90, 80, 3);
    let coded = Encoder::new(&noise, Effort::Fast).encode_to_mse(0.0);
    assert!(decoded(&coded) == noise);
}

#[test]
fn without_loss_fits_to_the_byte() {
    // As many stripes as are judged by some of them.
    let picture = scene(1200, 700, 1);
    let encoder = Encoder::new(&picture, Effort::Fast);
    let needed = encoder.encode_to_mse(0.0).len();
    let coded = encoder.encode_without_loss(needed).expect("it fits");
    assert!(coded.segments.len() > 8 && decoded(&coded) == picture);
    for n_threads in [1, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads);
        let narrow = || encoder.encode_without_loss(needed - 1);
        assert_eq!(pool.build().unwrap().install(narrow), None);
    }
}

#[test]
fn grey_is_coded_as_one_plane() {
    let grey = scene(200, 100, 1);
    let samples = grey.samples().iter().flat_map(|&v| [v, v, v]).collect();
    let rgb = Picture::new(200, 100, 3, samples).unwrap();
    let [a, b] =
        [&grey, &rgb].map(|picture| Encoder::new(picture, Effort::Fast).encode_to_mse(3.0));
    assert_eq!(a.len(), b.len());
    assert_eq!(decoded(&b).channels(), 3);
}

#[test]
fn too_small_a_budget_is_told() {
    let picture = scene(100, 100, 3);
    let error = Encoder::new(&picture, Effort::Fast).encode_to_bytes(20);
    assert!(
        matches!(error, Err(EncodeError::Budget { budget: 20, .. })),
        "{error:?}"
    );
}

#[test]
fn the_number_of_threads_does_not_show() {
    let picture = scene(560, 448, 3);
    for effort in EFFORTS {
        let run = |n_threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(n_threads)
                .build();
            pool.unwrap().install(|| {
                let encoder = Encoder::new(&picture, effort);
                let coded = encoder.encode_to_bytes(95_000).unwrap();
                (decoded(&coded), coded, encoder.estimate())
            })
        };
        let one = run(1);
        assert!(one.1.segments.len() > 3, "several stripes");
        assert!(run(2) == one && run(7) == one, "{effort:?}");
    }
}

#[test]
fn the_estimate_is_near() {
    let picture = scene(800, 500, 3);
    let encoder = Encoder::new(&picture, Effort::Fast);
    let budget = 200_000;
    let coded = encoder.encode_to_bytes(budget).unwrap();
    let ratio = encoder.estimate().mse_at(budget) / coded.mse;
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
}

/// FNV-1a of all segments and their lengths.
fn digest(segments: &[Vec<u8>]) -> u64 {
    let bytes = segments.iter().flat_map(|s| {
        (s.len() as u64)
            .to_le_bytes()
            .into_iter()
            .chain(s.iter().copied())
    });
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// With or without optimisation, and on any processor, the bytes are the same. A change of the
/// encoder changes them, and these digests with them.
#[test]
fn the_bytes_are_those_of_every_build() {
    let expected: [[u64; 3]; 4] = [
        [
            0x2172_5d2a_915e_64f5,
            0xf81a_17cc_db9e_0de6,
            0xdf2e_73f2_8d30_ba87,
        ],
        [
            0x9990_7a12_2794_b86a,
            0x764e_65f8_0268_9f1e,
            0x3087_9fdb_efe2_7ff8,
        ],
        [
            0x42d5_9412_7975_0df8,
            0x4c4b_a627_4faa_46ba,
            0x2a66_fdd2_6cc8_b906,
        ],
        [
            0x5029_6060_ea6a_f9c2,
            0x0ba1_61ee_5c31_2277,
            0x9d77_d793_09be_ace9,
        ],
    ];
    let kinds = [(256, 256, 3), (200, 131, 1), (256, 1600, 3), (33, 5, 3)];
    let found = kinds.map(|(width, height, channels)| {
        let picture = scene(width, height, channels);
        EFFORTS.map(|effort| {
            let budget = width * height * channels / 6;
            digest(
                &Encoder::new(&picture, effort)
                    .encode_to_bytes(budget)
                    .unwrap()
                    .segments,
            )
        })
    });
    assert!(found == expected, "{found:#x?}");
}
