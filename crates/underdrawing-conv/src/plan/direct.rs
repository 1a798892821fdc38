//! Direct convolution in a plan: a matrix product, pixels x (taps, channels) x output channels,
//! that reads the pixels in place.
//!
//! It is used for kernels that Winograd's method cannot compute and for layers with few pixels and
//! many channels. For the latter, the threads divide the output channels, so that each weight is
//! read once.

use super::sink::{Pixel, Pixels, Sink, Source};
use crate::gemm::{ByRow, Size, VECS, even_parts, multiply};
use crate::panel::PART_DEPTH;
use crate::parallel;
use crate::pass::{Pass, WeightIdx, Weights};
use crate::scratch;
use crate::simd::{Simd, Vectors};

/// Pixels for which a thread computes all output channels at a time.
const PART_PIXELS: usize = 112;

/// Weights for [`run`]: for each phase of the result, panels of `VECS` vectors of output channels,
/// each `[phase][tap][c_in][output channel]`.
pub(super) fn pack<S: Simd>(pass: &Pass, w: Weights<'_>) -> Vec<f32> {
    let mut packed = Vec::new();
    for to_phase in pass.phases_to() {
        for (start, width) in panels::<S>(pass) {
            for from_phase in pass.phases_from() {
                for tap in 0..pass.taps * pass.taps {
                    for from in 0..pass.from.channels {
                        packed.extend((start..start + width).map(|to| {
                            let idx = WeightIdx {
                                to_phase,
                                from_phase,
                                from,
                                to,
                                tap: [tap / pass.taps, tap % pass.taps],
                            };
                            if to < pass.to.channels {
                                w.values[w.map.get(idx)]
                            } else {
                                0.0
                            }
                        }));
                    }
                }
            }
        }
    }
    packed
}

/// First channel and width of each panel.
fn panels<S: Simd>(pass: &Pass) -> Vec<(usize, usize)> {
    let channels = pass.to.channels.next_multiple_of(S::LANES);
    (0..channels)
        .step_by(VECS * S::LANES)
        .map(|start| (start, (channels - start).min(VECS * S::LANES)))
        .collect()
}

/// Computes a pass.
pub(super) fn run<S: Simd>(
    simd: S,
    pass: &Pass,
    source: Source<'_>,
    weights: &[f32],
    sink: &Sink<'_>,
) {
    let depth = Taps::new(pass, source).depth();
    let mut rest = weights;
    let mut panels_of_phases = Vec::new();
    for phase in pass.phases_to() {
        for (start, width) in panels::<S>(pass) {
            let (weights, after) = rest.split_at(depth * width);
            rest = after;
            panels_of_phases.push(Panel {
                phase,
                start,
                width,
                weights,
            });
        }
    }
    let pixels = pass.n * pass.rows() * pass.cols();
    let compute = |first: usize, count: usize, panel: &Panel<'_>| {
        scratch::with([count * panel.width, count * PART_DEPTH], |memory| {
            simd.run(
                #[inline(always)]
                || panel.compute(simd, pass, source, first, memory, sink),
            );
        });
    };
    if pixels > 4 * PART_PIXELS {
        parallel::each(pixels.div_ceil(PART_PIXELS), &|part| {
            let first = part * PART_PIXELS;
            for panel in &panels_of_phases {
                compute(first, PART_PIXELS.min(pixels - first), panel);
            }
        });
    } else {
        parallel::each(panels_of_phases.len(), &|idx| {
            compute(0, pixels, &panels_of_phases[idx]);
        });
    }
}

/// Where the inputs of a pixel are, relative to the first tap: runs of `c_in` values, one for each
/// phase and tap.
struct Taps {
    starts: Vec<usize>,
    c_in: usize,
}

impl Taps {
    fn new(pass: &Pass, source: Source<'_>) -> Self {
        let (view, step, taps) = (source.view, pass.from.step, pass.taps);
        let starts = pass.phases_from().flat_map(|[row, col]| {
            (0..taps * taps).map(move |tap| {
                let down = tap / taps * step + row;
                let right = tap % taps * step + col;
                down * view.row + right * view.pixel
            })
        });
        Self {
            starts: starts.collect(),
            c_in: pass.from.channels,
        }
    }

