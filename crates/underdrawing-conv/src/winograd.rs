//! Winograd's convolution F(4x4, r x r): 36 products of a tile instead of 144 for kernels of 3x3,
//! 25 instead of 64 for the 2x2 that a 4x4 kernel of stride 2 comes down to.
//!
//! The output is cut into tiles of 4x4 pixels, each of which depends on a patch of the input. After
//! the transforms (see [`crate::transform`]) the convolution is one matrix product for each number
//! of a patch, tiles x input channels x output channels (Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", 2016). A thread takes a block of tiles at a time through all
//! steps, so that what is between them stays in its level-2 cache:
//!
//! 1. the pixels of the block, with a border of zeros, to a layout with the channels last;
//! 2. transform to `[product][tile][c_in]`;
//! 3. the products, to `[product][tile][c_out]`;
//! 4. transform to pixels with the channels last;
//! 5. back to NCHW.
//!
//! With steps of 2 (see [`crate::pass`]) each phase of the input is a channel of its own in 2, and
//! each phase of the output goes through 2 to 4 on its own.

mod gradient;
pub(crate) mod weights;

pub(crate) use gradient::backward_weight;

use rayon::prelude::*;

use crate::activation::Activation;
use crate::block::{
    Block, Domain, Grid, Tiles, gather_window, scatter_window, transform_input, transform_output,
};
use crate::conv::Weights;
use crate::gemm::{Operands, VECS, even_parts, tile};
use crate::layout::Shared;
use crate::pass::Pass;
use crate::scratch;
use crate::simd::Simd;
use crate::transform::{Three, Transforms, Two};

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
    match pass.taps {
        2 => convolve_by(simd, Two, pass, x, w, b, activation, y),
        _ => convolve_by(simd, Three, pass, x, w, b, activation, y),
    }
}

fn convolve_by<S: Simd, T: Transforms>(
    simd: S,
    transforms: T,
    pass: &Pass,
    x: &[f32],
    w: Weights<'_>,
    b: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    let shape = Shape::new::<S>(pass);
    let mut bias = vec![0.0; shape.pitch_out];
    if let Some(b) = b {
        bias[..b.len()].copy_from_slice(b);
    }
    let y = Shared::new(y);
    let largest = shape.grid.largest();
    let lens = [
        largest.read(pass).pixels() * shape.pitch_in,
        T::PRODUCTS * shape.left.plane,
        T::PRODUCTS * shape.right.plane,
        largest.written(pass).pixels() * shape.pitch_out,
    ];
    let phase_len = T::PRODUCTS * shape.depth * shape.pitch_out;
    let convolve_block = |item: usize, weights: &[f32], memory: [&mut [f32]; 4]| {
        simd.run(
            #[inline(always)]
            || {
                let block = shape.grid.get(item);
                let [pixels, left, right, results] = memory;
                gather_window(simd, pass.from, x, block.read(pass), pixels);
                let weights = weights.chunks_exact(phase_len);
                for (to_phase, weights) in pass.phases_to().zip(weights) {
                    shape.enter(simd, transforms, block, to_phase, pixels, left);
                    shape.multiply(simd, transforms, block.tiles(), left, weights, right);
                    let tiles = shape.tiles_written(block, to_phase);
                    transform_output(
                        simd,
                        transforms,
                        right,
                        shape.right,
                        &bias,
                        activation,
                        results,
                        tiles,
                    );
                }
                // SAFETY: no other item has this block.
                unsafe { scatter_window(simd, pass.to, block.written(pass), results, y) };
            },
        );
    };
    scratch::with([pass.phases_to().count() * phase_len], |[weights]| {
        for (to_phase, weights) in pass.phases_to().zip(weights.chunks_exact_mut(phase_len)) {
            weights::transform(simd, transforms, &shape, w, to_phase, weights);
        }
        let weights = &*weights;
        (0..pass.n * shape.grid.per_picture())
            .into_par_iter()
            .for_each(|item| scratch::with(lens, |memory| convolve_block(item, weights, memory)));
    });
}

/// How a pass lies in scratch.
pub(crate) struct Shape {
    pass: Pass,
    pub(crate) grid: Grid,
    /// From a pixel of the input to the next, with the channels last, and of the output.
    pub(crate) pitch_in: usize,
    pub(crate) pitch_out: usize,
    /// Numbers that a product sums over: the channels of all phases.
    pub(crate) depth: usize,
    /// The input in the products' domain, and the output.
    pub(crate) left: Domain,
    pub(crate) right: Domain,
}

