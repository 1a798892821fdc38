//! How much the coefficients of a cover hold: the price of a bit, and the share of parity.

use rayon::prelude::*;
use underdrawing_codec::{Encoder, RateCurve};

use crate::coded::CodedRate;
use crate::coding::mse_of_decibels;
use crate::error::Error;
use crate::picture::Pixels;

use super::container::{Form, arrivals, contain};
use super::embed::Bits;
use super::grid::{Grid, PRICES, SURVIVED};
use super::header::bits_of;
use super::ldpc::Random;
use super::payload::Coding;
use super::sites::{HEADER_BITS, Sites};

/// Shares of parity in 1/256 that are tried, each the next where the one before does not do.
const PARITIES: [u8; 26] = [
    2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 19, 22, 26, 30, 36, 43, 51, 61, 73, 87, 104, 125, 150,
    180, 210,
];

/// Share of parity that is expected before a cover was looked at.
pub(super) const USUAL_PARITY: u8 = 10;

/// The price of a bit that the qualities were measured with: containers of about 40 dB at 75.
fn usual_price(survive: u8) -> u8 {
    let above = |quality| u32::from(survive.saturating_sub(quality));
    let price = if survive <= 75 {
        38 - above(50) * 12 / 25
    } else {
        26 - above(75) * 9 / 15
    };
    price as u8
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
    let grid = |price| Grid { survive, price };
    let least = |enough: &dyn Fn(Grid) -> bool| {
        let first = (0..PRICES).map(grid).find(|&grid| enough(grid));
        first.unwrap_or(grid(PRICES - 1))
    };
    Ok(match rate {
        CodedRate::Ternary => grid(usual_price(survive)),
        CodedRate::ContainerDb(db) => {
            let mse = mse_of_decibels(db)?;
            let too_much = |grid: Grid| grid.mse() > mse;
            let first = (0..PRICES).map(grid).find(|&grid| too_much(grid));
            grid(first.map_or(PRICES, |grid| grid.price).saturating_sub(1))
        }
        CodedRate::RevealedDb(db) => {
            let (mse, curve) = (mse_of_decibels(db)?, curve());
            least(&|grid| curve.mse_at(bytes(sites, grid, USUAL_PARITY)) <= mse)
        }
        CodedRate::Equal => {
            let curve = curve();
            least(&|grid| curve.mse_at(bytes(sites, grid, USUAL_PARITY)) <= grid.mse())
        }
    })
}

/// Bytes that a grid holds.
pub(super) fn bytes(sites: &Sites, grid: Grid, parity: u8) -> usize {
    let n_bits = sites.starts(grid).last().copied().unwrap_or(0);
    n_bits * (256 - usize::from(parity)) / 256 / 8
}

/// The least share of parity, with one step to spare, that brings random bits back from all that
/// may happen to a container; none where no share does.
pub(super) fn parity(cover: &Pixels, sites: &Sites, grid: Grid, form: Form) -> Option<u8> {
    let n_bits = sites.starts(grid).last().copied()?;
    let random = |seed, n: usize| {
        let mut random = Random::new(seed);
        let words = (0..n.div_ceil(64)).flat_map(|_| random.next().to_le_bytes());
        let mut bits = bits_of(&words.collect::<Vec<u8>>());
        bits.truncate(n);
        bits
    };
    let (header, payload) = (random(1, HEADER_BITS), random(2, n_bits));
    let bits = Bits {
        header: &header,
        payload: &payload,
    };
    let container = contain(cover, sites, grid, &bits, form);
    let mut arrivals = arrivals(&container, grid);
    for soft in &mut arrivals {
        for (soft, &bit) in soft.iter_mut().zip(&payload) {
            if bit == 1 {
                *soft = -*soft;
            }
        }
    }
    arrivals.sort_by_cached_key(|soft| std::cmp::Reverse(doubts(soft)));
    let corrects = |&parity: &u8| {
        Coding::new(n_bits, parity).is_some_and(|coding| {
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

/// How far bits are from being right and sure.
fn doubts(soft: &[i16]) -> i64 {
    /// A bit as sure as that counts as right.
    const SURE: i16 = 24;
    soft.iter()
        .map(|&soft| i64::from((SURE - soft).max(0)))
        .sum()
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

/// A curve of the secret, for rates that depend on it.
pub(super) fn curve(encoder: &Encoder<'_>) -> RateCurve {
    encoder.estimate()
}
