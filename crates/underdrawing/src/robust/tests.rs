//! The whole way: hidden, recompressed, revealed.

use std::sync::Arc;

use image::metadata::Orientation;
use underdrawing_codec::{Effort, Encoder};
use underdrawing_jpeg::{Jpeg, Sampling, quality};

use crate::coded::{CodedOptions, CodedRate};
use crate::coding::{coding_picture, decibels_of_mse};
use crate::error::{Error, ErrorKind};
use crate::options::RevealOptions;
use crate::picture::{FileFormat, Limits, Picture, Pixels, Raster};
use crate::progress::Progress;
use crate::reduction::{self, Finish};
use crate::report::{Hidden, HiddenDetails, Inspection, Revealed};
use crate::secrecy::{Cost, Password, TAG_BYTES};

use super::embed::{Demands, Digits, costs, embed};
use super::grid::Grid;
use super::header::{Fields, Header};
use super::hide::hide_at_cost;
use super::keys::Keys;
use super::message::Message;
use super::payload::Coding;
use super::plan::Request;
use super::reveal::find_at_cost;
use super::sites::Sites;

mod hostile;

/// Shades, a bright corner that clips, and a saturated one.
fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let wave = (x * (seed + 2) / 3 + y * 2) % 200;
        let grain = (x * 31 + y * 17 + x * y * seed) % 13;
        if x + y < width / 4 {
            return [255, 255, 255];
        }
        if x > width * 7 / 8 && y < height / 8 {
            return [255, 0, 0];
        }
        [40 + wave + grain, 30 + wave, 200 - wave + grain].map(|sample| sample as u8)
    })
    .expect("within the limits")
}

fn options(password: Option<&str>) -> CodedOptions {
    CodedOptions {
        password: password.map(Password::new),
        effort: Some(Effort::Fast),
        ..CodedOptions::default()
    }
}

fn hidden(survive: u8, jpeg: bool, password: Option<&str>) -> Hidden {
    let request = Request {
        cover: &picture(200, 150, 1),
        secret: &picture(90, 120, 5),
        survive,
        jpeg,
        crop: 0,
        options: &options(password),
    };
    hide_at_cost(&request, Cost::TEST, &mut Progress::ignore).expect("there is room")
}

fn reveal(container: &Pixels, password: Option<&str>) -> Result<Option<Revealed>, Error> {
    reveal_within(container, password, &Limits::default())
}

fn reveal_within(
    container: &Pixels,
    password: Option<&str>,
    limits: &Limits,
) -> Result<Option<Revealed>, Error> {
    let password = password.map(Password::new);
    let found = find_at_cost(container, password.as_ref(), Cost::TEST)?;
    found
        .map(|found| found.reveal(limits, &mut Progress::ignore))
        .transpose()
}

/// What arrives as a JPEG file of this quality.
fn recompressed(container: &Pixels, quality: u8, sampling: Sampling) -> Pixels {
    let (width, height) = (container.width(), container.height());
    let tables = quality::tables(quality);
    let file = Jpeg::from_rgb(container.data(), width, height, sampling, &tables).write();
    Picture::decode(&file, &Limits::default())
        .expect("a JPEG")
        .pixels
}

#[test]
fn survives_what_it_was_made_for() {
    for (survive, jpeg) in [(75, false), (60, true), (90, false)] {
        let hidden = hidden(survive, jpeg, None);
        let untouched = reveal(&hidden.container, None)
            .expect("untouched")
            .expect("something");
        assert_eq!(
            (untouched.picture.width(), untouched.picture.height()),
            (90, 120)
        );
        for quality in [survive, (survive + 7).min(95), 95] {
            for sampling in [Sampling::Half, Sampling::Full] {
                let sent = recompressed(&hidden.container, quality, sampling);
                let revealed = reveal(&sent, None)
                    .expect("it survives")
                    .expect("something");
                assert!(revealed.picture == untouched.picture, "{survive} {quality}");
            }
        }
    }
}

