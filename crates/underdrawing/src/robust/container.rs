//! A container of the robust method, as pixels or as a JPEG, and what becomes of it on its way.

use std::sync::Arc;

use rayon::prelude::*;
use underdrawing_jpeg::{Jpeg, Sampling, quality};

use crate::picture::Pixels;

use super::embed::{Demands, Digits, embed};
use super::grid::Grid;
use super::lattice::{COARSE_OTHER_GRID, Soft};
use super::sites::Sites;
use super::view::{Fast, View};

/// How a container is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As pixels, for lossless files.
    Pixels,
    /// As a JPEG with just the coefficients that are meant.
    Jpeg,
}

/// Quality of the coefficients of a JPEG that hold nothing.
const FINE: u8 = 97;

/// `cover` with the digits in it.
pub(super) fn contain(
    cover: &Pixels,
    sites: &Sites,
    grid: Grid,
    digits: &Digits<'_>,
    form: Form,
    demands: Demands,
) -> Pixels {
    let pixels = embed(cover, sites, grid, digits, demands);
    match form {
        Form::Pixels => pixels,
        Form::Jpeg => as_jpeg(&pixels, sites, grid),
    }
}

/// The JPEG whose coefficients are on the grid where they hold something, and fine elsewhere.
fn as_jpeg(pixels: &Pixels, sites: &Sites, grid: Grid) -> Pixels {
    let mut tables = quality::tables(FINE.max(grid.survive));
    let steps = quality::tables(grid.survive)[0];
    let places = grid.places();
    for place in 0..64 {
        if places.used[place] > 0 || sites.tile().places().contains(&place) {
            tables[0][place] = steps[place];
        }
    }
    let (width, height) = (pixels.width(), pixels.height());
    let jpeg = Jpeg::from_rgb(pixels.data(), width, height, Sampling::Full, &tables);
    let mut decoded = pixels.clone();
    decoded.data_mut().copy_from_slice(&jpeg.to_rgb());
    decoded.with_jpeg(Arc::new(jpeg))
}

/// What may happen to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Nothing.
    Untouched,
    /// Decoded to pixels, if it was a JPEG.
    Decoded,
    /// Saved as a JPEG of this quality.
    Saved(u8),
    /// Saved as a JPEG of this quality by an encoder with libjpeg's fast transform.
    SavedFast(u8),
    /// Saved by one encoder, then by one of this quality.
    SavedTwice(Save, u8),
    /// Cropped, and saved. All that is cut off is at one side: busy parts bear more than flat ones.
    Cropped(Crop, Side),
}

/// An encoder. What it does to colours moves brightness where they clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Save {
    quality: u8,
    sampling: Sampling,
}

/// A part cut off, and a JPEG whose blocks lie elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Crop {
    /// Of the area.
    pub(super) percent: u8,
    pub(super) quality: u8,
}

/// A side of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Top,
    Right,
    Bottom,
}

impl Side {
    const ALL: [Self; 4] = [Self::Left, Self::Top, Self::Right, Self::Bottom];
}

impl Way {
    /// Those that a container has to survive.
    pub(super) fn all(grid: Grid, form: Form, crop: Option<Crop>, demands: Demands) -> Vec<Self> {
        // Just above the quality to survive the grids are nearly the same, and beat.
        // On the finest grids all tables are near.
        let decides = |&quality: &u8| match quality - grid.survive {
            0..=3 | 5 | 8 => true,
            above => above.is_multiple_of(5) || grid.survive > 85,
        };
        let qualities = (grid.survive..=100).filter(decides);
        let mut ways = vec![Self::Untouched];
        if form == Form::Jpeg {
            ways.push(Self::Decoded);
        }
        ways.extend(qualities.map(Self::Saved));
        if grid.survives_fast() && demands.fast {
            ways.extend([0, 3, 5, 10, 15].map(|above| Self::SavedFast(grid.survive + above)));
        }
        for quality in demands.firsts(grid) {
            let firsts =
                [Sampling::Half, Sampling::Full].map(|sampling| Save { quality, sampling });
            ways.extend(firsts.map(|first| Self::SavedTwice(first, grid.survive)));
        }
        let sides = |crop| Side::ALL.map(|side| Self::Cropped(crop, side));
        ways.extend(crop.into_iter().flat_map(sides));
        ways
    }
}

