//! Picture files of every kind, whole and damaged: testdata/pictures, made by
//! tools/reference/pictures.py.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use proptest::prelude::*;
use underdrawing::Conversion::{CmykToRgb, FirstFrame, GreyToRgb, SixteenBitTo8, Turned};
use underdrawing::{Conversion, FileFormat, ImageFileError, Limits, Picture, Pixels};

const WIDTH: usize = 48;
const HEIGHT: usize = 32;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pictures");
    std::fs::read(folder.join(name)).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Picture, ImageFileError> {
    Picture::decode(bytes, &Limits::default())
}

/// What every fixture shows.
fn scene() -> Pixels {
    Pixels::from_fn(WIDTH, HEIGHT, |x, y| {
        if x < 6 && y < 6 {
            return [255; 3];
        }
        [5 * x as u8, 7 * y as u8, 3 * (x + y) as u8]
    })
    .unwrap()
}

/// The scene's luma, as Pillow computes it.
fn grey_scene() -> Pixels {
    let mut grey = scene();
    for rgb in grey.data_mut().chunks_exact_mut(3) {
        let luma = 19_595 * u32::from(rgb[0]) + 38_470 * u32::from(rgb[1]);
        let luma = (luma + 7_471 * u32::from(rgb[2]) + 0x8000) >> 16;
        rgb.fill(luma as u8);
    }
    grey
}

fn scene_alpha() -> Vec<u8> {
    let row = (0..WIDTH).map(|x| match x {
        0..24 => 255,
        _ => 255_usize.saturating_sub(10 * (x - 23)) as u8,
    });
    row.cycle().take(WIDTH * HEIGHT).collect()
}

fn largest_difference(a: &Pixels, b: &Pixels) -> u8 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let pairs = a.data().iter().zip(b.data());
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}

struct Case {
    file: &'static str,
    format: FileFormat,
    conversions: &'static [Conversion],
    grey: bool,
    alpha: bool,
    lossy: bool,
    /// Largest difference to the scene: 0 except for lossy files and short palettes.
    tolerance: u8,
}

#[rustfmt::skip]
const CASES: [Case; 22] = {
    use FileFormat::{Bmp, Gif, Jpeg, Png, Pnm, Qoi, Tiff, WebP};
    const fn case(
        file: &'static str, format: FileFormat, conversions: &'static [Conversion],
        [grey, alpha, lossy]: [bool; 3], tolerance: u8,
    ) -> Case {
        Case { file, format, conversions, grey, alpha, lossy, tolerance }
    }
    const RGB: [bool; 3] = [false, false, false];
    const RGBA: [bool; 3] = [false, true, false];
    const LOSSY: [bool; 3] = [false, false, true];
    [
        case("rgb.png", Png, &[], RGB, 0),
        case("rgb16.png", Png, &[SixteenBitTo8], RGB, 0),
        case("grey.png", Png, &[GreyToRgb], [true, false, false], 0),
        case("grey_alpha.png", Png, &[GreyToRgb], [true, true, false], 0),
        case("palette.png", Png, &[], RGB, 60),
        case("rgba.png", Png, &[], RGBA, 0),
        case("plain.jpg", Jpeg, &[], LOSSY, 12),
        case("progressive.jpg", Jpeg, &[], LOSSY, 12),
        case("grey.jpg", Jpeg, &[GreyToRgb], [true, false, true], 12),
        case("cmyk.jpg", Jpeg, &[CmykToRgb], LOSSY, 12),
        case("turned.jpg", Jpeg, &[Turned], LOSSY, 12),
        case("lossy.webp", WebP, &[], LOSSY, 16),
        case("lossy_alpha.webp", WebP, &[], [false, true, true], 16),
        case("lossless.webp", WebP, &[], RGB, 0),
        case("lossless_alpha.webp", WebP, &[], RGBA, 0),
        case("animated.webp", WebP, &[FirstFrame], RGB, 0),
        case("plain.bmp", Bmp, &[], RGB, 0),
        case("plain.tif", Tiff, &[], RGB, 0),
        case("pages.tif", Tiff, &[FirstFrame], RGB, 0),
        case("animated.gif", Gif, &[FirstFrame], RGB, 30),
        case("plain.ppm", Pnm, &[], RGB, 0),
        case("plain.qoi", Qoi, &[], RGB, 0),
    ]
};