/// A secret that restoring helps, and one of noise, which it does not.
#[test]
fn the_decibels_told_are_those_of_what_comes_back() {
    let noise = |x: usize, y: usize| [(x * x * 31 + y * y * 17 + x * y * 7) as u8; 3];
    let noise = Pixels::from_fn(60, 40, noise).expect("within the limits");
    for secret in [picture(90, 120, 5), noise] {
        let request = Request {
            cover: &picture(200, 150, 1),
            secret: &secret,
            survive: 75,
            jpeg: false,
            crop: 0,
            options: &options(None),
        };
        let hidden = hide_at_cost(&request, Cost::TEST, &mut Progress::ignore).expect("room");
        let HiddenDetails::Robust { psnr_db, .. } = hidden.details else {
            panic!("hidden by the robust method");
        };
        let revealed = reveal(&hidden.container, None).expect("untouched");
        let revealed = revealed.expect("something is hidden").picture;
        let error = reduction::mse(secret.raster(), revealed.raster());
        let told = psnr_db.expect("it does not fit without loss");
        assert!(
            (decibels_of_mse(error) - told).abs() < 1e-3,
            "{error}, {told}"
        );
    }
}

#[test]
fn the_same_command_gives_the_same_bytes() {
    assert!(hidden(75, false, Some("a")).container == hidden(75, false, Some("a")).container);
    assert!(hidden(75, false, Some("a")).container != hidden(75, false, Some("b")).container);
}

#[test]
fn passwords_open_and_others_are_refused() {
    let sent = recompressed(
        &hidden(75, false, Some("right")).container,
        80,
        Sampling::Half,
    );
    let revealed = reveal(&sent, Some("right"))
        .expect("it opens")
        .expect("something");
    assert!(matches!(
        revealed.found,
        Inspection::Robust {
            password: true,
            survives: 75,
            ..
        }
    ));
    let wrong = reveal(&sent, Some("wrong")).unwrap_err();
    assert_eq!(wrong, Error::OtherPassword);
    assert_eq!(wrong.kind(), ErrorKind::WrongPassword);
    assert_eq!(reveal(&sent, None).unwrap_err(), Error::PasswordNeeded);
}

#[test]
fn plain_pictures_hold_nothing() {
    for seed in 1..6 {
        let plain = picture(130 + seed, 100, seed);
        assert_eq!(reveal(&plain, None), Ok(None));
        assert_eq!(
            reveal(&recompressed(&plain, 75, Sampling::Half), None),
            Ok(None)
        );
    }
    let flat = Pixels::from_fn(200, 200, |_, _| [128; 3]).expect("within the limits");
    assert_eq!(reveal(&flat, None), Ok(None));
}

#[test]
fn too_much_damage_is_told_from_nothing() {
    let sent = recompressed(&hidden(75, false, None).container, 68, Sampling::Half);
    let error = reveal(&sent, None).unwrap_err();
    assert_eq!(
        error,
        Error::Worn {
            survives: 75,
            quality: Some(68),
            cropped: false,
        }
    );
    assert_eq!(error.kind(), ErrorKind::Damaged);
}

/// A container without a password, as anybody can write one.
fn forged(cover: &Pixels, fields: Fields, message: &Message) -> Pixels {
    let sites = Sites::new(cover.width(), cover.height()).expect("there is room");
    let ranks = sites.ranks(&fields.grid.places());
    let coding = Coding::new(&ranks, fields.parity, true).expect("there is room");
    let salt = [3; 8];
    let keys = Keys::derive(None, &salt, Cost::TEST);
    let mut bytes = message.to_bytes();
    bytes.resize(coding.n_bytes() - TAG_BYTES, 0);
    let mask = keys.mask(coding.n_digits());
    let sealed = keys.payload.seal(0, &bytes);
    let digits = Digits {
        header: &Header::new(salt, fields, &keys).to_digits(),
        payload: &coding.encode(&sealed, &mask, &costs(cover, &sites, fields.grid)),
    };
    embed(
        cover,
        &sites,
        fields.grid,
        &digits,
        Demands::of(fields.grid),
    )
}

