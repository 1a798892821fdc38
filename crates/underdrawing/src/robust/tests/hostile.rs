//! Containers that were damaged, or that a hostile program made: an error or a picture, whatever is
//! in them. `UNDERDRAWING_HOSTILE=1000000` in the environment asks for more of them.

use std::ops::Range;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::super::ldpc::Random;
use super::*;

/// The longest that one of them may take, a picture of some thousand pixels. On a busy machine it
/// is a tenth of a second.
const LONGEST: Duration = Duration::from_secs(20);

fn byte(random: &mut Random) -> u8 {
    random.next() as u8
}

/// A part of `0..end`, short ones more often.
fn part(random: &mut Random, end: usize) -> Range<usize> {
    let most = end >> random.below(8);
    let start = random.below(end);
    start..end.min(start + 1 + random.below(most))
}

fn limits() -> Limits {
    Limits {
        max_pixels: 20_000,
        ..Limits::default()
    }
}

/// Calls `harm` for as many numbers as are asked for.
// The library reads no environment; these tests' count is their runner's.
#[allow(clippy::disallowed_methods)]
fn each(few: usize, harm: impl Fn(&mut Random) -> Option<Pixels> + Sync) {
    let asked = std::env::var("UNDERDRAWING_HOSTILE").ok();
    let count = asked.map_or(few, |n| n.parse().expect("a number"));
    let limits = limits();
    let outcomes = (0..count).into_par_iter().map(|number| {
        let Some(container) = harm(&mut Random::new(number as u64)) else {
            return (0, 0);
        };
        let start = Instant::now();
        let outcome = reveal_within(&container, None, &limits);
        let took = start.elapsed();
        assert!(took < LONGEST, "number {number} took {took:?}");
        let Ok(Some(revealed)) = outcome else {
            return (0, 1);
        };
        let (width, height) = (revealed.picture.width(), revealed.picture.height());
        let small = (width * height) as u64 <= limits.max_pixels;
        assert!(small, "number {number}: {width}x{height}");
        (1, 0)
    });
    let (revealed, lost) = outcomes.reduce(|| (0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
    // Neither is everything destroyed nor is nothing harmed.
    assert!(revealed > 0 && lost > 0);
}

/// The container of a small secret, as a JPEG file.
fn container() -> Pixels {
    let request = Request {
        cover: &picture(128, 104, 1),
        secret: &picture(24, 20, 5),
        survive: 75,
        jpeg: true,
        crop: 0,
        options: &options(None),
    };
    let hidden = hide_at_cost(&request, Cost::TEST, &mut Progress::ignore);
    hidden.expect("there is room").container
}

#[test]
fn damaged_files_do_no_harm() {
    let whole = container().jpeg().expect("a JPEG was asked for").write();
    each(300, |random| {
        let mut file = whole.clone();
        for _ in 0..1 + random.below(4) {
            let part = part(random, file.len());
            match random.below(8) {
                0 => file.truncate(part.start),
                1 => drop(file.drain(part)),
                2 => file
                    .splice(part.start..part.start, file[part.clone()].to_vec())
                    .for_each(drop),
                3 => file[part].reverse(),
                4 => file[part].fill(byte(random)),
                5 => file.insert(part.start, byte(random)),
                _ => file[part.start] ^= 1 << random.below(8),
            }
            if file.is_empty() {
                return None;
            }
        }
        let picture = Picture::decode(&file, &limits()).ok()?;
        Some(picture.pixels)
    });
}

#[test]
fn damaged_coefficients_do_no_harm() {
    let container = container();
    let whole = container.jpeg().expect("a JPEG was asked for");
    each(300, |random| {
        let mut jpeg = Jpeg::clone(whole);
        for _ in 0..1 + random.below(4) {
            let component = random.below(3);
            let component = &mut jpeg.components[component];
            let part = part(random, component.blocks.len());
            match random.below(6) {
                0 => component.steps[random.below(64)] = 1 + byte(random) as u16,
                1 => component.blocks[part].reverse(),
                2 => {
                    let block = component.blocks[random.below(component.blocks.len())];
                    component.blocks[part].fill(block);
                }
                3 => {
                    for block in &mut component.blocks[part] {
                        block[random.below(64)] += random.below(5) as i16 - 2;
                    }
                }
                4 => {
                    let by = random.below(component.blocks.len());
                    component.blocks.rotate_left(by);
                }
                _ => {
                    let place = random.below(component.blocks.len());
                    component.blocks[place] =
                        std::array::from_fn(|_| random.below(2048) as i16 - 1024);
                }
            }
        }
        let picture = Picture::decode(&jpeg.write(), &Limits::default());
        Some(picture.expect("it is a JPEG").pixels)
    });
}

#[test]
fn damaged_pixels_do_no_harm() {
    let whole = container();
    let (width, height) = (whole.width(), whole.height());
    each(300, |random| {
        let (columns, rows) = (part(random, width), part(random, height));
        let harm = random.below(5);
        let (right, down, by) = (
            random.below(width),
            random.below(height),
            1 + random.below(255) as u8,
        );
        let noise = |x: usize, y: usize| {
            let place = x * 7919 + y * 104_729 + right;
            byte(&mut Random::new(place as u64)) % by
        };
        let size = match harm {
            0 => (columns.len().max(16), rows.len().max(16)),
            _ => (width, height),
        };
        let pixels = Pixels::from_fn(size.0, size.1, |x, y| {
            let inside = columns.contains(&x) && rows.contains(&y);
            let own = whole.pixel(x % width, y % height);
            match harm {
                0 => whole.pixel((x + right) % width, (y + down) % height),
                1 if inside => own.map(|sample| sample.wrapping_add(noise(x, y))),
                2 if inside => [by; 3],
                3 if inside => whole.pixel((x + right) % width, (y + down) % height),
                4 => own.map(|sample| sample.saturating_add(noise(x, y) / 32)),
                _ => own,
            }
        });
        pixels.ok()
    });
}

/// Sealed under the key that everybody has.
#[test]
fn forged_headers_and_messages_do_no_harm() {
    let cover = picture(128, 104, 1);
    let secret = picture(24, 20, 5);
    let secret = coding_picture(&secret);
    let coded = Encoder::new(&secret, Effort::Fast).encode_to_bytes(220);
    let coded = coded.expect("it fits").segments;
    each(300, |random| {
        let mut fields = honest_fields(&cover);
        for _ in 0..random.below(3) {
            match random.below(4) {
                0 => fields.grid.survive = 50 + random.below(46) as u8,
                1 => fields.grid.quarters = byte(random).max(4),
                2 => fields.parity = 1 + random.below(127) as u8,
                _ => {
                    let blocks = 4096 >> random.below(12);
                    fields.wide = 1 + random.below(blocks);
                    fields.high = 1 + random.below(blocks);
                }
            }
        }
        let mut message = Message {
            own: (24, 20),
            finish: [Finish::Plain, Finish::Restored][random.below(2)],
            segments: coded.clone(),
        };
        for _ in 0..random.below(4) {
            let segment = random.below(message.segments.len());
            match random.below(4) {
                0 => message.own = (1 + random.below(300), 1 + random.below(300)),
                1 => message.segments.extend(coded.clone()),
                _ => {
                    let segment = &mut message.segments[segment];
                    let part = part(random, segment.len());
                    match random.below(3) {
                        0 => segment.truncate(part.start),
                        1 => drop(segment.drain(part)),
                        _ => segment[part.start] = byte(random),
                    }
                    if segment.is_empty() {
                        segment.push(0);
                    }
                }
            }
        }
        forgeable(&cover, fields, &message).then(|| forged(&cover, fields, &message))
    });
}

/// Whether there is room for a message under such fields.
fn forgeable(cover: &Pixels, fields: Fields, message: &Message) -> bool {
    let sites = Sites::new(cover.width(), cover.height()).expect("there is room");
    let ranks = sites.ranks(&fields.grid.places());
    Coding::new(&ranks, fields.parity, true)
        .is_some_and(|coding| message.to_bytes().len() + TAG_BYTES <= coding.n_bytes())
}