#[test]
fn a_drawing_in_flat_colours_makes_a_small_png() {
    let drawing = Pixels::from_fn(300, 200, |x, y| match (x / 7 % 5, y / 11 % 4) {
        (0, 0) => [200, 30, 30],
        (1, _) => [20, 20, 20],
        _ => [255; 3],
    });
    let bytes = Picture::from(drawing.unwrap())
        .encode(FileFormat::Png)
        .unwrap();
    assert!(bytes.len() < 2000, "{} bytes", bytes.len());
}

#[test]
fn reads_every_kind_of_file() {
    for case in CASES {
        let name = case.file;
        let bytes = fixture(name);
        let picture = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(FileFormat::of_bytes(&bytes).unwrap(), case.format, "{name}");
        assert_eq!(picture.format, case.format, "{name}");
        assert_eq!(picture.conversions, case.conversions, "{name}");
        assert_eq!(picture.lossy, case.lossy, "{name}: lossy");
        let alpha = case.alpha.then(scene_alpha);
        assert!(picture.alpha == alpha, "{name}: another alpha");
        let expected = if case.grey { grey_scene() } else { scene() };
        let difference = largest_difference(&picture.pixels, &expected);
        assert!(
            difference <= case.tolerance,
            "{name}: differs from the scene by {difference}"
        );
    }
}

#[test]
fn keeps_an_rgb_profile_and_leaves_others_out() {
    let picture = decode(&fixture("rgb.png")).unwrap();
    let profile = picture.icc_profile.clone().unwrap();
    assert_eq!(&profile[16..20], b"RGB ");
    for format in [FileFormat::Png, FileFormat::Tiff, FileFormat::WebP] {
        let again = decode(&picture.encode(format).unwrap()).unwrap();
        assert_eq!(again.icc_profile.as_ref(), Some(&profile), "{format}");
        assert_eq!(again.pixels, picture.pixels, "{format}");
    }

    let mut grey_profile = picture;
    grey_profile.icc_profile.as_mut().unwrap()[16..20].copy_from_slice(b"GRAY");
    let again = decode(&grey_profile.encode(FileFormat::Png).unwrap()).unwrap();
    assert_eq!(again.icc_profile, None);
    assert_eq!(again.conversions, [Conversion::ProfileLeftOut]);
}

#[test]
fn alpha_is_laid_on_white() {
    let mut picture = Picture::from(scene());
    picture.alpha = Some(vec![255; WIDTH * HEIGHT]);
    assert_eq!(picture.clone().on_white(), (scene(), false));
    let alpha = picture.alpha.as_mut().unwrap();
    (alpha[10], alpha[11]) = (0, 51);
    let (pixels, mattered) = picture.on_white();
    assert!(mattered);
    assert_eq!(pixels.pixel(9, 0), scene().pixel(9, 0));
    assert_eq!(pixels.pixel(10, 0), [255; 3]);
    // A fifth of (55, 0, 33) and four fifths of white.
    assert_eq!(pixels.pixel(11, 0), [215, 204, 211]);
    assert_eq!(
        decode(&fixture("rgb.png")).unwrap().on_white(),
        (scene(), false)
    );
}

#[test]
fn a_gif_with_transparency_keeps_it() {
    // 2x1, two colours, the second transparent: 1x1 pixel each.
    let mut gif = b"GIF89a\x02\0\x01\0\x80\0\0\x0a\x14\x1e\x28\x32\x3c".to_vec();
    gif.extend(b"\x21\xf9\x04\x01\0\0\x01\0");
    gif.extend(b"\x2c\0\0\0\0\x02\0\x01\0\0\x02\x02\x44\x0a\0\x3b");
    let picture = decode(&gif).unwrap();
    assert_eq!(picture.pixels.pixel(0, 0), [10, 20, 30]);
    assert_eq!(picture.alpha, Some(vec![255, 0]));
    assert_eq!(picture.conversions, []);
}

