//! Winograd convolution F(4x4, r x r): 36 products per tile instead of 144 for 3x3 kernels, 25
//! instead of 64 for the 2x2 kernels that a 4x4 kernel with stride 2 breaks down into.
//!
//! The output is divided into tiles of 4x4 pixels, each of which depends on a patch of the input.
//! After the transforms (see [`crate::transform`]), the convolution is one matrix product for each
//! value of a patch, tiles x input channels x output channels (Lavin and Gray, "Fast algorithms for
//! convolutional neural networks", 2016). A thread takes one block of tiles at a time through all
//! steps, so that intermediate results stay in its level-2 cache:
//!
//! 1. copy the pixels of the block, with a border of zeros, to a channels-last layout;
//! 2. transform them to `[product][tile][c_in]`;
//! 3. multiply, which gives `[product][tile][c_out]`;
//! 4. transform the products to channels-last pixels;
//! 5. copy these to NCHW.
//!
//! A plan, which has no steps 1 and 5, takes tiles of 6x6 pixels where they are faster.
//!
//! With steps of 2 (see [`crate::pass`]), step 2 treats each phase of the input as a channel of its
//! own, and each phase of the output goes through steps 2 to 4 separately.

mod gradient;
mod tiling;
pub(crate) mod weights;

pub(crate) use gradient::backward_weight;
pub(crate) use tiling::Tiling;

use crate::activation::Activation;
use crate::block::{gather_window, scatter_window, transform_output};
use crate::parallel;
use crate::pass::{Pass, Weights};
use crate::scratch;
use crate::shared::Shared;
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
    let tiling = Tiling::new::<S, T>(pass);
    let mut bias = vec![0.0; tiling.pitch_out];
    if let Some(b) = b {
        bias[..b.len()].copy_from_slice(b);
    }
    let y = Shared::new(y);
    let largest = tiling.grid.largest();
    let lens = [
        largest.read(pass).pixels() * tiling.pitch_in,
        T::PRODUCTS * tiling.left.plane,
        T::PRODUCTS * tiling.right.plane,
        largest.written(pass).pixels() * tiling.pitch_out,
    ];
    let phase_len = T::PRODUCTS * tiling.depth * tiling.pitch_out;
    let convolve_block = |item: usize, weights: &[f32], memory: [&mut [f32]; 4]| {
        simd.run(
            #[inline(always)]
            || {
                let block = tiling.grid.get(item);
                let [pixels, left, right, results] = memory;
                gather_window(simd, pass.from, x, block.read(pass), pixels);
                let weights = weights.chunks_exact(phase_len);
                for (to_phase, weights) in pass.phases_to().zip(weights) {
                    tiling.transform_input(simd, transforms, block, to_phase, pixels, left);
                    tiling.multiply(simd, transforms, block.tiles(), left, weights, right);
                    let tiles = tiling.tiles_written(block, to_phase);
                    transform_output(
                        simd,
                        transforms,
                        right,
                        tiling.right,
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
            weights::transform(simd, transforms, &tiling, w, to_phase, weights);
        }
        let weights = &*weights;
        parallel::each(pass.n * tiling.grid.per_picture(), &|item| {
            scratch::with(lens, |memory| convolve_block(item, weights, memory));
        });
    });
}
