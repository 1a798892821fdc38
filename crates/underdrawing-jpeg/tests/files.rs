//! Files by libjpeg-turbo's cjpeg 2.1.5, and what its djpeg makes of them; hostile ones.

use std::path::PathBuf;

use underdrawing_jpeg::{Jpeg, JpegError, Sampling, quality};

/// Names, and FNV-1a hashes of the RGB samples that djpeg gives.
#[rustfmt::skip]
const FILES: [(&str, u64); 9] = [
    ("420", 0x6b29452f1c79518a),
    ("progressive-420", 0x4bac4dde3c85bda7),
    ("444-restarts", 0x89162f20b15816a2),
    ("422-progressive-restarts", 0xc235830cf246c350),
    ("440-scans", 0x16e5cab25dc34164),
    ("420-scans", 0x8ff5eb15f11d7ff6),
    ("chroma-finer", 0xa64e8a4906f2701f),
    ("grey", 0xbdf9c5dbc37dfa7e),
    ("thin-420", 0xd675eb5dc5265ab2),
];

fn file(name: &str) -> Vec<u8> {
    let path = [env!("CARGO_MANIFEST_DIR"), "tests/files", name]
        .iter()
        .collect::<PathBuf>();
    std::fs::read(path.with_extension("jpg")).expect("the file is there")
}

fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[test]
fn pixels_are_those_of_djpeg() {
    for (name, expected) in FILES {
        let jpeg = Jpeg::read(&file(name), 10_000).unwrap();
        assert_eq!(hash(&jpeg.to_rgb()), expected, "{name}");
    }
}

#[test]
fn what_is_written_reads_the_same() {
    for (name, _) in FILES {
        let jpeg = Jpeg::read(&file(name), 10_000).unwrap();
        let again = Jpeg::read(&jpeg.write(), 10_000).unwrap();
        assert_eq!(again.to_rgb(), jpeg.to_rgb(), "{name}");
    }
}

#[test]
fn every_sampling_and_size_comes_back() {
    for sampling in [Sampling::Full, Sampling::HalfAcross, Sampling::Half] {
        for (width, height) in [(1, 1), (7, 9), (8, 8), (16, 17), (33, 40)] {
            let rgb: Vec<u8> = (0..3 * width * height)
                .map(|i| (i * i % 251) as u8)
                .collect();
            let jpeg = Jpeg::from_rgb(&rgb, width, height, sampling, &quality::tables(95));
            let read = Jpeg::read(&jpeg.write(), 10_000).unwrap();
            assert_eq!(read.components, jpeg.components);
        }
    }
}

#[test]
fn files_without_an_end_marker_are_whole() {
    for (name, _) in FILES {
        let mut bytes = file(name);
        let whole = Jpeg::read(&bytes, 10_000).unwrap();
        bytes.truncate(bytes.len() - 2);
        assert_eq!(Jpeg::read(&bytes, 10_000), Ok(whole), "{name}");
    }
}

#[test]
fn truncated_files_are_errors() {
    for (name, _) in FILES {
        let bytes = file(name);
        for end in 0..bytes.len() - 2 {
            assert!(
                Jpeg::read(&bytes[..end], 10_000).is_err(),
                "{name} of {end} bytes"
            );
        }
    }
}

#[test]
fn damaged_files_give_a_picture_or_an_error() {
    let mut random = 1_u32;
    let mut draw = |n: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % n
    };
    for (name, _) in FILES {
        let bytes = file(name);
        for _ in 0..3000 {
            let mut damaged = bytes.clone();
            for _ in 0..=draw(3) {
                let at = draw(damaged.len());
                damaged[at] = draw(256) as u8;
            }
            if let Ok(jpeg) = Jpeg::read(&damaged, 10_000) {
                assert_eq!(jpeg.to_rgb().len(), 3 * jpeg.width * jpeg.height);
            }
        }
    }
}

#[test]
fn what_is_not_read_is_named() {
    let mut bytes = file("420");
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    for (marker, words) in [
        (0xc9, "arithmetic"),
        (0xc3, "lossless"),
        (0xc5, "hierarchical"),
        (0xf7, "JPEG-LS"),
    ] {
        bytes[frame + 1] = marker;
        let error = Jpeg::read(&bytes, 10_000).unwrap_err();
        assert!(matches!(error, JpegError::Unsupported(_)));
        assert!(error.to_string().contains(words), "{error}");
    }
    bytes[frame + 1] = 0xc0;
    let mut without_height = bytes.clone();
    without_height[frame + 5..frame + 7].fill(0);
    let error = Jpeg::read(&without_height, 10_000).unwrap_err();
    assert!(
        error.to_string().contains("height after their rows"),
        "{error}"
    );
    bytes[frame + 4] = 12;
    assert!(matches!(
        Jpeg::read(&bytes, 10_000),
        Err(JpegError::Unsupported(_))
    ));
}

#[test]
fn limits_hold_before_anything_is_allocated() {
    let expected = JpegError::TooLarge {
        width: 37,
        height: 29,
        max_pixels: 1000,
    };
    assert_eq!(Jpeg::read(&file("420"), 1000), Err(expected));
}
