//! Winograd's convolution inside of a plan: see [`crate::winograd`].
//!
//! There is nothing to gather or to scatter. With many blocks of tiles each is one thread's; with
//! few, as in the deep layers of a network, the threads share a block and divide the output
//! channels, so that each weight is read once.

use rayon::prelude::*;

use super::sink::{Pixel, Sink, Source};
use crate::block::{Block, Domain, Tiles, transform_input};
use crate::layout::Shared;
use crate::pass::{Pass, Weights};
use crate::scratch;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::{TILE, Three, Transforms, Two};
use crate::winograd::{Shape, weights};

/// Blocks of tiles from which on each is one thread's. It doesn't change results.
const MANY_BLOCKS: usize = 6;

/// Weights for [`run`].
pub(super) fn pack<S: Simd>(simd: S, pass: &Pass, w: Weights<'_>) -> Vec<f32> {
    match pass.taps {
        2 => pack_by(simd, Two, pass, w),
        _ => pack_by(simd, Three, pass, w),
    }
}

fn pack_by<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    pass: &Pass,
    w: Weights<'_>,
) -> Vec<f32> {
    let shape = Shape::new::<S>(pass);
    let phase_len = T::PRODUCTS * shape.depth * shape.pitch_out;
    let mut packed = vec![0.0; pass.phases_to().count() * phase_len];
    for (phase, packed) in pass.phases_to().zip(packed.chunks_exact_mut(phase_len)) {
        weights::transform(simd, transforms, &shape, w, phase, packed);
    }
    packed
}

/// Computes a pass.
pub(super) fn run<S: Simd>(
    simd: S,
    pass: &Pass,
    source: Source<'_>,
    weights: &[f32],
    sink: &Sink<'_>,
) {
    match pass.taps {
        2 => run_by(simd, Two, pass, source, weights, sink),
        _ => run_by(simd, Three, pass, source, weights, sink),
    }
}

fn run_by<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    pass: &Pass,
    source: Source<'_>,
    weights: &[f32],
    sink: &Sink<'_>,
) {
    let shape = Shape::new::<S>(pass);
    let task = Task {
        simd,
        transforms,
        pass,
        shape: &shape,
        source,
        weights,
        sink,
    };
    let blocks = pass.n * shape.grid.per_picture();
    if blocks >= MANY_BLOCKS {
        (0..blocks)
            .into_par_iter()
            .for_each(|item| task.block(shape.grid.get(item)));
    } else {
        (0..blocks).for_each(|item| task.shared_block(shape.grid.get(item)));
    }
}

/// All that a block needs.
#[derive(Clone, Copy)]
struct Task<'a, S, T> {
    simd: S,
    transforms: T,
    pass: &'a Pass,
    shape: &'a Shape,
    source: Source<'a>,
    weights: &'a [f32],
    sink: &'a Sink<'a>,
}

