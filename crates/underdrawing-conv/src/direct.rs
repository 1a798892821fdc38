//! Direct convolution: the defining sum, in an order that suits registers and caches.
//!
//! A band of rows of one picture is copied to scratch with a border of zeros, channel by channel
//! and phase by phase (see [`crate::pass`]). The row pitch there includes the border, so each tap
//! of the pixel at position `q = row * pitch + column` lies at `q` plus a constant: the band is one
//! long line of pixels. A few padding positions per row are computed and discarded. The register
//! tile is output channels x a stretch of that line.
//!
//! For the gradient with respect to the weights, the line of `dy` is rearranged with the channels
//! last and zeros at the padding positions; the register tile is weights x output channels.

use crate::activation::Activation;
use crate::bands::{Band, Bands};
use crate::gemm::{ByColumn, ByRow, Scattered, Size, even_parts, multiply};
use crate::parallel;
use crate::pass::{Pass, WeightIdx, WeightMap, Weights};
use crate::scratch;
use crate::shape::Conv;
use crate::shared::Shared;
use crate::simd::Simd;

/// Partial sums of a weight gradient. This fixes the order of summation, so it must not depend on
/// the number of threads.
const PARTIAL_SUMS: usize = 16;
/// Pixels per step of a weight gradient: as many as fit the level-1 cache.
const STEP_PIXELS: usize = 96;
/// At least [`Simd::ROWS`] of every instruction set.
const MAX_ROWS: usize = 16;

/// `y = activation(conv(x, w) + b)`
pub(crate) fn convolve<S: Simd>(
    simd: S,
    pass: &Pass,
    x: &[f32],
    w: Weights<'_>,
    b: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    if pass.is_empty() {
        return;
    }
    let bands = Bands::new::<S>(pass);
    let phases: Vec<Phase> = pass
        .phases_to()
        .map(|phase| Phase::new::<S>(pass, &bands, w, phase))
        .collect();
    let y = Shared::new(y);
    let lens = [bands.len(), S::ROWS * bands.line];
    let convolve_band = |item: usize, line: &mut [f32], sums: &mut [f32]| {
        simd.run(
            #[inline(always)]
            || {
                let band = bands.get(item);
                bands.pad(pass, x, band, line);
                for phase in &phases {
                    for (start, rows) in even_parts(pass.to.channels, S::ROWS) {
                        for r in 0..rows {
                            let bias = b.map_or(0.0, |b| b[start + r]);
                            sums[r * bands.line..][..bands.line].fill(bias);
                        }
                        phase.accumulate(simd, &bands, start, rows, line, sums);
                        let sums = &mut sums[..rows * bands.line];
                        activation.apply_slice(sums);
                        // SAFETY: no other band has these rows of this picture.
                        unsafe { phase.write(pass, &bands, band, start, sums, y) };
                    }
                }
            },
        );
    };
    parallel::each(pass.n * bands.per_picture, &|item| {
        scratch::with(lens, |[line, sums]| convolve_band(item, line, sums));
    });
}

/// The part of a convolution that computes one phase of the result.
struct Phase {
    phase: [usize; 2],
    /// Where the inputs of position 0 are on the line: all phases and taps of the first channel,
    /// then those of the other channels.
    offsets: Vec<u32>,
    last_offset: usize,
    /// Their weights in the order of the register tiles: groups of up to `ROWS` output channels,
    /// each `[offset][output channel]`.
    weights: Vec<f32>,
}

impl Phase {
    fn new<S: Simd>(pass: &Pass, bands: &Bands, w: Weights<'_>, phase: [usize; 2]) -> Self {
        let offsets = bands.offsets(pass, phase);
        let mut weights = Vec::with_capacity(pass.to.channels * offsets.len());
        for (start, rows) in even_parts(pass.to.channels, S::ROWS) {
            for mut idx in each_weight(pass, phase) {
                weights.extend((start..start + rows).map(|to| {
                    idx.to = to;
                    w.values[w.map.get(idx)]
                }));
            }
        }
        Self {
            phase,
            last_offset: offsets.iter().max().map_or(0, |last| *last as usize),
            offsets,
            weights,
        }
    }

    /// Adds to `rows` lines of sums, for the output channels from `start` on.
    #[inline(always)]
    fn accumulate<S: Simd>(
        &self,
        simd: S,
        bands: &Bands,
        start: usize,
        rows: usize,
        line: &[f32],
        sums: &mut [f32],
    ) {
        let depth = self.offsets.len();
        let size = Size {
            rows,
            depth,
            vectors: bands.line / S::LANES,
        };
        let weights = ByColumn {
            values: &self.weights[start * depth..],
            pitch: rows,
        };
        let inputs = Scattered {
            values: line,
            offsets: &self.offsets,
            last_offset: self.last_offset,
        };
        multiply(
            simd, size, weights, inputs, sums, bands.line, /* add */ true,
        );
    }

