//! Winograd convolution in a plan: see [`crate::winograd`].
//!
//! There is nothing to gather or scatter. If there are many blocks of tiles, each is computed by
//! one thread. If there are few, as in the deep layers of a network, all threads work on one block
//! and divide its output channels, so that each weight is read once.

use super::sink::{Pixel, Pixels, Sink, Source};
use crate::block::{Block, Domain, Tiles, transform_input};
use crate::parallel;
use crate::pass::{Pass, Weights};
use crate::scratch;
use crate::shared::Shared;
use crate::simd::{Simd, Vectors, VectorsMut};
use crate::transform::{Three, Transforms, Two, Wide};
use crate::winograd::{Tiling, weights};

/// Number of blocks from which each is computed by one thread. It does not affect results.
const MANY_BLOCKS: usize = 6;

/// Weights for [`run`].
pub(super) fn pack<S: Simd>(simd: S, tile: usize, pass: &Pass, w: Weights<'_>) -> Vec<f32> {
    match (pass.taps, tile) {
        (2, _) => pack_by(simd, Two, pass, w),
        (_, Wide::TILE) => pack_by(simd, Wide, pass, w),
        _ => pack_by(simd, Three, pass, w),
    }
}

fn pack_by<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    pass: &Pass,
    w: Weights<'_>,
) -> Vec<f32> {
    let tiling = Tiling::new::<S, T>(pass);
    let phase_len = T::PRODUCTS * tiling.depth * tiling.pitch_out;
    let mut packed = vec![0.0; pass.phases_to().count() * phase_len];
    for (phase, packed) in pass.phases_to().zip(packed.chunks_exact_mut(phase_len)) {
        weights::transform(simd, transforms, &tiling, w, phase, packed);
    }
    packed
}

/// Computes a pass by output tiles of `tile` x `tile`.
pub(super) fn run<S: Simd>(
    simd: S,
    tile: usize,
    pass: &Pass,
    source: Source<'_>,
    weights: &[f32],
    sink: &Sink<'_>,
) {
    match (pass.taps, tile) {
        (2, _) => run_by(simd, Two, pass, source, weights, sink),
        (_, Wide::TILE) => run_by(simd, Wide, pass, source, weights, sink),
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
    let tiling = Tiling::new::<S, T>(pass);
    let task = Task {
        simd,
        transforms,
        pass,
        tiling: &tiling,
        source,
        weights,
        sink,
    };
    let blocks = pass.n * tiling.grid.per_picture();
    if blocks >= MANY_BLOCKS {
        parallel::each(blocks, &|item| task.block(tiling.grid.get(item)));
    } else {
        (0..blocks).for_each(|item| task.shared_block(tiling.grid.get(item)));
    }
}

/// What all blocks have in common.
#[derive(Clone, Copy)]
struct Task<'a, S, T> {
    simd: S,
    transforms: T,
    pass: &'a Pass,
    tiling: &'a Tiling,
    source: Source<'a>,
    weights: &'a [f32],
    sink: &'a Sink<'a>,
}

