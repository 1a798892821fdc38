//! What is seen of a picture's coefficients, as pixels or as a JPEG, and of the digits in them.

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;
use underdrawing_jpeg::{Colours, Component, Jpeg, dct, quality};

use crate::picture::Pixels;

use super::block::{self, Rgb};
use super::embed;
use super::grid::{Grid, SURVIVED, steps};
use super::header::Header;
use super::lattice::{ROUNDING, Seen, Soft, soft};
use super::sites::{Held, Sites, Tile};

/// A picture's coefficients.
#[derive(Clone)]
pub(super) struct View {
    pub(super) sites: Sites,
    /// Blocks across and down that are seen.
    pub(super) own: (usize, usize),
    /// Where the first of them lies among the sites; above and left of them, where there is more of a
    /// picture than them.
    pub(super) origin: (isize, isize),
    /// What they were rounded to, in eighths; 0 where they were not.
    steps: [i32; 64],
    /// In eighths.
    blocks: Arc<[[i32; 64]]>,
}

impl View {
    /// Of a picture as it came: of a JPEG's own coefficients where it has brightness at full size, else
    /// of pixels; none where it is too small.
    pub(super) fn of(picture: &Pixels) -> Option<Self> {
        (picture.jpeg().and_then(Self::of_jpeg)).or_else(|| Self::of_pixels(picture))
    }

    /// Of pixels; none where they are too few.
    pub(super) fn of_pixels(pixels: &Pixels) -> Option<Self> {
        Self::transformed(pixels, block::coefficients)
    }

    fn transformed(pixels: &Pixels, transform: fn(&Rgb) -> [i32; 64]) -> Option<Self> {
        let sites = Sites::new(pixels.width(), pixels.height())?;
        let blocks = embed::coefficients(pixels, &sites, transform);
        Some(Self {
            own: (sites.wide, sites.high),
            origin: (0, 0),
            sites,
            steps: [0; 64],
            blocks: blocks.into(),
        })
    }

    /// Of a JPEG's own coefficients; none where it has no brightness at full size.
    fn of_jpeg(jpeg: &Jpeg) -> Option<Self> {
        let luma = luma(jpeg)?;
        let sites = Sites::new(jpeg.width, jpeg.height)?;
        let steps = luma.steps.map(|step| 8 * i32::from(step));
        let blocks = (0..sites.n_blocks())
            .map(|number| {
                let (x, y) = (number % sites.wide, number / sites.wide);
                let block = &luma.blocks[y * luma.blocks_wide + x];
                std::array::from_fn(|place| {
                    let value = i32::from(block[place]).saturating_mul(steps[place]);
                    value.clamp(-MOST, MOST)
                })
            })
            .collect();
        Some(Self {
            own: (sites.wide, sites.high),
            origin: (0, 0),
            sites,
            steps,
            blocks,
        })
    }

    /// The same blocks as a part of another picture, or as more than it.
    pub(super) fn within(self, sites: Sites, origin: (isize, isize)) -> Self {
        Self {
            sites,
            origin,
            ..self
        }
    }

    /// The same after an encoder of this quality.
    pub(super) fn recompressed(&self, quality: u8) -> Rounded<'_> {
        let steps = steps(quality);
        Rounded {
            view: self,
            divisors: steps,
            steps,
        }
    }

    /// How likely the payload's digits are.
    pub(super) fn payload(&self, grid: Grid) -> Vec<Soft> {
        self.noisy_payload(grid, ROUNDING)
    }

    /// The same after noise of so large a deviation, in eighths.
    pub(super) fn noisy_payload(&self, grid: Grid, noise: i32) -> Vec<Soft> {
        self.payload_of_part(grid, noise, 0..self.own.0, 0..self.own.1)
    }

    /// The same where only these columns and rows of its own blocks are seen.
    pub(super) fn payload_of_part(
        &self,
        grid: Grid,
        noise: i32,
        columns: Range<usize>,
        rows: Range<usize>,
    ) -> Vec<Soft> {
        payload(&self.sites, grid, noise, |number, place| {
            let x = (number % self.sites.wide).checked_add_signed(-self.origin.0)?;
            let y = (number / self.sites.wide).checked_add_signed(-self.origin.1)?;
            let inside = columns.contains(&x) && rows.contains(&y);
            inside.then(|| self.seen(y * self.own.0 + x, place))
        })
    }

    /// What is seen of a coefficient of one of its own blocks.
    pub(super) fn seen(&self, number: usize, place: usize) -> Seen {
        Seen {
            value: self.blocks[number][place],
            step: self.steps[place],
        }
    }

    /// All headers that can be read, one for each grid that differs where headers are.
    pub(super) fn headers(&self) -> impl Iterator<Item = Header> {
        let tile = self.sites.tile();
        let digits = tile.header_slots();
        header_grids(tile, SURVIVED.collect())
            .into_iter()
            .filter_map(move |survive| {
                let slots = self.slots(tile, &steps(survive), ROUNDING);
                Header::from_soft(&header_of(tile, &digits, (0, 0), &slots))
            })
    }

    /// Whether a block is of one colour: no container's is, but those of a frame around it are.
    fn is_flat(&self, number: usize) -> bool {
        self.blocks[number][1..].iter().all(|&value| value == 0)
    }

    /// What all tiles together say of each place that may hold a header's digit, if the first block
    /// is a tile's first.
    pub(super) fn slots(&self, tile: Tile, steps: &[i32; 64], noise: i32) -> Vec<[i32; 3]> {
        let places = tile.places();
        let mut slots = vec![[0; 3]; tile.side * tile.side * places.len()];
        for number in 0..self.own.0 * self.own.1 {
            if self.is_flat(number) {
                continue;
            }
            let (x, y) = (number % self.own.0, number / self.own.0);
            let block = y % tile.side * tile.side + x % tile.side;
            for (i, &place) in places.iter().enumerate() {
                let soft = soft(self.seen(number, place), steps[place], noise);
                for (sum, soft) in slots[block * places.len() + i].iter_mut().zip(soft) {
                    *sum += i32::from(soft);
                }
            }
        }
        slots
    }
}