#[test]
fn refuses_what_is_not_read_by_name() {
    let cases: [(&[u8], &str); 11] = [
        (
            b"v/1\x01",
            "OpenEXR is not supported: convert it to PNG first",
        ),
        (
            b"<svg xmlns",
            "SVG is not supported: convert it to PNG first",
        ),
        (
            b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom",
            "Canon raw is not supported: convert it to PNG first",
        ),
        (
            b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
            "HEIC is not supported: convert it to PNG first (heif-convert does, and phones when they share it as JPEG), or build with the feature `heic`",
        ),
        (
            b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf",
            "AVIF is not supported: convert it to PNG first (avifdec does)",
        ),
        (
            b"\0\0\0\x14ftypisom\0\0\0\0isom",
            "video is not supported: convert it to PNG first",
        ),
        (
            b"8BPS",
            "Photoshop is not supported: convert it to PNG first",
        ),
        (
            b"",
            "not a picture file: expected PNG, JPEG, WebP, BMP, TIFF, GIF, QOI or PNM, found an empty file",
        ),
        (
            b"hello, world",
            "not a picture file: expected PNG, JPEG, WebP, BMP, TIFF, GIF, QOI or PNM, found bytes 68 65 6c 6c 6f 2c 20 77",
        ),
        (
            b"P6x",
            "not a picture file: expected PNG, JPEG, WebP, BMP, TIFF, GIF, QOI or PNM, found bytes 50 36 78",
        ),
        (
            b"\0\0\0\x18ftyp",
            "video is not supported: convert it to PNG first",
        ),
    ];
    for (bytes, message) in cases {
        assert_eq!(decode(bytes).unwrap_err().to_string(), message);
    }
}

#[test]
fn refuses_hostile_and_odd_files() {
    let cases = [
        ("truncated.png", "PNG file is damaged or incomplete"),
        (
            "huge.png",
            "a picture of 60000x60000 is too large: at most 120000000 pixels and 32768 a side",
        ),
    ];
    for (name, message) in cases {
        assert_eq!(
            decode(&fixture(name)).unwrap_err().to_string(),
            message,
            "{name}"
        );
    }
    let error = decode(&fixture("float.tif")).unwrap_err();
    assert!(
        matches!(error, ImageFileError::Unsupported { .. }),
        "{error}"
    );
}

