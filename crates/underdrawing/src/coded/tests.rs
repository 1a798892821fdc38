//! Hiding and revealing through the whole method, with a cheap password hash.

mod hostile;

use std::ops::ControlFlow;

use super::channel::Channel;
use super::hide::{embed, hide_at_cost};
use super::keys::Keys;
use super::mix::Mix;
use super::preamble;
use super::reveal::{open, reveal_at_cost};
use super::*;
use crate::coding::decibels_of_mse;
use crate::error::{Error, ErrorKind};
use crate::metric::Comparison;
use crate::picture::{Limits, Picture, Pixels};
use crate::progress::{OnProgress, Progress, Steps};
use crate::reduction::{self, Finish};
use crate::report::{Hidden, HiddenDetails, Inspection, Revealed};
use crate::secrecy::{Cost, Password};

/// Smooth colours with a little texture, in the middle of the range.
fn picture(width: usize, height: usize, seed: usize) -> Pixels {
    Pixels::from_fn(width, height, |x, y| {
        [3, 5, 7].map(|k| {
            let wave = ((x * k + y * (9 - k) + 31 * seed) as f64 / 40.0).sin();
            let grain = (x * 7919 + y * 104_729 + k * seed).wrapping_mul(2_654_435_761) >> 7 & 15;
            (120.0 + 80.0 * wave) as u8 + grain as u8
        })
    })
    .unwrap()
}

/// No two neighbours alike: nothing can be predicted.
fn noise(width: usize, height: usize) -> Pixels {
    let mut state = 1_u64;
    Pixels::from_fn(width, height, |_, _| {
        [0; 3].map(|_: u8| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
    })
    .unwrap()
}

fn options(password: Option<&str>) -> CodedOptions {
    CodedOptions {
        password: password.map(Password::new),
        effort: Some(Effort::Fast),
        rate: CodedRate::Ternary,
    }
}

fn hide(cover: &Pixels, secret: &Pixels, options: &CodedOptions) -> Hidden {
    hide_at_cost(cover, secret, options, Cost::TEST, &mut Progress::ignore).unwrap()
}

fn reveal(container: &Pixels, password: Option<&str>) -> Result<Revealed, Error> {
    let password = password.map(Password::new);
    let request = Request {
        password: password.as_ref(),
        ..Request::default()
    };
    reveal_at_cost(container, &request, Cost::TEST, &mut Progress::ignore)
}

fn salvage(container: &Pixels) -> Result<Revealed, Error> {
    let request = Request {
        salvage: true,
        ..Request::default()
    };
    reveal_at_cost(container, &request, Cost::TEST, &mut Progress::ignore)
}

/// Size, bytes and quality of what was coded.
fn coded(hidden: &Hidden) -> ((usize, usize), usize, Option<f64>) {
    match hidden.details {
        HiddenDetails::Coded {
            width,
            height,
            bytes,
            psnr_db,
            ..
        } => ((width, height), bytes, psnr_db),
        ref other => panic!("{other:?}"),
    }
}

fn db(a: &Pixels, b: &Pixels) -> f64 {
    Comparison::of(a, b).unwrap().psnr_db.unwrap_or(100.0)
}

#[test]
fn hides_and_reveals_at_every_effort() {
    let (cover, secret) = (picture(120, 90, 1), picture(97, 101, 2));
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        let options = CodedOptions {
            effort: Some(effort),
            ..options(Some("word"))
        };
        let hidden = hide(&cover, &secret, &options);
        assert!(db(&cover, &hidden.container) > 49.5);
        let revealed = reveal(&hidden.container, Some("word")).unwrap();
        assert!(revealed.blurred_rows.is_empty());
        let measured = db(&secret, &revealed.picture);
        let stated = coded(&hidden).2.unwrap();
        assert!((measured - stated).abs() < 1e-6, "{measured} {stated}");
        assert!(stated > 40.0);
    }
}

#[test]
fn opens_for_its_key_only() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 40, 2));
    let password = hide(&cover, &secret, &options(Some("word"))).container;
    let public = hide(&cover, &secret, &options(None)).container;
    let open = |container: &Pixels, password: Option<&str>| {
        let password = password.map(Password::new);
        open(container.data(), password.as_ref(), Cost::TEST).map(drop)
    };
    for (container, key, expected) in [
        (&password, None, Err(Error::NothingFound)),
        (&password, Some("Word"), Err(Error::WrongPassword)),
        (&password, Some("word "), Err(Error::WrongPassword)),
        (&public, Some("word"), Err(Error::WrongPassword)),
        (&cover, None, Err(Error::NothingFound)),
        (&cover, Some("word"), Err(Error::WrongPassword)),
        (&password, Some("word"), Ok(())),
        (&public, None, Ok(())),
    ] {
        assert_eq!(open(container, key), expected, "{key:?}");
    }
}

