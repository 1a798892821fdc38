//! Hiding and revealing through the whole method, with a cheap password hash.

use super::channel::Channel;
use super::hide::{CodedContainer, embed, hide_at_cost};
use super::key::{Cost, Keys};
use super::mix::Mix;
use super::preamble;
use super::reveal::reveal_at_cost;
use super::*;
use crate::metric::Comparison;
use crate::picture::Pixels;

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

fn options(key: CodedKey<'_>) -> CodedOptions<'_> {
    CodedOptions {
        key,
        effort: Effort::Fast,
        rate: CodedRate::Ternary,
    }
}

fn hide(cover: &Pixels, secret: &Pixels, options: &CodedOptions<'_>) -> CodedContainer {
    hide_at_cost(cover, secret, options, Cost::TEST).unwrap()
}

fn reveal(container: &Pixels, key: CodedKey<'_>) -> Result<CodedRevealed, CodedRevealError> {
    reveal_at_cost(container, key, Salvage::No, Cost::TEST)
}

fn db(a: &Pixels, b: &Pixels) -> f64 {
    Comparison::of(a, b).unwrap().psnr_db.unwrap_or(100.0)
}

#[test]
fn hides_and_reveals_at_every_effort() {
    let (cover, secret) = (picture(120, 90, 1), picture(97, 101, 2));
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        let options = CodedOptions {
            effort,
            ..options(CodedKey::Password(b"word"))
        };
        let hidden = hide(&cover, &secret, &options);
        assert!(db(&cover, &hidden.container) > 49.5);
        let revealed = reveal(&hidden.container, options.key).unwrap();
        assert!(revealed.blurred_rows.is_empty());
        let measured = db(&secret, &revealed.revealed);
        let stated = hidden.coded_psnr_db.unwrap();
        assert!((measured - stated).abs() < 1e-6, "{measured} {stated}");
        assert!(stated > 40.0);
    }
}

#[test]
fn opens_for_its_key_only() {
    let (cover, secret) = (picture(60, 60, 1), picture(40, 40, 2));
    let password = hide(&cover, &secret, &options(CodedKey::Password(b"word"))).container;
    let public = hide(&cover, &secret, &options(CodedKey::Public)).container;
    for (container, key) in [
        (&password, CodedKey::Public),
        (&password, CodedKey::Password(b"Word")),
        (&password, CodedKey::Password(b"word ")),
        (&public, CodedKey::Password(b"word")),
        (&cover, CodedKey::Public),
        (&cover, CodedKey::Password(b"word")),
    ] {
        assert_eq!(reveal(container, key), Err(CodedRevealError::Closed));
    }
    assert!(reveal(&password, CodedKey::Password(b"word")).is_ok());
    assert!(reveal(&public, CodedKey::Public).is_ok());
}

#[test]
fn the_same_call_gives_the_same_container_with_any_number_of_threads() {
    let (cover, secret) = (picture(300, 200, 1), picture(400, 300, 2));
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| hide(&cover, &secret, &options(CodedKey::Public)).container)
    };
    let one = with(1);
    assert_eq!(one, with(2));
    assert_eq!(one, with(7));
}

#[test]
fn containers_of_different_secrets_have_nothing_in_common() {
    let cover = picture(60, 60, 1);
    let key = CodedKey::Password(b"word");
    let first = hide(&cover, &picture(40, 40, 2), &options(key)).container;
    let second = hide(&cover, &picture(40, 40, 3), &options(key)).container;
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
    let hidden = hide(&cover, &flat, &options(CodedKey::Public));
    assert_eq!(hidden.coded_psnr_db, None);
    let revealed = reveal(&hidden.container, CodedKey::Public).unwrap();
    assert_eq!(revealed.revealed, flat);
    let changed = cover.data().iter().zip(hidden.container.data());
    let changed = changed.filter(|(a, b)| a != b).count();
    assert!(changed < cover.data().len() / 20, "{changed} samples");
}

