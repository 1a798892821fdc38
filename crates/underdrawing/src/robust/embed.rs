//! A cover and digits to pixels that hold them.

use rayon::prelude::*;

use crate::picture::Pixels;

use super::block::{self, Rgb, Target};
use super::grid::{Grid, Places, steps};
use super::lattice::nearest;
use super::shaping::{Costs, DEAREST};
use super::sites::{Held, Sites};

/// Digits to embed, each 0, 1 or 2.
pub(super) struct Digits<'a> {
    /// Those of a coded header.
    pub(super) header: &'a [u8],
    /// As many as the sites hold.
    pub(super) payload: &'a [u8],
}

/// The block of this number.
pub(super) fn block_of(pixels: &Pixels, sites: &Sites, number: usize) -> Rgb {
    let (left, top) = (number % sites.wide * 8, number / sites.wide * 8);
    let width = pixels.width();
    std::array::from_fn(|i| {
        let at = 3 * ((top + i / 8) * width + left + i % 8);
        let data = pixels.data();
        [data[at], data[at + 1], data[at + 2]]
    })
}

/// What each value of each digit of the payload changes in a cover: squares of eighths of a
/// coefficient, in sixteenths.
pub(super) fn costs(cover: &Pixels, sites: &Sites, grid: Grid) -> Vec<Costs> {
    let places = grid.places();
    (0..sites.n_blocks())
        .into_par_iter()
        .flat_map_iter(|number| {
            let there = block::coefficients(&block_of(cover, sites, number));
            let mut costs = Vec::new();
            sites.each(&places, number, |place, held| {
                if held == Held::Payload {
                    costs.push([0, 1, 2].map(|digit| {
                        let change =
                            wanted(there[place], &places, grid, place, digit) - there[place];
                        (change.unsigned_abs().pow(2) / 16).min(DEAREST)
                    }));
                }
            });
            costs
        })
        .collect()
}

/// What a coefficient becomes to hold a digit.
fn wanted(there: i32, places: &Places, grid: Grid, place: usize, digit: u8) -> i32 {
    let between = if grid.survives_fast() {
        block::between(place)
    } else {
        0
    };
    nearest(there, places.steps[place], digit) + between
}

/// `cover` with the digits in it.
pub(super) fn embed(
    cover: &Pixels,
    sites: &Sites,
    grid: Grid,
    digits: &Digits<'_>,
    demands: Demands,
) -> Pixels {
    let places = grid.places();
    let starts = sites.starts(&places);
    let firsts: Vec<[i32; 64]> = demands.firsts(grid).into_iter().map(steps).collect();
    let mut container = cover.clone();
    let row_bytes = 3 * cover.width();
    container
        .data_mut()
        .par_chunks_exact_mut(8 * row_bytes)
        .take(sites.high)
        .enumerate()
        .for_each(|(y, rows)| {
            for x in 0..sites.wide {
                let number = y * sites.wide + x;
                let from = block_of(cover, sites, number);
                let payload = &digits.payload[starts[number]..];
                let targets = |from: &Rgb| {
                    targets(from, sites, grid, &places, number, digits.header, payload)
                };
                let pixels = mended(&from, &firsts, demands.mending, targets);
                for (i, pixel) in pixels.iter().enumerate() {
                    let at = i / 8 * row_bytes + 3 * (8 * x + i % 8);
                    rows[at..at + 3].copy_from_slice(pixel);
                }
            }
        });
    container
}

/// What the coefficients of a block are to become.
fn targets(
    from: &Rgb,
    sites: &Sites,
    grid: Grid,
    places: &Places,
    number: usize,
    header: &[u8],
    payload: &[u8],
) -> Vec<Target> {
    let there = block::coefficients(from);
    let mut payload = payload.iter();
    let mut targets = Vec::new();
    sites.each(places, number, |place, held| {
        let digit = match held {
            Held::Header(digit) => header[digit],
            Held::Payload => payload.next().copied().unwrap_or(0),
        };
        let step = places.steps[place];
        targets.push(Target {
            place,
            value: wanted(there[place], places, grid, place, digit),
            tolerance: (step / 10).max(4),
            limit: step / 3,
            half: step / 2,
        });
    });
    targets
}

