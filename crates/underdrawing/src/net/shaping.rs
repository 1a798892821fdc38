//! Noise shaping as parameters of a network.

use burn::module::Param;
use burn::prelude::*;
use burn::tensor::TensorData;
use underdrawing_conv::{Activation, Kernel};

use super::init::Init;
use super::ops::{conv, from_corners};
use super::params::values_of;
use crate::rounding::{BLOCK, NEIGHBOURS, Rounding};

/// Error feedback of a [`Rounding`]: a 3x3 convolution over blocks of 2x2 pixels of which only the
/// part that lies before a sample counts.
///
/// In training the errors are noise, uniform within half a grey level; the gradient of the loss
/// tells which sums of them do the least harm.
#[derive(Module, Debug)]
pub struct NoiseShaping {
    weight: Param<Tensor<4>>, // [12, 12, 3, 3]: to, from, row, column
}

impl NoiseShaping {
    /// No feedback.
    pub(crate) fn init(init: &mut Init) -> Self {
        Self {
            weight: init.constant([BLOCK, BLOCK, 3, 3], 0.0),
        }
    }

    /// Errors of a picture, `[n, 3, 2h, 2w]`, from those of single samples, `[n, 12, h, w]`: pixel
    /// by pixel of the blocks of 2x2, three colours each.
    pub(crate) fn shaped(&self, errors: Tensor<4>) -> Tensor<4> {
        let weight = self.weight.val();
        let weight = weight.clone() * past(&weight.device());
        let fed_back = conv(
            errors.clone(),
            weight,
            None,
            Kernel::same(3),
            Activation::None,
        );
        from_corners(errors + fed_back)
    }

    /// The rounding that it stands for.
    pub(crate) fn rounding(&self) -> Rounding {
        let weight = values_of(self.weight.val());
        Rounding::diffusing(|neighbour, from, to| weight[9 * (BLOCK * to + from) + neighbour])
    }
}

/// 1 where a weight is for an error that is known when a sample is rounded.
fn past(device: &Device) -> Tensor<4> {
    let mut mask = Vec::with_capacity(9 * BLOCK * BLOCK);
    for to in 0..BLOCK {
        for from in 0..BLOCK {
            let known = |tap: usize| tap + 1 < NEIGHBOURS || (tap + 1 == NEIGHBOURS && from < to);
            mask.extend((0..9).map(|tap| f32::from(u8::from(known(tap)))));
        }
    }
    Tensor::from_data(TensorData::new(mask, [BLOCK, BLOCK, 3, 3]), device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What training simulates is what rounding does: the errors of the bytes, undone sample by
    /// sample, give the same picture of errors.
    #[test]
    fn rounding_errs_as_training_simulates() {
        let device = Device::flex();
        let shaping = NoiseShaping {
            weight: Init::new(5, &device).normal([BLOCK, BLOCK, 3, 3], 0.0, 0.05),
        };
        let (width, height) = (12, 10);
        let random = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
        let values: Vec<f32> = (0..3 * width * height)
            .map(|i| 0.2 + 0.5 * random(i) as f32 / (1u32 << 24) as f32)
            .collect();
        let bytes = shaping.rounding().round(&values, width);
        let mut errors = Vec::new();
        for (byte, value) in bytes.iter().zip(&values) {
            errors.push(f32::from(*byte) - 255.0 * value);
        }
        // What each sample was rounded from follows from the errors before it; find the errors of
        // single samples that explain all, one after the other.
        let mut single = vec![0.0f32; errors.len()];
        let (columns, rows) = (width / 2, height / 2);
        let place = |i: usize, x: usize, y: usize| {
            let (pixel, colour) = (i / 3, i % 3);
            (colour * height + 2 * y + pixel / 2) * width + 2 * x + pixel % 2
        };
        let corner = |i: usize, x: usize, y: usize| (i * rows + y) * columns + x;
        let run = |single: &[f32]| {
            let data = TensorData::new(single.to_vec(), [1, BLOCK, rows, columns]);
            values_of(shaping.shaped(Tensor::from_data(data, &device)))
        };
        for y in 0..rows {
            for x in 0..columns {
                for i in 0..BLOCK {
                    let so_far = run(&single);
                    single[corner(i, x, y)] = errors[place(i, x, y)] - so_far[place(i, x, y)];
                }
            }
        }
        let worst = single.iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
        assert!(
            worst <= 0.5 + 1e-3,
            "a sample was not rounded to the nearest: {worst}"
        );
        let plain = errors.iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
        assert!(plain > 0.55, "no error was fed back: {plain}");
    }
}