#[test]
fn a_change_is_noticed_and_the_rest_can_be_salvaged() {
    let (cover, secret) = (picture(512, 640, 1), picture(512, 640, 2));
    let mut container = hide(&cover, &secret, &options(CodedKey::Public)).container;
    let n = container.data().len();
    container.data_mut()[n / 10 * 9] ^= 1;
    let error = reveal(&container, CodedKey::Public).unwrap_err();
    let CodedRevealError::Damaged {
        intact,
        parts,
        percent,
        salvageable,
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((intact, salvageable), (parts - 1, true));
    assert!((50..100).contains(&percent), "{percent}");
    let salvaged = reveal_at_cost(&container, CodedKey::Public, Salvage::Yes, Cost::TEST).unwrap();
    let [blurred] = &salvaged.blurred_rows[..] else {
        panic!("{:?}", salvaged.blurred_rows);
    };
    assert!(blurred.start > 300 && blurred.len() < 300, "{blurred:?}");
    let rows = |picture: &Pixels, from: usize, to: usize| {
        let samples = picture.data()[3 * 512 * from..3 * 512 * to].to_vec();
        Pixels::rgb8(samples, 512, to - from).unwrap()
    };
    let quality = |from, to| {
        db(
            &rows(&secret, from, to),
            &rows(&salvaged.revealed, from, to),
        )
    };
    assert!(quality(0, blurred.start) > quality(blurred.start, blurred.end) + 5.0);
}

#[test]
fn qualities_asked_for_are_kept() {
    let (cover, secret) = (picture(200, 160, 1), noise(120, 90));
    let at = |rate| {
        let options = CodedOptions {
            rate,
            ..options(CodedKey::Public)
        };
        let hidden = hide(&cover, &secret, &options);
        let revealed = reveal(&hidden.container, CodedKey::Public)
            .unwrap()
            .revealed;
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
    let expected = capacity(&cover, Some(&secret));
    let hidden = hide(&cover, &secret, &options(CodedKey::Public));
    let container = db(&cover, &hidden.container);
    assert!((expected.container_psnr_db - container).abs() < 0.1);
    let (expected, revealed) = (
        expected.revealed_psnr_db.unwrap(),
        hidden.coded_psnr_db.unwrap(),
    );
    // What the estimate is good for, on the hardest of secrets.
    assert!((expected - revealed).abs() < 3.0, "{expected} {revealed}");
}

#[test]
fn a_secret_too_large_for_its_cover_is_reduced() {
    let (cover, secret) = (picture(64, 64, 1), noise(256, 200));
    let hidden = hide(&cover, &secret, &options(CodedKey::Public));
    assert!((2..256).contains(&hidden.coded_width) && hidden.coded_height < 200);
    let revealed = reveal(&hidden.container, CodedKey::Public)
        .unwrap()
        .revealed;
    assert_eq!((revealed.width(), revealed.height()), (256, 200));
}

#[test]
fn impossible_wishes_are_refused() {
    let secret = noise(64, 64);
    let error = |cover: &Pixels, rate| {
        let options = CodedOptions {
            rate,
            ..options(CodedKey::Public)
        };
        hide_at_cost(cover, &secret, &options, Cost::TEST)
            .unwrap_err()
            .to_string()
    };
    let (tiny, small) = (picture(5, 5, 1), picture(40, 40, 1));
    assert!(error(&tiny, CodedRate::Ternary).contains("a cover of 5x5 is too small"));
    assert!(error(&small, CodedRate::ContainerDb(120.0)).contains("too small"));
    assert!(error(&small, CodedRate::RevealedDb(60.0)).contains("the cover holds"));
    assert!(error(&small, CodedRate::ContainerDb(f64::NAN)).contains("above 0"));
}

#[test]
fn small_pictures_hold_nothing_and_do_no_harm() {
    for (width, height) in [(1, 1), (5, 16), (81, 1), (82, 1), (90, 1)] {
        let plain = picture(width, height, 3);
        assert_eq!(
            reveal(&plain, CodedKey::Public),
            Err(CodedRevealError::Closed)
        );
    }
}

#[test]
fn a_sealed_header_of_another_version_is_newer() {
    let mut container = picture(60, 60, 1);
    let salt = [7; 17];
    let keys = Keys::derive(CodedKey::Public, &salt, Cost::TEST);
    let mut header = layout::Header {
        mix: Mix::TERNARY,
        directory: 40,
    }
    .to_bytes();
    header[0] = 2;
    preamble::write_bytes(container.data_mut(), &salt, &header, &keys);
    assert_eq!(
        reveal(&container, CodedKey::Public),
        Err(CodedRevealError::Newer)
    );
}

/// What a faulty or hostile program seals under a known key: parts of a real container with bytes
/// changed, cut or invented. `UNDERDRAWING_HOSTILE=1000000` in the environment asks for more of them.
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
    let (cover, secret) = (
        picture(20, 16, 1),
        rate::coding_picture(&picture(12, 10, 2)),
    );
    let coded = underdrawing_codec::Encoder::new(&secret, Effort::Fast)
        .encode_to_mse(30.0)
        .unwrap();
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
        let mix = Mix { low: 15, share: 0 };
        let mut container = embed(&cover, &all, mix, CodedKey::Public, Cost::TEST);
        if random(8) == 0 {
            let at = random(container.data().len());
            container.data_mut()[at] ^= 1 << random(8);
        }
        // Refused or some picture.
        let _ = reveal_at_cost(&container, CodedKey::Public, Salvage::Yes, Cost::TEST);
    }
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
            let key = CodedKey::Password(b"word");
            let options = CodedOptions {
                rate,
                ..options(key)
            };
            let hidden = hide(&picture(64, 64, i), &noise(90, 64), &options);
            let samples = hidden.container.data();
            let salt = preamble::read_salt(samples).unwrap();
            let keys = Keys::derive(key, &salt, Cost::TEST);
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