    /// Copies lines of sums to the rows of `y`, for the channels from `start` on.
    ///
    /// # Safety
    /// No other thread may use the band's rows meanwhile.
    unsafe fn write(
        &self,
        pass: &Pass,
        bands: &Bands,
        band: Band,
        start: usize,
        sums: &[f32],
        y: Shared<'_>,
    ) {
        let to = pass.to;
        let [row_phase, col_phase] = self.phase;
        for (r, sums) in sums.chunks_exact(bands.line).enumerate() {
            let channel = band.picture * to.channels + start + r;
            for (row, sums) in sums.chunks_exact(bands.pitch).take(band.rows).enumerate() {
                let row = (band.top + row) * to.step + row_phase;
                if row >= to.height {
                    break;
                }
                // SAFETY: a row of the band, which the caller vouches for.
                let y = unsafe { y.part((channel * to.height + row) * to.width, to.width) };
                if to.step == 1 {
                    y.copy_from_slice(&sums[..to.width]);
                } else {
                    let y = y.iter_mut().skip(col_phase).step_by(to.step);
                    for (y, sum) in y.zip(sums) {
                        *y = *sum;
                    }
                }
            }
        }
    }
}

/// The weights of a phase in the order of [`Bands::offsets`], for the first output channel.
fn each_weight(pass: &Pass, to_phase: [usize; 2]) -> impl Iterator<Item = WeightIdx> {
    let pass = *pass;
    (0..pass.from.channels).flat_map(move |from| {
        pass.phases_from().flat_map(move |from_phase| {
            (0..pass.taps * pass.taps).map(move |tap| WeightIdx {
                to_phase,
                from_phase,
                from,
                to: 0,
                tap: [tap / pass.taps, tap % pass.taps],
            })
        })
    })
}

/// The gradient with respect to the weights. The vector lanes are the output channels. If the input
/// channels fill the lanes better and the stride is 1, the two are swapped: shifting `dy` by a tap
/// against `x` is the same as shifting `x` by the opposite tap against `dy`.
pub(crate) fn backward_weight<S: Simd>(
    simd: S,
    conv: &Conv,
    x: &[f32],
    dy: &[f32],
    dw: &mut [f32],
) {
    dw.fill(0.0);
    if dw.is_empty() || dy.is_empty() {
        return;
    }
    let filled = |channels: usize| channels as f32 / channels.next_multiple_of(S::LANES) as f32;
    if conv.kernel.stride == 1 && filled(conv.c_in) > filled(conv.c_out) {
        correlate(simd, &conv.pass_back(), conv.map_back(), dy, x, dw);
    } else {
        correlate(simd, &conv.pass(), conv.map(), x, dy, dw);
    }
}

/// Adds the gradient of a pass's weights to `dw`. The pass must have a single output phase.
fn correlate<S: Simd>(
    simd: S,
    pass: &Pass,
    map: WeightMap,
    from: &[f32],
    to: &[f32],
    dw: &mut [f32],
) {
    debug_assert_eq!(pass.to.step, 1);
    let bands = Bands::new::<S>(pass);
    let offsets = bands.offsets(pass, [0, 0]);
    let width = pass.to.channels.next_multiple_of(S::LANES);
    let items = pass.n * bands.per_picture;
    let chunks = items.min(PARTIAL_SUMS);
    let sums_len = offsets.len() * width;
    let lens = [bands.len(), bands.line * width];
    let correlate_item = |item: usize, line: &mut [f32], dy_line: &mut [f32], sums: &mut [f32]| {
        simd.run(
            #[inline(always)]
            || {
                let band = bands.get(item);
                bands.pad(pass, from, band, line);
                bands.interleave(simd, pass, to, band, dy_line, width);
                correlate_band(simd, &bands, &offsets, line, dy_line, width, sums);
            },
        );
    };
    scratch::with([chunks * sums_len], |[partial_sums]| {
        parallel::each_chunk(partial_sums, sums_len, &|chunk, sums| {
            sums.fill(0.0);
            for item in chunk * items / chunks..(chunk + 1) * items / chunks {
                scratch::with(lens, |[line, dy_line]| {
                    correlate_item(item, line, dy_line, sums);
                });
            }
        });
        for sums in partial_sums.chunks_exact(sums_len) {
            for (mut idx, sums) in each_weight(pass, [0, 0]).zip(sums.chunks_exact(width)) {
                for (to, sum) in sums[..pass.to.channels].iter().enumerate() {
                    idx.to = to;
                    dw[map.get(idx)] += sum;
                }
            }
        }
    });
}

/// Adds the contribution of a band to `sums[offset][width]`.
#[inline(always)]
fn correlate_band<S: Simd>(
    simd: S,
    bands: &Bands,
    offsets: &[u32],
    line: &[f32],
    dy_line: &[f32],
    width: usize,
    sums: &mut [f32],
) {
    let vectors = width / S::LANES;
    for (q, depth) in even_parts(bands.line, STEP_PIXELS) {
        for (start, rows) in even_parts(offsets.len(), S::ROWS) {
            // Rows at irregular offsets would cost the micro-kernel a register each.
            let mut copies = [0.0; MAX_ROWS * STEP_PIXELS];
            for (copy, offset) in copies
                .chunks_exact_mut(STEP_PIXELS)
                .zip(&offsets[start..][..rows])
            {
                copy[..depth].copy_from_slice(&line[q + *offset as usize..][..depth]);
            }
            let size = Size {
                rows,
                depth,
                vectors,
            };
            let inputs = ByRow {
                values: &copies,
                pitch: STEP_PIXELS,
            };
            let dy = ByRow {
                values: &dy_line[q * width..],
                pitch: width,
            };
            let sums = &mut sums[start * width..];
            multiply(simd, size, inputs, dy, sums, width, /* add */ true);
        }
    }
}