/// What is seen of a container on its ways.
pub(super) struct Sent {
    untouched: View,
    pixels: Option<View>,
    fast: Option<Fast>,
    /// After the first encoder of two.
    saved: Vec<(Save, View)>,
    shifted: Option<View>,
}

impl Sent {
    pub(super) fn new(container: &Pixels, ways: &[Way]) -> Option<Self> {
        let fast = ways.iter().any(|way| matches!(way, Way::SavedFast(_)));
        let fast = fast.then(|| Fast::of_pixels(container));
        let firsts: Vec<Save> = ways
            .iter()
            .filter_map(|way| match way {
                Way::SavedTwice(first, _) => Some(*first),
                _ => None,
            })
            .collect();
        let after = |&first: &Save| Some((first, View::of_pixels(&saved(container, first))?));
        let pixels = || match container.jpeg() {
            Some(_) => View::of_pixels(container),
            None => None,
        };
        let ((untouched, pixels), saved) = rayon::join(
            || (View::of(container), pixels()),
            || firsts.par_iter().filter_map(after).collect(),
        );
        let shifted = ways.iter().find_map(|way| match way {
            Way::Cropped(crop, _) => View::of_pixels(&shifted(container, crop.quality)),
            _ => None,
        });
        Some(Self {
            untouched: untouched?,
            pixels,
            fast: fast.flatten(),
            saved,
            shifted,
        })
    }

    /// How likely the payload's digits are when the container arrives.
    pub(super) fn arrival(&self, way: Way, grid: Grid) -> Vec<Soft> {
        let pixels = self.pixels.as_ref().unwrap_or(&self.untouched);
        match way {
            Way::Untouched => self.untouched.payload(grid),
            Way::Decoded => pixels.payload(grid),
            Way::Saved(quality) => pixels.recompressed(quality).payload(grid),
            Way::SavedFast(quality) => {
                let fast = self
                    .fast
                    .as_ref()
                    .expect("seen where this way is asked for");
                fast.recompressed(quality).payload(grid)
            }
            Way::SavedTwice(first, then) => {
                let saved = self.saved.iter().find(|(of, _)| *of == first);
                let saved = saved.map_or(pixels, |(_, view)| view);
                saved.recompressed(then).payload(grid)
            }
            Way::Cropped(Crop { percent, .. }, side) => {
                let shifted = self.shifted.as_ref().unwrap_or(pixels);
                let n_lost = shifted.sites.lost_by_cropping(percent);
                let (wide, high) = shifted.own;
                let (columns, rows) = (n_lost.div_ceil(high), n_lost.div_ceil(wide));
                let (columns, rows) = match side {
                    Side::Left => (columns..wide, 0..high),
                    Side::Top => (0..wide, rows..high),
                    Side::Right => (0..wide - columns, 0..high),
                    Side::Bottom => (0..wide, 0..high - rows),
                };
                shifted.payload_of_part(grid, COARSE_OTHER_GRID, columns, rows)
            }
        }
    }
}

/// The pixels after an encoder of this quality whose blocks begin four pixels further.
fn shifted(container: &Pixels, quality: u8) -> Pixels {
    const BY: usize = 4;
    let (width, height) = (container.width() - BY, container.height() - BY);
    let raster = container.raster();
    let part = raster.rearranged(width, height, |x, y| (x + BY, y + BY));
    let sampling = Sampling::Half;
    let part = saved(&Pixels::from_raster(part), Save { quality, sampling });
    let mut pixels = container.clone();
    let (from, to) = (3 * width, 3 * container.width());
    for (y, row) in part.data().chunks_exact(from).enumerate() {
        let at = (y + BY) * to + 3 * BY;
        pixels.data_mut()[at..at + from].copy_from_slice(row);
    }
    pixels
}

/// The pixels after an encoder.
fn saved(container: &Pixels, by: Save) -> Pixels {
    let (width, height) = (container.width(), container.height());
    let tables = quality::tables(by.quality);
    let jpeg = Jpeg::from_rgb(container.data(), width, height, by.sampling, &tables);
    let mut decoded = container.clone();
    decoded.data_mut().copy_from_slice(&jpeg.to_rgb());
    decoded
}
