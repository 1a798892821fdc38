//! The door: which method answers, which error says no, and what lies outside every limit.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{crc32, hidden, model, picture};
use underdrawing::{
    BuiltInModel, CodedOptions, CodedRate, Effort, Error, ErrorKind, HiddenDetails, HideOptions,
    Inspection, Limits, NetworkOptions, Password, Picture, Pixels, Progress, RevealOptions,
    Revealed, capacity, hide, inspect, reveal,
};

fn coded(password: Option<&str>) -> HideOptions {
    HideOptions::Coded(CodedOptions {
        password: password.map(Password::new),
        effort: Some(Effort::Fast),
        ..CodedOptions::default()
    })
}

fn container(options: &HideOptions, cover: &Pixels, secret: &Pixels) -> Pixels {
    hide(cover, secret, options, &mut Progress::ignore)
        .unwrap()
        .container
}

fn kind_of(container: &Pixels, options: &RevealOptions) -> Result<Revealed, ErrorKind> {
    reveal(container, options, &mut Progress::ignore).map_err(|error| error.kind())
}

#[test]
fn the_container_says_how_to_reveal() {
    let (cover, secret) = (picture(60, 50, 1), picture(31, 40, 2));
    let by_network = HideOptions::Network(NetworkOptions::default());
    for (options, model) in [
        (coded(None), None),
        (by_network, Some(BuiltInModel::first().id)),
    ] {
        let container = container(&options, &cover, &secret);
        let revealed = kind_of(&container, &RevealOptions::default()).unwrap();
        assert_eq!(
            (revealed.picture.width(), revealed.picture.height()),
            (31, 40)
        );
        assert_eq!(inspect(&container, None), Ok(revealed.found.clone()));
        let found = match revealed.found {
            Inspection::Network { model, .. } => Some(model),
            _ => None,
        };
        assert_eq!(found, model);
    }
}

#[test]
fn every_no_has_its_kind() {
    let (cover, secret) = (picture(60, 50, 1), picture(31, 40, 2));
    let with_password = container(&coded(Some("word")), &cover, &secret);
    let by_model = hidden(&model(1, 4), &cover, &secret);
    let wrong = RevealOptions {
        password: Some(Password::new("sword")),
        ..RevealOptions::default()
    };
    let of_size = |size| RevealOptions {
        size: Some(size),
        ..RevealOptions::default()
    };
    let small = RevealOptions {
        limits: Limits {
            max_side: 39,
            ..Limits::default()
        },
        ..RevealOptions::default()
    };
    let tiny_tiles = RevealOptions {
        models: vec![model(1, 4)],
        tile_size: 15,
        ..RevealOptions::default()
    };
    let mut damaged = container(&coded(None), &cover, &secret);
    // The first of the payload's samples: the directory and its seal.
    for sample in &mut damaged.data_mut()[246..700] {
        *sample ^= 1;
    }
    let public = container(&coded(None), &cover, &secret);
    let default = RevealOptions::default();
    for (container, options, expected) in [
        (&cover, &default, ErrorKind::NothingFound),
        (&picture(1, 1, 1), &default, ErrorKind::NothingFound),
        (&with_password, &default, ErrorKind::NothingFound),
        (&with_password, &wrong, ErrorKind::WrongPassword),
        (&cover, &wrong, ErrorKind::WrongPassword),
        (&damaged, &default, ErrorKind::Damaged),
        (&by_model, &default, ErrorKind::UnknownModel),
        (&by_model, &small, ErrorKind::Limit),
        (&public, &small, ErrorKind::Limit),
        (&by_model, &tiny_tiles, ErrorKind::Invalid),
        (&cover, &of_size((0, 5)), ErrorKind::Invalid),
        (&cover, &of_size((40_000, 5)), ErrorKind::Limit),
        (&picture(15, 20, 1), &of_size((5, 5)), ErrorKind::TooSmall),
    ] {
        let found = kind_of(container, options).map(|revealed| revealed.found);
        assert_eq!(found, Err(expected), "{options:?}");
    }
}