#[test]
fn a_password_is_tried_after_none() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 40, 2));
    let with = hide(&cover, &secret, &options(Some("word"))).container;
    let without = hide(&cover, &secret, &options(None)).container;
    for (container, key, needed) in [
        (&with, Some("word"), true),
        (&without, Some("word"), false),
        (&without, None, false),
    ] {
        let revealed = reveal(container, key).unwrap();
        let Inspection::Coded {
            secret_width,
            password,
            parts,
            intact,
            ..
        } = revealed.found
        else {
            panic!("{:?}", revealed.found);
        };
        assert_eq!((secret_width, password, intact), (40, needed, parts));
    }
    assert_eq!(reveal(&with, Some("Word")), Err(Error::WrongPassword));
    assert_eq!(reveal(&with, None), Err(Error::NothingFound));
    assert_eq!(reveal(&cover, Some("word")), Err(Error::WrongPassword));
}

#[test]
fn it_does_not_matter_how_a_keyboard_composes_letters() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 40, 2));
    let (composed, apart) = ("Stra\u{df}e \u{e4}", "Stra\u{df}e a\u{308}");
    for (hidden, revealed) in [(composed, apart), (apart, composed), (apart, apart)] {
        let container = hide(&cover, &secret, &options(Some(hidden))).container;
        assert!(
            reveal(&container, Some(revealed)).is_ok(),
            "{hidden} {revealed}"
        );
    }
    // A container of an older version, which took the bytes as they came.
    let mut parts = Vec::new();
    let mut ignore = Progress::ignore;
    let mut steps = Steps::new(&mut ignore, 2);
    let held = rate::fit(&cover, &secret, &options(None), &mut steps).unwrap();
    let directory = layout::Directory {
        own: (40, 40),
        finish: held.fitted.finish,
        segments: held
            .fitted
            .coded
            .segments
            .iter()
            .map(|s| s.len() as u32)
            .collect(),
    };
    parts.push(directory.to_bytes());
    parts.extend(held.fitted.coded.segments);
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    let older = Password::new(apart).forms().last();
    let mut ignore = Progress::ignore;
    let mut steps = Steps::new(&mut ignore, 2);
    let container = embed(
        &cover,
        &parts,
        held.mix,
        older.as_ref(),
        Cost::TEST,
        &mut steps,
    );
    let container = container.unwrap();
    assert!(reveal(&container, Some(apart)).is_ok());
    assert_eq!(
        reveal(&container, Some(composed)),
        Err(Error::WrongPassword)
    );
}