impl<S: Simd, T: Transforms> Task<'_, S, T> {
    /// Computes a block with one thread.
    fn block(&self, block: Block) {
        let Self {
            simd, pass, tiling, ..
        } = *self;
        let lens = [
            T::PRODUCTS * tiling.left.plane,
            T::PRODUCTS * tiling.right.plane,
        ];
        scratch::with(lens, |[left, right]| {
            simd.run(
                #[inline(always)]
                || {
                    let weights = self.weights.chunks_exact(self.phase_len());
                    for (phase, weights) in pass.phases_to().zip(weights) {
                        for (idx, from_phase) in pass.phases_from().enumerate() {
                            let left = &mut left[idx * tiling.pitch_in..];
                            self.transform_input(
                                block,
                                phase,
                                from_phase,
                                0,
                                tiling.pitch_in,
                                left,
                            );
                        }
                        tiling.multiply(simd, self.transforms, block.tiles(), left, weights, right);
                        self.transform_output(
                            block,
                            phase,
                            right,
                            tiling.right,
                            0,
                            tiling.pitch_out,
                        );
                    }
                },
            );
        });
    }

    /// Computes a block with all threads, which first divide the channels of the input, then those
    /// of the output.
    fn shared_block(&self, block: Block) {
        let Self {
            simd, pass, tiling, ..
        } = *self;
        let phases: Vec<[usize; 2]> = pass.phases_to().collect();
        let left_len = T::PRODUCTS * tiling.left.plane;
        scratch::with([phases.len() * left_len], |[lefts]| {
            self.transform_input_phases(block, &phases, Shared::new(lefts));
            let lefts = &*lefts;
            let panels: Vec<(usize, usize, &[f32])> = self
                .weights
                .chunks_exact(self.phase_len())
                .enumerate()
                .flat_map(|(phase, weights)| {
                    let panels = tiling.panels::<S, T>(weights);
                    panels.map(move |(o, panel)| (phase, o, panel))
                })
                .collect();
            parallel::each(panels.len(), &|item| {
                let (phase, o, panel) = panels[item];
                let width = panel.len() / (T::PRODUCTS * tiling.depth);
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
                            tiling.multiply_panel(
                                simd,
                                self.transforms,
                                tiles,
                                left,
                                panel,
                                right,
                                domain,
                            );
                            self.transform_output(block, phases[phase], right, domain, o, width);
                        },
                    );
                });
            });
        });
    }

    /// Transforms what a block reads for all phases of the result, one after the other.
    fn transform_input_phases(&self, block: Block, phases: &[[usize; 2]], lefts: Shared<'_>) {
        let Self { simd, tiling, .. } = *self;
        let from_phases: Vec<[usize; 2]> = self.pass.phases_from().collect();
        let left_len = T::PRODUCTS * tiling.left.plane;
        let vectors = tiling.pitch_in / S::LANES;
        parallel::each(phases.len() * from_phases.len() * vectors, &|item| {
            let (rest, c) = (item / vectors, item % vectors * S::LANES);
            let (phase, idx) = (rest / from_phases.len(), rest % from_phases.len());
            let start = phase * left_len + idx * tiling.pitch_in + c;
            let (phase, from_phase) = (phases[phase], from_phases[idx]);
            simd.run(
                #[inline(always)]
                || {
                    // SAFETY: each item has other channels.
                    unsafe {
                        self.transform_input_shared(block, phase, from_phase, c, lefts, start);
                    };
                },
            );
        });
    }

    /// Number of transformed weights for one phase of the result.
    fn phase_len(&self) -> usize {
        T::PRODUCTS * self.tiling.depth * self.tiling.pitch_out
    }

    /// Where the patches of a block are in the source, for one phase.
    #[inline(always)]
    fn tiles(&self, block: Block, phase: [usize; 2], from_phase: [usize; 2]) -> Tiles {
        let Self { pass, source, .. } = *self;
        let view = source.view;
        let step = pass.from.step;
        let at = |axis: usize, tile: usize| {
            (tile * T::TILE * step + from_phase[axis]) as isize + pass.first[phase[axis]]
        };
        Tiles {
            start: view.at(block.picture, at(0, block.top), at(1, block.left)),
            steps: [step * view.row, step * view.pixel],
            cols: block.cols,
            count: block.tiles(),
        }
    }

    /// Transforms `count` channels of the input from `c` on.
    #[inline(always)]
    fn transform_input(
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
        let values = self.source.values;
        let domain = self.tiling.left;
        transform_input(
            self.simd,
            self.transforms,
            values,
            tiles,
            count,
            left,
            domain,
        );
    }

    /// Transforms a vector of channels of the input, from `c` on, to `left[start..]`.
    ///
    /// # Safety
    /// No other thread may access these channels of `left` meanwhile.
    #[inline(always)]
    unsafe fn transform_input_shared(
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
            tiling,
            source,
            ..
        } = *self;
        let tiles = self.tiles(block, phase, from_phase);
        for idx in 0..tiles.count {
            let x = &source.values[tiles.get::<T>(idx) + c..];
            let x = Vectors::<S>::new(x, T::PATCH, tiles.steps);
            let start = start + idx * tiling.left.pitch;
            T::input(
                simd,
                #[inline(always)]
                |row, col| x.get(simd, row, col),
                #[inline(always)]
                |row, col, product| {
                    let at = start + (row * T::PATCH + col) * tiling.left.plane;
                    // SAFETY: the caller vouches that it is alone.
                    unsafe { left.store(simd, at, product) };
                },
            );
        }
    }

    /// Transforms the products of `count` channels of the output from `c` on, and writes the pixels
    /// that are inside the pictures.
    #[inline(always)]
    fn transform_output(
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
        let is_large = sink.is_large();
        let step = pass.to.step;
        let mut tile = Tile([0.0; Wide::TILE * Wide::TILE * 16]);
        for idx in 0..block.tiles() {
            let row = (block.top + idx / block.cols) * T::TILE * step + phase[0];
            let col = (block.left + idx % block.cols) * T::TILE * step + phase[1];
            let rows = height.saturating_sub(row).div_ceil(step).min(T::TILE);
            let cols = width.saturating_sub(col).div_ceil(step).min(T::TILE);
            let pixels = Pixels {
                first: Pixel {
                    picture: block.picture,
                    row,
                    col,
                },
                rows,
                cols,
                step,
            };
            for lane in (0..count).step_by(S::LANES) {
                if is_large {
                    sink.prefetch(simd, pixels, c + lane);
                }
                let right = &right[idx * domain.pitch + lane..];
                let steps = [T::PATCH * domain.plane, domain.plane];
                let right = Vectors::<S>::new(right, T::PATCH, steps);
                let steps = [T::TILE * S::LANES, S::LANES];
                let mut results = VectorsMut::<S>::new(&mut tile.0, T::TILE, steps);
                T::output(
                    simd,
                    #[inline(always)]
                    |row, col| right.get(simd, row, col),
                    #[inline(always)]
                    |row, col, sums| results.set(simd, row, col, sums),
                );
                let results = Vectors::<S>::new(&tile.0, T::TILE, steps);
                // SAFETY: these channels of this block are this thread's.
                unsafe {
                    sink.put(
                        simd,
                        pixels,
                        c + lane,
                        #[inline(always)]
                        |row, col| results.get(simd, row, col),
                    );
                }
            }
        }
    }
}

/// The pixels of a tile, one vector each.
#[repr(align(64))]
struct Tile([f32; Wide::TILE * Wide::TILE * 16]);