impl<S: Simd, T: Transforms> Task<'_, S, T> {
    /// A block by one thread.
    fn block(&self, block: Block) {
        let Self {
            simd, pass, shape, ..
        } = *self;
        let lens = [
            T::PRODUCTS * shape.left.plane,
            T::PRODUCTS * shape.right.plane,
        ];
        scratch::with(lens, |[left, right]| {
            simd.run(
                #[inline(always)]
                || {
                    let weights = self.weights.chunks_exact(self.phase_len());
                    for (phase, weights) in pass.phases_to().zip(weights) {
                        for (idx, from_phase) in pass.phases_from().enumerate() {
                            let left = &mut left[idx * shape.pitch_in..];
                            self.enter(block, phase, from_phase, 0, shape.pitch_in, left);
                        }
                        shape.multiply(simd, self.transforms, block.tiles(), left, weights, right);
                        self.leave(block, phase, right, shape.right, 0, shape.pitch_out);
                    }
                },
            );
        });
    }

    /// A block by all threads: first each takes some channels of the input, then some of the
    /// output.
    fn shared_block(&self, block: Block) {
        let Self {
            simd, pass, shape, ..
        } = *self;
        let phases: Vec<[usize; 2]> = pass.phases_to().collect();
        let left_len = T::PRODUCTS * shape.left.plane;
        scratch::with([phases.len() * left_len], |[lefts]| {
            self.enter_phases(block, &phases, Shared::new(lefts));
            let lefts = &*lefts;
            let panels: Vec<(usize, usize, &[f32])> = self
                .weights
                .chunks_exact(self.phase_len())
                .enumerate()
                .flat_map(|(phase, weights)| {
                    let panels = shape.panels::<S, T>(weights);
                    panels.map(move |(o, panel)| (phase, o, panel))
                })
                .collect();
            panels.into_par_iter().for_each(|(phase, o, panel)| {
                let width = panel.len() / (T::PRODUCTS * shape.depth);
                let domain = Domain {
                    pitch: width,
                    plane: block.tiles() * width + 16,
                };
                scratch::with([T::PRODUCTS * domain.plane], |[right]| {
                    simd.run(
                        #[inline(always)]
                        || {
                            let left = &lefts[phase * left_len..][..left_len];
                            let tiles = block.tiles();
                            shape.multiply_panel(
                                simd,
                                self.transforms,
                                tiles,
                                left,
                                panel,
                                right,
                                domain,
                            );
                            self.leave(block, phases[phase], right, domain, o, width);
                        },
                    );
                });
            });
        });
    }

    /// Transforms what a block reads for all phases of the result, one after the other.
    fn enter_phases(&self, block: Block, phases: &[[usize; 2]], lefts: Shared<'_>) {
        let Self { simd, shape, .. } = *self;
        let from_phases: Vec<[usize; 2]> = self.pass.phases_from().collect();
        let left_len = T::PRODUCTS * shape.left.plane;
        let vectors = shape.pitch_in / S::LANES;
        (0..phases.len() * from_phases.len() * vectors)
            .into_par_iter()
            .for_each(|item| {
                let (rest, c) = (item / vectors, item % vectors * S::LANES);
                let (phase, idx) = (rest / from_phases.len(), rest % from_phases.len());
                let start = phase * left_len + idx * shape.pitch_in + c;
                let (phase, from_phase) = (phases[phase], from_phases[idx]);
                simd.run(
                    #[inline(always)]
                    || {
                        // SAFETY: each item has other channels.
                        unsafe { self.enter_shared(block, phase, from_phase, c, lefts, start) };
                    },
                );
            });
    }

    /// Numbers of the weights of a phase of the result.
    fn phase_len(&self) -> usize {
        T::PRODUCTS * self.shape.depth * self.shape.pitch_out
    }

    /// Where a block's patches of one phase lie in the source.
    #[inline(always)]
    fn tiles(&self, block: Block, phase: [usize; 2], from_phase: [usize; 2]) -> Tiles {
        let Self { pass, source, .. } = *self;
        let spot = source.spot;
        let step = pass.from.step;
        let at = |axis: usize, tile: usize| {
            (tile * TILE * step + from_phase[axis]) as isize + pass.first[phase[axis]]
        };
        Tiles {
            start: spot.at(block.picture, at(0, block.top), at(1, block.left)),
            steps: [step * spot.row, step * spot.pixel],
            cols: block.cols,
            count: block.tiles(),
        }
    }

    /// Transforms `count` channels of the input from `c` on.
    #[inline(always)]
    fn enter(
        &self,
        block: Block,
        phase: [usize; 2],
        from_phase: [usize; 2],
        c: usize,
        count: usize,
        left: &mut [f32],
    ) {
        let mut tiles = self.tiles(block, phase, from_phase);
        tiles.start += c;
        let numbers = self.source.numbers;
        let domain = self.shape.left;
        transform_input(
            self.simd,
            self.transforms,
            numbers,
            tiles,
            count,
            left,
            domain,
        );
    }

    /// Transforms a vector of channels of the input, from `c` on, to `left[start..]`.
    ///
    /// # Safety
    /// No other thread may use these channels of `left` meanwhile.
    #[inline(always)]
    unsafe fn enter_shared(
        &self,
        block: Block,
        phase: [usize; 2],
        from_phase: [usize; 2],
        c: usize,
        left: Shared<'_>,
        start: usize,
    ) {
        let Self {
            simd,
            shape,
            source,
            ..
        } = *self;
        let tiles = self.tiles(block, phase, from_phase);
        for idx in 0..tiles.count {
            let x = &source.numbers[tiles.get(idx) + c..];
            let x = Vectors::<S>::new(x, T::PATCH, tiles.steps);
            let start = start + idx * shape.left.pitch;
            T::input(
                simd,
                #[inline(always)]
                |row, col| x.get(simd, row, col),
                #[inline(always)]
                |row, col, product| {
                    let at = start + (row * T::PATCH + col) * shape.left.plane;
                    // SAFETY: the caller vouches that it is alone.
                    unsafe { left.store(simd, at, product) };
                },
            );
        }
    }

    /// Transforms the products of `count` channels of the output from `c` on, and writes what is
    /// inside of the pictures.
    #[inline(always)]
    fn leave(
        &self,
        block: Block,
        phase: [usize; 2],
        right: &[f32],
        domain: Domain,
        c: usize,
        count: usize,
    ) {
        let Self {
            simd, pass, sink, ..
        } = *self;
        let [height, width] = sink.size();
        let step = pass.to.step;
        let mut pixels = Pixels([0.0; 256]);
        for idx in 0..block.tiles() {
            let row = (block.top + idx / block.cols) * TILE * step + phase[0];
            let col = (block.left + idx % block.cols) * TILE * step + phase[1];
            let rows = height.saturating_sub(row).div_ceil(step).min(TILE);
            let cols = width.saturating_sub(col).div_ceil(step).min(TILE);
            for lane in (0..count).step_by(S::LANES) {
                let right = &right[idx * domain.pitch + lane..];
                let steps = [T::PATCH * domain.plane, domain.plane];
                let right = Vectors::<S>::new(right, T::PATCH, steps);
                let steps = [TILE * S::LANES, S::LANES];
                let mut results = VectorsMut::<S>::new(&mut pixels.0, TILE, steps);
                T::output(
                    simd,
                    #[inline(always)]
                    |row, col| right.get(simd, row, col),
                    #[inline(always)]
                    |row, col, sums| results.set(simd, row, col, sums),
                );
                let results = Vectors::<S>::new(&pixels.0, TILE, steps);
                for r in 0..rows {
                    for k in 0..cols {
                        let pixel = Pixel {
                            picture: block.picture,
                            row: row + r * step,
                            col: col + k * step,
                        };
                        let sums = results.get(simd, r, k);
                        // SAFETY: these channels of this block are this thread's.
                        unsafe { sink.put(simd, pixel, c + lane, sums) };
                    }
                }
            }
        }
    }
}

/// A tile's pixels, a vector each.
#[repr(align(64))]
struct Pixels([f32; 256]);