#[test]
fn the_caller_can_stop_at_every_step() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 40, 2));
    let options = CodedOptions {
        rate: CodedRate::Equal,
        ..options(Some("word"))
    };
    let hide = |on_progress: &mut OnProgress<'_>| {
        hide_at_cost(&cover, &secret, &options, Cost::TEST, on_progress)
    };
    let container = hide(&mut Progress::ignore).unwrap().container;
    let request = Request {
        password: options.password.as_ref(),
        ..Request::default()
    };
    let reveal = |on_progress: &mut OnProgress<'_>| {
        reveal_at_cost(&container, &request, Cost::TEST, on_progress)
    };
    let all = |work: &dyn Fn(&mut OnProgress<'_>) -> Option<Error>| {
        let mut seen = Vec::new();
        let error = work(&mut |Progress { done, total }| {
            seen.push((done, total));
            ControlFlow::Continue(())
        });
        assert_eq!(error, None);
        for stop in 1..=seen.len() {
            let mut calls = 0;
            let error = work(&mut |_| {
                calls += 1;
                match calls == stop {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            });
            assert_eq!((error, calls), (Some(Error::Cancelled), stop));
        }
        seen.dedup();
        seen
    };
    let hiding = all(&|on_progress| hide(on_progress).err());
    assert_eq!(hiding, [(0, 3), (1, 3), (2, 3), (3, 3)]);
    let revealing = all(&|on_progress| reveal(on_progress).err());
    assert_eq!(revealing, [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn the_same_call_gives_the_same_container_with_any_number_of_threads() {
    let (cover, secret) = (picture(300, 200, 1), picture(400, 300, 2));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| hide(&cover, &secret, &options(None)).container)
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}

#[test]
fn containers_of_different_secrets_have_nothing_in_common() {
    let cover = picture(60, 60, 1);
    let key = options(Some("word"));
    let first = hide(&cover, &picture(40, 40, 2), &key).container;
    let second = hide(&cover, &picture(40, 40, 3), &key).container;
    let salt = |container: &Pixels| preamble::read_salt(container.data());
    assert_ne!(salt(&first), salt(&second));
    let equal = first.data().iter().zip(second.data());
    let equal = equal.filter(|(a, b)| a == b).count();
    let third = first.data().len() as f64 / 3.0;
    assert!((equal as f64 / third - 1.0).abs() < 0.1, "{equal}");
}

#[test]
fn a_secret_that_fits_is_kept_exactly_and_leaves_the_cover_alone() {
    let cover = picture(200, 200, 1);
    let flat = Pixels::from_fn(80, 60, |x, _| [if x < 30 { 9 } else { 200 }; 3]).unwrap();
    let hidden = hide(&cover, &flat, &options(None));
    assert_eq!(coded(&hidden).2, None);
    let revealed = reveal(&hidden.container, None).unwrap();
    assert_eq!(revealed.picture, flat);
    let changed = cover.data().iter().zip(hidden.container.data());
    let changed = changed.filter(|(a, b)| a != b).count();
    assert!(changed < cover.data().len() / 20, "{changed} samples");
}

#[test]
fn qualities_asked_for_are_kept() {
    let (cover, secret) = (picture(200, 160, 1), noise(120, 90));
    let at = |rate| {
        let options = CodedOptions {
            rate,
            ..options(None)
        };
        let hidden = hide(&cover, &secret, &options);
        let revealed = reveal(&hidden.container, None).unwrap().picture;
        (db(&cover, &hidden.container), db(&secret, &revealed))
    };
    let (container, _) = at(CodedRate::ContainerDb(45.0));
    assert!((container - 45.0).abs() < 0.2, "{container}");
    let (_, revealed) = at(CodedRate::RevealedDb(35.0));
    assert!((35.0..35.3).contains(&revealed), "{revealed}");
    let (container, revealed) = at(CodedRate::Equal);
    assert!((container - revealed).abs() < 0.4, "{container} {revealed}");
}

#[test]
fn capacity_foretells_both_qualities() {
    let (cover, secret) = (picture(200, 160, 1), noise(120, 90));
    for (rate, within_db) in [
        (CodedRate::Ternary, 3.0),
        (CodedRate::ContainerDb(45.0), 3.0),
        (CodedRate::RevealedDb(35.0), 3.0),
        (CodedRate::Equal, 3.0),
    ] {
        let options = CodedOptions {
            rate,
            ..options(None)
        };
        let expected = capacity(&cover, Some(&secret), &options).unwrap();
        let hidden = hide(&cover, &secret, &options);
        let (_, bytes, revealed) = coded(&hidden);
        // What the estimate is good for, on the hardest of secrets.
        let apart = |a: f64, b: f64| (a - b).abs();
        let container = apart(expected.container_psnr_db, db(&cover, &hidden.container));
        let revealed = apart(expected.revealed_psnr_db.unwrap(), revealed.unwrap());
        let exact = matches!(rate, CodedRate::Ternary | CodedRate::ContainerDb(_));
        let container_within = if exact { 0.1 } else { within_db };
        assert!(
            container < container_within,
            "{rate:?}: container {container}"
        );
        assert!(revealed < within_db, "{rate:?}: revealed {revealed}");
        if exact {
            assert!(bytes <= expected.bytes);
        }
    }
}

#[test]
fn capacity_honours_the_options() {
    let (cover, secret) = (picture(200, 160, 1), picture(300, 200, 2));
    let of = |secret, effort, rate| {
        let options = CodedOptions {
            password: None,
            effort: Some(effort),
            rate,
        };
        capacity(&cover, secret, &options)
    };
    let fast = of(Some(&secret), Effort::Fast, CodedRate::Ternary).unwrap();
    let best = of(Some(&secret), Effort::Best, CodedRate::Ternary).unwrap();
    assert!(best.revealed_psnr_db > fast.revealed_psnr_db);
    assert_eq!(best.bytes, fast.bytes);
    let bytes = |rate| of(None, Effort::Fast, rate).unwrap().bytes;
    assert!(bytes(CodedRate::ContainerDb(40.0)) > bytes(CodedRate::ContainerDb(45.0)));
    assert!(bytes(CodedRate::RevealedDb(40.0)) > bytes(CodedRate::Ternary));
    assert_eq!(bytes(CodedRate::Equal), bytes(CodedRate::Ternary));
    let refused = of(None, Effort::Fast, CodedRate::ContainerDb(f64::NAN));
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
}

#[test]
fn a_secret_too_large_for_its_cover_is_reduced_and_measured_as_it_comes_back() {
    let cover = picture(64, 64, 1);
    for (secret, cover) in [
        (picture(500, 400, 2), &cover),
        (noise(500, 400), &cover),
        (picture(500, 400, 2), &picture(16, 16, 1)),
    ] {
        for effort in [Effort::Fast, Effort::Best] {
            let options = CodedOptions {
                effort: Some(effort),
                ..options(None)
            };
            let hidden = hide(cover, &secret, &options);
            let ((width, height), _, stated) = coded(&hidden);
            assert!((2..500).contains(&width) && height < 400);
            let revealed = reveal(&hidden.container, None).unwrap().picture;
            assert_eq!((revealed.width(), revealed.height()), (500, 400));
            let (stated, measured) = (stated.unwrap(), db(&secret, &revealed));
            assert!((stated - measured).abs() < 1e-6, "{stated} {measured}");
            let expected = capacity(cover, Some(&secret), &options).unwrap();
            let db = expected.revealed_psnr_db.unwrap();
            assert!((db - measured).abs() < 3.0, "{db} {measured}");
            assert!(expected.bytes > 0);
        }
    }
}

/// A photograph, part of the program's demonstration, as 240x239.
fn photograph() -> Pixels {
    let file = include_bytes!("../../../underdrawing-cli/demo/secret.png");
    let photograph = Picture::decode(file, &Limits::default()).unwrap();
    Pixels::from_raster(photograph.pixels.raster().resized(240, 239))
}

#[test]
fn a_secret_of_few_bits_is_restored_and_one_of_many_is_not() {
    let secret = photograph();
    let options = options(None);
    for (side, finish) in [(60, Finish::Restored), (239, Finish::Plain)] {
        let cover = picture(side, side, 1);
        let mut ignore = Progress::ignore;
        let mut steps = Steps::new(&mut ignore, 2);
        let fitted = rate::fit(&cover, &secret, &options, &mut steps)
            .unwrap()
            .fitted;
        assert_eq!(fitted.finish, finish, "{side}");
        let decoded = reduction::decoded(&fitted.coded).unwrap();
        let plain = Finish::Plain.revealed(decoded, (240, 239));
        let revealed = reveal(&hide(&cover, &secret, &options).container, None).unwrap();
        let gain = db(&secret, &revealed.picture) - db(&secret, &Pixels::from_raster(plain));
        let least = if finish == Finish::Restored { 0.2 } else { 0.0 };
        assert!((least..2.0).contains(&gain), "{side}: {gain}");
    }
}

#[test]
fn qualities_asked_for_count_what_is_restored() {
    let secret = photograph();
    let cover = picture(64, 64, 1);
    let held = |rate| {
        let options = CodedOptions {
            rate,
            ..options(None)
        };
        let mut ignore = Progress::ignore;
        let mut steps = Steps::new(&mut ignore, 2);
        let held = rate::fit(&cover, &secret, &options, &mut steps).unwrap();
        assert_eq!(held.fitted.finish, Finish::Restored, "{rate:?}");
        let revealed = reveal(&hide(&cover, &secret, &options).container, None).unwrap();
        (held.fitted.coded, db(&secret, &revealed.picture))
    };
    let (coded, revealed) = held(CodedRate::RevealedDb(30.0));
    assert!((30.0..30.1).contains(&revealed), "{revealed}");
    // It is coded more coarsely than what it comes back as.
    assert!(decibels_of_mse(coded.mse) < 29.8);
    let (_, revealed) = held(CodedRate::Equal);
    let container = hide(
        &cover,
        &secret,
        &CodedOptions {
            rate: CodedRate::Equal,
            ..options(None)
        },
    );
    let apart = db(&cover, &container.container) - revealed;
    assert!(apart.abs() < 0.3, "{apart}");
}

#[test]
fn small_covers_keep_the_quality_asked_for_with_their_header() {
    let (cover, secret) = (picture(48, 48, 1), picture(30, 30, 2));
    for asked in [56.0, 58.0] {
        let options = CodedOptions {
            rate: CodedRate::ContainerDb(asked),
            ..options(None)
        };
        let container = db(&cover, &hide(&cover, &secret, &options).container);
        assert!((container - asked).abs() < 0.2, "{asked}: {container}");
    }
}

#[test]
fn a_cover_without_room_promises_nothing() {
    let secret = picture(50, 40, 2);
    let expected = capacity(&picture(5, 5, 1), Some(&secret), &options(None)).unwrap();
    assert_eq!((expected.bytes, expected.revealed_psnr_db), (0, None));
}

#[test]
fn a_secret_with_bits_enough_stays_in_its_own_size() {
    // Far below 32 dB, as noise is, and with a third of a bit for each pixel.
    let (cover, thin) = (picture(60, 60, 1), noise(16, 3000));
    assert_eq!(coded(&hide(&cover, &thin, &options(None))).0, (16, 3000));
    // A large drawing that fits without loss.
    let drawing = Pixels::from_fn(600, 500, |x, y| match (x / 50, y / 50) {
        (3, 3) => [200, 30, 30],
        _ => [255; 3],
    });
    let hidden = hide(&cover, &drawing.unwrap(), &options(None));
    assert_eq!((coded(&hidden).0, coded(&hidden).2), ((600, 500), None));
}

#[test]
fn the_size_of_a_reduction_is_found_in_few_codings() {
    let mut codings = 0;
    hide_at_cost(
        &picture(16, 16, 1),
        &picture(800, 600, 2),
        &options(None),
        Cost::TEST,
        &mut |Progress { done, .. }| {
            codings += usize::from(done == 0);
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert!(codings <= 8, "{codings}");
}

#[test]
fn impossible_wishes_are_refused() {
    let secret = noise(64, 64);
    let error = |cover: &Pixels, rate| {
        let options = CodedOptions {
            rate,
            ..options(None)
        };
        hide_at_cost(cover, &secret, &options, Cost::TEST, &mut Progress::ignore)
            .unwrap_err()
            .to_string()
    };
    let (tiny, small) = (picture(5, 5, 1), picture(40, 40, 1));
    assert!(error(&tiny, CodedRate::Ternary).contains("a cover of 5x5 is too small"));
    assert!(error(&small, CodedRate::ContainerDb(120.0)).contains("less than 120 dB"));
    assert!(error(&small, CodedRate::RevealedDb(60.0)).contains("the cover holds"));
    assert!(error(&small, CodedRate::ContainerDb(f64::NAN)).contains("above 0"));
}

#[test]
fn residues_of_many_containers_are_uniform() {
    for (rate, radices) in [
        (CodedRate::Ternary, &[3][..]),
        (CodedRate::ContainerDb(44.0), &[5, 7]),
        (CodedRate::ContainerDb(39.0), &[9, 11]),
    ] {
        let mut counts = [[0_u32; 16]; 16];
        for i in 0..100 {
            let options = CodedOptions {
                rate,
                ..options(Some("word"))
            };
            let hidden = hide(&picture(64, 64, i), &noise(90, 64), &options);
            let samples = hidden.container.data();
            let salt = preamble::read_salt(samples).unwrap();
            let keys = Keys::derive(options.password.as_ref(), &salt, Cost::TEST);
            let mix = preamble::read_header(samples, &keys).unwrap().mix;
            let samples = &samples[preamble::SAMPLES..];
            let channel = Channel::new(samples.len(), mix, keys.payload_channel.clone());
            for (&sample, radix) in samples.iter().zip(channel.radices(samples.len())) {
                counts[usize::from(radix)][usize::from(sample % radix)] += 1;
            }
        }
        for &radix in radices {
            let counts = &counts[radix][..radix];
            let expected = f64::from(counts.iter().sum::<u32>()) / radix as f64;
            assert!(expected > 1000.0, "radix {radix} is not used");
            let chi_square: f64 = counts
                .iter()
                .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            // p = 0.001 by Wilson and Hilferty's approximation.
            let freedom = (radix - 1) as f64;
            let cube = 1.0 - 2.0 / (9.0 * freedom) + 3.09 * (2.0 / (9.0 * freedom)).sqrt();
            let bound = freedom * cube.powi(3);
            assert!(chi_square < bound, "radix {radix}: {chi_square} of {bound}");
        }
    }
}

#[test]
fn a_quality_out_of_reach_is_refused_but_not_what_takes_little_without_loss() {
    let at = |cover: &Pixels, secret: &Pixels| {
        let options = CodedOptions {
            rate: CodedRate::RevealedDb(60.0),
            effort: Some(Effort::Best),
            ..options(None)
        };
        hide_at_cost(cover, secret, &options, Cost::TEST, &mut Progress::ignore)
    };
    let refused = at(&picture(40, 40, 1), &noise(300, 200)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooSmall);
    // A drawing takes a tenth of what is expected of it, without loss.
    let drawing = Pixels::from_fn(300, 200, |x, y| [255 * ((x / 3 + y / 5) % 2) as u8; 3]).unwrap();
    assert!(at(&picture(24, 24, 1), &drawing).is_ok());
}