impl Shape {
    pub(crate) fn new<S: Simd>(pass: &Pass) -> Self {
        Self::with::<S>(pass, Grid::new::<S>(pass))
    }

    fn with<S: Simd>(pass: &Pass, grid: Grid) -> Self {
        let pitch_in = pass.from.channels.next_multiple_of(S::LANES);
        let pitch_out = pass.to.channels.next_multiple_of(S::LANES);
        let phases = pass.phases_from().count();
        // Between phases the channels that don't exist are summed, with weights of zero.
        let depth = if phases == 1 {
            pass.from.channels
        } else {
            phases * pitch_in
        };
        let domain = |pitch: usize| Domain {
            pitch,
            plane: grid.plane(pitch),
        };
        Self {
            pass: *pass,
            grid,
            pitch_in,
            pitch_out,
            depth,
            left: domain(phases * pitch_in),
            right: domain(pitch_out),
        }
    }

    /// Transforms what a block reads for a phase of the result.
    #[inline(always)]
    fn enter<S: Simd, T: Transforms>(
        &self,
        simd: S,
        transforms: T,
        block: Block,
        to_phase: [usize; 2],
        pixels: &[f32],
        left: &mut [f32],
    ) {
        let pass = &self.pass;
        let line = block.read(pass).width * self.pitch_in;
        for (idx, [row, col]) in pass.phases_from().enumerate() {
            let [down, right] = to_phase.map(|phase| pass.delay(phase));
            let tiles = Tiles {
                start: (row + down) * line + (col + right) * self.pitch_in,
                steps: [pass.from.step * line, pass.from.step * self.pitch_in],
                cols: block.cols,
                count: block.tiles(),
            };
            let left = &mut left[idx * self.pitch_in..];
            transform_input(
                simd,
                transforms,
                pixels,
                tiles,
                self.pitch_in,
                left,
                self.left,
            );
        }
    }

    /// Where a phase of the result lies among the pixels that a block writes.
    #[inline(always)]
    fn tiles_written(&self, block: Block, to_phase: [usize; 2]) -> Tiles {
        let step = self.pass.to.step;
        let line = block.written(&self.pass).width * self.pitch_out;
        Tiles {
            start: to_phase[0] * line + to_phase[1] * self.pitch_out,
            steps: [step * line, step * self.pitch_out],
            cols: block.cols,
            count: block.tiles(),
        }
    }

    /// The products of some tiles: `left` times `weights` to `right`.
    #[inline(always)]
    pub(crate) fn multiply<S: Simd, T: Transforms>(
        &self,
        simd: S,
        transforms: T,
        tiles: usize,
        left: &[f32],
        weights: &[f32],
        right: &mut [f32],
    ) {
        for (o, panel) in self.panels::<S, T>(weights) {
            let right = &mut right[o..];
            self.multiply_panel(simd, transforms, tiles, left, panel, right, self.right);
        }
    }

    /// The weights' panels and their first output channels.
    #[inline(always)]
    pub(crate) fn panels<'a, S: Simd, T: Transforms>(
        &self,
        weights: &'a [f32],
    ) -> impl Iterator<Item = (usize, &'a [f32])> + use<'a, S, T> {
        let panel_len = T::PRODUCTS * self.depth * VECS * S::LANES;
        weights
            .chunks(panel_len)
            .enumerate()
            .map(|(panel, weights)| (panel * VECS * S::LANES, weights))
    }

    /// The products of some tiles and a panel's output channels.
    #[inline(always)]
    pub(crate) fn multiply_panel<S: Simd, T: Transforms>(
        &self,
        simd: S,
        _: T,
        tiles: usize,
        left: &[f32],
        panel: &[f32],
        right: &mut [f32],
        domain: Domain,
    ) {
        let depth = self.depth;
        let width = panel.len() / (T::PRODUCTS * depth);
        for (product, b) in panel.chunks_exact(depth * width).enumerate() {
            for (start, rows) in even_parts(tiles, S::ROWS) {
                let operands = Operands {
                    depth,
                    a: &left[product * self.left.plane + start * self.left.pitch..],
                    a_at: |k| k,
                    a_row: |r| r * self.left.pitch,
                    a_last: depth - 1 + (rows - 1) * self.left.pitch,
                    b,
                    b_at: |k| k * width,
                    b_last: (depth - 1) * width,
                };
                let c = &mut right[product * domain.plane + start * domain.pitch..];
                if width == S::LANES {
                    tile::<S, 1>(simd, rows, operands, c, domain.pitch, /* add */ false);
                } else {
                    tile::<S, VECS>(simd, rows, operands, c, domain.pitch, /* add */ false);
                }
            }
        }
    }
}