fn honest_fields(cover: &Pixels) -> Fields {
    Fields {
        grid: Grid {
            survive: 75,
            quarters: 80,
        },
        parity: 40,
        shaped: true,
        wide: cover.width() / 8,
        high: cover.height() / 8,
    }
}

/// Memory and time must not follow the size in a header.
#[test]
fn a_forged_size_is_not_believed() {
    let cover = picture(200, 150, 1);
    let message = Message {
        own: (9, 9),
        finish: Finish::Plain,
        segments: Vec::new(),
    };
    let fields = Fields {
        grid: Grid {
            survive: 75,
            quarters: u8::MAX,
        },
        parity: 1,
        wide: 4096,
        high: 4096,
        ..honest_fields(&cover)
    };
    let container = forged(&cover, fields, &message);
    let error = reveal(&container, None).unwrap_err();
    assert!(
        matches!(error, Error::Worn { cropped: true, .. }),
        "{error}"
    );
}

/// Nor may a large picture be decoded for a secret of one pixel.
#[test]
fn what_is_coded_is_not_larger_than_the_secret() {
    let cover = picture(200, 150, 1);
    let pixels = picture(60, 40, 2);
    let coded = Encoder::new(&coding_picture(&pixels), Effort::Fast).encode_to_bytes(900);
    for (own, back) in [((60, 40), true), ((70, 50), true), ((1, 1), false)] {
        let message = Message {
            own,
            finish: Finish::Plain,
            segments: coded.as_ref().expect("it fits").segments.clone(),
        };
        let container = forged(&cover, honest_fields(&cover), &message);
        match reveal(&container, None) {
            Ok(Some(revealed)) => {
                assert!(back);
                assert_eq!((revealed.picture.width(), revealed.picture.height()), own);
            }
            other => {
                let error = other.expect_err("it opens");
                assert!(!back && error.kind() == ErrorKind::Limit, "{error}");
            }
        }
    }
}

/// A screenshot, or a picture in a larger one.
#[test]
fn a_frame_around_a_container_does_no_harm() {
    let container = hidden(75, false, None).container;
    let (width, height) = (container.width(), container.height());
    for (left, top, right, bottom) in [(30, 30, 30, 30), (0, 8, 0, 0), (97, 3, 0, 61)] {
        let shot = Pixels::from_fn(left + width + right, top + height + bottom, |x, y| {
            let inside = (left..left + width).contains(&x) && (top..top + height).contains(&y);
            match inside {
                true => container.pixel(x - left, y - top),
                false => [20, 20, 22],
            }
        });
        let revealed = reveal(&shot.expect("within the limits"), None);
        let revealed = revealed.expect("nothing is missing").expect("it is found");
        assert_eq!(
            revealed.picture.width(),
            90,
            "{left} {top} {right} {bottom}"
        );
    }
}

/// Turned without loss, and with a tag that says how it is to be turned back.
#[test]
fn a_jpeg_that_a_tag_turns_upright_is_revealed() {
    let container = hidden(75, false, None).container;
    let stored = container.raster().oriented(Orientation::Rotate270);
    let tables = quality::tables(95);
    let jpeg = Jpeg::from_rgb(
        &stored.samples,
        stored.width,
        stored.height,
        Sampling::Full,
        &tables,
    );
    let stored = Raster {
        samples: jpeg.to_rgb(),
        ..stored
    };
    let turned = Pixels::turned(&stored, Orientation::Rotate90).with_jpeg(Arc::new(jpeg));
    assert_eq!(turned.width(), container.width());
    let options = RevealOptions::default();
    let revealed = crate::reveal(&turned, &options, &mut Progress::ignore).expect("upright");
    assert_eq!(revealed.picture.width(), 90);
}

