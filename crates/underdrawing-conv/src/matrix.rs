//! Convolution as a single matrix product, for layers with many channels and few pixels, which
//! spend most of their time reading weights.
//!
//! The inputs of each output pixel become a row of a matrix, `columns[pixel][c_in, tap]`, in the
//! order of the weights (im2col). The weights can then be read in place, once: a thread computes
//! some output channels (or in the backward pass, input channels) of all pixels.

use crate::activation::Activation;
use crate::gemm::{ByRow, Groups, Size, VECS, even_parts, multiply};
use crate::panel::{PART_DEPTH, SKEW, transpose_panel};
use crate::parallel;
use crate::scratch;
use crate::shape::{Conv, Kernel};
use crate::shared::Shared;
use crate::simd::Simd;

/// Minimum number of columns of the matrix that a thread computes at a time in the backward pass.
const BACK_COLUMNS: usize = 64;

/// The matrix of the inputs of each output pixel.
struct Columns {
    conv: Conv,
    /// Output pixels of all pictures: the rows.
    pixels: usize,
    /// `c_in` times the number of taps: the columns.
    depth: usize,
    /// Panels that the columns make up, and the distance between rows.
    panels: usize,
    pitch: usize,
}

impl Columns {
    fn new<S: Simd>(conv: &Conv) -> Self {
        let depth = conv.c_in * conv.kernel.side * conv.kernel.side;
        let width = VECS * S::LANES;
        let panels = depth.div_ceil(width);
        Self {
            conv: *conv,
            pixels: conv.n * conv.height_out() * conv.width_out(),
            depth,
            panels,
            pitch: panels * width + SKEW,
        }
    }

    /// Fills the matrix.
    fn fill(&self, x: &[f32], columns: &mut [f32]) {
        parallel::each_chunk(columns, self.pitch, &|pixel, columns| {
            columns.fill(0.0);
            self.each_run(pixel, 0..self.conv.c_in, |at, tap, count| {
                // So few that calling `memcpy` takes longer.
                for (to, from) in columns[tap..tap + count].iter_mut().zip(&x[at..at + count]) {
                    *to = *from;
                }
            });
        });
    }

    /// Calls `visit` for each run of inputs of a pixel in some channels, with its index in the
    /// pictures, its index in the row of the matrix, and its length.
    #[inline(always)]
    fn each_run(
        &self,
        pixel: usize,
        channels: std::ops::Range<usize>,
        mut visit: impl FnMut(usize, usize, usize),
    ) {
        let Conv {
            c_in,
            height,
            width,
            kernel,
            ..
        } = self.conv;
        let Kernel {
            side,
            stride,
            before,
            ..
        } = kernel;
        let (rows, cols) = (self.conv.height_out(), self.conv.width_out());
        let picture = pixel / (rows * cols);
        let (row, col) = (pixel / cols % rows * stride, pixel % cols * stride);
        // Taps that are inside the picture.
        let inside = |start: usize, size: usize| {
            let first = before.saturating_sub(start);
            first..(size + before).saturating_sub(start).min(side)
        };
        let (tap_rows, tap_cols) = (inside(row, height), inside(col, width));
        if tap_cols.is_empty() {
            return;
        }
        for c in channels {
            for tap_row in tap_rows.clone() {
                let at = ((picture * c_in + c) * height + row + tap_row - before) * width;
                visit(
                    at + col + tap_cols.start - before,
                    (c * side + tap_row) * side + tap_cols.start,
                    tap_cols.len(),
                );
            }
        }
    }

    /// Adds `value(column, pixel)` of all pixels of a picture to the inputs of one channel, whose
    /// first value has the index `start` in the pictures (col2im).
    #[inline(always)]
    fn add_up(
        &self,
        picture: usize,
        channel: usize,
        start: usize,
        values: &mut [f32],
        value: impl Fn(usize, usize) -> f32,
    ) {
        for pixel in picture * self.area()..(picture + 1) * self.area() {
            self.each_run(pixel, channel..channel + 1, |at, tap, count| {
                let values = &mut values[at - start..][..count];
                for (idx, number) in values.iter_mut().enumerate() {
                    *number += value(tap + idx, pixel);
                }
            });
        }
    }

    /// Pixels per output picture.
    fn area(&self) -> usize {
        self.conv.height_out() * self.conv.width_out()
    }
}

