//! Convolution as one product of matrices: for layers of many channels and few pixels, where most
//! of the time goes into reading weights.
//!
//! The pixels under the kernel become a row of a matrix, `columns[pixel][c_in, tap]`, in the order
//! of the weights, so that those are read as they lie, once: a thread takes some output channels
//! (or, on the way back, input channels) through all pixels.

use rayon::prelude::*;

use crate::activation::Activation;
use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::layout::Shared;
use crate::panel::{PART_DEPTH, SKEW, multiply, turn};
use crate::scratch;
use crate::shape::{Conv, Kernel};
use crate::simd::Simd;

/// Columns of the matrix that a thread computes at a time on the way back, at least.
const BACK_COLUMNS: usize = 64;

/// The matrix of what is under the kernel.
struct Columns {
    conv: Conv,
    /// Pixels of the output in all pictures: the rows.
    pixels: usize,
    /// `c_in` times the taps.
    depth: usize,
    /// Tiles beside one another in the depth, and from a row to the next.
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

    /// Fills the matrix from pictures.
    fn fill(&self, x: &[f32], columns: &mut [f32]) {
        columns
            .par_chunks_exact_mut(self.pitch)
            .enumerate()
            .for_each(|(pixel, columns)| {
                columns.fill(0.0);
                self.each_run(pixel, 0..self.conv.c_in, |at, tap, count| {
                    // So few that a call to copy them takes longer.
                    for (to, from) in columns[tap..tap + count].iter_mut().zip(&x[at..at + count]) {
                        *to = *from;
                    }
                });
            });
    }

    /// Calls `visit` with the index in the pictures, that in the matrix's row, and the length of
    /// each run of numbers under the kernel at a pixel, for some channels.
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
        // Taps that are inside of the picture.
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

    /// Adds to a channel of a picture, which starts at `start` in all pictures, what the kernel at
    /// each pixel has for it: `value(column, pixel)`.
    #[inline(always)]
    fn add_up(
        &self,
        picture: usize,
        channel: usize,
        start: usize,
        numbers: &mut [f32],
        value: impl Fn(usize, usize) -> f32,
    ) {
        for pixel in picture * self.area()..(picture + 1) * self.area() {
            self.each_run(pixel, channel..channel + 1, |at, tap, count| {
                let numbers = &mut numbers[at - start..][..count];
                for (idx, number) in numbers.iter_mut().enumerate() {
                    *number += value(tap + idx, pixel);
                }
            });
        }
    }

    /// Pixels of an output picture.
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
        (0..conv.c_out.div_ceil(width))
            .into_par_iter()
            .for_each(|panel| {
                let first = panel * width;
                let channels = width.min(conv.c_out - first);
                let weights = &w[first * depth..][..channels * depth];
                scratch::with([pixels * width, PART_DEPTH * width], |[sums, turned]| {
                    simd.run(
                        #[inline(always)]
                        || {
                            sums.fill(0.0);
                            for (start, part) in even_parts(depth, PART_DEPTH) {
                                turn(simd, weights, channels, depth, start..start + part, turned);
                                let matrix = &matrix[start..];
                                multiply(simd, [pixels, part, pitch], matrix, turned, sums);
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

/// The gradient of the input, or a transposed convolution with bias and activation.
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
    // Columns of a group, in whole panels.
    let panels = (group * taps).div_ceil(width);
    let plane = conv.height * conv.width;
    let dx = Shared::new(dx);
    let slopes_pitch = conv.c_out + SKEW;
    scratch::with([pixels * slopes_pitch], |[slopes]| {
        channels_last(dy, [conv.c_out, columns.area(), slopes_pitch], slopes);
        let slopes = &*slopes;
        (0..conv.c_in.div_ceil(group))
            .into_par_iter()
            .for_each(|item| {
                let channels = item * group..((item + 1) * group).min(conv.c_in);
                let lens = [panels * pixels * width, PART_DEPTH * width];
                scratch::with(lens, |[sums, weights]| {
                    let first = channels.start * taps;
                    let count = channels.len() * taps;
                    simd.run(
                        #[inline(always)]
                        || {
                            let columns = first..first + count;
                            let slopes = (slopes, slopes_pitch);
                            multiply_back(simd, w, depth, columns, slopes, weights, sums);
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

/// A range of columns of `slopes w`, in panels `[panel][pixel][width]`. `slopes` are rows of
/// output channels and the distance between them, `w` is `[c_out][depth]`.
#[inline(always)]
fn multiply_back<S: Simd>(
    simd: S,
    w: &[f32],
    depth: usize,
    columns: std::ops::Range<usize>,
    (slopes, pitch): (&[f32], usize),
    weights: &mut [f32],
    sums: &mut [f32],
) {
    let width = VECS * S::LANES;
    let pixels = slopes.len() / pitch;
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
            multiply(simd, [pixels, part, pitch], &slopes[row..], weights, sums);
        }
    }
}

/// The gradient of the weights.
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
    scratch::with([pixels * pitch, pixels * conv.c_out], |[matrix, slopes]| {
        columns.fill(x, matrix);
        let matrix = &*matrix;
        group_rows::<S>(dy, conv.c_out, columns.area(), slopes);
        let slopes = &*slopes;
        (0..columns.panels).into_par_iter().for_each(|panel| {
            scratch::with([pixels * width, S::ROWS * width], |[right, sums]| {
                simd.run(
                    #[inline(always)]
                    || {
                        let rows = matrix
                            .chunks_exact(pitch)
                            .zip(right.chunks_exact_mut(width));
                        for (from, to) in rows {
                            to.copy_from_slice(&from[panel * width..][..width]);
                        }
                        for (start, rows) in even_parts(conv.c_out, S::ROWS) {
                            let operands = Operands {
                                depth: pixels,
                                a: &slopes[start * pixels..],
                                a_at: |k| k * rows,
                                a_row: |r| r,
                                a_last: pixels * rows - 1,
                                b: right,
                                b_at: |k| k * width,
                                b_last: (pixels - 1) * width,
                            };
                            tile::<S, VECS>(
                                simd, rows, operands, sums, width, /* add */ false,
                            );
                            let count = width.min(depth - panel * width);
                            for (r, sums) in sums.chunks_exact(width).take(rows).enumerate() {
                                let at = (start + r) * depth + panel * width;
                                // SAFETY: each item has other columns.
                                let dw = unsafe { dw.part(at, count) };
                                dw.copy_from_slice(&sums[..count]);
                            }
                        }
                    },
                );
            });
        });
    });
}

/// `[n, channels, area]` to `[n, area, pitch]`, of which the first `channels` count.
fn channels_last(pictures: &[f32], [channels, area, pitch]: [usize; 3], to: &mut [f32]) {
    to.par_chunks_exact_mut(pitch)
        .enumerate()
        .for_each(|(pixel, to)| {
            let picture = &pictures[pixel / area * channels * area..];
            for (c, to) in to[..channels].iter_mut().enumerate() {
                *to = picture[c * area + pixel % area];
            }
        });
}

/// `[n, channels, area]` to groups of channels as the register tiles take them, in each
/// `[pixel of all pictures][channel]`.
fn group_rows<S: Simd>(pictures: &[f32], channels: usize, area: usize, to: &mut [f32]) {
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
