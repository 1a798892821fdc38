//! Direct convolution: the sum as it is written, in an order that suits registers and caches.
//!
//! A band of rows of one picture is copied to scratch with a border of zeros, channel by channel.
//! In a channel the rows follow one another with a pitch of `width + 2`, so that the nine taps of
//! an output pixel at position `q = row * pitch + column` are at `q + ky * pitch + kx`, whatever
//! `q`: the band is one long line of pixels. Two positions a row are computed in vain. The
//! register tile is output channels x a stretch of that line.
//!
//! The gradient of the input is the same with the weights transposed and turned by 180 degrees.
//! For the gradient of the weights the line of `dy` is brought to a layout with the channels
//! last and zeros at the positions in vain; the register tile is taps x output channels.

use rayon::prelude::*;

use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::layout::{Run, Shared, gather};
use crate::scratch;
use crate::simd::Simd;
use crate::{Conv3x3, Weights};

/// Bytes of the scratch for a band: half of a small level-2 cache.
const BAND_BYTES: usize = 192 << 10;
/// Partial sums of a weight gradient. It decides the order of the summation, so it must not
/// depend on the number of threads.
const PARTIAL_SUMS: usize = 16;
/// Pixels in a step of a weight gradient: what fits the level-1 cache.
const STEP_PIXELS: usize = 96;

/// `y = conv(x, w) + b`
pub(crate) fn convolve<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    x: &[f32],
    w: Weights<'_>,
    b: Option<&[f32]>,
    y: &mut [f32],
) {
    if y.is_empty() {
        return;
    }
    let bands = Bands::new::<S>(shape);
    let packed = pack::<S>(shape, w);
    let y = Shared::new(y);
    let lens = [bands.plane * shape.c_in, S::ROWS * bands.line];
    let convolve_band = |item: usize, line: &mut [f32], sums: &mut [f32]| {
        simd.run(
            #[inline(always)]
            || {
                let band = bands.get(item);
                bands.pad(shape, x, band, line);
                for (start, rows) in even_parts(shape.c_out, S::ROWS) {
                    let weights = &packed[start * shape.c_in * 9..][..rows * shape.c_in * 9];
                    for r in 0..rows {
                        let bias = b.map_or(0.0, |b| b[start + r]);
                        sums[r * bands.line..][..bands.line].fill(bias);
                    }
                    accumulate(simd, shape, bands, rows, weights, line, sums);
                    for r in 0..rows {
                        for row in 0..band.rows {
                            let channel = band.picture * shape.c_out + start + r;
                            let first = (channel * shape.height + band.top + row) * shape.width;
                            // SAFETY: no other band has these rows of this picture.
                            let y = unsafe { y.part(first, shape.width) };
                            let first = r * bands.line + row * bands.pitch;
                            y.copy_from_slice(&sums[first..][..shape.width]);
                        }
                    }
                }
            },
        );
    };
    (0..shape.n * bands.per_picture)
        .into_par_iter()
        .for_each(|item| scratch::with(lens, |[line, sums]| convolve_band(item, line, sums)));
}

/// Adds to `rows` lines of sums.
#[inline(always)]
fn accumulate<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    bands: Bands,
    rows: usize,
    weights: &[f32],
    line: &[f32],
    sums: &mut [f32],
) {
    for q in (0..bands.line).step_by(VECS * S::LANES) {
        let operands = Operands {
            depth: shape.c_in,
            a: weights,
            a_step: rows,
            a_row: |r| r,
            b: &line[q..],
            b_step: bands.plane,
            b_tap: |tap| tap / 3 * bands.pitch + tap % 3,
        };
        tile::<S, VECS, 9>(
            simd,
            rows,
            operands,
            &mut sums[q..],
            bands.line,
            /* add */ true,
        );
    }
}

/// Weights as the register tiles read them: parts of up to `ROWS` output channels, in each
/// `[c_in][tap][output channel]`.
fn pack<S: Simd>(shape: &Conv3x3, w: Weights<'_>) -> Vec<f32> {
    let mut packed = Vec::with_capacity(shape.c_out * shape.c_in * 9);
    for (start, rows) in even_parts(shape.c_out, S::ROWS) {
        for i in 0..shape.c_in {
            for tap in 0..9 {
                packed.extend((start..start + rows).map(|o| w.get(i, o, tap)));
            }
        }
    }
    packed
}

