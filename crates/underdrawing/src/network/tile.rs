//! Large pictures in overlapping tiles, so that memory does not grow with the picture's height,
//! and hardly with its width.

use underdrawing_net::{Shape, Stretch};

use crate::error::Error;
use crate::picture::{Planes, UnitSample};
use crate::progress::{OnProgress, report};

/// A rectangle of unrounded samples: `[3, height, width]`, sRGB-encoded, black 0 and white 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Window {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<f32>,
}

/// Where a window lies in a picture; it may reach over the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) x: isize,
    pub(crate) y: isize,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

/// How much around a pixel a network looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Context {
    /// At most so many pixels on each side. With a margin of as many the tiles agree with the
    /// whole picture, but for the last digits of sums.
    Radius {
        /// Pixels on each side.
        radius: usize,
        /// Channels of the network's widest layer, counted at the picture's size.
        channels: usize,
    },
    /// More than a tile holds, as a U-Net does. All tiles are squares of this side, overlap by a
    /// quarter and fade into each other.
    Blended {
        /// Side of the squares.
        side: usize,
    },
}

/// Most floats in one layer of a tile: 64 MiB. While a tile is computed about six layers live.
const MOST_LAYER_FLOATS: usize = 16 << 20;

/// Most floats in a strip of finished rows: 256 MiB.
const MOST_STRIP_FLOATS: usize = 64 << 20;

/// Smallest of the tile sizes that are chosen for wide networks.
const LEAST_CHOSEN_TILE: usize = 64;

/// Tiles start at multiples of it, so that the pairs of a Haar transform stay together and none of
/// the squares of 4x4 samples that the kernels compute is half wasted.
const TILE_STEP: usize = 8;

/// Side of the part that is kept of the largest tile whose layers are not too large.
fn largest_tile(radius: usize, channels: usize) -> usize {
    let side = (MOST_LAYER_FLOATS / channels).isqrt();
    side.saturating_sub(2 * radius).max(LEAST_CHOSEN_TILE)
}

/// A picture to be painted tile by tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiling {
    /// Even, at least 2.
    pub(crate) width: usize,
    /// Even, at least 2.
    pub(crate) height: usize,
    /// What the network needs around a pixel.
    pub(crate) context: Context,
    /// Largest side of the part of a tile that is kept; wide networks get smaller tiles, and the
    /// squares of [`Context::Blended`] have their own.
    pub(crate) tile_size: usize,
}

impl Tiling {
    /// Paints the picture: `paint` makes the window of an area, `keep` takes each strip of whole
    /// rows when it is finished, with the number of its first row, from top to bottom; after each
    /// tile `on_progress` gets tiles done and tiles in all.
    pub(crate) fn run(
        &self,
        paint: &mut dyn FnMut(Area) -> Window,
        keep: &mut dyn FnMut(usize, &Window),
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Error> {
        match self.context {
            Context::Radius { radius, channels } => {
                let tile = self.tile_size.min(largest_tile(radius, channels));
                self.run_with_margin(tile, radius, paint, keep, on_progress)
            }
            Context::Blended { side } => self.run_blended(side, paint, keep, on_progress),
        }
    }

    fn run_with_margin(
        &self,
        tile: usize,
        radius: usize,
        paint: &mut dyn FnMut(Area) -> Window,
        keep: &mut dyn FnMut(usize, &Window),
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Error> {
        let split = |size, most| Stretch::split(size, most, radius, TILE_STEP).collect::<Vec<_>>();
        let rows = split(self.height, tile.min(MOST_STRIP_FLOATS / (3 * self.width)));
        let columns = split(self.width, tile);
        let total = rows.len() * columns.len();
        for (i, row) in rows.iter().enumerate() {
            let mut strip = Window::black(self.width, row.len());
            for (j, column) in columns.iter().enumerate() {
                let window = paint(Area {
                    x: column.start as isize,
                    y: row.start as isize,
                    width: column.len_with_margins(),
                    height: row.len_with_margins(),
                });
                strip.put(&window, column, row);
                report(on_progress, i * columns.len() + j + 1, total)?;
            }
            keep(row.from, &strip);
        }
        Ok(())
    }

    fn run_blended(
        &self,
        side: usize,
        paint: &mut dyn FnMut(Area) -> Window,
        keep: &mut dyn FnMut(usize, &Window),
        on_progress: &mut OnProgress<'_>,
    ) -> Result<(), Error> {
        let rows = Fade::split(self.height, side);
        let columns = Fade::split(self.width, side);
        let total = rows.len() * columns.len();
        // The rows of the picture from `top` on that the current row of tiles adds to.
        let mut strip = Window::black(self.width, side);
        for (i, row) in rows.iter().enumerate() {
            let top = row.start.max(0) as usize;
            for (j, column) in columns.iter().enumerate() {
                let window = paint(Area {
                    x: column.start,
                    y: row.start,
                    width: side,
                    height: side,
                });
                strip.add(&window, column, row, top);
                report(on_progress, i * columns.len() + j + 1, total)?;
            }
            let next = rows
                .get(i + 1)
                .map_or(self.height, |next| next.start as usize);
            keep(top, &strip.take_rows(next - top));
        }
        Ok(())
    }
}

impl Window {
    /// One picture of three channels.
    pub(crate) fn shape(&self) -> Shape {
        [1, 3, self.height, self.width]
    }

    /// Its samples as they are, or others in the same order.
    pub(crate) fn planes<'a, T>(&self, samples: &'a [T]) -> Planes<'a, T> {
        Planes {
            width: self.width,
            height: self.height,
            samples,
        }
    }

