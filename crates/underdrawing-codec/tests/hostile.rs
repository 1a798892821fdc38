//! Damaged and random segments give an error or some picture within the limits, never a panic.

mod common;

use common::scene;
use underdrawing_codec::{DecodeError, Effort, Encoder, MAX_PIXELS, Picture, decode, n_segments};

/// What these tests are willing to hold.
const LIMIT: u64 = 40_000;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }
}

fn segments(effort: Effort) -> Vec<Vec<u8>> {
    let picture = scene(61, 45, 3);
    Encoder::new(&picture, effort).encode_to_mse(6.0).segments
}

/// Decodes arbitrary segments. A picture, if there is one, is within the limit.
fn check(segments: &[Vec<u8>]) {
    check_within(segments, LIMIT);
}

fn check_within(segments: &[Vec<u8>], max_pixels: u64) {
    let views: Vec<Option<&[u8]>> = segments.iter().map(|s| Some(&s[..])).collect();
    if let Ok(decoded) = decode(&views, max_pixels) {
        let pixels = decoded.picture.width() * decoded.picture.height();
        assert!(pixels as u64 <= max_pixels);
    }
}

#[test]
fn every_truncation_is_survived() {
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        let whole = segments(effort);
        for (i, segment) in whole.iter().enumerate() {
            // For the slower models every seventh, which still ends inside all kinds of bits.
            let step = if effort == Effort::Fast { 1 } else { 7 };
            for end in (0..segment.len()).step_by(step) {
                let mut cut = whole.clone();
                cut[i].truncate(end);
                check(&cut);
            }
        }
    }
}

#[test]
fn flipped_bits_are_survived() {
    let mut random = Random(1);
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        let whole = segments(effort);
        for _ in 0..200 {
            let mut flipped = whole.clone();
            for _ in 0..1 + random.next() % 4 {
                let i = random.next() as usize % flipped.len();
                // Half of the flips hit the header.
                let n = flipped[i].len() as u32;
                let within = if random.next().is_multiple_of(2) {
                    n
                } else {
                    n.min(24)
                };
                let at = (random.next() % within) as usize;
                flipped[i][at] ^= 1 << (random.next() % 8);
            }
            check(&flipped);
        }
    }
}

#[test]
fn invented_segments_are_survived() {
    let mut random = Random(2);
    for round in 0..3000u32 {
        let mut first: Vec<u8> = (0..random.next() % 60)
            .map(|_| random.next() as u8)
            .collect();
        if round.is_multiple_of(2) && first.len() > 6 {
            // A valid header: version, models, sides of up to 127.
            first[0] = 1;
            first[1] &= 15;
            first[2] &= 127;
            first[3] &= 127;
        }
        let n = n_segments(&first).unwrap_or(1).min(100);
        let mut segments = vec![first];
        for _ in 1..n {
            segments.push(
                (0..random.next() % 40)
                    .map(|_| random.next() as u8)
                    .collect(),
            );
        }
        check(&segments);
    }
}

/// Valid codings of all kinds: three efforts, colour and grey, flat, tiny, lossless.
fn codings() -> Vec<Vec<Vec<u8>>> {
    let flat = Picture::new(20, 12, 3, vec![77; 720]).expect("the samples fill it");
    let mut pictures: Vec<Picture> = [(19, 14, 3), (23, 11, 1), (1, 1, 3), (2, 9, 1)]
        .map(|(width, height, channels)| scene(width, height, channels))
        .into();
    pictures.push(flat);
    let mut all = Vec::new();
    for effort in [Effort::Fast, Effort::Normal, Effort::Best] {
        for picture in &pictures {
            for mse in [0.0, 4.0, 60.0] {
                all.push(Encoder::new(picture, effort).encode_to_mse(mse).segments);
            }
        }
    }
    all
}

/// Damages one segment: by a cut, flipped bits, wrong bytes, a piece of another coding, noise, or
/// the largest numbers that a header can hold.
fn damage(random: &mut Random, segment: &mut Vec<u8>, other: &[u8]) {
    let n = segment.len().max(1) as u32;
    let at = (random.next() % n) as usize;
    match random.next() % 7 {
        0 => segment.truncate(at),
        1 if !segment.is_empty() => segment[at] ^= 1 << (random.next() % 8),
        2 if !segment.is_empty() => segment[at] = random.next() as u8,
        3 => {
            segment.truncate(at);
            segment.extend_from_slice(&other[at.min(other.len())..]);
        }
        4 => segment.extend((0..random.next() % 30).map(|_| random.next() as u8)),
        5 => {
            *segment = (0..random.next() % 60)
                .map(|_| random.next() as u8)
                .collect();
        }
        _ => {
            let place = 2 + (random.next() % 6) as usize;
            for byte in segment.iter_mut().skip(place).take(3) {
                *byte = [255, 128, 127, 0][(random.next() % 4) as usize];
            }
        }
    }
}