#[test]
fn a_mark_of_a_newer_version_is_newer() {
    // The mark's places, whitening, version and checksum are those of docs/format.md, 2.3.
    let mut container = hidden(&model(1, 4), &picture(60, 50, 1), &picture(31, 40, 2));
    let mark = read_bits(&container);
    let mut newer = mark;
    newer[0] = 2;
    let sum = crc32(&newer[..14]);
    newer[14..].copy_from_slice(&sum.to_le_bytes());
    write_bits(&mut container, &newer);
    let expected = Error::NewerMark {
        found: 2,
        supported: 1,
    };
    assert_eq!(inspect(&container, None), Err(expected));
    let error = kind_of(&container, &RevealOptions::default()).unwrap_err();
    assert_eq!(error, ErrorKind::Newer);
    write_bits(&mut container, &mark);
    assert!(inspect(&container, None).is_ok());
}

/// Longer than any secret may be, in few pixels.
fn long(width: usize) -> Pixels {
    let limits = Limits {
        max_side: 40_000,
        ..Limits::default()
    };
    let samples = (0..3 * width * 16).map(|i| (i / 97) as u8).collect();
    Pixels::rgb8_within(samples, width, 16, &limits).unwrap()
}

#[test]
fn covers_over_the_default_limits_work_and_secrets_are_refused() {
    let (cover, secret) = (long(33_000), picture(40, 31, 2));
    let by_network = HideOptions::Network(NetworkOptions::new(model(1, 4)));
    for options in [coded(None), by_network] {
        let container = container(&options, &cover, &secret);
        assert_eq!(container.width(), 33_000);
        let revealed = reveal(&container, &options.to_reveal(), &mut Progress::ignore).unwrap();
        assert_eq!(revealed.picture.width(), 40);
        let error = hide(&secret, &cover, &options, &mut Progress::ignore).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    }
    let error = capacity(&secret, Some(&cover), &CodedOptions::default(), None, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn pictures_are_decoded_under_the_limits_given() {
    let file = Picture::from(long(33_000))
        .encode(underdrawing::FileFormat::Png)
        .unwrap();
    let limits = Limits {
        max_side: 33_000,
        ..Limits::default()
    };
    let decoded = Picture::decode(&file, &limits).unwrap();
    assert_eq!(decoded.pixels, long(33_000));
    assert!(Picture::decode(&file, &Limits::default()).is_err());
}

#[test]
fn details_say_what_became_of_the_secret() {
    let (cover, secret) = (picture(60, 50, 1), picture(31, 40, 2));
    let options = HideOptions::Coded(CodedOptions {
        password: Some(Password::new("word")),
        effort: Some(Effort::Fast),
        rate: CodedRate::RevealedDb(40.0),
    });
    let hidden = hide(&cover, &secret, &options, &mut Progress::ignore).unwrap();
    let HiddenDetails::Coded {
        password,
        width,
        height,
        psnr_db,
        ..
    } = hidden.details
    else {
        panic!("{:?}", hidden.details);
    };
    assert_eq!((password, width, height), (true, 31, 40));
    assert!(psnr_db.unwrap() >= 40.0);
}

fn places(samples: usize) -> Vec<usize> {
    let mut state = 0x756e_6465_7264_7261_u64;
    let start = |k: usize| k * samples / 144;
    (0..144)
        .map(|k| start(k) + (split_mix(&mut state) % (start(k + 1) - start(k)) as u64) as usize)
        .collect()
}

fn whitening() -> [u8; 18] {
    let mut state = 0x7769_6e67_6d61_726b_u64;
    std::array::from_fn(|_| (split_mix(&mut state) >> 56) as u8)
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn read_bits(container: &Pixels) -> [u8; 18] {
    let mut bytes = whitening();
    for (k, place) in places(container.data().len()).into_iter().enumerate() {
        bytes[k / 8] ^= (container.data()[place] & 1) << (k % 8);
    }
    bytes
}

fn write_bits(container: &mut Pixels, mark: &[u8; 18]) {
    let white = whitening();
    for (k, place) in places(container.data().len()).into_iter().enumerate() {
        let bit = (mark[k / 8] ^ white[k / 8]) >> (k % 8) & 1;
        let sample = &mut container.data_mut()[place];
        *sample = *sample & 0xfe | bit;
    }
}
