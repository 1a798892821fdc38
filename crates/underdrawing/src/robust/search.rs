//! Containers that were cropped: which of the 64 positions of the grid, which part of the picture.

use rayon::prelude::*;

use crate::picture::Pixels;

use super::grid::{SURVIVED, steps};
use super::header::{Header, plausibility};
use super::lattice::{OTHER_GRID, Soft};
use super::sites::{TILES, Tile};
use super::view::{View, header_grids, header_of};

/// A header in a part of a picture.
pub(super) struct Cropped {
    pub(super) header: Header,
    pub(super) view: View,
    /// Column and row of the part's first block in its tile.
    phase: (usize, usize),
    tile: Tile,
}

/// Positions of the grid whose headers are tried, beside the picture's own.
const POSITIONS: usize = 4;

/// Grids of one position that are tried: those of near qualities differ little.
const GRIDS: usize = 5;

/// Headers of one position that are decoded.
const HEADERS: usize = 16;

/// Deviation, in eighths, that a header's digits are seen with after a JPEG on another grid. It is
/// half as much again as the payload's: digits that are sure and wrong cost a header more than doubt.
const DOUBTFUL: i32 = 40;

/// How much a grid has to show, in deviations of what pictures without one show.
const SHOWN: f32 = 6.0;

/// A position of the grid that shows in the picture.
struct Candidate {
    /// Columns and rows off the picture's own.
    position: (usize, usize),
    /// Qualities, from the one whose table fits best.
    survive: Vec<u8>,
    strength: f32,
}

/// What may be a header.
struct SeenHeader {
    /// See [`plausibility`].
    plausibility: f64,
    soft: Vec<Soft>,
    phase: (usize, usize),
    tile: Tile,
}