/// `UNDERDRAWING_HOSTILE=1000000` in the environment asks for more of them.
#[test]
fn damaged_codings_of_all_kinds_are_survived() {
    let count = std::env::var("UNDERDRAWING_HOSTILE").ok();
    let count = count.map_or(3000, |n| n.parse().expect("a number"));
    let codings = codings();
    let mut random = Random(3);
    let pick = |random: &mut Random| &codings[random.next() as usize % codings.len()];
    for _ in 0..count {
        let mut segments = pick(&mut random).clone();
        let other = pick(&mut random);
        for _ in 0..1 + random.next() % 3 {
            let i = random.next() as usize % segments.len();
            damage(
                &mut random,
                &mut segments[i],
                &other[i.min(other.len() - 1)],
            );
        }
        // As many segments as the header now asks for. The limit refuses large pictures.
        if let Some(n) = segments.first().and_then(|first| n_segments(first).ok()) {
            segments.resize(n, Vec::new());
        }
        check_within(&segments, 2000);
    }
}

#[test]
fn limits_come_before_memory() {
    // 32768 x 3662 in a header of nine bytes.
    let first = [1, 1, 128, 128, 2, 206, 28, 128, 8];
    let n = n_segments(&first).unwrap();
    let mut segments = vec![Some(&first[..])];
    segments.resize(n, Some(&[]));
    let pixels = 32_768 * 3662;
    let expected = DecodeError::Limit {
        pixels,
        limit: LIMIT,
    };
    assert_eq!(decode(&segments, LIMIT).unwrap_err(), expected);
}

#[test]
fn the_limit_is_the_callers() {
    let whole = segments(Effort::Fast);
    let views: Vec<Option<&[u8]>> = whole.iter().map(|s| Some(&s[..])).collect();
    let pixels = 61 * 45;
    assert!(decode(&views, pixels).is_ok());
    let limit = pixels - 1;
    let expected = DecodeError::Limit { pixels, limit };
    assert_eq!(decode(&views, limit).unwrap_err(), expected);
}

#[test]
fn a_wrong_number_of_segments_is_told() {
    let whole = segments(Effort::Fast);
    let views: Vec<Option<&[u8]>> = whole.iter().map(|s| Some(&s[..])).collect();
    let n = views.len();
    for views in [&views[..n - 1], &[&views[..], &[None]].concat()] {
        let expected = DecodeError::Segments {
            expected: n,
            found: views.len(),
        };
        assert_eq!(decode(views, LIMIT).unwrap_err(), expected);
    }
    assert_eq!(
        decode(&[None, None], LIMIT).unwrap_err(),
        DecodeError::FirstMissing
    );
    assert_eq!(decode(&[], LIMIT).unwrap_err(), DecodeError::FirstMissing);
}

#[test]
fn a_lost_stripe_leaves_the_others_whole() {
    let picture = scene(512, 600, 3);
    let coded = Encoder::new(&picture, Effort::Fast).encode_to_mse(3.0);
    let mut views: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    assert!(views.len() > 3);
    let whole = decode(&views, MAX_PIXELS).unwrap().picture;
    views[2] = None;
    let damaged = decode(&views, MAX_PIXELS).unwrap();
    assert_eq!(damaged.lost_rows.len(), 1);
    let lost = &damaged.lost_rows[0];
    assert!(lost.len() < 600 / 2, "{lost:?}");
    let stride = 3 * 512;
    let rows = whole
        .samples()
        .chunks(stride)
        .zip(damaged.picture.samples().chunks(stride));
    let mut changed = 0;
    for (y, (a, b)) in rows.enumerate() {
        assert!(a == b || lost.contains(&y), "row {y} is not among {lost:?}");
        changed += usize::from(a != b);
    }
    assert!(changed > lost.len() / 2, "{changed} of {lost:?}");
}
