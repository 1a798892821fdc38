//! A residual function and what it does to the other branch of a coupling, part by part of the
//! picture, so that what is between its convolutions stays in the cache. For inference: nothing is
//! kept for a way back.

use std::cell::Cell;

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;
use underdrawing_conv::{Activation, Conv, Kernel, vectorised};

use super::coupling::{couple_value, uncouple_value};
use super::flex::{CHUNK, contiguous, dims, floats, tensor, unshared};
use crate::stretch::Stretch;

/// Most rows of a part, which one thread computes. With its margins, a part's features of the
/// built-in model take 6 MB: they fit a level-3 cache, and the margins cost 13 % more arithmetic.
const ROWS: usize = 96;
/// Most columns of a part.
const COLUMNS: usize = 192;

/// Pixels on each side that a function looks at, one a convolution.
const MARGIN: usize = 3;
/// Parts start at multiples of it, the side of the squares that convolutions compute, none of
/// which is then half wasted.
const STEP: usize = 4;

/// What a function's result does to the other branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is added.
    Add,
    /// It is subtracted.
    Subtract,
    /// See [`super::couple`].
    Couple,
    /// See [`super::uncouple`].
    Uncouple,
}

/// Weight `[c_out, c_in, 3, 3]` and bias `[c_out]` of each of a function's three convolutions.
type Layers = [(Tensor<4>, Tensor<1>); 3];

/// Whether [`changed`] can be had: on the CPU, where no gradients are wanted.
pub(crate) fn in_parts(x: &Tensor<4>) -> bool {
    super::ours(x) && !x.device().is_autodiff()
}

/// `target` changed by the residual function of `source`, `[n, c, h, w]` each: a leaky ReLU of
/// `slope` follows the first two convolutions; the last one sees the sum of both results, beside
/// the function's input. Only where [`in_parts`] says so.
pub(crate) fn changed(
    target: Tensor<4>,
    source: &Tensor<4>,
    layers: Layers,
    slope: f32,
    change: Change,
) -> Tensor<4> {
    let [first, middle, last] = layers.map(|(w, b)| (w.into_dispatch(), b.into_dispatch()));
    Tensor::from_dispatch(<Dispatch as FunctionBackend>::changed(
        target.into_dispatch(),
        source.clone().into_dispatch(),
        first.0,
        first.1,
        middle.0,
        middle.1,
        last.0,
        last.1,
        slope,
        change,
    ))
}

#[backend_extension(Flex)]
pub(crate) trait FunctionBackend: Backend {
    fn changed(
        target: FloatTensor<Self>,
        source: FloatTensor<Self>,
        first_weight: FloatTensor<Self>,
        first_bias: FloatTensor<Self>,
        middle_weight: FloatTensor<Self>,
        middle_bias: FloatTensor<Self>,
        last_weight: FloatTensor<Self>,
        last_bias: FloatTensor<Self>,
        slope: f32,
        change: Change,
    ) -> FloatTensor<Self>;
}

impl FunctionBackend for Flex {
    fn changed(
        target: FlexTensor,
        source: FlexTensor,
        first_weight: FlexTensor,
        first_bias: FlexTensor,
        middle_weight: FlexTensor,
        middle_bias: FlexTensor,
        last_weight: FlexTensor,
        last_bias: FlexTensor,
        slope: f32,
        change: Change,
    ) -> FlexTensor {
        let [source, w1, b1, w2, b2, w3, b3] = [
            source,
            first_weight,
            first_bias,
            middle_weight,
            middle_bias,
            last_weight,
            last_bias,
        ]
        .map(contiguous);
        let function = Function {
            layers: [
                (floats(&w1), floats(&b1)),
                (floats(&w2), floats(&b2)),
                (floats(&w3), floats(&b3)),
            ],
            slope,
            change,
        };
        let mut target = contiguous(target);
        let shape: [usize; 4] = dims(&target);
        if unshared(&mut target).is_none() {
            target = tensor(floats(&target).to_vec(), shape);
        }
        let values = unshared(&mut target).expect("nobody else holds a tensor made here");
        let [_, c, h, w] = shape;
        let pictures = values.chunks_exact_mut((c * h * w).max(1));
        for (target, source) in pictures.zip(floats(&source).chunks_exact((c * h * w).max(1))) {
            bands(target, [h, w]).into_par_iter().for_each(|mut band| {
                let mut scratch = SCRATCH.take();
                for columns in parts(w, COLUMNS) {
                    function.change(&mut band, source, [c, h, w], columns, &mut scratch);
                }
                SCRATCH.set(scratch);
            });
        }
        target
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
    Stretch::split(size, most, MARGIN, STEP)
}

struct Function<'a> {
    /// Weights and biases.
    layers: [(&'a [f32], &'a [f32]); 3],
    slope: f32,
    change: Change,
}

impl Function<'_> {
    /// Changes columns of a band by the function of `source`, `[c, h, w]`. Each picture edge that
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
        let leaky = Activation::LeakyRelu(self.slope);
        let features_of = &mut features[..width * area];
        conv(c, width).forward(x, first.0, Some(first.1), leaky, features_of);
        conv(width, width).forward(features_of, middle.0, Some(middle.1), leaky, more);
        add(more, features_of);
        let update = &mut features[..c_out * area];
        let none = Activation::None;
        conv(width + c, c_out).forward(both, last.0, Some(last.1), none, update);
        match self.change {
            Change::Add => apply(band, columns, update, add_value),
            Change::Subtract => apply(band, columns, update, subtract_value),
            Change::Couple => apply(band, columns, update, couple_value),
            Change::Uncouple => apply(band, columns, update, uncouple_value),
        }
    }
}

#[inline(always)]
fn add_value(x: f32, update: f32, _: f32) -> f32 {
    x + update
}

#[inline(always)]
fn subtract_value(x: f32, update: f32, _: f32) -> f32 {
    x - update
}

/// Adds `terms` to `values`.
fn add(values: &mut [f32], terms: &[f32]) {
    let pairs = values.par_chunks_mut(CHUNK).zip(terms.par_chunks(CHUNK));
    pairs.for_each(|(values, terms)| {
        for (v, term) in values.iter_mut().zip(terms) {
            *v += term;
        }
    });
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
