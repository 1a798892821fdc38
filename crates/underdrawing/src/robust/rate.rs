//! How much the coefficients of a cover hold: how many coefficients hold digits, and the share of parity.

use rayon::prelude::*;
use underdrawing_codec::RateCurve;

use crate::coded::CodedRate;
use crate::coding::{decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::reduction::mse;

use super::container::{Form, Sent, Way, contain};
use super::embed::{Demands, Digits, costs};
use super::grid::{Grid, SURVIVED};
use super::lattice::Soft;
use super::ldpc::Random;
use super::payload::{Coding, spread, turned_back};
use super::shaping;
use super::sites::{HEADER_DIGITS, Sites};
use super::ternary::Packing;

/// The least and the largest share of parity in 1/256.
const PARITY: std::ops::RangeInclusive<u8> = 2..=127;

/// The next larger share that is worth a try.
fn larger(parity: u8) -> u8 {
    parity + (parity / 24).max(1)
}

/// Share of parity that is expected before a cover was looked at.
const USUAL_PARITY: u8 = 10;

/// How much coarser than the quality to survive a grid is for containers that may be cropped, and
/// the least quality for which there is one that is coarse enough.
const COARSER: u8 = 10;
const LEAST_CROPPED: u8 = 55;

/// The same cover's next coarser grid; none where there is none.
pub(super) fn coarser(grid: Grid) -> Option<Grid> {
    const BY: u8 = 5;
    let survive = grid.survive.checked_sub(BY)?;
    SURVIVED
        .contains(&survive)
        .then_some(Grid { survive, ..grid })
}

/// How many coefficients hold digits by default, in quarters: containers of about 39.5 dB at 75, 34
/// at 50.
fn usual_quarters(survive: u8) -> u8 {
    match survive {
        ..=62 => 63,
        63..=75 => 66,
        76..=85 => 80,
        _ => 131,
    }
}

/// The fewest quarters that a container is made with: coefficients that come first have the smallest
/// steps, and alone they hardly come back.
pub(super) const FEWEST: u8 = 6;

/// Share of the fewest digits' expected error that no cover goes below: flat ones reach 8/9.
const NEVER_REACHED: f64 = 0.8;

/// The grid that is expected to give a rate, by its steps alone.
pub(super) fn grid(
    survive: u8,
    sites: &Sites,
    rate: CodedRate,
    crop: u8,
    curve: impl FnOnce() -> RateCurve,
) -> Result<Grid, Error> {
    if !SURVIVED.contains(&survive) {
        return Err(Error::Survive { found: survive });
    }
    if crop > 0 && survive < LEAST_CROPPED {
        return Err(Error::SurviveCrop {
            found: survive,
            least: LEAST_CROPPED,
        });
    }
    // What JPEG on another grid leaves is half as much again as its steps on the same one.
    let coarser = if crop > 0 { COARSER } else { 0 };
    let usual = usual_quarters(survive);
    let survive = survive.saturating_sub(coarser).max(*SURVIVED.start());
    let grid = |quarters| Grid { survive, quarters };
    let least = |enough: &dyn Fn(Grid) -> bool| (4..=u8::MAX).map(grid).find(|&grid| enough(grid));
    Ok(match rate {
        CodedRate::Ternary => grid(usual),
        CodedRate::ContainerDb(db) => {
            let mse = mse_of_decibels(db)?;
            if mse < NEVER_REACHED * grid(FEWEST).mse() {
                return Err(Error::ContainerDb {
                    asked_db: db,
                    most_db: decibels_of_mse(grid(FEWEST).mse()),
                    survive,
                });
            }
            let too_much = (FEWEST..=u8::MAX).find(|&quarters| grid(quarters).mse() > mse);
            grid(too_much.map_or(u8::MAX, |quarters| (quarters - 1).max(FEWEST)))
        }
        CodedRate::RevealedDb(db) => {
            let (mse, curve) = (mse_of_decibels(db)?, curve());
            // The curve says nothing of qualities below its own, which usual grids reach.
            if curve.mse_at(0) <= mse {
                return Ok(grid(usual));
            }
            let enough = |grid| {
                let bytes = bytes(sites, grid, crop);
                curve.reaches(bytes) && curve.mse_at(bytes) <= mse
            };
            least(&enough).unwrap_or(grid(u8::MAX))
        }
        CodedRate::Equal => {
            let curve = curve();
            let enough = |grid: Grid| curve.mse_at(bytes(sites, grid, crop)) <= grid.mse();
            least(&enough).unwrap_or(grid(u8::MAX))
        }
    })
}

/// Bytes that a grid is expected to hold where so many percent of the area may be cut off.
pub(super) fn bytes(sites: &Sites, grid: Grid, crop: u8) -> usize {
    /// For what the JPEG on another grid does.
    const OTHER_GRID: usize = 40;
    let parity = match crop {
        0 => USUAL_PARITY.into(),
        crop => {
            let lost = 256 * sites.lost_by_cropping(crop) / sites.n_blocks();
            (OTHER_GRID + lost).min(255)
        }
    };
    let n_digits = sites.n_digits(&grid.places());
    Packing::Second.capacity(shaping::n_message(n_digits * (256 - parity) / 256))
}

/// A share of parity for a cover, and how it was chosen.
pub(super) struct Chosen {
    /// In 1/256.
    pub(super) parity: u8,
    /// Mean squared error of the container that was tried.
    pub(super) mse: f64,
    /// The ways that ask for so much, and doing nothing.
    decisive: Vec<Way>,
}

/// Digits that are looked at for the share of parity: of more, hardly less is parity.
const SAMPLE: usize = 16_384;

/// Ways by one encoder that decide: the others do less. So many are tried again with what is hidden,
/// and all those with a part cut off.
const DECISIVE: usize = 3;

/// The least share of parity, with one step to spare, that brings random digits back from all of
/// `ways`; none where no share does.
pub(super) fn choose(
    cover: &Pixels,
    sites: &Sites,
    grid: Grid,
    form: Form,
    demands: Demands,
    ways: Vec<Way>,
) -> Option<Chosen> {
    let excerpt = excerpt(cover, &ways);
    let (cover, sites) = match &excerpt {
        Some((excerpt, sites)) => (excerpt, sites),
        None => (cover, sites),
    };
    let ranks = sites.ranks(&grid.places());
    let random = |seed, n: usize| {
        let mut random = Random::new(seed);
        std::iter::repeat_with(move || random.next()).take(n)
    };
    let random_digits =
        |seed, n| -> Vec<u8> { random(seed, n).map(|number| (number % 3) as u8).collect() };
    // Short words, since nothing is decoded of it.
    let coding = Coding::of_words(&ranks, USUAL_PARITY, true, SAMPLE)?;
    let bytes: Vec<u8> = random(2, coding.n_bytes())
        .map(|number| number as u8)
        .collect();
    let header = random_digits(1, HEADER_DIGITS);
    let payload = coding.encode(
        &bytes,
        &random_digits(3, ranks.len()),
        &costs(cover, sites, grid),
    );
    let digits = Digits {
        header: &header,
        payload: &payload,
    };
    let container = contain(cover, sites, grid, &digits, form, demands);
    let sent = Sent::new(&container, &ways)?;
    // What is seen, turned so that zeros are right.
    let arrival = |&way: &Way| -> Vec<Soft> {
        let mut arrival = sent.arrival(way, grid);
        for (soft, &digit) in arrival.iter_mut().zip(&payload) {
            *soft = turned_back(*soft, digit);
        }
        arrival
    };
    let (cropped, ways): (Vec<Way>, Vec<Way>) = ways
        .into_iter()
        .partition(|way| matches!(way, Way::Cropped(..)));
    let doubts: Vec<i64> = ways.par_iter().map(|way| doubts(&arrival(way))).collect();
    let mut order: Vec<usize> = (0..ways.len()).collect();
    order.sort_by_key(|&number| std::cmp::Reverse(doubts[number]));
    // Two encoders leave few digits in doubt, but those wrong.
    let decides =
        |&(rank, way): &(usize, Way)| rank < DECISIVE || matches!(way, Way::SavedTwice(..));
    let ordered = order.into_iter().map(|number| ways[number]).enumerate();
    let mut ways: Vec<Way> = ordered.filter(decides).map(|(_, way)| way).collect();
    let n_uncropped = ways.len();
    ways.extend(&cropped);
    let arrivals: Vec<Vec<Soft>> = ways.par_iter().map(arrival).collect();
    let least = least(&ranks, &arrivals)?;
    let mut worst: Vec<(usize, Way)> = arrivals
        .iter()
        .map(|soft| n_wrong(soft))
        .zip(ways)
        .take(n_uncropped)
        .collect();
    worst.sort_by_key(|&(wrong, _)| std::cmp::Reverse(wrong));
    worst.truncate(DECISIVE);
    let worst = worst.into_iter().map(|(_, way)| way);
    ways = worst.chain(cropped).collect();
    if !ways.contains(&Way::Untouched) {
        ways.push(Way::Untouched);
    }
    let parity = larger(least).min(*PARITY.end());
    let fixed = |parity| grid.mse_of_fixed(&ranks, usize::from(parity));
    let more = (fixed(parity) - fixed(USUAL_PARITY)) / sites.n_blocks() as f64;
    Some(Chosen {
        parity,
        mse: (mse(cover.raster(), container.raster()) + more).max(0.0),
        decisive: ways,
    })
}

/// Side of the squares of an excerpt: whole blocks of any encoder.
const SIDE: usize = 32;

/// What is looked at of a cover in place of the whole; none where that is small, or where blocks are
/// seen that lie across others.
fn excerpt(cover: &Pixels, ways: &[Way]) -> Option<(Pixels, Sites)> {
    /// Pixels that are enough.
    const ENOUGH: usize = 1 << 18;
    let (wide, high) = (cover.width() / SIDE, cover.height() / SIDE);
    let side = ENOUGH.isqrt() / SIDE;
    if wide * high < 2 * side * side || ways.iter().any(|way| matches!(way, Way::Cropped(..))) {
        return None;
    }
    let squares: Vec<usize> = spread(wide * high).take(side * side).collect();
    let excerpt = (cover.raster()).rearranged(SIDE * side, SIDE * side, |x, y| {
        let square = squares[y / SIDE * side + x / SIDE];
        let (left, top) = (square % wide * SIDE, square / wide * SIDE);
        (left + x % SIDE, top + y % SIDE)
    });
    Some((
        Pixels::from_raster(excerpt),
        Sites::of_blocks(SIDE * side / 8, SIDE * side / 8)?,
    ))
}

/// The least share that corrects what arrives.
fn least(ranks: &[u8], arrivals: &[Vec<Soft>]) -> Option<u8> {
    let sample: Vec<usize> = spread(ranks.len()).take(SAMPLE).collect();
    let ranks: Vec<u8> = sample.iter().map(|&at| ranks[at]).collect();
    let of_sample = |soft: &Vec<Soft>| sample.iter().map(|&at| soft[at]).collect();
    let arrivals: Vec<Vec<Soft>> = arrivals.iter().map(of_sample).collect();
    let corrects = |parity| {
        let coding = Coding::new(&ranks, parity, true);
        coding.is_some_and(|coding| arrivals.par_iter().all(|soft| coding.corrects(soft)))
    };
    // Looked for from where random wrong digits would have it.
    let wrong = arrivals.iter().map(|soft| n_wrong(soft)).max()?;
    let expected = u8::try_from(1700 * wrong / ranks.len().max(1)).unwrap_or(u8::MAX);
    let mut next = expected.clamp(*PARITY.start(), *PARITY.end());
    // The largest that is known not to do, and the least that is known to do.
    let (mut below, mut enough) = (PARITY.start() - 1, PARITY.end() + 1);
    while enough - below > 1 {
        if corrects(next) {
            enough = next;
        } else if enough > *PARITY.end() && next < *PARITY.end() && !corrects(*PARITY.end()) {
            return None;
        } else {
            below = next;
        }
        let step = (next / 8).max(1);
        next = if below < *PARITY.start() {
            next.saturating_sub(step).max(*PARITY.start())
        } else if enough > *PARITY.end() {
            (next + step).min(*PARITY.end())
        } else {
            below.midpoint(enough)
        };
    }
    (enough <= *PARITY.end()).then_some(enough)
}

/// How far digits are from being 0 and sure.
fn doubts(soft: &[Soft]) -> i64 {
    /// A digit as sure as that counts as right.
    const SURE: i16 = 8;
    let of = |[right, one, two]: &Soft| i64::from((SURE - right + one.max(two)).max(0));
    soft.iter().map(of).sum()
}

/// How many digits would be taken for others than 0.
fn n_wrong(soft: &[Soft]) -> usize {
    let wrong = |[right, one, two]: &&Soft| right < one.max(two);
    soft.iter().filter(wrong).count()
}

impl Chosen {
    /// With the next larger share.
    pub(super) fn more(self) -> Option<Self> {
        let parity = larger(self.parity);
        PARITY.contains(&parity).then_some(Self { parity, ..self })
    }

    /// Whether the payload comes back from the ways that decide.
    pub(super) fn survives(
        &self,
        container: &Pixels,
        grid: Grid,
        coding: &Coding,
        mask: &[u8],
        payload: &[u8],
    ) -> bool {
        let Some(sent) = Sent::new(container, &self.decisive) else {
            return false;
        };
        self.decisive
            .par_iter()
            .all(|&way| coding.decode(&sent.arrival(way, grid), mask).as_deref() == Some(payload))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares of [`SIDE`] of a cover whose pixels say where they are, each once.
    #[test]
    fn an_excerpt_is_made_of_squares_of_the_cover() {
        let (width, height) = (1000, 640);
        let of = |x: usize, y: usize| [x / SIDE, y / SIDE, x % SIDE * 8 + y % SIDE / 4];
        let cover = Pixels::from_fn(width, height, |x, y| of(x, y).map(|n| n as u8));
        let cover = cover.expect("within the limits");
        let (excerpt, sites) = excerpt(&cover, &[]).expect("it is large");
        assert_eq!(
            (8 * sites.wide, 8 * sites.high),
            (excerpt.width(), excerpt.height())
        );
        let mut seen = std::collections::BTreeSet::new();
        for y in 0..excerpt.height() {
            for x in 0..excerpt.width() {
                let [column, row, place] = excerpt.pixel(x, y);
                assert_eq!(usize::from(place), of(x, y)[2]);
                seen.insert((column, row));
            }
        }
        assert_eq!(seen.len(), excerpt.width() * excerpt.height() / SIDE / SIDE);
        assert!(super::excerpt(&cover.resized(500, 600).unwrap(), &[]).is_none());
    }
}
