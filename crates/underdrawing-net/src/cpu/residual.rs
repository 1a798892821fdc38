//! A residual network and what it does to the other branch of a coupling, part by part of the
//! picture, so that what is between its convolutions stays in the cache. For inference: nothing is
//! kept for a backward pass.

use std::cell::Cell;

use rayon::prelude::*;
use underdrawing_conv::{Activation, Conv, Kernel, vectorised};

use super::coupling::{couple_value, uncouple_value};
use super::elementwise;
use crate::layers::ResidualNet;
use crate::stretch::Stretch;
use crate::tensor::Change;

/// Most rows of a part, which one thread computes. With its margins, a part's features of the
/// built-in model take 6 MB: they fit a level-3 cache, and the margins cost 13 % more arithmetic.
const ROWS: usize = 96;
/// Most columns of a part.
const COLUMNS: usize = 192;

/// Parts start at multiples of it, the side of the squares that convolutions compute, none of
/// which is then half wasted.
const STEP: usize = 4;

/// Weights and biases of the three convolutions, and what the result does.
pub(super) struct Residual<'a> {
    pub(super) layers: [(&'a [f32], &'a [f32]); 3],
    pub(super) change: Change,
}

impl Residual<'_> {
    /// `target` `[n, c_target, h, w]` changed by the network of `source` `[n, c, h, w]`.
    pub(super) fn run(&self, target: &mut [f32], source: &[f32], [n, c, h, w]: [usize; 4]) {
        let len = (c * h * w).max(1);
        let target_len = (target.len() / n.max(1)).max(1);
        let targets = target.chunks_exact_mut(target_len);
        for (target, source) in targets.zip(source.chunks_exact(len)) {
            bands(target, [h, w]).into_par_iter().for_each(|mut band| {
                let mut scratch = SCRATCH.take();
                for columns in parts(w, COLUMNS) {
                    self.change(&mut band, source, [c, h, w], columns, &mut scratch);
                }
                SCRATCH.set(scratch);
            });
        }
    }

    /// Changes columns of a band by the network of `source`, `[c, h, w]`. Each picture edge that
    /// they touch gets the convolutions' zeros; at the others the margin, which they spoil, is
    /// thrown away.
    fn change(
        &self,
        band: &mut Band<'_>,
        source: &[f32],
        [c, h, w]: [usize; 3],
        columns: Stretch,
        scratch: &mut Vec<f32>,
    ) {
        let rows = band.rows;
        let [first, middle, last] = self.layers;
        let (width, c_out) = (first.1.len(), last.1.len());
        let area = rows.len_with_margins() * columns.len_with_margins();
        let conv = |c_in: usize, c_out: usize| Conv {
            n: 1,
            c_in,
            c_out,
            height: rows.len_with_margins(),
            width: columns.len_with_margins(),
            kernel: Kernel::same(3),
        };
        let len = (width + c + width.max(c_out)) * area;
        if scratch.len() < len {
            *scratch = vec![0.0; len]; // What an old one holds needn't be copied.
        }
        let (both, features) = scratch[..len].split_at_mut((width + c) * area);
        let (more, x) = both.split_at_mut(width * area);
        copy_part(source, [h, w], rows, columns, x);
        let leaky = Activation::LeakyRelu(ResidualNet::SLOPE);
        let features_of = &mut features[..width * area];
        conv(c, width).forward(x, first.0, Some(first.1), leaky, features_of);
        conv(width, width).forward(features_of, middle.0, Some(middle.1), leaky, more);
        elementwise::zip(more, features_of, |v, term| v + term);
        let update = &mut features[..c_out * area];
        let none = Activation::None;
        conv(width + c, c_out).forward(both, last.0, Some(last.1), none, update);
        match self.change {
            Change::Replace => apply(band, columns, update, |_, update, _| update),
            Change::Add => apply(band, columns, update, add_value),
            Change::Subtract => apply(band, columns, update, subtract_value),
            Change::Couple => apply(band, columns, update, couple_value),
            Change::Uncouple => apply(band, columns, update, uncouple_value),
        }
    }
}

thread_local! {
    /// Memory of the last call: the system takes longer to hand out (and zero) megabytes than the
    /// part of a convolution takes that needs them.
    static SCRATCH: Cell<Vec<f32>> = const { Cell::new(Vec::new()) };
}

/// Rows of a target, all channels, which one thread changes.
struct Band<'a> {
    rows: Stretch,
    /// Those rows of each channel.
    channels: Vec<&'a mut [f32]>,
}

/// A picture `[c, h, w]` in bands.
fn bands(target: &mut [f32], [h, w]: [usize; 2]) -> Vec<Band<'_>> {
    let mut bands: Vec<_> = parts(h, ROWS)
        .map(|rows| Band {
            rows,
            channels: Vec::new(),
        })
        .collect();
    for mut plane in target.chunks_exact_mut((h * w).max(1)) {
        for band in &mut bands {
            let (rows, rest) = plane.split_at_mut(band.rows.len() * w);
            band.channels.push(rows);
            plane = rest;
        }
    }
    bands
}

/// A side of a picture in parts. The number of threads has no say in it, since the order of
/// additions depends on where a part starts.
fn parts(size: usize, most: usize) -> impl Iterator<Item = Stretch> {
    Stretch::split(size, most, ResidualNet::RADIUS, STEP)
}

#[inline(always)]
fn add_value(x: f32, update: f32, _: f32) -> f32 {
    x + update
}

#[inline(always)]
fn subtract_value(x: f32, update: f32, _: f32) -> f32 {
    x - update
}

/// Copies a part, margins included, of each channel.
fn copy_part(source: &[f32], [h, w]: [usize; 2], rows: Stretch, columns: Stretch, to: &mut [f32]) {
    let planes = to.par_chunks_exact_mut(rows.len_with_margins() * columns.len_with_margins());
    planes
        .zip(source.par_chunks_exact(h * w))
        .for_each(|(to, source)| {
            let lines = to.chunks_exact_mut(columns.len_with_margins());
            let sources = source[rows.start * w..].chunks(w);
            for (to, source) in lines.zip(sources) {
                to.copy_from_slice(&source[columns.start..columns.end]);
            }
        });
}

/// `f` of each value of a part and of those of the update's halves, `[c or 2c, rows, columns]` with
/// the margins, that belong to it; of an update of as many channels as the target, both are the
/// same.
fn apply(
    band: &mut Band<'_>,
    columns: Stretch,
    update: &[f32],
    f: impl Fn(f32, f32, f32) -> f32 + Sync,
) {
    let rows = band.rows;
    let area = rows.len_with_margins() * columns.len_with_margins();
    let w = band.channels[0].len() / rows.len();
    let second = update.len() / area - band.channels.len();
    let channels = band.channels.par_iter_mut().enumerate();
    channels.for_each(|(i, target)| {
        let halves = [i, i + second].map(|i| &update[i * area..][..area]);
        vectorised(
            #[inline(always)]
            || {
                for (row, line) in (rows.from..).zip(target.chunks_exact_mut(w)) {
                    let line = &mut line[columns.from..columns.to];
                    let above = (row - rows.start) * columns.len_with_margins();
                    let start = above + columns.from - columns.start;
                    let [t, b] = halves.map(|half| &half[start..][..line.len()]);
                    for ((value, t), b) in line.iter_mut().zip(t).zip(b) {
                        *value = f(*value, *t, *b);
                    }
                }
            },
        );
    });
}
