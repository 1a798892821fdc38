//! Containers that were changed, made by a newer or hostile program, or are none.

use super::*;
use crate::coding::coding_picture;
use crate::error::Salvage;

#[test]
fn what_is_over_the_limits_is_not_decoded() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 41, 2));
    let container = hide(&cover, &secret, &options(None)).container;
    let with = |max_pixels, max_side| {
        let request = Request {
            limits: Limits {
                max_pixels,
                max_side,
            },
            ..Request::default()
        };
        reveal_at_cost(&container, &request, Cost::TEST, &mut Progress::ignore)
    };
    assert!(with(40 * 41, 41).is_ok());
    for refused in [with(40 * 41 - 1, 41), with(40 * 41, 40)] {
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::Limit);
    }
}

/// The directory may name a small secret, and the code be of a large one.
#[test]
fn a_large_code_of_a_small_secret_is_not_decoded() {
    let (cover, secret) = (picture(60, 60, 1), picture(30, 30, 2));
    let secret = coding_picture(&secret);
    let coded = underdrawing_codec::Encoder::new(&secret, Effort::Fast).encode_to_mse(30.0);
    let with = |own| {
        let directory = layout::Directory {
            own,
            finish: Finish::Plain,
            segments: coded
                .segments
                .iter()
                .map(|part| part.len() as u32)
                .collect(),
        }
        .to_bytes();
        let parts: Vec<&[u8]> = std::iter::once(&directory)
            .chain(&coded.segments)
            .map(Vec::as_slice)
            .collect();
        let container = sealed(&cover, &parts);
        let request = Request::default();
        reveal_at_cost(&container, &request, Cost::TEST, &mut Progress::ignore)
    };
    for own in [(30, 30), (90, 31)] {
        assert!(with(own).is_ok());
    }
    for own in [(2, 2), (30, 29)] {
        assert_eq!(with(own).unwrap_err().kind(), ErrorKind::Limit);
    }
}

/// Any parts under the key that everybody has.
fn sealed(cover: &Pixels, parts: &[&[u8]]) -> Pixels {
    let mix = Mix { low: 15, share: 0 };
    let mut ignore = Progress::ignore;
    let mut steps = Steps::new(&mut ignore, 2);
    embed(cover, parts, mix, None, Cost::TEST, &mut steps).unwrap()
}

#[test]
fn a_change_is_noticed_and_the_rest_can_be_salvaged() {
    let (cover, secret) = (picture(512, 640, 1), picture(512, 640, 2));
    let mut container = hide(&cover, &secret, &options(None)).container;
    let n = container.data().len();
    container.data_mut()[n / 10 * 9] ^= 1;
    let error = reveal(&container, None).unwrap_err();
    let Error::Damaged {
        intact,
        parts,
        percent,
        salvage: left,
        cropped,
    } = error
    else {
        panic!("{error}");
    };
    let expected = (parts - 1, Salvage::Possible, false);
    assert_eq!((intact, left, cropped), expected);
    assert!((50..100).contains(&percent), "{percent}");
    let salvaged = salvage(&container).unwrap();
    let [blurred] = &salvaged.blurred_rows[..] else {
        panic!("{:?}", salvaged.blurred_rows);
    };
    assert!(blurred.start > 300 && blurred.len() < 300, "{blurred:?}");
    let rows = |picture: &Pixels, from: usize, to: usize| {
        let samples = picture.data()[3 * 512 * from..3 * 512 * to].to_vec();
        Pixels::rgb8(samples, 512, to - from).unwrap()
    };
    let quality = |from, to| db(&rows(&secret, from, to), &rows(&salvaged.picture, from, to));
    assert!(quality(0, blurred.start) > quality(blurred.start, blurred.end) + 5.0);
}

/// The upper rows of a picture.
fn upper(picture: &Pixels, height: usize) -> Pixels {
    let samples = picture.data()[..3 * picture.width() * height].to_vec();
    Pixels::rgb8(samples, picture.width(), height).unwrap()
}

