//! Rounding's error feedback as parameters of a network.

use underdrawing_conv::{Activation, Kernel};

use crate::init::Init;
use crate::layers::ConvLayer;
use crate::param::Param;
use crate::rounding::{BLOCK, NEIGHBOURS, Rounding};
use crate::tensor::Tensor;

/// Error feedback of a [`Rounding`]: a 3x3 convolution over blocks of 2x2 pixels of which only the
/// part that lies before a sample counts.
///
/// In training the errors are noise, uniform within half a grey level; the gradient of the loss
/// tells which sums of them do the least harm.
#[derive(Clone, Debug)]
pub struct NoiseShaping {
    conv: ConvLayer, // weight [12, 12, 3, 3]: to, from, row, column
}

impl NoiseShaping {
    /// No feedback.
    pub(crate) fn init(init: &mut Init) -> Self {
        Self {
            conv: ConvLayer {
                weight: init.masked("weight", &[BLOCK, BLOCK, 3, 3], past()),
                bias: None,
                kernel: Kernel::same(3),
                c_out: BLOCK,
            },
        }
    }

    /// Errors of a picture, `[n, 3, 2h, 2w]`, from those of single samples, `[n, 12, h, w]`: pixel
    /// by pixel of the blocks of 2x2, three colours each.
    pub(crate) fn shaped<T: Tensor>(&self, errors: &T) -> T {
        let fed_back = errors.conv(&self.conv, Activation::None);
        errors.clone().plus(&fed_back).pixel_shuffle()
    }

    /// The rounding that it stands for.
    pub(crate) fn rounding(&self, params: &[Param]) -> Rounding {
        let weight = &params[self.conv.weight.index()].values;
        Rounding::diffusing(|neighbour, from, to| weight[9 * (BLOCK * to + from) + neighbour])
    }
}

/// 1 where a weight is for an error that is known when a sample is rounded, else 0.
fn past() -> Vec<f32> {
    let mut mask = Vec::with_capacity(9 * BLOCK * BLOCK);
    for to in 0..BLOCK {
        for from in 0..BLOCK {
            let known = |tap: usize| tap + 1 < NEIGHBOURS || (tap + 1 == NEIGHBOURS && from < to);
            mask.extend((0..9).map(|tap| f32::from(u8::from(known(tap)))));
        }
    }
    mask
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CpuEngine, Differentiable, Engine};

    /// What training simulates is what rounding does: the errors of the bytes, undone sample by
    /// sample, give the same picture of errors.
    #[test]
    fn rounding_errs_as_training_simulates() {
        let mut init = Init::new(5);
        let shaping = NoiseShaping::init(&mut init);
        let mut params = init.into_params();
        let mut random = Init::new(5);
        random.normal("weight", &params[0].shape, 0.0, 0.05);
        params[0].values = random.into_params().remove(0).values;
        let (width, height) = (12, 10);
        let random = |i: usize| (i as u32).wrapping_mul(2_654_435_761) >> 8;
        let values: Vec<f32> = (0..3 * width * height)
            .map(|i| 0.2 + 0.5 * random(i) as f32 / (1u32 << 24) as f32)
            .collect();
        let bytes = shaping.rounding(&params).round(&values, width);
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
        let engine = CpuEngine::default();
        let weights: Vec<_> = params
            .iter()
            .map(|param| engine.upload(&param.shape, param.values.clone()))
            .collect();
        let run = |single: &[f32]| {
            let shape = [1, BLOCK, rows, columns];
            let errors = engine.begin(&params, &weights, shape, single);
            shaping.shaped(&errors).to_vec()
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
            worst <= 1.0 + 1e-3,
            "a sample's byte is on neither side of its value: {worst}"
        );
        let plain = errors.iter().fold(0.0f32, |worst, v| worst.max(v.abs()));
        assert!(plain > 0.55, "no error was fed back: {plain}");
    }
}