/// The headers that can be read in any position and phase.
pub(super) fn search(container: &Pixels) -> Vec<Cropped> {
    let sample = middle(container);
    let mut candidates: Vec<Candidate> = (0..64_usize)
        .into_par_iter()
        .filter_map(|position| candidate(&sample, (position % 8, position / 8)))
        .filter(|candidate| candidate.strength > SHOWN)
        .collect();
    // The picture's own position shows the grid of the last JPEG, too, and maybe hides another one.
    candidates.sort_by(|a, b| {
        let key = |candidate: &Candidate| (candidate.position != (0, 0), -candidate.strength);
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    candidates.truncate(POSITIONS + 1);
    let cropped = |candidate: Candidate| {
        let view = match candidate.position {
            (0, 0) => View::of(container),
            position => View::of_pixels(&without(container, position)?),
        };
        let grids = (candidate.position != (0, 0)).then_some(&candidate.survive[..]);
        cropped(view?, grids)
    };
    candidates.into_iter().filter_map(cropped).collect()
}

/// The middle of a picture, on its grid: enough to see which grid it has.
fn middle(container: &Pixels) -> Pixels {
    const SIDE: usize = 408;
    let start = |all: usize| all.saturating_sub(SIDE) / 16 * 8;
    let (left, top) = (start(container.width()), start(container.height()));
    let (width, height) = (container.width().min(SIDE), container.height().min(SIDE));
    let raster = container.raster();
    Pixels::from_raster(raster.rearranged(width, height, |x, y| (x + left, y + top)))
}

/// A picture without its first columns and rows; none where nothing is left.
fn without(picture: &Pixels, (left, top): (usize, usize)) -> Option<Pixels> {
    let width = picture.width().checked_sub(left).filter(|&n| n > 0)?;
    let height = picture.height().checked_sub(top).filter(|&n| n > 0)?;
    let raster = picture.raster();
    let part = raster.rearranged(width, height, |x, y| (x + left, y + top));
    Some(Pixels::from_raster(part))
}

fn candidate(sample: &Pixels, position: (usize, usize)) -> Option<Candidate> {
    let view = View::of_pixels(&without(sample, position)?)?;
    let mut strengths: Vec<(u8, f32)> = SURVIVED
        .map(|survive| (survive, strength(&view, survive)))
        .collect();
    strengths.dedup_by_key(|&mut (_, strength)| strength);
    strengths.sort_by(|a, b| b.1.total_cmp(&a.1));
    strengths.truncate(GRIDS);
    Some(Candidate {
        position,
        strength: strengths.first()?.1,
        survive: strengths.into_iter().map(|(survive, _)| survive).collect(),
    })
}

/// How much coefficients gather around multiples of a quality's steps, in deviations of what they do
/// by chance.
fn strength(view: &View, survive: u8) -> f32 {
    /// Those that hold digits in any container, and large enough to stand out.
    const PLACES: [usize; 6] = [1, 8, 9, 16, 17, 10];
    /// Blocks looked at, spread over the picture.
    const BLOCKS: usize = 600;
    /// Deviation of the distance from the nearest multiple, in steps, of what is spread evenly.
    const EVEN: f32 = 0.144;
    let steps = steps(survive);
    let n_blocks = view.own.0 * view.own.1;
    let (mut sum, mut n) = (0.0, 0.0_f32);
    let stride = n_blocks.div_ceil(BLOCKS);
    for number in (0..n_blocks).step_by(stride) {
        for place in PLACES {
            let (step, value) = (steps[place], view.seen(number, place).value);
            // Around zero coefficients gather anyway.
            if 2 * value.abs() < step {
                continue;
            }
            let off = value.rem_euclid(step);
            let off = off.min(step - off) as f32 / step as f32;
            // A wave would be best; a triangle is as good as and needs no function.
            sum += 0.25 - off;
            n += 1.0;
        }
    }
    sum / EVEN / n.max(1.0).sqrt()
}

/// The header that a part's blocks hold: of one of the qualities, or of any.
fn cropped(view: View, grids: Option<&[u8]>) -> Option<Cropped> {
    let shortest = view.own.0.min(view.own.1);
    // That of the whole picture: what was cut off is less than half, and so is a frame.
    let fits = TILES.into_iter().position(|side| side <= shortest)?;
    let tiles = TILES[fits.saturating_sub(1)..(fits + 2).min(TILES.len())].iter();
    let tiles = tiles.filter(|&&side| side <= 2 * shortest);
    let noise = grids.map_or(OTHER_GRID, |_| DOUBTFUL);
    let mut found: Vec<SeenHeader> = Vec::new();
    for &side in tiles {
        let tile = Tile { side };
        let digits = tile.header_slots();
        let grids = grids.map_or_else(|| SURVIVED.collect(), <[u8]>::to_vec);
        let grids = header_grids(tile, grids);
        let best = grids.into_par_iter().map(|survive| {
            let slots = view.slots(tile, &steps(survive), noise);
            let of = |phase| header_of(tile, &digits, phase, &slots);
            let mut phases: Vec<_> = (0..side * side)
                .map(|phase| (phase % side, phase / side))
                .map(|phase| (plausibility(&of(phase)), phase))
                .collect();
            phases.sort_by(|a, b| b.0.total_cmp(&a.0));
            phases.truncate(HEADERS);
            let seen = |(plausibility, phase)| SeenHeader {
                plausibility,
                soft: of(phase),
                phase,
                tile,
            };
            phases.into_iter().map(seen).collect::<Vec<_>>()
        });
        found.extend(best.flatten_iter().collect::<Vec<_>>());
    }
    found.sort_by(|a, b| b.plausibility.total_cmp(&a.plausibility));
    found.truncate(HEADERS);
    found.into_iter().find_map(|seen| {
        Some(Cropped {
            header: Header::from_soft(&seen.soft)?,
            view: view.clone(),
            phase: seen.phase,
            tile: seen.tile,
        })
    })
}

impl Cropped {
    /// A header that is where a picture that was not cropped, or only at the right and below, has it.
    pub(super) fn at_the_start(header: Header, view: View) -> Self {
        Self {
            header,
            phase: (0, 0),
            tile: view.sites.tile(),
            view,
        }
    }

    /// Columns and rows that the part's first block may have in a picture of so many blocks, which a
    /// frame may be around; none where most of that is missing, since no parity brings it back, and the
    /// size may be a forged one.
    pub(super) fn places(&self, wide: usize, high: usize) -> Vec<(isize, isize)> {
        if 2 * self.view.own.0 * self.view.own.1 < wide * high {
            return Vec::new();
        }
        let side = self.tile.side as isize;
        let along = |phase: usize, own: usize, all: usize| {
            let (phase, last) = (phase as isize, all as isize - own as isize);
            // From the first that has this phase.
            let first = last.min(0);
            let first = first + (phase - first).rem_euclid(side);
            (first..=last.max(0)).step_by(self.tile.side)
        };
        let (own_wide, own_high) = self.view.own;
        along(self.phase.1, own_high, high)
            .flat_map(|y| along(self.phase.0, own_wide, wide).map(move |x| (x, y)))
            .collect()
    }
}
