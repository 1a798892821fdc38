//! The sizes of a Winograd convolution, and its products.

use crate::block::{Block, Domain, Grid, Tiles, transform_input};
use crate::gemm::{ByRow, Size, VECS, multiply};
use crate::pass::Pass;
use crate::simd::Simd;
use crate::transform::Transforms;

/// How a pass is divided into tiles, and their layout in scratch.
pub(crate) struct Tiling {
    pub(super) pass: Pass,
    pub(crate) grid: Grid,
    /// Distance between channels-last pixels of the input, and of the output.
    pub(crate) pitch_in: usize,
    pub(crate) pitch_out: usize,
    /// Number of terms of a product: the channels of all phases.
    pub(crate) depth: usize,
    /// The transformed input, and the products.
    pub(crate) left: Domain,
    pub(crate) right: Domain,
}

impl Tiling {
    pub(crate) fn new<S: Simd, T: Transforms>(pass: &Pass) -> Self {
        Self::with::<S>(pass, Grid::new::<S, T>(pass))
    }

    pub(super) fn with<S: Simd>(pass: &Pass, grid: Grid) -> Self {
        let pitch_in = pass.from.channels.next_multiple_of(S::LANES);
        let pitch_out = pass.to.channels.next_multiple_of(S::LANES);
        let phases = pass.phases_from().count();
        // With several phases, the padding channels between them are included, with zero weights.
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

    /// Transforms what a block reads for one phase of the result.
    #[inline(always)]
    pub(super) fn transform_input<S: Simd, T: Transforms>(
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

    /// Where one phase of the result is among the pixels that a block writes.
    #[inline(always)]
    pub(super) fn tiles_written(&self, block: Block, to_phase: [usize; 2]) -> Tiles {
        let step = self.pass.to.step;
        let line = block.written(&self.pass).width * self.pitch_out;
        Tiles {
            start: to_phase[0] * line + to_phase[1] * self.pitch_out,
            steps: [step * line, step * self.pitch_out],
            cols: block.cols,
            count: block.tiles(),
        }
    }

    /// Multiplies the `left` values of some tiles by `weights`, which gives `right`.
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

    /// The panels of the weights and their first output channels.
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

    /// Multiplies the values of some tiles by one panel of weights.
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
        for (product, weights) in panel.chunks_exact(depth * width).enumerate() {
            let size = Size {
                rows: tiles,
                depth,
                vectors: width / S::LANES,
            };
            let left = ByRow {
                values: &left[product * self.left.plane..],
                pitch: self.left.pitch,
            };
            let weights = ByRow {
                values: weights,
                pitch: width,
            };
            let right = &mut right[product * domain.plane..];
            multiply(
                simd,
                size,
                left,
                weights,
                right,
                domain.pitch,
                /* add */ false,
            );
        }
    }
}
