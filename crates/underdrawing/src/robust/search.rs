//! Containers that were cropped: which of the 64 positions of the grid, which part of the picture.

use crate::picture::Pixels;

use super::container::view;
use super::grid::{SURVIVED, steps};
use super::header::{Header, code, plausibility};
use super::ldpc::Code;
use super::sites::{TILES, Tile};
use super::view::{View, header_of};

/// A header in a part of a picture.
pub(super) struct Cropped {
    pub(super) header: Header,
    pub(super) view: View,
    /// Column and row of the part's first block in its tile.
    phase: (usize, usize),
    tile: Tile,
}

/// Deviation of coefficients that a JPEG on another grid leaves, in eighths: 1.25, between what
/// qualities of 80 and 90 do.
pub(super) const OTHER_GRID: i32 = 10;

/// Positions of the grid whose headers are tried: that of the last JPEG is one that shows, too.
const POSITIONS: usize = 3;

/// Phases whose headers are decoded.
const PHASES: usize = 3;

/// A position of the grid that shows in the picture.
struct Candidate {
    /// Columns and rows off the picture's own.
    position: (usize, usize),
    /// The quality whose table fits best.
    survive: u8,
    strength: f32,
}

/// The headers that can be read in any position and phase.
pub(super) fn search(container: &Pixels) -> Vec<Cropped> {
    let sample = middle(container);
    let mut candidates: Vec<Candidate> = (0..64)
        .filter_map(|position| candidate(&sample, (position % 8, position / 8)))
        .collect();
    candidates.sort_by(|a, b| b.strength.total_cmp(&a.strength));
    candidates.truncate(POSITIONS);
    let code = code();
    let cropped = |candidate: Candidate| {
        let view = match candidate.position {
            (0, 0) => view(container),
            position => View::of_pixels(&without(container, position)?),
        };
        cropped(view?, candidate.survive, &code)
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
    let (survive, strength) = SURVIVED
        .map(|survive| (survive, strength(&view, survive)))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some(Candidate {
        position,
        survive,
        strength,
    })
}

/// How much coefficients gather around multiples of a quality's steps.
fn strength(view: &View, survive: u8) -> f32 {
    /// Those that hold digits in any container, and large enough to stand out.
    const PLACES: [usize; 6] = [1, 8, 9, 16, 17, 10];
    /// Blocks looked at, spread over the picture.
    const BLOCKS: usize = 600;
    let steps = steps(survive);
    let n_blocks = view.own.0 * view.own.1;
    let mut sum = 0.0;
    let stride = n_blocks.div_ceil(BLOCKS);
    for number in (0..n_blocks).step_by(stride) {
        for place in PLACES {
            let step = steps[place];
            let off = view.seen(number, place).value.rem_euclid(step);
            let off = off.min(step - off) as f32 / step as f32;
            // A wave would be best; a triangle is as good as and needs no function. Small
            // multiples mean nothing where all are.
            sum += (0.25 - off) * (step as f32).sqrt();
        }
    }
    sum
}

fn cropped(view: View, survive: u8, code: &Code) -> Option<Cropped> {
    let shortest = view.own.0.min(view.own.1);
    for side in TILES {
        // Half a tile or less holds too little of a header.
        if side > 2 * shortest {
            continue;
        }
        let tile = Tile { side };
        let slots = view.slots(tile, &steps(survive), OTHER_GRID);
        let mut phases: Vec<_> = (0..side * side)
            .map(|phase| {
                let phase = (phase % side, phase / side);
                let digits = header_of(tile, phase, &slots);
                (plausibility(code, &digits), phase)
            })
            .collect();
        phases.sort_by_key(|&(holding, _)| std::cmp::Reverse(holding));
        for &(_, phase) in phases.iter().take(PHASES) {
            if let Some(header) = Header::from_soft(&header_of(tile, phase, &slots)) {
                return Some(Cropped {
                    header,
                    view,
                    phase,
                    tile,
                });
            }
        }
    }
    None
}

impl Cropped {
    /// Columns and rows that the part's first block may have in a picture of so many blocks.
    pub(super) fn places(&self, wide: usize, high: usize) -> Vec<(usize, usize)> {
        let along = |phase: usize, own: usize, all: usize| {
            let last = all.checked_sub(own);
            last.map_or(0..0, |last| phase..last + 1)
                .step_by(self.tile.side)
        };
        let (own_wide, own_high) = self.view.own;
        along(self.phase.1, own_high, high)
            .flat_map(|y| along(self.phase.0, own_wide, wide).map(move |x| (x, y)))
            .collect()
    }
}