/// `y = activation(conv(x, w) + b)`
pub(crate) fn forward<S: Simd>(
    simd: S,
    conv: &Conv,
    x: &[f32],
    w: &[f32],
    b: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    let columns = Columns::new::<S>(conv);
    let Columns {
        pixels,
        depth,
        pitch,
        ..
    } = columns;
    let area = columns.area();
    let width = VECS * S::LANES;
    let y = Shared::new(y);
    scratch::with([pixels * pitch], |[matrix]| {
        columns.fill(x, matrix);
        let matrix = &*matrix;
        parallel::each(conv.c_out.div_ceil(width), &|panel| {
            let first = panel * width;
            let channels = width.min(conv.c_out - first);
            let weights = &w[first * depth..][..channels * depth];
            scratch::with([pixels * width, PART_DEPTH * width], |[sums, w_panel]| {
                simd.run(
                    #[inline(always)]
                    || {
                        sums.fill(0.0);
                        for (start, part) in even_parts(depth, PART_DEPTH) {
                            transpose_panel(
                                simd,
                                weights,
                                channels,
                                depth,
                                start..start + part,
                                w_panel,
                            );
                            add_product(simd, &matrix[start..], pitch, w_panel, part, sums);
                        }
                    },
                );
                for (pixel, sums) in sums.chunks_exact_mut(width).enumerate() {
                    let sums = &mut sums[..channels];
                    if let Some(b) = b {
                        sums.iter_mut()
                            .zip(&b[first..])
                            .for_each(|(sum, b)| *sum += b);
                    }
                    activation.apply_slice(sums);
                    for (c, sum) in sums.iter().enumerate() {
                        let channel = pixel / area * conv.c_out + first + c;
                        // SAFETY: each item has other channels.
                        let y = unsafe { y.part(channel * area + pixel % area, 1) };
                        y[0] = *sum;
                    }
                }
            });
        });
    });
}

/// `sums += left panel`, with `depth` columns of `left[pixels][pitch]`.
#[inline(always)]
fn add_product<S: Simd>(
    simd: S,
    left: &[f32],
    pitch: usize,
    panel: &[f32],
    depth: usize,
    sums: &mut [f32],
) {
    let width = VECS * S::LANES;
    let size = Size {
        rows: sums.len() / width,
        depth,
        vectors: VECS,
    };
    let left = ByRow {
        values: left,
        pitch,
    };
    let panel = ByRow {
        values: panel,
        pitch: width,
    };
    multiply(simd, size, left, panel, sums, width, /* add */ true);
}

/// The gradient with respect to the input, or a transposed convolution with bias and activation.
pub(crate) fn backward_input<S: Simd>(
    simd: S,
    conv: &Conv,
    w: &[f32],
    dy: &[f32],
    b: Option<&[f32]>,
    activation: Activation,
    dx: &mut [f32],
) {
    let columns = Columns::new::<S>(conv);
    let Columns { pixels, depth, .. } = columns;
    let taps = conv.kernel.side * conv.kernel.side;
    let width = VECS * S::LANES;
    let group = BACK_COLUMNS.div_ceil(taps);
    // Panels per group of columns.
    let panels = (group * taps).div_ceil(width);
    let plane = conv.height * conv.width;
    let dx = Shared::new(dx);
    let dy_pitch = conv.c_out + SKEW;
    scratch::with([pixels * dy_pitch], |[dy_rows]| {
        channels_last(dy, [conv.c_out, columns.area(), dy_pitch], dy_rows);
        let dy_rows = &*dy_rows;
        parallel::each(conv.c_in.div_ceil(group), &|item| {
            let channels = item * group..((item + 1) * group).min(conv.c_in);
            let lens = [panels * pixels * width, PART_DEPTH * width];
            scratch::with(lens, |[sums, weights]| {
                let first = channels.start * taps;
                let count = channels.len() * taps;
                simd.run(
                    #[inline(always)]
                    || {
                        let columns = first..first + count;
                        let dy_rows = (dy_rows, dy_pitch);
                        multiply_back(simd, w, depth, columns, dy_rows, weights, sums);
                    },
                );
                for c in channels.clone() {
                    for picture in 0..conv.n {
                        let start = (picture * conv.c_in + c) * plane;
                        // SAFETY: each item has other channels.
                        let dx = unsafe { dx.part(start, plane) };
                        dx.fill(b.map_or(0.0, |b| b[c]));
                        columns.add_up(picture, c, start, dx, |tap, pixel| {
                            let (panel, lane) = ((tap - first) / width, (tap - first) % width);
                            sums[(panel * pixels + pixel) * width + lane]
                        });
                        activation.apply_slice(dx);
                    }
                }
            });
        });
    });
}

