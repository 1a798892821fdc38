//! What is seen of a picture's coefficients, as pixels or as a JPEG, and of the digits in them.

use rayon::prelude::*;
use underdrawing_jpeg::{Colours, Component, Jpeg};

use crate::picture::Pixels;

use super::embed;
use super::grid::{Grid, SURVIVED, steps};
use super::header::Header;
use super::lattice::{ROUNDING, Seen, Soft, soft};
use super::sites::{HEADER_DIGITS, Held, Sites};

/// A picture's coefficients.
pub(super) struct View {
    pub(super) sites: Sites,
    /// What they were rounded to, in eighths; 0 where they were not.
    steps: [i32; 64],
    /// In eighths.
    blocks: Vec<[i32; 64]>,
}

impl View {
    /// Of pixels; none where they are too few.
    pub(super) fn of_pixels(pixels: &Pixels) -> Option<Self> {
        let sites = Sites::new(pixels.width(), pixels.height())?;
        let blocks = embed::coefficients(pixels, &sites);
        Some(Self {
            sites,
            steps: [0; 64],
            blocks,
        })
    }

    /// Of a JPEG's own coefficients; none where it has no brightness at full size.
    pub(super) fn of_jpeg(jpeg: &Jpeg) -> Option<Self> {
        let luma = luma(jpeg)?;
        let sites = Sites::new(jpeg.width, jpeg.height)?;
        let steps = luma.steps.map(|step| 8 * i32::from(step));
        let blocks = (0..sites.n_blocks())
            .map(|number| {
                let (x, y) = (number % sites.wide, number / sites.wide);
                let block = &luma.blocks[y * luma.blocks_wide + x];
                std::array::from_fn(|place| i32::from(block[place]) * steps[place])
            })
            .collect();
        Some(Self {
            sites,
            steps,
            blocks,
        })
    }

    /// The same after an encoder of this quality.
    pub(super) fn recompressed(&self, quality: u8) -> Rounded<'_> {
        Rounded {
            view: self,
            steps: steps(quality),
        }
    }

    /// How likely the payload's digits are.
    pub(super) fn payload(&self, grid: Grid) -> Vec<Soft> {
        self.noisy_payload(grid, ROUNDING)
    }

    /// The same after noise of so large a deviation, in eighths.
    pub(super) fn noisy_payload(&self, grid: Grid, noise: i32) -> Vec<Soft> {
        payload(&self.sites, grid, noise, |number, place| {
            self.seen(number, place)
        })
    }

    fn seen(&self, number: usize, place: usize) -> Seen {
        Seen {
            value: self.blocks[number][place],
            step: self.steps[place],
        }
    }

    /// All headers that can be read, one for each grid that differs where headers are.
    pub(super) fn headers(&self) -> impl Iterator<Item = Header> {
        let mut tried: Vec<Vec<i32>> = Vec::new();
        SURVIVED.filter_map(move |survive| {
            let steps = steps(survive);
            let key: Vec<i32> = self
                .sites
                .tile()
                .places()
                .iter()
                .map(|&p| steps[p])
                .collect();
            if tried.contains(&key) {
                return None;
            }
            tried.push(key);
            Header::from_soft(&self.header(&steps, ROUNDING))
        })
    }

    fn header(&self, steps: &[i32; 64], noise: i32) -> Vec<Soft> {
        let tile = self.sites.tile();
        let mut sum = vec![[0_i32; 3]; HEADER_DIGITS];
        for number in 0..self.sites.n_blocks() {
            let (x, y) = (number % self.sites.wide, number / self.sites.wide);
            for (i, &place) in tile.places().iter().enumerate() {
                if let Some(digit) = tile.header_digit(x, y, i) {
                    let soft = soft(self.seen(number, place), steps[place], noise);
                    for (sum, soft) in sum[digit].iter_mut().zip(soft) {
                        *sum += i32::from(soft);
                    }
                }
            }
        }
        let relative = |sum: [i32; 3]| {
            let most = sum.into_iter().max().unwrap_or(0);
            sum.map(|sum| (sum - most).max(-500) as i16)
        };
        sum.into_iter().map(relative).collect()
    }
}

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

/// A picture that an encoder rounded again.
pub(super) struct Rounded<'a> {
    view: &'a View,
    steps: [i32; 64],
}

impl Rounded<'_> {
    /// How likely the payload's digits are.
    pub(super) fn payload(&self, grid: Grid) -> Vec<Soft> {
        payload(&self.view.sites, grid, ROUNDING, |number, place| {
            let (value, step) = (self.view.blocks[number][place], self.steps[place]);
            let magnitude = (value.abs() + step / 2) / step * step;
            Seen {
                value: magnitude * value.signum(),
                step,
            }
        })
    }
}

fn payload(
    sites: &Sites,
    grid: Grid,
    noise: i32,
    seen: impl Fn(usize, usize) -> Seen + Sync,
) -> Vec<Soft> {
    let places = grid.places();
    (0..sites.n_blocks())
        .into_par_iter()
        .flat_map_iter(|number| {
            let mut block = Vec::new();
            sites.each(&places, number, |place, held| {
                if held == Held::Payload {
                    block.push(soft(seen(number, place), places.steps[place], noise));
                }
            });
            block
        })
        .collect()
}