/// Of finer tables, some steps are as fine as the grid's, and rounding is all that is left.
#[test]
fn finer_tables_than_any_asked_for_are_survived() {
    for survive in [90, 93, 95] {
        for jpeg in [false, true] {
            let container = hidden(survive, jpeg, None).container;
            for quality in [survive, 96, 97, 98, 99, 100] {
                let sent = recompressed(&container, quality, Sampling::Half);
                let revealed = reveal(&sent, None).expect("it survives");
                assert!(revealed.is_some(), "{survive} {jpeg} {quality}");
            }
        }
    }
}

/// Larger than what is looked at for the share of parity, and white in one place only.
#[test]
fn a_large_cover_keeps_its_secret() {
    let cover = picture(1000, 800, 1);
    let container = hide_in(&cover, &picture(200, 140, 5), 75)
        .expect("there is room")
        .container;
    for quality in [75, 80, 90] {
        let sent = recompressed(&container, quality, Sampling::Half);
        let revealed = reveal(&sent, None).expect("it survives");
        assert!(revealed.is_some(), "{quality}");
    }
}

#[test]
fn a_jpeg_container_keeps_its_coefficients_in_a_file() {
    let hidden = hidden(75, true, None);
    let container = Picture::from(hidden.container);
    let file = container
        .encode(FileFormat::Jpeg)
        .expect("it came as a JPEG");
    let read = Picture::decode(&file, &Limits::default())
        .expect("a JPEG")
        .pixels;
    assert!(read == container.pixels);
    assert!(reveal(&read, None).expect("untouched").is_some());
}

#[test]
fn a_cropped_container_comes_back_where_that_was_asked_for() {
    for (crop, back) in [(0, false), (20, true)] {
        let request = Request {
            cover: &picture(330, 280, 1),
            secret: &picture(50, 40, 5),
            survive: 75,
            jpeg: false,
            crop,
            options: &options(None),
        };
        let hidden =
            hide_at_cost(&request, Cost::TEST, &mut Progress::ignore).expect("there is room");
        let raster = hidden.container.raster();
        // The last is a fifth less one percent, and cuts through blocks at all sides.
        for (left, top, right, bottom) in [
            (35, 0, 0, 0),
            (0, 16, 0, 0),
            (3, 5, 2, 9),
            (0, 0, 41, 0),
            (17, 13, 18, 13),
        ] {
            let (width, height) = (330 - left - right, 280 - top - bottom);
            let part = raster.rearranged(width, height, |x, y| (x + left, y + top));
            // One that was not made for it is told for sure only without JPEG.
            let part = Pixels::from_raster(part);
            let sent = match back {
                true => recompressed(&part, 80, Sampling::Half),
                false => part,
            };
            match reveal(&sent, None) {
                Ok(Some(revealed)) => assert_eq!(revealed.picture.width(), 50),
                other => {
                    let error = other.expect_err(&format!("{crop} {left} {top} {right} {bottom}"));
                    assert!(
                        matches!(error, Error::Worn { cropped: true, .. }),
                        "{error}"
                    );
                    assert!(!back, "{left} {top} {right} {bottom}");
                }
            }
        }
    }
}

/// Black strokes on white, as text has them.
fn hard_edges(width: usize, height: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        let stroke = (((x * 7 + y / 16 * 13) / 3) ^ (x / 5 + y / 2)) % 5 < 2;
        [if y % 16 < 11 && stroke { 0 } else { 255 }; 3]
    })
    .expect("within the limits")
}

/// A few black strokes on white.
fn white_ground(width: usize, height: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [if x % 40 < 3 && y % 30 < 20 { 0 } else { 255 }; 3]
    })
    .expect("within the limits")
}

fn hide_in(cover: &Pixels, secret: &Pixels, survive: u8) -> Result<Hidden, Error> {
    let request = Request {
        cover,
        secret,
        survive,
        jpeg: false,
        crop: 0,
        options: &options(None),
    };
    hide_at_cost(&request, Cost::TEST, &mut Progress::ignore)
}