/// Those qualities whose grids differ where headers are.
pub(super) fn header_grids(tile: Tile, mut qualities: Vec<u8>) -> Vec<u8> {
    let key = |survive| -> Vec<i32> {
        let steps = steps(survive);
        tile.places().iter().map(|&place| steps[place]).collect()
    };
    qualities.sort_unstable();
    qualities.dedup_by_key(|&mut survive| key(survive));
    qualities
}

/// What slots say of a header's digits, which are in [`Tile::header_slots`] `digits`, if the first
/// block is the one in this column and row of a tile.
pub(super) fn header_of(
    tile: Tile,
    digits: &[(usize, usize, usize)],
    (left, top): (usize, usize),
    slots: &[[i32; 3]],
) -> Vec<Soft> {
    let n_places = tile.places().len();
    let of = |&(x, y, i): &(usize, usize, usize)| {
        let (x, y) = (
            (x + tile.side - left) % tile.side,
            (y + tile.side - top) % tile.side,
        );
        let sum = slots[(y * tile.side + x) * n_places + i];
        let most = sum.iter().copied().max().unwrap_or(0);
        sum.map(|sum| (sum - most).max(-500) as i16)
    };
    digits.iter().map(of).collect()
}

/// Far beyond all coefficients of pictures; damaged files have larger ones.
const MOST: i32 = 1 << 20;

/// The brightness of a JPEG, if it has as many samples as the picture has pixels.
fn luma(jpeg: &Jpeg) -> Option<&Component> {
    if !matches!(jpeg.colours, Colours::Grey | Colours::YCbCr) {
        return None;
    }
    let (luma, others) = jpeg.components.split_first()?;
    let full = others
        .iter()
        .all(|c| c.horizontal <= luma.horizontal && c.vertical <= luma.vertical);
    full.then_some(luma)
}

/// Pixels as encoders with libjpeg's fast transform see them.
pub(super) struct Fast(View);

impl Fast {
    /// None where they are too few.
    pub(super) fn of_pixels(pixels: &Pixels) -> Option<Self> {
        View::transformed(pixels, block::fast_coefficients).map(Self)
    }

    /// After such an encoder of this quality.
    pub(super) fn recompressed(&self, quality: u8) -> Rounded<'_> {
        Rounded {
            view: &self.0,
            divisors: dct::fast_divisors(&quality::tables(quality)[0]),
            steps: steps(quality),
        }
    }
}

/// A picture that an encoder rounded again.
pub(super) struct Rounded<'a> {
    view: &'a View,
    /// What coefficients are divided by for numbers of steps.
    divisors: [i32; 64],
    /// In eighths.
    steps: [i32; 64],
}

impl Rounded<'_> {
    /// How likely the payload's digits are.
    pub(super) fn payload(&self, grid: Grid) -> Vec<Soft> {
        payload(&self.view.sites, grid, ROUNDING, |number, place| {
            let (value, divisor) = (self.view.blocks[number][place], self.divisors[place]);
            let step = self.steps[place];
            let magnitude = (value.abs() + divisor / 2) / divisor * step;
            Some(Seen {
                value: magnitude * value.signum(),
                step,
            })
        })
    }
}

fn payload(
    sites: &Sites,
    grid: Grid,
    noise: i32,
    seen: impl Fn(usize, usize) -> Option<Seen> + Sync,
) -> Vec<Soft> {
    let places = grid.places();
    (0..sites.high)
        .into_par_iter()
        .flat_map_iter(|y| {
            let mut row = Vec::new();
            for number in y * sites.wide..(y + 1) * sites.wide {
                sites.each(&places, number, |place, held| {
                    if held == Held::Payload {
                        let seen = seen(number, place);
                        row.push(
                            seen.map_or([0; 3], |seen| soft(seen, places.steps[place], noise)),
                        );
                    }
                });
            }
            row
        })
        .collect()
}
