//! Batch normalisation, with the ReLU behind it.

use rayon::prelude::*;

use super::elementwise::{planes, sum};
use crate::ranks::{Ranks, add_up_few};

/// How a channel is normalised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Channel {
    mean: f32,
    /// One over the deviation.
    scale: f32,
    weight: f32,
    bias: f32,
}

impl Channel {
    /// By statistics that are known.
    pub(super) fn new([mean, variance]: [f64; 2], [weight, bias]: [f32; 2], epsilon: f64) -> Self {
        Self {
            mean: mean as f32,
            scale: (1.0 / (variance + epsilon).sqrt()) as f32,
            weight,
            bias,
        }
    }

    /// Scale and shift that do the same.
    pub(super) fn scale_and_shift(&self) -> (f32, f32) {
        let scale = self.weight * self.scale;
        (scale, self.bias - self.mean * scale)
    }

    #[inline(always)]
    fn normalised(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale
    }

    #[inline(always)]
    fn output(&self, normalised: f32) -> f32 {
        normalised * self.weight + self.bias
    }
}

/// Statistics of a batch, of which `x` `[n, c, h, w]` is this rank's share.
pub(super) struct Batch {
    /// Values of a channel.
    pub(super) samples: f64,
    /// Mean and variance of each channel.
    pub(super) moments: Vec<[f64; 2]>,
}

impl Batch {
    pub(super) fn of(x: &[f32], [n, c, h, w]: [usize; 4], ranks: &dyn Ranks) -> Self {
        let of_channels = |f: &(dyn Fn(&[f32], usize) -> f64 + Sync)| -> Vec<f64> {
            let channel = |i| planes(x, i, c, h * w).map(|x| f(x, i)).sum();
            (0..c).into_par_iter().map(channel).collect()
        };
        let mut sums = of_channels(&|x, _| sum(x, |x| x));
        // Shares may differ by a picture.
        sums.push((n * h * w) as f64);
        add_up_few(ranks, &mut sums);
        let samples = sums[c];
        let means: Vec<f64> = sums[..c].iter().map(|sum| sum / samples).collect();
        let mut squares = of_channels(&|x, i| {
            let centre = means[i] as f32;
            sum(x, |x| (x - centre) * (x - centre))
        });
        add_up_few(ranks, &mut squares);
        let moments = means.into_iter().zip(squares);
        Self {
            samples,
            moments: moments.map(|(mean, sum)| [mean, sum / samples]).collect(),
        }
    }
}

/// Normalises `x` `[n, channels, plane]` into `y`; nothing comes out below `least`.
pub(super) fn forward(x: &[f32], channels: &[Channel], plane: usize, least: f32, y: &mut [f32]) {
    let pairs = y.par_chunks_exact_mut(plane).zip(x.par_chunks_exact(plane));
    pairs.enumerate().for_each(|(i, (y, x))| {
        let channel = channels[i % channels.len()];
        for (y, x) in y.iter_mut().zip(x) {
            let output = channel.output(channel.normalised(*x));
            *y = if output < least { least } else { output };
        }
    });
}

/// Values that are summed at a time.
const RUN: usize = 512;

/// Overwrites `dx` with the gradient of `x`; this rank's part of those of the weights and of the
/// biases. A channel of the whole batch has so many samples.
pub(super) fn backward(
    x: &[f32],
    channels: &[Channel],
    [_, c, h, w]: [usize; 4],
    samples: f64,
    ranks: &dyn Ranks,
    least: f32,
    dy: &[f32],
    dx: &mut [f32],
) -> [Vec<f32>; 2] {
    // The gradient before the ReLU.
    let before = move |channel: &Channel, normalised: f32, dy: f32| {
        if channel.output(normalised) <= least {
            0.0
        } else {
            dy
        }
    };
    // Of each channel the sum of the gradients, and that of their products with what was
    // normalised: the gradients of bias and weight.
    let sums = (0..c).into_par_iter().map(|i| {
        let channel = &channels[i];
        let mut sums = [0.0; 2];
        for (x, dy) in planes(x, i, c, h * w).zip(planes(dy, i, c, h * w)) {
            for (x, dy) in x.chunks(RUN).zip(dy.chunks(RUN)) {
                let mut products = [0.0; RUN];
                let mut gradient = [0.0; RUN];
                for (((x, dy), product), gradient) in
                    x.iter().zip(dy).zip(&mut products).zip(&mut gradient)
                {
                    let normalised = channel.normalised(*x);
                    *gradient = before(channel, normalised, *dy);
                    *product = normalised * *gradient;
                }
                sums[0] += sum(&gradient[..x.len()], |v| v);
                sums[1] += sum(&products[..x.len()], |v| v);
            }
        }
        sums
    });
    let sums: Vec<[f64; 2]> = sums.collect();
    // Through mean and variance each value has a part in all others, those of other ranks too.
    let mut of_batch = sums.concat();
    add_up_few(ranks, &mut of_batch);
    let inputs = x.par_chunks_exact(h * w).zip(dy.par_chunks_exact(h * w));
    dx.par_chunks_exact_mut(h * w)
        .zip(inputs)
        .enumerate()
        .for_each(|(i, (dx, (x, dy)))| {
            let channel = &channels[i % c];
            let [mean, product] = [0, 1].map(|j| (of_batch[i % c * 2 + j] / samples) as f32);
            let factor = channel.weight * channel.scale;
            for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
                let normalised = channel.normalised(*x);
                let gradient = before(channel, normalised, *dy);
                *dx = factor * (gradient - mean - normalised * product);
            }
        });
    [1, 0].map(|i| sums.iter().map(|sums| sums[i] as f32).collect())
}