fn hidden_in(cover: &Pixels, survive: u8) -> Pixels {
    let hidden = hide_in(cover, &picture(40, 30, 5), survive);
    hidden.expect("there is room").container
}

#[test]
fn covers_of_hard_edges_hold_a_secret() {
    for cover in [hard_edges(200, 150), white_ground(200, 150)] {
        for survive in [60, 75, 85] {
            let container = hidden_in(&cover, survive);
            let once = recompressed(&container, survive, Sampling::Half);
            let first = recompressed(&container, 90, Sampling::Half);
            let twice = recompressed(&first, survive, Sampling::Half);
            for sent in [once, twice] {
                assert!(matches!(reveal(&sent, None), Ok(Some(_))), "{survive}");
            }
        }
    }
}

/// By an editor, and then by a messenger.
#[test]
fn a_second_save_is_survived() {
    // With burnt-out lights and blocked shadows, which a JPEG's pixels are clipped at.
    let cover = picture(256, 192, 1);
    let stretched = |sample: u8| {
        let far = (i32::from(sample) - 128) * 5 / 4 + 128;
        far.clamp(0, 255) as u8
    };
    let samples = cover.data().iter().copied().map(stretched).collect();
    let cover = Pixels::rgb8(samples, 256, 192).expect("within the limits");
    let hidden = hide_in(&cover, &picture(90, 120, 5), 75).expect("there is room");
    assert!(matches!(
        hidden.details,
        HiddenDetails::Robust { twice: true, .. }
    ));
    for (first, then) in [(75, 75), (80, 75), (85, 75), (75, 80), (75, 85), (80, 80)] {
        let sent = recompressed(&hidden.container, first, Sampling::Half);
        let sent = recompressed(&sent, then, Sampling::Half);
        assert!(
            matches!(reveal(&sent, None), Ok(Some(_))),
            "{first}, then {then}"
        );
    }
}

/// Where moving all of a block away from white would cost more than parity for what is cut off.
#[test]
fn white_stays_nearly_white_on_fine_grids() {
    let cover = white_ground(200, 150);
    let request = Request {
        cover: &cover,
        secret: &picture(40, 30, 5),
        survive: 90,
        jpeg: false,
        crop: 0,
        options: &CodedOptions {
            rate: CodedRate::ContainerDb(42.3),
            ..options(None)
        },
    };
    let hidden = hide_at_cost(&request, Cost::TEST, &mut Progress::ignore);
    let container = hidden.expect("there is room").container;
    let db = decibels_of_mse(reduction::mse(cover.raster(), container.raster()));
    assert!(db > 37.0, "{db} dB");
}

#[test]
fn what_is_said_of_a_worn_container_is_not_contradicted() {
    let worn = |quality, cropped| {
        let survives = 75;
        Error::Worn {
            survives,
            quality,
            cropped,
        }
        .to_string()
    };
    assert!(worn(Some(60), false).ends_with("and came as one of about 60"));
    assert!(worn(Some(90), false).contains("it may have been recompressed before"));
    assert!(worn(None, true).ends_with("cropped by more than it was made for"));
    let both = worn(Some(70), true);
    assert!(
        both.ends_with("cropped and came as one of about 70"),
        "{both}"
    );
    assert!(worn(Some(76), true).contains("saved at less than what it survives with a part"));
}

#[test]
fn covers_without_room_are_refused() {
    let request = |cover: &Pixels, survive| {
        let request = Request {
            cover,
            secret: &picture(90, 120, 5),
            survive,
            jpeg: false,
            crop: 0,
            options: &options(None),
        };
        hide_at_cost(&request, Cost::TEST, &mut Progress::ignore)
    };
    let small = request(&picture(63, 300, 1), 75).unwrap_err();
    assert_eq!(small.kind(), ErrorKind::TooSmall);
    for survive in [0, 49, 96] {
        let error = request(&picture(100, 100, 1), survive).unwrap_err();
        assert_eq!(error, Error::Survive { found: survive });
    }
}