/// A range of columns of the product `dy_rows w`, in panels `[panel][pixel][width]`. `dy_rows` is
/// given with the distance between its rows, `w` is `[c_out][depth]`.
#[inline(always)]
fn multiply_back<S: Simd>(
    simd: S,
    w: &[f32],
    depth: usize,
    columns: std::ops::Range<usize>,
    (dy_rows, pitch): (&[f32], usize),
    weights: &mut [f32],
    sums: &mut [f32],
) {
    let width = VECS * S::LANES;
    let pixels = dy_rows.len() / pitch;
    sums.fill(0.0);
    for (panel, sums) in sums.chunks_exact_mut(pixels * width).enumerate() {
        let start = (columns.start + panel * width).min(columns.end);
        let count = (columns.end - start).min(width);
        for (row, part) in even_parts(w.len() / depth, PART_DEPTH) {
            let rows = weights.chunks_exact_mut(width).take(part);
            for (o, weights) in rows.enumerate() {
                weights[..count].copy_from_slice(&w[(row + o) * depth + start..][..count]);
                weights[count..].fill(0.0);
            }
            add_product(simd, &dy_rows[row..], pitch, weights, part, sums);
        }
    }
}

/// The gradient with respect to the weights.
pub(crate) fn backward_weight<S: Simd>(
    simd: S,
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    let columns = Columns::new::<S>(conv);
    let Columns {
        pixels,
        depth,
        pitch,
        ..
    } = columns;
    let width = VECS * S::LANES;
    let dw = Shared::new(dw);
    let lens = [pixels * pitch, pixels * conv.c_out];
    scratch::with(lens, |[matrix, dy_groups]| {
        columns.fill(x, matrix);
        group_channels::<S>(dy, conv.c_out, columns.area(), dy_groups);
        let (matrix, dy_groups) = (&*matrix, &*dy_groups);
        parallel::each(columns.panels, &|panel| {
            let lens = [pixels * width, conv.c_out * width];
            scratch::with(lens, |[inputs, sums]| {
                let rows = matrix.chunks_exact(pitch);
                for (row, inputs) in rows.zip(inputs.chunks_exact_mut(width)) {
                    inputs.copy_from_slice(&row[panel * width..][..width]);
                }
                let size = Size {
                    rows: conv.c_out,
                    depth: pixels,
                    vectors: VECS,
                };
                let dy = Groups {
                    values: dy_groups,
                    cols: pixels,
                };
                let inputs = ByRow {
                    values: inputs,
                    pitch: width,
                };
                multiply(simd, size, dy, inputs, sums, width, /* add */ false);
                let count = width.min(depth - panel * width);
                for (o, sums) in sums.chunks_exact(width).enumerate() {
                    // SAFETY: each item has other columns.
                    let dw = unsafe { dw.part(o * depth + panel * width, count) };
                    dw.copy_from_slice(&sums[..count]);
                }
            });
        });
    });
}

/// Rearranges `[n, channels, area]` as `[n, area, pitch]`, of which the first `channels` are used.
fn channels_last(pictures: &[f32], [channels, area, pitch]: [usize; 3], to: &mut [f32]) {
    parallel::each_chunk(to, pitch, &|pixel, to| {
        let picture = &pictures[pixel / area * channels * area..];
        for (c, to) in to[..channels].iter_mut().enumerate() {
            *to = picture[c * area + pixel % area];
        }
    });
}

/// Rearranges `[n, channels, area]` as groups of channels, as many as a register tile has rows,
/// each
/// `[pixel of all pictures][channel]`.
fn group_channels<S: Simd>(pictures: &[f32], channels: usize, area: usize, to: &mut [f32]) {
    let pixels = to.len() / channels;
    let mut rest = to;
    for (start, rows) in even_parts(channels, S::ROWS) {
        let (group, after) = rest.split_at_mut(rows * pixels);
        rest = after;
        for (pixel, group) in group.chunks_exact_mut(rows).enumerate() {
            let first = (pixel / area * channels + start) * area + pixel % area;
            for (r, to) in group.iter_mut().enumerate() {
                *to = pictures[first + r * area];
            }
        }
    }
}