#[test]
fn limits_are_checked_before_the_pixels() {
    let limits = Limits {
        max_pixels: (WIDTH * HEIGHT - 1) as u64,
        ..Limits::default()
    };
    for case in CASES {
        let error = Picture::decode(&fixture(case.file), &limits).unwrap_err();
        assert!(
            matches!(error, ImageFileError::TooLarge(_)),
            "{}: {error}",
            case.file
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_or_the_whole_picture() {
    for case in CASES {
        let bytes = fixture(case.file);
        let whole = decode(&bytes).unwrap();
        for length in 0..bytes.len() {
            if let Ok(part) = decode(&bytes[..length]) {
                assert!(
                    part.pixels == whole.pixels && part.alpha == whole.alpha,
                    "{}: {length} of {} bytes gave another picture",
                    case.file,
                    bytes.len()
                );
            }
        }
    }
}

#[test]
fn a_thumbnail_does_not_hide_a_truncated_jpeg() {
    // The fixture with itself as a thumbnail in an application segment, end marker included.
    let plain = fixture("plain.jpg");
    let mut jpeg = b"\xff\xd8\xff\xe5".to_vec();
    jpeg.extend((plain.len() as u16 + 2).to_be_bytes());
    jpeg.extend(&plain);
    jpeg.extend(&plain[2..]);
    assert_eq!(
        decode(&jpeg).unwrap().pixels,
        decode(&plain).unwrap().pixels
    );
    let error = decode(&jpeg[..jpeg.len() - 200]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "JPEG file is truncated: its picture is incomplete"
    );
}

#[test]
fn lossy_and_read_only_formats_are_not_written() {
    let picture = Picture::from(scene());
    let error = picture.encode(FileFormat::Jpeg).unwrap_err();
    assert!(matches!(error, ImageFileError::Lossy { .. }), "{error}");
    for format in [FileFormat::Gif, FileFormat::Pnm] {
        let error = picture.encode(format).unwrap_err();
        assert!(
            matches!(error, ImageFileError::NotWritten { .. }),
            "{error}"
        );
    }
    let wide = Picture::from(Pixels::from_fn(16_385, 1, |_, _| [0; 3]).unwrap());
    let error = wide.encode(FileFormat::WebP).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a picture of 16385x1 cannot be written as WebP"
    );
}

#[test]
fn formats_say_what_they_are_written_with() {
    use FileFormat::{Bmp, Gif, Jpeg, Png, Pnm, Qoi, Tiff, WebP};
    let mut profile = vec![0; 128];
    profile[3] = 128;
    profile[16..20].copy_from_slice(b"RGB ");
    profile[36..40].copy_from_slice(b"acsp");
    let picture = Picture {
        icc_profile: Some(profile),
        ..Picture::from(scene())
    };
    for format in [Png, Jpeg, WebP, Bmp, Tiff, Gif, Qoi, Pnm] {
        let written = picture.encode(format);
        assert_eq!(written.is_ok(), format.is_written(), "{format}");
        if let Ok(bytes) = written {
            let kept = decode(&bytes).unwrap().icc_profile.is_some();
            assert_eq!(kept, format.keeps_profile(), "{format}");
        }
    }
}

#[test]
fn alpha_of_another_size_is_refused() {
    let mut picture = Picture::from(scene());
    picture.alpha = Some(vec![255; 7]);
    let error = picture.encode(FileFormat::Png).unwrap_err();
    assert_eq!(
        error.to_string(),
        "alpha of 7 bytes does not fit the picture: expected 1536"
    );
}

#[test]
fn extensions_name_formats() {
    let cases = [
        ("PNG", Some(FileFormat::Png)),
        ("jpeg", Some(FileFormat::Jpeg)),
        ("Tif", Some(FileFormat::Tiff)),
        ("heic", None),
        ("", None),
    ];
    for (extension, format) in cases {
        assert_eq!(FileFormat::of_extension(extension), format, "{extension}");
    }
}

const WRITTEN: [FileFormat; 5] = [
    FileFormat::Png,
    FileFormat::Bmp,
    FileFormat::Tiff,
    FileFormat::Qoi,
    FileFormat::WebP,
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_written_reads_back(
        width in 1..=70_usize,
        height in 1..=70_usize,
        seed: u32,
        with_alpha: bool,
    ) {
        let noise = |i: usize| (seed.wrapping_add(i as u32).wrapping_mul(2_654_435_761) >> 23) as u8;
        let pixels = Pixels::from_fn(width, height, |x, y| {
            let i = 3 * (y * width + x);
            [noise(i), noise(i + 1) / 2 + x as u8, y as u8]
        }).unwrap();
        let mut picture = Picture::from(pixels);
        picture.alpha = with_alpha.then(|| (0..width * height).map(|i| noise(7 * i)).collect());
        for format in WRITTEN {
            let bytes = picture.encode(format).unwrap();
            let again = decode(&bytes).unwrap();
            prop_assert_eq!(again.format, format);
            prop_assert!(!again.lossy, "{}", format);
            prop_assert_eq!(&again.conversions, &[], "{}", format);
            prop_assert!(again.pixels == picture.pixels, "{}: pixels", format);
            prop_assert!(again.alpha == picture.alpha, "{}: alpha", format);
        }
    }

    #[test]
    fn damaged_bytes_never_panic(
        file in 0..CASES.len(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fixture(CASES[file].file);
        for (index, value) in damage {
            let i = index.index(bytes.len());
            bytes[i] = value;
        }
        let limits = Limits { max_pixels: 1 << 20, max_side: 4096 };
        if let Ok(picture) = Picture::decode(&bytes, &limits) {
            let pixels = picture.pixels.width() * picture.pixels.height();
            prop_assert!(pixels as u64 <= limits.max_pixels);
        }
    }
}
