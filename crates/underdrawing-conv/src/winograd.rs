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
mod shape;
pub(crate) mod weights;

pub(crate) use gradient::backward_weight;
pub(crate) use shape::Shape;

use rayon::prelude::*;

use crate::activation::Activation;
use crate::block::{gather_window, scatter_window, transform_output};
use crate::layout::Shared;
use crate::pass::{Pass, Weights};
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
