//! A container of the robust method, as pixels or as a JPEG, and what becomes of it on its way.

use std::sync::Arc;

use underdrawing_jpeg::{Jpeg, Sampling, quality};

use crate::picture::Pixels;

use super::embed::{Digits, embed};
use super::grid::Grid;
use super::lattice::Soft;
use super::sites::Sites;
use super::view::View;

/// How a container is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As pixels, for lossless files.
    Pixels,
    /// As a JPEG with just the coefficients that are meant.
    Jpeg,
}

/// Quality of the coefficients of a JPEG that hold nothing.
const FINE: u8 = 95;

/// `cover` with the digits in it.
pub(super) fn contain(
    cover: &Pixels,
    sites: &Sites,
    grid: Grid,
    digits: &Digits<'_>,
    form: Form,
) -> Pixels {
    let pixels = embed(cover, sites, grid, digits);
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

/// What is seen of a container that nobody changed.
pub(super) fn view(container: &Pixels) -> Option<View> {
    match container.jpeg() {
        Some(jpeg) => View::of_jpeg(jpeg),
        None => View::of_pixels(container),
    }
}

/// How likely the payload's digits are where the container arrives untouched, and after encoders of
/// qualities from the one to survive up to 95, once and after one of 90.
pub(super) fn arrivals(container: &Pixels, grid: Grid) -> Vec<Vec<Soft>> {
    let (Some(untouched), Some(pixels)) = (view(container), View::of_pixels(container)) else {
        return Vec::new();
    };
    let mut arrivals = vec![untouched.payload(grid), pixels.payload(grid)];
    // Just above the quality to survive the grids are nearly the same, and beat.
    for above in [0, 1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 35, 40, 45] {
        let quality = grid.survive + above;
        if quality <= 95 {
            arrivals.push(pixels.recompressed(quality).payload(grid));
        }
    }
    if grid.survive < 90 {
        let (width, height) = (container.width(), container.height());
        let tables = quality::tables(90);
        let before = Jpeg::from_rgb(container.data(), width, height, Sampling::Half, &tables);
        let mut decoded = container.clone();
        decoded.data_mut().copy_from_slice(&before.to_rgb());
        if let Some(decoded) = View::of_pixels(&decoded) {
            arrivals.push(decoded.recompressed(grid.survive).payload(grid));
        }
    }
    arrivals
}