/// Room between a block's pixels and black, white and full colours that is tried, in grey levels.
const HEADROOM: [u8; 10] = [0, 3, 6, 9, 12, 16, 20, 30, 42, 56];

/// What a container has to bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Demands {
    pub(super) mending: Mending,
    /// Encoders with the fast transform.
    pub(super) fast: bool,
    pub(super) twice: Twice,
}

/// Two encoders, the second of which has the quality to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twice {
    /// The first of any usual quality.
    Usual,
    /// The first of [`FIRST`] only.
    Fine,
    /// One encoder.
    No,
}

/// A first save that does little: that of somebody who wants to keep a picture.
const FIRST: u8 = 90;

impl Demands {
    /// What is asked first; where a cover does not bear it, less. On the finest grids, a first save
    /// that is finer still would cost a decibel of the revealed picture.
    pub(super) fn of(grid: Grid) -> Self {
        Self {
            mending: Mending::Usual,
            fast: true,
            twice: match grid.survive {
                ..FIRST => Twice::Usual,
                _ => Twice::No,
            },
        }
    }

    /// Qualities of the first encoder of two, the second of which has the quality to survive. Those
    /// just above it do most, since the grids are nearly the same, and beat.
    pub(super) fn firsts(self, grid: Grid) -> Vec<u8> {
        let usual = [0, 5, 10].map(|above| grid.survive + above);
        let mut firsts = match self.twice {
            Twice::Usual => [&usual[..], &[FIRST]].concat(),
            Twice::Fine => vec![FIRST],
            Twice::No => Vec::new(),
        };
        firsts.retain(|&quality| quality <= 95);
        firsts.sort_unstable();
        firsts.dedup();
        firsts
    }
}

/// How many digits' worth of change a container takes so that one more is read right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mending {
    /// As many as parity would take for it: what is best for most covers.
    Usual,
    /// For covers of black and white, where no share of parity is enough without it.
    Utmost,
}

impl Mending {
    fn digits(self) -> i64 {
        match self {
            Self::Usual => 3,
            Self::Utmost => 1_000_000,
        }
    }
}

/// The pixels that have the coefficients of `targets`, and keep them when they are saved by the
/// steps of any of `firsts`. Where black, white or a full colour is in the way, the block's pixels are moved
/// away from it as far as pays.
fn mended(
    from: &Rgb,
    firsts: &[[i32; 64]],
    mending: Mending,
    targets: impl Fn(&Rgb) -> Vec<Target>,
) -> Rgb {
    let mut best = (*from, i64::MAX);
    for room in HEADROOM {
        let moved = from.map(|pixel| pixel.map(|sample| sample.clamp(room, 255 - room)));
        let targets = targets(&moved);
        let (pixels, missed) = block::settle(&moved, &targets);
        let cut_off = firsts
            .iter()
            .map(|steps| block::cut_off(steps, &pixels, &targets))
            .max();
        let wrong = missed + cut_off.unwrap_or(0);
        let cost = squared_error(from, &pixels) + mending.digits() * wrong as i64 * price(&targets);
        if cost < best.1 {
            best = (pixels, cost);
        }
        if wrong == 0 {
            break;
        }
    }
    best.0
}

/// Squared error in a block that the dearest of its digits costs: (3 step)^2 / 12 in each of three
/// channels.
fn price(targets: &[Target]) -> i64 {
    let step = targets.iter().map(|target| target.half / 4).max();
    i64::from(step.unwrap_or(0)).pow(2) * 9 / 4
}

fn squared_error(a: &Rgb, b: &Rgb) -> i64 {
    let pairs = a.as_flattened().iter().zip(b.as_flattened());
    pairs.map(|(&a, &b)| i64::from(a.abs_diff(b)).pow(2)).sum()
}

/// The coefficients of all blocks, in eighths, by one of the transforms of [`block`].
pub(super) fn coefficients(
    pixels: &Pixels,
    sites: &Sites,
    transform: fn(&Rgb) -> [i32; 64],
) -> Vec<[i32; 64]> {
    (0..sites.n_blocks())
        .into_par_iter()
        .map(|number| transform(&block_of(pixels, sites, number)))
        .collect()
}
