//! What files say beside their samples, and kinds of them that few programs write: each file is
//! built here, so that what it shows is known.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::path::Path;

use common::crc32;
use image::ImageEncoder;
use underdrawing::{
    CodedOptions, Conversion, Effort, FileFormat, HideOptions, ImageFileError, Limits,
    NetworkOptions, Picture, Pixels, Progress, RevealOptions, hide, inspect, reveal,
};

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pictures");
    std::fs::read(folder.join(name)).unwrap()
}

fn decode(bytes: &[u8]) -> Result<Picture, ImageFileError> {
    Picture::decode(bytes, &Limits::default())
}

fn ramp(width: usize, height: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [20 * x, 255 + 247 * y, 5 * (x + y)].map(|v| v as u8)
    })
    .unwrap()
}

/// Name and content.
type Chunk<'a> = (&'a [u8; 4], &'a [u8]);

/// Number and values.
type Tag<'a> = (u16, &'a [u16]);

/// A PNG of `pixels` with a chunk before its samples.
fn png_with(pixels: &Pixels, chunks: &[Chunk<'_>]) -> Vec<u8> {
    const AFTER_HEADER: usize = 33;
    let plain = Picture::from(pixels.clone())
        .encode(FileFormat::Png)
        .unwrap();
    let mut png = plain[..AFTER_HEADER].to_vec();
    for (name, content) in chunks {
        let named = [&name[..], content].concat();
        png.extend((content.len() as u32).to_be_bytes());
        png.extend(&named);
        png.extend(crc32(&named).to_be_bytes());
    }
    png.extend(&plain[AFTER_HEADER..]);
    png
}

/// An Exif block of one entry: orientation 6.
const TURN_CLOCKWISE: &[u8] = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0";

fn fast() -> CodedOptions {
    CodedOptions {
        effort: Some(Effort::Fast),
        ..CodedOptions::default()
    }
}

#[test]
fn a_container_with_an_orientation_tag_reveals_from_its_stored_samples() {
    let (cover, secret) = (ramp(130, 90), ramp(31, 20));
    for options in [
        HideOptions::Coded(fast()),
        HideOptions::Network(NetworkOptions::default()),
        HideOptions::Robust {
            survive: 50,
            jpeg: false,
            crop: 0,
            coded: fast(),
        },
    ] {
        let container = hide(&cover, &secret, &options, &mut Progress::ignore)
            .unwrap()
            .container;
        // Tagged by a viewer, and turned by one that also tagged it: upright, it is the container.
        for stored in [container.clone(), container.turned_counter_clockwise()] {
            let read = decode(&png_with(&stored, &[(b"eXIf", TURN_CLOCKWISE)])).unwrap();
            assert_eq!(read.pixels, stored.turned_clockwise());
            let revealed = reveal(
                &read.pixels,
                &RevealOptions::default(),
                &mut Progress::ignore,
            );
            assert_eq!(revealed.unwrap().picture.width(), 31);
            assert!(inspect(&read.pixels, None).is_ok());
        }
    }
}

#[test]
fn so_does_one_that_is_a_jpeg() {
    let options = HideOptions::Robust {
        survive: 50,
        jpeg: true,
        crop: 0,
        coded: fast(),
    };
    let (cover, secret) = (ramp(130, 90), ramp(31, 20));
    let container = hide(&cover, &secret, &options, &mut Progress::ignore)
        .unwrap()
        .container;
    let jpeg = Picture::from(container).encode(FileFormat::Jpeg).unwrap();
    let segment = [b"Exif\0\0", TURN_CLOCKWISE].concat();
    let length = (segment.len() as u16 + 2).to_be_bytes();
    let tagged = [&jpeg[..2], &[0xff, 0xe1], &length, &segment, &jpeg[2..]].concat();
    let read = decode(&tagged).unwrap();
    assert_eq!((read.pixels.width(), read.pixels.height()), (90, 130));
    let revealed = reveal(
        &read.pixels,
        &RevealOptions::default(),
        &mut Progress::ignore,
    );
    assert_eq!(revealed.unwrap().picture.width(), 31);
}

#[test]
fn an_exif_block_after_the_pixels_of_a_png_counts() {
    /// Length, name and checksum of the last chunk.
    const END: usize = 12;
    let pixels = ramp(7, 5);
    let before = png_with(&pixels, &[(b"eXIf", TURN_CLOCKWISE)]);
    let chunk = &before[33..33 + 12 + TURN_CLOCKWISE.len()];
    let plain = png_with(&pixels, &[]);
    let (picture, end) = plain.split_at(plain.len() - END);
    let after = decode(&[picture, chunk, end].concat()).unwrap();
    assert_eq!(after.conversions, [Conversion::Turned]);
    assert_eq!(after.pixels, pixels.turned_clockwise());
}

fn linear(sample: u8) -> f64 {
    let v = f64::from(sample) / 255.0;
    if v <= 0.04045 {
        v / 12.92
    } else {
        ((v + 0.055) / 1.055).powf(2.4)
    }
}

fn encoded(light: f64) -> f64 {
    let v = light.clamp(0.0, 1.0);
    255.0
        * if v <= 0.003_130_8 {
            12.92 * v
        } else {
            1.055 * v.powf(1.0 / 2.4) - 0.055
        }
}

/// Display P3 as sRGB: both have the white of D65 and sRGB's curve.
fn srgb_of_p3(rgb: [u8; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(linear);
    [
        1.224_94 * r - 0.224_94 * g,
        -0.042_06 * r + 1.042_06 * g,
        -0.019_64 * r - 0.078_64 * g + 1.098_27 * b,
    ]
    .map(encoded)
}

#[test]
fn colours_of_png_chunks_travel_and_become_srgb() {
    let pixels = ramp(12, 20);
    let chrm_p3: Vec<u8> = [
        31_270_u32, 32_900, 68_000, 32_000, 26_500, 69_000, 15_000, 6_000,
    ]
    .iter()
    .flat_map(|n| n.to_be_bytes())
    .collect();
    let (gamma, gamma_1) = (45_455_u32.to_be_bytes(), 100_000_u32.to_be_bytes());
    type Meaning = fn([u8; 3]) -> [f64; 3];
    let of_light: Meaning = |rgb| rgb.map(|v| encoded(f64::from(v) / 255.0));
    let cases: [(&[Chunk<'_>], Meaning); 4] = [
        (&[(b"cICP", &[12, 13, 0, 1])], srgb_of_p3),
        (&[(b"gAMA", &gamma), (b"cHRM", &chrm_p3)], srgb_of_p3),
        (&[(b"gAMA", &gamma_1)], of_light),
        // The first that there is counts.
        (
            &[(b"gAMA", &gamma_1), (b"cICP", &[12, 13, 0, 1])],
            srgb_of_p3,
        ),
    ];
    for (chunks, meaning) in cases {
        let name = format!("{:?}", String::from_utf8_lossy(chunks[0].0));
        let read = decode(&png_with(&pixels, chunks)).unwrap();
        let sent = read.clone().to_survive(None).unwrap();
        assert_eq!(sent.conversions, [Conversion::ToSrgb], "{name}");
        let mut converted = read.clone();
        converted.convert_to_srgb();
        assert!(sent.pixels == converted.pixels && sent.icc_profile.is_none());
        assert!(
            read.conversions.is_empty(),
            "{name}: {:?}",
            read.conversions
        );
        assert_eq!(read.pixels, pixels, "{name}: a cover's samples stay");
        // Through a file, as a container goes.
        for format in [FileFormat::Png, FileFormat::Tiff, FileFormat::WebP] {
            let mut again = decode(&read.encode(format).unwrap()).unwrap();
            assert_eq!(again.convert_to_srgb(), Some(Conversion::ToSrgb), "{name}");
            assert_eq!(again.icc_profile, None);
            for (found, from) in again.pixels.data().chunks(3).zip(pixels.data().chunks(3)) {
                for (found, expected) in found.iter().zip(meaning([from[0], from[1], from[2]])) {
                    let off = (f64::from(*found) - expected).abs();
                    assert!(off < 1.6, "{name} {format}: {from:?} {found} {expected}");
                }
            }
        }
    }
}

#[test]
fn srgb_needs_no_profile_and_what_is_lost_is_told() {
    let pixels = ramp(12, 20);
    let gamma = 45_455_u32.to_be_bytes();
    let on_a_line: Vec<u8> = [
        31_270, 32_900, 10_000, 10_000, 20_000, 20_000, 30_000, 30_000_u32,
    ]
    .iter()
    .flat_map(|n| n.to_be_bytes())
    .collect();
    let cases: [(&[u8; 4], &[u8], &[Conversion]); 17] = [
        (b"sRGB", &[0], &[]),
        (b"gAMA", &gamma, &[]),
        (b"cICP", &[1, 13, 0, 1], &[]),
        (b"cICP", &[9, 16, 0, 1], &[Conversion::ColoursLeftOut]),
        // Unknown, of a narrow range, of another matrix, no such range: the picture is read.
        (b"cICP", &[200, 13, 0, 1], &[Conversion::ColoursUnknown]),
        (b"cICP", &[12, 13, 0, 0], &[Conversion::ColoursUnknown]),
        (b"cICP", &[12, 13, 1, 1], &[Conversion::ColoursUnknown]),
        (b"cICP", &[12, 13, 0, 7], &[Conversion::ColoursUnknown]),
        (b"gAMA", &[0, 0, 0, 1], &[Conversion::ColoursUnknown]),
        (b"gAMA", &[255, 0, 0, 0], &[Conversion::ColoursUnknown]),
        (b"cHRM", &on_a_line, &[Conversion::ColoursUnknown]),
        // Too short.
        (b"cICP", &[12, 13], &[Conversion::ColoursUnknown]),
        (b"gAMA", &[1, 1], &[Conversion::ColoursUnknown]),
        (b"cHRM", &[1; 31], &[Conversion::ColoursUnknown]),
        (
            b"iCCP",
            b"name\0\0not deflated",
            &[Conversion::ProfileDamaged],
        ),
        (b"sBIT", &[5, 6, 5], &[Conversion::SignificantBits]),
        (b"sBIT", &[8, 8, 8], &[]),
    ];
    for (name, content, conversions) in cases {
        let mut read = decode(&png_with(&pixels, &[(name, content)])).unwrap();
        assert_eq!(read.conversions, conversions, "{name:?} {content:?}");
        assert_eq!(read.icc_profile, None, "{name:?}");
        assert_eq!(read.convert_to_srgb(), None);
        assert_eq!(read.pixels, pixels);
    }
}

#[test]
fn a_profile_of_grey_counts_for_grey() {
    let profile = moxcms::ColorProfile::new_gray_with_gamma(1.0)
        .encode()
        .unwrap();
    let samples: Vec<u8> = (0..=255).collect();
    let mut png = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder.set_icc_profile(profile).unwrap();
    encoder
        .write_image(&samples, 16, 16, image::ExtendedColorType::L8)
        .unwrap();
    let mut read = decode(&png).unwrap();
    assert_eq!(read.conversions, [Conversion::GreyToRgb]);
    assert_eq!(read.convert_to_srgb(), Some(Conversion::ToSrgb));
    for (&sample, rgb) in samples.iter().zip(read.pixels.data().chunks_exact(3)) {
        let expected = encoded(f64::from(sample) / 255.0);
        for &found in rgb {
            assert!(
                (f64::from(found) - expected).abs() < 2.0,
                "{sample} {found}"
            );
        }
    }
}

#[test]
fn a_profile_with_a_part_missing_is_damaged() {
    let profile = decode(&fixture("rgb.png")).unwrap().icc_profile.unwrap();
    let plain = fixture("plain.jpg");
    let with = |number: u8, n: u8, profile: &[u8]| {
        let segment = [&b"ICC_PROFILE\0"[..], &[number, n], profile].concat();
        let length = (segment.len() as u16 + 2).to_be_bytes();
        let head = [&plain[..2], &[0xff, 0xe2], &length, &segment].concat();
        [&head, &plain[2..]].concat()
    };
    let whole = decode(&with(1, 1, &profile)).unwrap();
    assert_eq!(whole.icc_profile, Some(profile.clone()));
    for damaged in [
        with(1, 2, &profile),
        with(1, 1, &profile[..100]),
        with(2, 2, &profile),
    ] {
        let read = decode(&damaged).unwrap();
        assert_eq!(read.icc_profile, None);
        assert_eq!(read.conversions, [Conversion::ProfileDamaged]);
    }
}

#[test]
fn a_webp_is_turned_as_its_exif_block_asks_with_or_without_prefix() {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let mut chunk = name.to_vec();
        chunk.extend((content.len() as u32).to_le_bytes());
        chunk.extend(content);
        chunk.resize(chunk.len().next_multiple_of(2), 0);
        chunk
    };
    let exif = TURN_CLOCKWISE;
    let plain = fixture("lossless.webp");
    let mut extended = vec![8, 0, 0, 0];
    for side in [48_u32, 32] {
        extended.extend(&(side - 1).to_le_bytes()[..3]);
    }
    for prefix in [&b""[..], b"Exif\0\0"] {
        let block = [prefix, exif].concat();
        let content = [
            &b"WEBP"[..],
            &chunk(b"VP8X", &extended),
            &plain[12..],
            &chunk(b"EXIF", &block),
        ]
        .concat();
        let picture = decode(&chunk(b"RIFF", &content)).unwrap();
        assert_eq!(picture.conversions, [Conversion::Turned], "{prefix:?}");
        let upright = decode(&plain).unwrap().pixels.turned_clockwise();
        assert_eq!(picture.pixels, upright);
    }
}

/// An uncompressed TIFF of one strip, or of whatever `compression` is; every tag holds shorts.
fn tiff(size: [u16; 2], tags: &[Tag<'_>], strip: &[u8]) -> Vec<u8> {
    let length = [u16::try_from(strip.len()).unwrap()];
    let of_strip: [Tag<'_>; 3] = [(278, &[size[1]]), (279, &length), (273, &[8])];
    tiff_with(&[tags, &of_strip].concat(), size, strip)
}

/// The same, but for what says where its samples are, eight bytes from the start.
fn tiff_with(tags: &[Tag<'_>], size: [u16; 2], strip: &[u8]) -> Vec<u8> {
    let mut tags: Vec<(u16, Vec<u16>)> = tags.iter().map(|(tag, n)| (*tag, n.to_vec())).collect();
    tags.extend([(256, vec![size[0]]), (257, vec![size[1]])]);
    if tags.iter().all(|(tag, _)| *tag != 259) {
        tags.push((259, vec![1]));
    }
    tags.sort();
    let directory = 8 + strip.len().next_multiple_of(2);
    let mut file = b"II*\0".to_vec();
    file.extend((directory as u32).to_le_bytes());
    file.extend(strip);
    file.resize(directory, 0);
    file.extend((tags.len() as u16).to_le_bytes());
    let mut beyond = Vec::new();
    let after = directory + 2 + 12 * tags.len() + 4;
    for (tag, values) in &tags {
        file.extend(tag.to_le_bytes());
        file.extend(3_u16.to_le_bytes());
        file.extend((values.len() as u32).to_le_bytes());
        let bytes: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        if bytes.len() <= 4 {
            file.extend(&bytes);
            file.resize(file.len() + 4 - bytes.len(), 0);
        } else {
            file.extend(((after + beyond.len()) as u32).to_le_bytes());
            beyond.extend(bytes);
        }
    }
    file.extend([0; 4]);
    file.extend(beyond);
    file
}

#[test]
fn kinds_of_tiff_that_few_programs_write() {
    let read = |tags: &[Tag<'_>], strip: &[u8]| {
        let picture = decode(&tiff([2, 2], tags, strip)).unwrap();
        let data = picture.pixels.data().to_vec();
        (data, picture.alpha)
    };
    // Grey of four bits, rows in whole bytes; white is 15, or 0.
    let grey = [0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255];
    let four = |photometric| read(&[(258, &[4]), (262, &[photometric])], &[0x05, 0xaf]);
    assert_eq!(four(1).0, grey);
    let inverted: Vec<u8> = grey.iter().map(|v| 255 - v).collect();
    assert_eq!(four(0).0, inverted);
    // Grey with alpha.
    let tags: [(u16, &[u16]); 4] = [(258, &[8, 8]), (262, &[1]), (277, &[2]), (338, &[2])];
    let (data, alpha) = read(&tags, &[1, 255, 2, 0, 3, 7, 4, 9]);
    assert_eq!(data, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    assert_eq!(alpha, Some(vec![255, 0, 7, 9]));
    // A palette, of 16 bits, whose lower byte may be 0, and of 8.
    for scale in [257, 256, 1] {
        let mut map = vec![0; 3 * 256];
        for (i, [r, g, b]) in [[1, 2, 3], [200, 100, 50], [0, 255, 0]]
            .into_iter()
            .enumerate()
        {
            (map[i], map[256 + i], map[512 + i]) = (r * scale, g * scale, b * scale);
        }
        let (data, alpha) = read(&[(258, &[8]), (262, &[3]), (320, &map)], &[0, 1, 2, 1]);
        assert_eq!(data, [1, 2, 3, 200, 100, 50, 0, 255, 0, 200, 100, 50]);
        assert_eq!(alpha, None);
    }
    // Samples that were multiplied by their alpha.
    let tags: [(u16, &[u16]); 4] = [(258, &[8; 4]), (262, &[2]), (277, &[4]), (338, &[1])];
    let strip = [50, 25, 100, 128, 9, 9, 9, 255, 0, 0, 0, 0, 200, 0, 0, 100];
    let (data, alpha) = read(&tags, &strip);
    assert_eq!(data, [100, 50, 199, 9, 9, 9, 0, 0, 0, 255, 0, 0]);
    assert_eq!(alpha, Some(vec![128, 255, 0, 100]));
    // A fourth sample that means nothing, and one of which nothing is said.
    for (extra, expected) in [
        (Some(&[0_u16][..]), None),
        (None, Some(vec![128, 255, 0, 100])),
    ] {
        let mut tags: Vec<Tag<'_>> = vec![(258, &[8; 4]), (262, &[2]), (277, &[4])];
        tags.extend(extra.map(|extra| (338, extra)));
        let (data, alpha) = read(&tags, &strip);
        assert_eq!(data[..3], [50, 25, 100]);
        assert_eq!(alpha, expected);
    }
    // White as 0, with alpha, of 8 and of 16 bits.
    let tags: [(u16, &[u16]); 4] = [(258, &[8, 8]), (262, &[0]), (277, &[2]), (338, &[2])];
    let (data, alpha) = read(&tags, &[1, 255, 2, 0, 3, 7, 4, 9]);
    assert_eq!(
        data,
        [254, 254, 254, 253, 253, 253, 252, 252, 252, 251, 251, 251]
    );
    assert_eq!(alpha, Some(vec![255, 0, 7, 9]));
    let tags: [(u16, &[u16]); 4] = [(258, &[16, 16]), (262, &[0]), (277, &[2]), (338, &[2])];
    let (data, _) = read(&tags, &[0, 0, 1, 1, 255, 255, 1, 1, 2, 2, 1, 1, 3, 3, 1, 1]);
    assert_eq!(data, [255, 255, 255, 0, 0, 0, 253, 253, 253, 252, 252, 252]);
    // Multiplied samples of 16 bits.
    let tags: [(u16, &[u16]); 4] = [(258, &[16; 4]), (262, &[2]), (277, &[4]), (338, &[1])];
    let wide: Vec<u8> = strip
        .iter()
        .flat_map(|&v| (u16::from(v) * 257).to_le_bytes())
        .collect();
    let (data, alpha) = read(&tags, &wide);
    assert_eq!(data, [100, 50, 199, 9, 9, 9, 0, 0, 0, 255, 0, 0]);
    assert_eq!(alpha, Some(vec![128, 255, 0, 100]));
}

/// A TIFF in tiles of 16x16 with nothing beside the picture but zeros, packed if asked.
fn tiled(size: (usize, usize), planes: &[Vec<u8>], apart: bool, packed: bool) -> Vec<u8> {
    const SIDE: usize = 16;
    let (across, down) = (size.0.div_ceil(SIDE), size.1.div_ceil(SIDE));
    let sample = |plane: &[u8], x: usize, y: usize| match x < size.0 && y < size.1 {
        true => plane[y * size.0 + x],
        false => 0,
    };
    let mut tiles: Vec<Vec<u8>> = Vec::new();
    let groups: Vec<&[Vec<u8>]> = planes
        .chunks(if apart { 1 } else { planes.len() })
        .collect();
    for group in groups {
        for tile in 0..across * down {
            let (left, top) = (tile % across * SIDE, tile / across * SIDE);
            let places = (0..SIDE * SIDE).map(|i| (left + i % SIDE, top + i / SIDE));
            let bytes = places.flat_map(|(x, y)| group.iter().map(move |p| sample(p, x, y)));
            tiles.push(bytes.collect());
        }
    }
    if packed {
        for tile in &mut tiles {
            *tile = lzw(tile);
        }
    }
    let mut strip = Vec::new();
    let (mut starts, mut lengths) = (Vec::new(), Vec::new());
    for tile in &tiles {
        starts.push(8 + strip.len() as u16);
        lengths.push(tile.len() as u16);
        strip.extend(tile);
    }
    let n = planes.len() as u16;
    let bits = vec![8; planes.len()];
    let tags: Vec<Tag<'_>> = vec![
        (258, &bits),
        (259, if packed { &[5] } else { &[1] }),
        (262, if n == 1 { &[1] } else { &[2] }),
        (277, std::slice::from_ref(&n)),
        (284, if apart { &[2] } else { &[1] }),
        (322, &[16]),
        (323, &[16]),
        (324, &starts),
        (325, &lengths),
    ];
    tiff_with(&tags, [size.0 as u16, size.1 as u16], &strip)
}

/// LZW as TIFF has it.
fn lzw(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8);
    encoder.encode(bytes).unwrap()
}

#[test]
fn tiles_that_reach_beyond_the_picture_are_cut() {
    for size in [(37, 23), (16, 16), (5, 40), (1, 1)] {
        let pixels = ramp(size.0, size.1);
        let plane = |i: usize| pixels.data().iter().skip(i).step_by(3).copied().collect();
        let planes: [Vec<u8>; 3] = [plane(0), plane(1), plane(2)];
        for packed in [false, true] {
            for apart in [false, true] {
                let read = decode(&tiled(size, &planes, apart, packed)).unwrap();
                assert_eq!(read.pixels, pixels, "{size:?} {apart} {packed}");
            }
            let grey = decode(&tiled(size, &planes[..1], false, packed)).unwrap();
            let expected: Vec<u8> = planes[0].iter().flat_map(|&v| [v; 3]).collect();
            assert_eq!(grey.pixels.data(), expected, "{size:?} {packed}");
        }
    }
    let tags: [Tag<'_>; 6] = [
        (258, &[8]),
        (262, &[1]),
        (322, &[32_768]),
        (323, &[32_768]),
        (324, &[8]),
        (325, &[4]),
    ];
    let error = decode(&tiff_with(&tags, [1, 1], &[0; 4]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("tiles much larger than their picture"),
        "{error}"
    );
}

#[test]
fn a_tiff_with_the_colours_of_jpeg_shows_what_the_jpeg_shows() {
    let jpeg = fixture("plain.jpg");
    let tags: [(u16, &[u16]); 5] = [
        (258, &[8; 3]),
        (259, &[7]),
        (262, &[6]),
        (277, &[3]),
        (530, &[2, 2]),
    ];
    let read = decode(&tiff([48, 32], &tags, &jpeg)).unwrap().pixels;
    let expected = decode(&jpeg).unwrap().pixels;
    let pairs = read.data().iter().zip(expected.data());
    let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    // Another decoder's rounding of chroma between samples.
    assert!(largest <= 6, "{largest}");
}

#[test]
fn inks_of_print_are_told() {
    let tags: [Tag<'_>; 4] = [(258, &[8; 4]), (259, &[1]), (262, &[5]), (277, &[4])];
    let picture = decode(&tiff([3, 2], &tags, &[[0, 255, 0, 0]; 6].concat())).unwrap();
    assert_eq!(picture.conversions, [Conversion::CmykToRgb]);
    assert!(!picture.is_exact());
    assert_eq!(picture.pixels.data()[..3], [255, 0, 255], "magenta");
}

#[test]
fn tiffs_that_are_not_read_say_why_in_one_sentence() {
    let cases: [(&[Tag<'_>], &str); 12] = [
        (
            &[(258, &[16]), (262, &[1]), (339, &[2])],
            "signed samples of 16 bits",
        ),
        (&[(258, &[32]), (262, &[1])], "samples of 32 bits"),
        (&[(258, &[12]), (262, &[1])], "samples of 12 bits"),
        (
            &[(258, &[8; 5]), (262, &[5]), (277, &[5])],
            "CMYK colours in 5 samples of 8 bits",
        ),
        (
            &[(258, &[8]), (259, &[34_933]), (262, &[1])],
            "PNG compression",
        ),
        (
            &[(258, &[8]), (259, &[777]), (262, &[1])],
            "unknown (number 777) compression",
        ),
        (
            &[(258, &[8]), (259, &[50_000]), (262, &[1])],
            "Zstandard compression",
        ),
        (
            &[(258, &[32]), (262, &[1]), (339, &[3])],
            "floating-point samples of 32 bits",
        ),
        (&[(258, &[8; 3]), (262, &[8]), (277, &[3])], "Lab colours"),
        (
            &[(258, &[8; 5]), (262, &[2]), (277, &[5])],
            "5 samples a pixel",
        ),
        (
            &[(258, &[8]), (262, &[1]), (266, &[2])],
            "bytes with their bits in reverse order",
        ),
        (
            &[
                (258, &[8; 2]),
                (259, &[7]),
                (262, &[1]),
                (277, &[2]),
                (338, &[2]),
            ],
            "JPEG compression of grey with alpha",
        ),
    ];
    for (tags, found) in cases {
        let error = decode(&tiff([2, 2], tags, &[0; 60])).unwrap_err();
        let expected =
            format!("TIFF with {found} is not supported: convert it to an 8 or 16 bit PNG first");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_palette_that_ends_within_a_colour_is_damage() {
    for len in [4, 5, 29, 767] {
        let mut png = png_with(&ramp(8, 8), &[(b"PLTE", &vec![0; len])]);
        // Indices of eight bits.
        png[25] = 3;
        let header = crc32(&png[12..29]).to_be_bytes();
        png[29..33].copy_from_slice(&header);
        let said = decode(&png).unwrap_err().to_string();
        assert!(said.contains("damaged"), "{said}");
    }
}

/// Files of every kind here with bytes changed, cut or made anew: an error or a picture within the
/// limits. `UNDERDRAWING_HOSTILE=1000000` in the environment asks for more of them.
#[test]
fn damaged_files_of_every_kind_do_no_harm() {
    let asked = std::env::var("UNDERDRAWING_HOSTILE").ok();
    let n: usize = asked.map_or(4000, |n| n.parse().unwrap());
    let profile = decode(&fixture("rgb.png")).unwrap().icc_profile.unwrap();
    let map = vec![9; 3 * 256];
    let files = [
        tiff(
            [2, 2],
            &[(258, &[8]), (262, &[3]), (320, &map)],
            &[0, 1, 2, 1],
        ),
        tiff([2, 2], &[(258, &[4]), (262, &[1])], &[0x05, 0xaf]),
        tiff(
            [2, 2],
            &[(258, &[8, 8]), (262, &[1]), (277, &[2]), (338, &[2])],
            &[9; 8],
        ),
        tiff(
            [2, 2],
            &[(258, &[16; 4]), (262, &[2]), (277, &[4]), (338, &[1])],
            &[7; 32],
        ),
        tiff(
            [48, 32],
            &[
                (258, &[8; 3]),
                (259, &[7]),
                (262, &[6]),
                (277, &[3]),
                (530, &[2, 2]),
            ],
            &fixture("plain.jpg"),
        ),
        png_with(
            &ramp(9, 7),
            &[(b"cICP", &[12, 13, 0, 1]), (b"eXIf", TURN_CLOCKWISE)],
        ),
        png_with(
            &ramp(9, 7),
            &[(b"gAMA", &[0, 1, 9, 9]), (b"cHRM", &[0; 32])],
        ),
        bmp(3, 9, &profile),
        tiled((20, 18), &vec![vec![77; 360]; 3], true, false),
        tiled((20, 18), &vec![vec![77; 360]; 3], true, true),
        fixture("plain.jpg"),
        fixture("progressive.jpg"),
        fixture("cmyk.jpg"),
        fixture("lossy_alpha.webp"),
        fixture("lossless.webp"),
        fixture("animated.webp"),
        fixture("animated.gif"),
        fixture("animated.png"),
        fixture("rgb16.png"),
        fixture("palette.png"),
        fixture("plain.tif"),
        fixture("pages_big.tif"),
        fixture("plain.bmp"),
        fixture("plain.ppm"),
        fixture("plain.qoi"),
        // Each is read with its feature, else refused.
        fixture("lossy.jxl"),
        fixture("turned.heic"),
        fixture("alpha.heic"),
    ];
    let limits = Limits {
        max_pixels: 1 << 16,
        max_side: 4096,
    };
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for i in 0..n {
        let mut file = files[i % files.len()].clone();
        for _ in 0..=random(4) {
            let at = random(file.len());
            match random(8) {
                0 => file.truncate(at.max(1)),
                1 => file[at] = 255,
                2 => file[at] = 0,
                _ => file[at] ^= 1 << random(8),
            }
        }
        if let Ok(mut picture) = Picture::decode(&file, &limits) {
            let n_pixels = picture.pixels.width() * picture.pixels.height();
            assert!(n_pixels as u64 <= limits.max_pixels);
            picture.convert_to_srgb();
            assert_eq!(picture.pixels.data().len(), 3 * n_pixels);
        }
    }
}

/// A BMP of one pixel, 40 % opaque by its last byte, with a header of version 5.
fn bmp(compression: u32, alpha: u8, profile: &[u8]) -> Vec<u8> {
    let mut header = vec![0; 124];
    let mut put = |at: usize, n: u32| header[at..at + 4].copy_from_slice(&n.to_le_bytes());
    put(0, 124);
    put(4, 1);
    put(8, 1);
    put(12, 1 | 32 << 16);
    put(16, compression);
    put(20, 4);
    put(40, 0xff_0000);
    put(44, 0xff00);
    put(48, 0xff);
    put(52, 0xff00_0000);
    if !profile.is_empty() {
        put(56, 0x4d42_4544);
        put(112, 124 + 4);
        put(116, profile.len() as u32);
    }
    let mut file = b"BM".to_vec();
    file.extend((14 + 124 + 4 + profile.len() as u32).to_le_bytes());
    file.extend([0; 4]);
    file.extend((14 + 124_u32).to_le_bytes());
    file.extend(header);
    file.extend([30, 20, 10, alpha]);
    file.extend(profile);
    file
}

#[test]
fn alpha_and_profile_of_a_bmp() {
    const BIT_FIELDS: u32 = 3;
    let read = |file: &[u8]| decode(file).unwrap();
    let opaque = read(&bmp(BIT_FIELDS, 102, b""));
    assert_eq!(opaque.alpha, Some(vec![102]));
    assert_eq!(opaque.pixels.pixel(0, 0), [10, 20, 30]);
    assert_eq!(
        read(&bmp(BIT_FIELDS, 0, b"")).alpha,
        None,
        "all transparent: not meant"
    );
    let idle = read(&bmp(0, 102, b""));
    assert_eq!(
        (idle.alpha, &idle.conversions[..]),
        (None, &[Conversion::AlphaLeftOut][..])
    );
    let profile = decode(&fixture("rgb.png")).unwrap().icc_profile.unwrap();
    assert_eq!(
        read(&bmp(BIT_FIELDS, 9, &profile)).icc_profile,
        Some(profile)
    );
    let broken = read(&bmp(BIT_FIELDS, 9, b"no profile"));
    assert_eq!(broken.conversions, [Conversion::ProfileDamaged]);
    // In another file, of no bytes, and primaries in the header.
    let with = |kind: u32, colours: u8| {
        let mut file = bmp(BIT_FIELDS, 9, b"");
        file[14 + 56..14 + 60].copy_from_slice(&kind.to_le_bytes());
        file[14 + 60..14 + 96].fill(colours);
        read(&file).conversions
    };
    assert_eq!(with(0x4c49_4e4b, 0), [Conversion::ProfileElsewhere]);
    assert_eq!(with(0x4d42_4544, 0), [Conversion::ProfileDamaged]);
    assert_eq!(with(0, 3), [Conversion::ColoursUnknown]);
    assert_eq!(with(0, 0), []);
}

#[test]
fn masks_after_a_short_header_of_a_bmp_are_masks() {
    let long = bmp(3, 102, b"");
    let mut short = long[..14 + 56].to_vec();
    short.extend([30, 20, 10, 102]);
    short[10..14].copy_from_slice(&(14 + 56_u32).to_le_bytes());
    short[14] = 40;
    short[14 + 16] = 6;
    let read = decode(&short).unwrap();
    assert_eq!(
        (read.pixels.pixel(0, 0), read.alpha),
        ([10, 20, 30], Some(vec![102]))
    );
}

/// What the fixtures show, as tests/pictures.rs has it.
#[cfg(any(feature = "jxl", feature = "heic"))]
fn scene() -> Pixels {
    Pixels::from_fn(48, 32, |x, y| {
        if x < 6 && y < 6 {
            return [255; 3];
        }
        [5 * x as u8, 7 * y as u8, 3 * (x + y) as u8]
    })
    .unwrap()
}

#[cfg(feature = "heic")]
#[test]
fn reads_heic_upright_and_in_its_colours() {
    // Stored turned and mirrored by the file's own properties, as Exif's numbers 6 and 5 say.
    for (name, icc) in [
        ("plain.heic", false),
        ("turned.heic", false),
        ("mirrored.heic", false),
        ("alpha.heic", false),
        ("p3.heic", true),
        ("ten.heic", false),
    ] {
        let bytes = fixture(name);
        let picture = decode(&bytes).unwrap();
        assert_eq!(picture.format, FileFormat::Heic);
        assert!(picture.lossy);
        let wide: &[Conversion] = match name {
            "ten.heic" => &[Conversion::SixteenBitTo8],
            _ => &[],
        };
        assert_eq!(picture.conversions, wide, "{name}");
        assert_eq!(picture.icc_profile.is_some(), icc, "{name}");
        assert_eq!(picture.alpha.is_some(), name == "alpha.heic", "{name}");
        let expected = scene();
        let off = |a: &Pixels| {
            let pairs = a.data().iter().zip(expected.data());
            pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap()
        };
        assert!(
            off(&picture.pixels) <= 12,
            "{name}: {}",
            off(&picture.pixels)
        );
        let mut converted = picture.clone();
        let to_srgb = converted.convert_to_srgb();
        assert_eq!(to_srgb, icc.then_some(Conversion::ToSrgb), "{name}");
        if icc {
            let pairs = converted.pixels.data().chunks_exact(3);
            for (found, from) in pairs.zip(picture.pixels.data().chunks_exact(3)) {
                for (found, expected) in found.iter().zip(srgb_of_p3([from[0], from[1], from[2]])) {
                    assert!((f64::from(*found) - expected).abs() < 1.6, "{from:?}");
                }
            }
        }
        for length in (0..bytes.len()).step_by(7) {
            if let Ok(part) = decode(&bytes[..length]) {
                assert!(part.pixels == picture.pixels, "{name}: {length} bytes");
            }
        }
    }
}

#[cfg(feature = "jxl")]
#[test]
fn reads_jpeg_xl() {
    for (name, lossy, alpha) in [
        ("lossless.jxl", false, false),
        ("alpha.jxl", false, true),
        ("lossy.jxl", true, false),
    ] {
        let bytes = fixture(name);
        let picture = decode(&bytes).unwrap();
        assert_eq!(picture.format, FileFormat::JpegXl);
        assert_eq!(
            (picture.lossy, picture.alpha.is_some()),
            (lossy, alpha),
            "{name}"
        );
        assert_eq!(picture.conversions, [], "{name}");
        let expected = scene();
        let pairs = picture.pixels.data().iter().zip(expected.data());
        let largest = pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(largest <= if lossy { 26 } else { 0 }, "{name}: {largest}");
        let mut converted = picture.clone();
        converted.convert_to_srgb();
        let pairs = picture.pixels.data().iter().zip(converted.pixels.data());
        assert!(
            pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap() <= 1,
            "{name}: it is sRGB"
        );
        for length in 0..bytes.len() {
            if let Ok(part) = decode(&bytes[..length]) {
                assert!(part.pixels == picture.pixels, "{name}: {length} bytes");
            }
        }
    }
    assert_eq!(
        decode(&fixture("grey.jxl")).unwrap().conversions,
        [Conversion::GreyToRgb]
    );
}

#[cfg(not(feature = "jxl"))]
#[test]
fn jpeg_xl_names_the_ways_out() {
    assert_eq!(
        decode(&fixture("lossless.jxl")).unwrap_err().to_string(),
        "JPEG XL is not supported: convert it to PNG first (djxl does), or build with the feature \
         `jxl`"
    );
}