#[test]
fn a_cropped_container_is_called_so_and_salvaged() {
    let (cover, secret) = (picture(512, 640, 1), picture(512, 640, 2));
    let container = hide(&cover, &secret, &options(None)).container;
    let mut before = usize::MAX;
    for height in [620, 400, 250] {
        let cropped = upper(&container, height);
        let error = reveal(&cropped, None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        assert!(
            error.to_string().contains("was cropped after hiding"),
            "{error}"
        );
        let salvaged = salvage(&cropped).unwrap();
        let Inspection::Coded {
            intact, cropped, ..
        } = salvaged.found
        else {
            panic!("{:?}", salvaged.found);
        };
        assert!(cropped && intact < before, "{intact}");
        before = intact;
        // The end of the secret is lost, in one piece.
        let [blurred] = &salvaged.blurred_rows[..] else {
            panic!("{:?}", salvaged.blurred_rows);
        };
        assert_eq!(blurred.end, 640);
    }
    // Not even the list of parts is left, or the first of them.
    for height in [1, 10] {
        let error = reveal(&upper(&container, height), None).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
        assert!(salvage(&upper(&container, height)).is_err());
    }
}

#[test]
fn nothing_is_salvaged_where_nothing_would_be_seen() {
    // Without loss the first part alone says how large it was, and missing rows are grey.
    let options = CodedOptions {
        rate: CodedRate::RevealedDb(200.0),
        ..options(None)
    };
    let (cover, colours) = (picture(600, 600, 1), noise(300, 700));
    let secret = Pixels::from_fn(300, 700, |x, y| [colours.pixel(x, y)[0]; 3]).unwrap();
    let container = hide(&cover, &secret, &options).container;
    assert_eq!(reveal(&container, None).unwrap().picture, secret);
    let salvaged = salvage(&upper(&container, 590)).unwrap();
    assert_eq!(
        (salvaged.blurred_rows.len(), salvaged.grey_rows.len()),
        (0, 1)
    );
    let row = salvaged.grey_rows[0].start;
    assert_eq!(upper(&salvaged.picture, row), upper(&secret, row));
    let error = salvage(&upper(&container, 20)).unwrap_err().to_string();
    let expected = "; nothing can be salvaged, since every stripe of the secret's rows is lost";
    assert!(error.ends_with(expected), "{error}");
}

#[test]
fn nothing_is_salvaged_without_the_first_part() {
    let (cover, secret) = (picture(512, 640, 1), picture(512, 640, 2));
    let mut container = hide(&cover, &secret, &options(None)).container;
    // It begins at the top, behind the list of parts.
    let n = container.data().len();
    container.data_mut()[n / 20] ^= 1;
    for error in [reveal(&container, None), salvage(&container)].map(Result::unwrap_err) {
        let expected = "; nothing can be salvaged, since the first part is lost, which all others \
                        only add details to";
        assert!(error.to_string().ends_with(expected), "{error}");
    }
}

#[test]
fn small_pictures_hold_nothing_and_do_no_harm() {
    for (width, height) in [(1, 1), (5, 16), (81, 1), (82, 1), (90, 1)] {
        let plain = picture(width, height, 3);
        assert_eq!(reveal(&plain, None), Err(Error::NothingFound));
    }
}

#[test]
fn a_sealed_header_of_another_version_is_newer() {
    let mut container = picture(60, 60, 1);
    let salt = [7; 17];
    let keys = Keys::derive(None, &salt, Cost::TEST);
    let mut header = layout::Header {
        mix: Mix::TERNARY,
        directory: 40,
    }
    .to_bytes();
    header[0] = 2;
    preamble::write_bytes(container.data_mut(), &salt, &header, &keys);
    assert_eq!(reveal(&container, None), Err(Error::Newer { supported: 1 }));
}

/// What a faulty or hostile program seals under a known key: parts of a real container with bytes
/// changed, cut or invented. `UNDERDRAWING_HOSTILE=1000000` in the environment asks for more of
/// them.
#[test]
// The library reads no environment; this test's count is its runner's.
#[allow(clippy::disallowed_methods)]
fn sealed_nonsense_is_survived() {
    let count = std::env::var("UNDERDRAWING_HOSTILE").ok();
    let count = count.map_or(500, |n| n.parse().expect("a number"));
    let mut state = 4_u64;
    let mut random = move |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    let (cover, secret) = (picture(20, 16, 1), picture(12, 10, 2));
    let secret = coding_picture(&secret);
    let coded = underdrawing_codec::Encoder::new(&secret, Effort::Fast).encode_to_mse(30.0);
    for _ in 0..count {
        let mut parts = coded.segments.clone();
        for _ in 0..random(4) {
            let i = random(parts.len());
            let part = &mut parts[i];
            match random(4) {
                0 => part.truncate(random(part.len())),
                1 => part.push(random(256) as u8),
                _ if !part.is_empty() => {
                    let at = random(part.len());
                    part[at] = random(256) as u8;
                }
                _ => {}
            }
        }
        let mut directory = layout::Directory {
            own: (1 + random(40), 1 + random(40)),
            finish: [Finish::Plain, Finish::Restored][random(2)],
            segments: parts.iter().map(|part| part.len() as u32).collect(),
        }
        .to_bytes();
        if random(2) == 0 {
            // Not the size: a good one of any extent is allowed, and made.
            let at = random(directory.len());
            if !(6..10).contains(&at) {
                directory[at] = random(256) as u8;
            }
        }
        let all: Vec<&[u8]> = std::iter::once(&directory)
            .chain(&parts)
            .map(Vec::as_slice)
            .collect();
        let mut container = sealed(&cover, &all);
        if random(8) == 0 {
            let at = random(container.data().len());
            container.data_mut()[at] ^= 1 << random(8);
        }
        // Refused or some picture.
        let _ = salvage(&container);
    }
}