#[test]
fn a_container_nearer_than_any_is_refused() {
    let within = |db| {
        let request = Request {
            cover: &picture(256, 192, 1),
            secret: &picture(90, 120, 5),
            survive: 75,
            jpeg: false,
            crop: 0,
            options: &CodedOptions {
                rate: CodedRate::ContainerDb(db),
                ..options(None)
            },
        };
        hide_at_cost(&request, Cost::TEST, &mut Progress::ignore).map(drop)
    };
    assert_eq!(within(46.0), Ok(()));
    // What this cover's white corner and its colours take is known when it was tried.
    let tried = within(50.0).unwrap_err();
    let Error::ContainerDb { most_db, .. } = tried else {
        panic!("{tried}");
    };
    assert!((46.0..50.0).contains(&most_db), "{most_db}");
    // A shaped digit a block in the coefficient whose step is 5, and in every second block one where
    // it is 6: 0.43 (25 + 36 / 2) / 64 squared grey levels.
    let most_db = 10.0 * (65025.0_f64 * 64.0 / (0.43 * 43.0)).log10();
    let Err(Error::ContainerDb {
        asked_db,
        most_db: found,
        survive,
    }) = within(60.0)
    else {
        panic!("60 dB were not refused");
    };
    assert_eq!((asked_db, survive), (60.0, 75));
    assert!((found - most_db).abs() < 1e-9, "{found} {most_db}");
}

#[test]
fn the_quality_asked_for_is_given() {
    let (cover, secret) = (picture(256, 192, 1), picture(120, 120, 5));
    for jpeg in [false, true] {
        let both_db = |rate| {
            let request = Request {
                cover: &cover,
                secret: &secret,
                survive: 75,
                jpeg,
                crop: 0,
                options: &CodedOptions {
                    rate,
                    ..options(None)
                },
            };
            let hidden = hide_at_cost(&request, Cost::TEST, &mut Progress::ignore);
            let container = hidden.expect("there is room").container;
            let revealed = reveal(&container, None)
                .expect("untouched")
                .expect("it is found");
            [(&cover, &container), (&secret, &revealed.picture)]
                .map(|(a, b)| decibels_of_mse(reduction::mse(a.raster(), b.raster())))
        };
        let near = |found: f64, asked: f64| {
            assert!((found - asked).abs() < 0.4, "{jpeg}: {found} for {asked}");
        };
        for asked in [33.0, 38.0] {
            near(both_db(CodedRate::ContainerDb(asked))[0], asked);
        }
        for asked in [24.0, 28.0] {
            near(both_db(CodedRate::RevealedDb(asked))[1], asked);
        }
        let [container, revealed] = both_db(CodedRate::Equal);
        near(revealed, container);
    }
}

#[test]
fn a_cover_that_keeps_nothing_is_named() {
    let mut random = 1_u32;
    let cover = Pixels::from_fn(200, 160, |_, _| {
        [(); 3].map(|()| {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if random >> 31 == 0 { 0 } else { 255 }
        })
    })
    .expect("within the limits");
    let hide = |crop| {
        let request = Request {
            cover: &cover,
            secret: &picture(90, 120, 5),
            survive: 75,
            jpeg: false,
            crop,
            options: &options(None),
        };
        hide_at_cost(&request, Cost::TEST, &mut Progress::ignore)
    };
    // Saved once it keeps a little.
    let hidden = hide(0).expect("there is room");
    assert!(matches!(
        hidden.details,
        HiddenDetails::Robust { twice: false, .. }
    ));
    let sent = recompressed(&hidden.container, 75, Sampling::Half);
    assert!(reveal(&sent, None).expect("it survives").is_some());
    let error = hide(30).map(drop);
    let expected = Error::NotKept {
        width: 200,
        height: 160,
        survive: 75,
        crop: 30,
    };
    assert_eq!(expected.kind(), ErrorKind::TooSmall);
    assert_eq!(error, Err(expected));
}
