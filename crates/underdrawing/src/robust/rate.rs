//! How much the coefficients of a cover hold: how many coefficients hold digits, and the share of parity.

use rayon::prelude::*;
use underdrawing_codec::RateCurve;

use crate::coded::CodedRate;
use crate::coding::mse_of_decibels;
use crate::error::Error;
use crate::picture::Pixels;

use super::container::{Form, arrivals, contain};
use super::embed::Digits;
use super::grid::{Grid, SURVIVED};
use super::lattice::Soft;
use super::ldpc::Random;
use super::payload::{Coding, turned_back};
use super::sites::{HEADER_DIGITS, Sites};
use super::ternary;

/// Shares of parity in 1/256 that are tried, each the next where the one before does not do.
const PARITIES: [u8; 30] = [
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 20, 23, 26, 30, 34, 39, 45, 52, 60, 69,
    80, 93, 109, 127,
];

/// Share of parity that is expected before a cover was looked at.
const USUAL_PARITY: usize = 10;

/// How many coefficients hold digits by default, in quarters: containers of about 39.5 dB at 75, 34
/// at 50.
fn usual_quarters(survive: u8) -> u8 {
    match survive {
        ..=75 => 47,
        76..=85 => 60,
        _ => 92,
    }
}

/// The grid for a rate. What it costs and holds is taken from the steps alone here.
pub(super) fn grid(
    survive: u8,
    sites: &Sites,
    rate: CodedRate,
    curve: impl FnOnce() -> RateCurve,
) -> Result<Grid, Error> {
    if !SURVIVED.contains(&survive) {
        return Err(Error::Survive { found: survive });
    }
    let grid = |quarters| Grid { survive, quarters };
    let least = |enough: &dyn Fn(Grid) -> bool| {
        let first = (4..=u8::MAX).map(grid).find(|&grid| enough(grid));
        first.unwrap_or(grid(u8::MAX))
    };
    Ok(match rate {
        CodedRate::Ternary => grid(usual_quarters(survive)),
        CodedRate::ContainerDb(db) => {
            let mse = mse_of_decibels(db)?;
            let too_much = (4..=u8::MAX).find(|&quarters| grid(quarters).mse() > mse);
            grid(too_much.map_or(u8::MAX, |quarters| (quarters - 1).max(4)))
        }
        CodedRate::RevealedDb(db) => {
            let (mse, curve) = (mse_of_decibels(db)?, curve());
            least(&|grid| curve.mse_at(bytes(sites, grid)) <= mse)
        }
        CodedRate::Equal => {
            let curve = curve();
            least(&|grid| curve.mse_at(bytes(sites, grid)) <= grid.mse())
        }
    })
}

/// Bytes that a grid is expected to hold.
pub(super) fn bytes(sites: &Sites, grid: Grid) -> usize {
    let n_digits = sites.n_digits(&grid.places());
    ternary::capacity(n_digits * (256 - USUAL_PARITY) / 256)
}

/// The least share of parity, with one step to spare, that brings random digits back from all that
/// may happen to a container; none where no share does.
pub(super) fn parity(cover: &Pixels, sites: &Sites, grid: Grid, form: Form) -> Option<u8> {
    let n_digits = sites.n_digits(&grid.places());
    let random = |seed, n: usize| -> Vec<u8> {
        let mut random = Random::new(seed);
        (0..n).map(|_| (random.next() % 3) as u8).collect()
    };
    let (header, payload) = (random(1, HEADER_DIGITS), random(2, n_digits));
    let digits = Digits {
        header: &header,
        payload: &payload,
    };
    let container = contain(cover, sites, grid, &digits, form);
    let mut arrivals = arrivals(&container, grid);
    for soft in &mut arrivals {
        for (soft, &digit) in soft.iter_mut().zip(&payload) {
            *soft = turned_back(*soft, digit);
        }
    }
    arrivals.sort_by_cached_key(|soft| std::cmp::Reverse(doubts(soft)));
    let corrects = |&parity: &u8| {
        Coding::new(n_digits, parity).is_some_and(|coding| {
            arrivals
                .iter()
                .take(WORST)
                .all(|soft| coding.corrects(soft))
        })
    };
    let enough = PARITIES.partition_point(|parity| !corrects(parity));
    let spare = (enough + 1).min(PARITIES.len() - 1);
    (enough < PARITIES.len()).then(|| PARITIES[spare])
}

/// Arrivals that decide: the others are better.
const WORST: usize = 3;

/// How far digits are from being 0 and sure.
fn doubts(soft: &[Soft]) -> i64 {
    /// A digit as sure as that counts as right.
    const SURE: i16 = 24;
    let of = |[right, one, two]: &Soft| i64::from((SURE - right + one.max(two)).max(0));
    soft.iter().map(of).sum()
}

/// The next larger share.
pub(super) fn more(parity: u8) -> Option<u8> {
    PARITIES.into_iter().find(|&other| other > parity)
}

/// Whether the payload comes back from all that may happen to a container.
pub(super) fn survives(
    container: &Pixels,
    grid: Grid,
    coding: &Coding,
    mask: &[u8],
    payload: &[u8],
) -> bool {
    arrivals(container, grid)
        .par_iter()
        .all(|soft| coding.decode(soft, mask).as_deref() == Some(payload))
}