/// The gradient of the weights. The lanes of the vectors are the output's channels; where the
/// input's fill them better, the two change places: `dy` moved by a tap against `x` is `x` moved
/// by the opposite tap against `dy`.
pub(crate) fn backward_weight<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    dw.fill(0.0);
    if dw.is_empty() || dy.is_empty() {
        return;
    }
    let Conv3x3 { c_in, c_out, .. } = *shape;
    let filled = |channels: usize| channels as f32 / channels.next_multiple_of(S::LANES) as f32;
    if filled(c_in) > filled(c_out) {
        let back = Conv3x3 {
            c_in: c_out,
            c_out: c_in,
            ..*shape
        };
        correlate(simd, &back, dy, x, /* swapped */ true, dw);
    } else {
        correlate(simd, shape, x, dy, /* swapped */ false, dw);
    }
}

/// Adds the gradient of the weights to `dw`. If `swapped`, the input is the output's gradient and
/// the other way round.
fn correlate<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    x: &[f32],
    dy: &[f32],
    swapped: bool,
    dw: &mut [f32],
) {
    let bands = Bands::new::<S>(shape);
    let width = shape.c_out.next_multiple_of(S::LANES);
    let items = shape.n * bands.per_picture;
    let chunks = items.min(PARTIAL_SUMS);
    let sums_len = shape.c_in * 9 * width;
    let lens = [bands.plane * shape.c_in, bands.line * width];
    let correlate_item = |item: usize, line: &mut [f32], slopes: &mut [f32], sums: &mut [f32]| {
        simd.run(
            #[inline(always)]
            || {
                let band = bands.get(item);
                bands.pad(shape, x, band, line);
                bands.interleave(simd, shape, dy, band, slopes, width);
                correlate_band(simd, shape, bands, line, slopes, sums);
            },
        );
    };
    scratch::with([chunks * sums_len], |[partial_sums]| {
        partial_sums
            .par_chunks_exact_mut(sums_len)
            .enumerate()
            .for_each(|(chunk, sums)| {
                sums.fill(0.0);
                for item in chunk * items / chunks..(chunk + 1) * items / chunks {
                    scratch::with(lens, |[line, slopes]| {
                        correlate_item(item, line, slopes, sums);
                    });
                }
            });
        for sums in partial_sums.chunks_exact(sums_len) {
            for i in 0..shape.c_in {
                for tap in 0..9 {
                    let sums = &sums[(i * 9 + tap) * width..][..shape.c_out];
                    for (o, sum) in sums.iter().enumerate() {
                        let idx = if swapped {
                            (i * shape.c_out + o) * 9 + 8 - tap
                        } else {
                            (o * shape.c_in + i) * 9 + tap
                        };
                        dw[idx] += sum;
                    }
                }
            }
        }
    });
}

/// Adds a band's part to `sums[c_in][tap][c_out]`.
#[inline(always)]
fn correlate_band<S: Simd>(
    simd: S,
    shape: &Conv3x3,
    bands: Bands,
    line: &[f32],
    slopes: &[f32],
    sums: &mut [f32],
) {
    let width = shape.c_out.next_multiple_of(S::LANES);
    let vectors = width / S::LANES;
    for (q, depth) in even_parts(bands.line, STEP_PIXELS) {
        for o in (0..vectors).step_by(VECS) {
            for i in 0..shape.c_in {
                for (tap, rows) in even_parts(9, S::ROWS) {
                    let operands = Operands {
                        depth,
                        a: &line[i * bands.plane + q..],
                        a_step: 1,
                        a_row: |r| (tap + r) / 3 * bands.pitch + (tap + r) % 3,
                        b: &slopes[q * width + o * S::LANES..],
                        b_step: width,
                        b_tap: |_| 0,
                    };
                    let sums = &mut sums[(i * 9 + tap) * width + o * S::LANES..];
                    if vectors - o == 1 {
                        tile::<S, 1, 1>(simd, rows, operands, sums, width, /* add */ true);
                    } else {
                        tile::<S, VECS, 1>(simd, rows, operands, sums, width, /* add */ true);
                    }
                }
            }
        }
    }
}