    /// Other samples of the same size.
    pub(crate) fn with_samples(&self, samples: Vec<f32>) -> Self {
        Self { samples, ..*self }
    }

    /// All samples zero.
    pub(crate) fn black(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            samples: vec![0.0; 3 * width * height],
        }
    }

    /// Takes over the part of a tile that is kept; this is the strip of its rows.
    pub(crate) fn put(&mut self, tile: &Window, column: &Stretch, row: &Stretch) {
        let (margin, above) = (column.from - column.start, row.from - row.start);
        for channel in 0..3 {
            for y in 0..self.height {
                let from = (channel * tile.height + above + y) * tile.width + margin;
                let to = (channel * self.height + y) * self.width + column.from;
                self.samples[to..][..column.len()]
                    .copy_from_slice(&tile.samples[from..][..column.len()]);
            }
        }
    }

    /// Adds a weighted tile to a strip whose first row is the picture's row `top`.
    fn add(&mut self, tile: &Window, column: &Fade, row: &Fade, top: usize) {
        for channel in 0..3 {
            for (y, row_weight) in row.weights(self.height + top) {
                let line = (channel * self.height + y - top) * self.width;
                let tile_y = (y as isize - row.start) as usize;
                let tile_line = (channel * tile.height + tile_y) * tile.width;
                for (x, weight) in column.weights(self.width) {
                    let sample = tile.samples[tile_line + (x as isize - column.start) as usize];
                    self.samples[line + x] += row_weight * weight * sample;
                }
            }
        }
    }

    /// Takes the first rows away; the others move up and black ones follow.
    fn take_rows(&mut self, n: usize) -> Self {
        let mut taken = Vec::with_capacity(3 * n * self.width);
        for plane in self.samples.chunks_exact_mut(self.height * self.width) {
            taken.extend_from_slice(&plane[..n * self.width]);
            plane.copy_within(n * self.width.., 0);
            let kept = plane.len() - n * self.width;
            plane[kept..].fill(0.0);
        }
        Self {
            width: self.width,
            height: n,
            samples: taken,
        }
    }
}

/// One blended tile along one side of a picture of `size` pixels.
#[derive(Clone, Debug, PartialEq)]
struct Fade {
    start: isize,
    /// Weight of each of its pixels.
    weights: Vec<f32>,
}

impl Fade {
    /// Tiles of `side`, spread evenly, overlapping by a quarter or more, whose weights add up to 1
    /// at each pixel. A picture smaller than one tile lies in its middle.
    fn split(size: usize, side: usize) -> Vec<Self> {
        if size <= side {
            return vec![Self {
                start: -(((side - size) / 2) as isize),
                weights: vec![1.0; side],
            }];
        }
        let overlap = (side / 4).max(1);
        let n = (size - overlap).div_ceil(side - overlap);
        // Even, as rounding has it.
        let start = |i: usize| 2 * (i * (size - side) / 2 / (n - 1));
        let ramp = |distance: usize, edge: bool| {
            if edge {
                1.0
            } else {
                ((distance as f32 + 0.5) / overlap as f32).min(1.0)
            }
        };
        let mut total = vec![0.0; size];
        let mut tiles = Vec::with_capacity(n);
        for i in 0..n {
            let weights: Vec<f32> = (0..side)
                .map(|k| ramp(k, i == 0).min(ramp(side - 1 - k, i == n - 1)))
                .collect();
            for (sum, weight) in total[start(i)..].iter_mut().zip(&weights) {
                *sum += weight;
            }
            tiles.push(Self {
                start: start(i) as isize,
                weights,
            });
        }
        for (i, tile) in tiles.iter_mut().enumerate() {
            for (weight, sum) in tile.weights.iter_mut().zip(&total[start(i)..]) {
                *weight /= sum;
            }
        }
        tiles
    }

    /// The pixels of a picture of `size` that this tile adds to, and their weights.
    fn weights(&self, size: usize) -> impl Iterator<Item = (usize, f32)> {
        let outside = self.start.min(0).unsigned_abs();
        let first = self.start.max(0) as usize;
        (first..size).zip(self.weights[outside..].iter().copied())
    }
}

/// Samples of a picture that windows are cut from, RGB interleaved.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a, T> {
    /// All samples.
    pub(crate) samples: &'a [T],
    /// Pixels from one row to the next.
    pub(crate) stride: usize,
    /// Columns that count, at most `stride`.
    pub(crate) width: usize,
    /// Rows that count.
    pub(crate) height: usize,
}

impl<T: UnitSample> Source<'_, T> {
    /// Cuts out a window; beyond the edges the picture is mirrored, its edge pixels not repeated.
    pub(crate) fn window(&self, area: Area) -> Window {
        let columns: Vec<usize> = (0..area.width)
            .map(|i| mirrored(area.x + i as isize, self.width))
            .collect();
        let mut samples = Vec::with_capacity(3 * area.width * area.height);
        for channel in 0..3 {
            for i in 0..area.height {
                let line = mirrored(area.y + i as isize, self.height) * self.stride;
                let at = |&x: &usize| self.samples[3 * (line + x) + channel].unit();
                samples.extend(columns.iter().map(at));
            }
        }
        Window {
            width: area.width,
            height: area.height,
            samples,
        }
    }
}

/// A position brought into `0..size` by mirroring at the first and the last pixel, as often as it
/// takes.
fn mirrored(position: isize, size: usize) -> usize {
    if size == 1 {
        return 0;
    }
    let period = 2 * (size - 1);
    let position = position.rem_euclid(period as isize) as usize;
    position.min(period - position)
}

#[cfg(test)]
mod tests;