    fn depth(&self) -> usize {
        self.starts.len() * self.c_in
    }

    /// Copies the inputs of a pixel, from the one with the index `idx` on.
    #[inline(always)]
    fn copy(&self, pixel: &[f32], mut idx: usize, mut to: &mut [f32]) {
        while !to.is_empty() {
            let (run, done) = (idx / self.c_in, idx % self.c_in);
            let count = (self.c_in - done).min(to.len());
            let (now, later) = to.split_at_mut(count);
            now.copy_from_slice(&pixel[self.starts[run] + done..][..count]);
            idx += count;
            to = later;
        }
    }
}

/// Some output channels of a phase of the result.
struct Panel<'a> {
    phase: [usize; 2],
    start: usize,
    width: usize,
    weights: &'a [f32],
}

impl Panel<'_> {
    /// Computes as many pixels as `sums` has room for, from `first` on. `copies` has room for
    /// `PART_DEPTH` inputs of each: reading rows at irregular offsets would cost the micro-kernel a
    /// register each.
    #[inline(always)]
    fn compute<S: Simd>(
        &self,
        simd: S,
        pass: &Pass,
        source: Source<'_>,
        first: usize,
        [sums, copies]: [&mut [f32]; 2],
        sink: &Sink<'_>,
    ) {
        let width = self.width;
        let count = sums.len() / width;
        let taps = Taps::new(pass, source);
        for (part, (first_k, depth)) in even_parts(taps.depth(), PART_DEPTH).enumerate() {
            for (idx, copy) in copies.chunks_exact_mut(PART_DEPTH).take(count).enumerate() {
                let pixel = &source.values[self.read(pass, source, first + idx)..];
                taps.copy(pixel, first_k, &mut copy[..depth]);
            }
            let size = Size {
                rows: count,
                depth,
                vectors: width / S::LANES,
            };
            let inputs = ByRow {
                values: copies,
                pitch: PART_DEPTH,
            };
            let weights = ByRow {
                values: &self.weights[first_k * width..],
                pitch: width,
            };
            multiply(simd, size, inputs, weights, sums, width, part > 0);
        }
        let [height, sink_width] = sink.size();
        for (idx, sums) in sums.chunks_exact(width).enumerate() {
            let Pixel { picture, row, col } = pixel(pass, first + idx);
            let pixel = Pixel {
                picture,
                row: row * pass.to.step + self.phase[0],
                col: col * pass.to.step + self.phase[1],
            };
            if pixel.row >= height || pixel.col >= sink_width {
                continue;
            }
            let one = Pixels {
                first: pixel,
                rows: 1,
                cols: 1,
                step: 1,
            };
            for lane in (0..width).step_by(S::LANES) {
                let sums = Vectors::<S>::new(&sums[lane..], 1, [0, 0]);
                // SAFETY: these channels of this pixel are this thread's.
                unsafe {
                    sink.put(
                        simd,
                        one,
                        self.start + lane,
                        #[inline(always)]
                        |_, _| sums.get(simd, 0, 0),
                    );
                }
            }
        }
    }

    /// Where the first tap of a pixel is.
    #[inline(always)]
    fn read(&self, pass: &Pass, source: Source<'_>, idx: usize) -> usize {
        let Pixel { picture, row, col } = pixel(pass, idx);
        let at = |axis: usize, position: usize| {
            (position * pass.from.step) as isize + pass.first[self.phase[axis]]
        };
        source.view.at(picture, at(0, row), at(1, col))
    }
}

/// The pixel of the common grid with an index.
#[inline(always)]
fn pixel(pass: &Pass, idx: usize) -> Pixel {
    let (rows, cols) = (pass.rows(), pass.cols());
    Pixel {
        picture: idx / cols / rows,
        row: idx / cols % rows,
        col: idx % cols,
    }
}