/// How the pictures are cut into bands of rows, and how a band lies in scratch.
#[derive(Clone, Copy)]
struct Bands {
    per_picture: usize,
    height: usize,
    /// Most rows of a band.
    rows: usize,
    /// From a row to the next in scratch.
    pitch: usize,
    /// Positions in a band that are computed: a multiple of what a register tile takes.
    line: usize,
    /// From a channel to the next in scratch.
    plane: usize,
}

/// Rows `top .. top + rows` of a picture.
#[derive(Clone, Copy)]
struct Band {
    picture: usize,
    top: usize,
    rows: usize,
}

impl Bands {
    fn new<S: Simd>(shape: &Conv3x3) -> Self {
        let pitch = shape.width + 2;
        let row_bytes = 4 * pitch * shape.c_in.max(1);
        let limit = (BAND_BYTES / row_bytes)
            .saturating_sub(2)
            .clamp(1, shape.height);
        let per_picture = shape.height.div_ceil(limit);
        let rows = shape.height.div_ceil(per_picture);
        let line = (rows * pitch).next_multiple_of(VECS * S::LANES);
        // The last position's last tap is inside. A quarter of a page more than a whole number of
        // cache lines keeps the channels of pictures with a power of two as width apart in the
        // cache.
        let plane = (line + 2 * pitch + 2).next_multiple_of(16) + 16;
        Self {
            per_picture,
            height: shape.height,
            rows,
            pitch,
            line,
            plane,
        }
    }

    fn get(&self, item: usize) -> Band {
        let (picture, part) = (item / self.per_picture, item % self.per_picture);
        let top = part * self.height / self.per_picture;
        let end = (part + 1) * self.height / self.per_picture;
        debug_assert!(end - top <= self.rows);
        Band {
            picture,
            top,
            rows: end - top,
        }
    }

    /// Copies a band with the row above and the row below it to `line[c_in][plane]`.
    #[inline(always)]
    fn pad(&self, shape: &Conv3x3, x: &[f32], band: Band, line: &mut [f32]) {
        let area = shape.height * shape.width;
        for (c, line) in line.chunks_exact_mut(self.plane).enumerate() {
            let channel = &x[(band.picture * shape.c_in + c) * area..][..area];
            for row in 0..self.rows + 2 {
                let to = &mut line[row * self.pitch..][..self.pitch];
                // Counted from one: the border above the picture is row 0.
                let from = band.top + row;
                if from == 0 || from > shape.height {
                    to.fill(0.0);
                } else {
                    let from = &channel[(from - 1) * shape.width..][..shape.width];
                    to[0] = 0.0;
                    to[1..=shape.width].copy_from_slice(from);
                    to[shape.width + 1] = 0.0;
                }
            }
            line[(self.rows + 2) * self.pitch..].fill(0.0);
        }
    }

    /// Copies a band of `dy` to `slopes[line][width]`, the channels last.
    #[inline(always)]
    fn interleave<S: Simd>(
        &self,
        simd: S,
        shape: &Conv3x3,
        dy: &[f32],
        band: Band,
        slopes: &mut [f32],
        width: usize,
    ) {
        let area = shape.height * shape.width;
        let picture = &dy[band.picture * shape.c_out * area..][..shape.c_out * area];
        for row in 0..band.rows {
            let slopes = &mut slopes[row * self.pitch * width..][..self.pitch * width];
            let start = (band.top + row) * shape.width;
            let run = Run {
                start,
                count: shape.width,
                plane: area,
                channels: shape.c_out,
            };
            gather(simd, picture, run, slopes, width);
            // Positions in vain.
            slopes[shape.width * width..].fill(0.0);
        }
        slopes[band.rows * self.pitch * width..].fill(0.0);
    }
}
