//! Batch normalisation by the statistics of the batch, with the ReLU behind it.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use burn::tensor::activation::relu;
use rayon::prelude::*;

use super::flex::{contiguous, dims, floats, sum, tensor};
use super::ours;

/// Result of [`batch_norm_train`].
pub(crate) struct Normalised {
    /// `[n, c, h, w]`
    pub(crate) output: Tensor<4>,
    /// Mean of each channel, `[c]`; carries no gradient.
    pub(crate) mean: Tensor<1>,
    /// Variance of each channel, the mean of the squares, `[c]`; carries no gradient.
    pub(crate) variance: Tensor<1>,
}

/// Brings each channel of `x` `[n, c, h, w]` to the mean `bias` and the deviation `weight`, `[c]`
/// each; then a ReLU, if `activate`. `epsilon` is added to the variance.
pub(crate) fn batch_norm_train(
    x: Tensor<4>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    epsilon: f64,
    activate: bool,
) -> Normalised {
    if !ours(&x) {
        let batch = burn::tensor::module::batch_norm_train(x, weight, bias, epsilon);
        let output = batch.output;
        return Normalised {
            output: if activate { relu(output) } else { output },
            mean: batch.mean.detach(),
            variance: batch.variance.detach(),
        };
    }
    let (output, mean, variance) = <Dispatch as BatchNormBackend>::batch_norm_relu(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        epsilon,
        activate,
    );
    Normalised {
        output: Tensor::from_dispatch(output),
        mean: Tensor::from_dispatch(mean),
        variance: Tensor::from_dispatch(variance),
    }
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait BatchNormBackend: Backend {
    fn batch_norm_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        activate: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl BatchNormBackend for Flex {
    fn batch_norm_relu(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        epsilon: f64,
        activate: bool,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let (y, kept) = forward([x, weight, bias], epsilon, activate);
        let [mean, variance] = kept.moments();
        (y, mean, variance)
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> BatchNormBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn batch_norm_relu(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
        activate: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let mut moments = None;
        let y = super::record::record::<C, _, 3>(
            [x, weight, bias],
            |inputs| {
                let (y, kept) = forward(inputs, epsilon, activate);
                moments = Some(kept.moments());
                (y, kept)
            },
            backward,
        );
        let moments = moments.expect("the forward pass has run");
        let [mean, variance] = moments.map(FloatTensor::<Self>::new);
        (y, mean, variance)
    }
}

/// What the way back needs.
#[derive(Clone, Debug)]
struct Kept {
    x: FlexTensor,
    channels: Vec<Channel>,
    activate: bool,
}

/// How a channel is normalised.
#[derive(Clone, Copy, Debug)]
struct Channel {
    mean: f32,
    variance: f32,
    /// One over the deviation.
    scale: f32,
    weight: f32,
    bias: f32,
}

impl Channel {
    #[inline(always)]
    fn normalised(&self, x: f32) -> f32 {
        (x - self.mean) * self.scale
    }

    #[inline(always)]
    fn output(&self, normalised: f32) -> f32 {
        normalised * self.weight + self.bias
    }
}

impl Kept {
    /// Means and variances.
    fn moments(&self) -> [FlexTensor; 2] {
        let all = |f: fn(&Channel) -> f32| {
            tensor(self.channels.iter().map(f).collect(), [self.channels.len()])
        };
        [all(|c| c.mean), all(|c| c.variance)]
    }
}

fn forward(inputs: [FlexTensor; 3], epsilon: f64, activate: bool) -> (FlexTensor, Kept) {
    let [x, weight, bias] = inputs.map(contiguous);
    let [n, c, h, w] = dims(&x);
    let (values, weight, bias) = (floats(&x), floats(&weight), floats(&bias));
    let samples = (n * h * w) as f64;
    let channel = |i: usize| {
        let planes = || planes(values, i, c, h * w);
        let mean = planes().map(|x| sum(x, |x| x)).sum::<f64>() / samples;
        let centre = mean as f32;
        let variance = planes().map(|x| sum(x, |x| (x - centre) * (x - centre)));
        let variance = variance.sum::<f64>() / samples;
        Channel {
            mean: centre,
            variance: variance as f32,
            scale: (1.0 / (variance + epsilon).sqrt()) as f32,
            weight: weight[i],
            bias: bias[i],
        }
    };
    let channels: Vec<Channel> = (0..c).into_par_iter().map(channel).collect();
    let mut y = vec![0.0; values.len()];
    let pairs = y
        .par_chunks_exact_mut(h * w)
        .zip(values.par_chunks_exact(h * w));
    pairs.enumerate().for_each(|(i, (y, x))| {
        let channel = channels[i % c];
        let least = if activate { 0.0 } else { f32::NEG_INFINITY };
        for (y, x) in y.iter_mut().zip(x) {
            let output = channel.output(channel.normalised(*x));
            *y = if output < least { least } else { output };
        }
    });
    let kept = Kept {
        x,
        channels,
        activate,
    };
    (tensor(y, [n, c, h, w]), kept)
}

#[cfg(feature = "autodiff")]
fn backward(kept: Kept, dy: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let Kept {
        x,
        channels,
        activate,
    } = kept;
    let dy = contiguous(dy);
    let [n, c, h, w] = dims(&x);
    let (x, slopes) = (floats(&x), floats(&dy));
    let samples = (n * h * w) as f64;
    // The gradient before the ReLU.
    let before = move |channel: &Channel, normalised: f32, dy: f32| {
        if activate && channel.output(normalised) <= 0.0 {
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
        for (x, dy) in planes(x, i, c, h * w).zip(planes(slopes, i, c, h * w)) {
            for (x, dy) in x.chunks(CHUNK).zip(dy.chunks(CHUNK)) {
                let mut normalised = [0.0; CHUNK];
                let mut slope = [0.0; CHUNK];
                for (((x, dy), to), slope) in x.iter().zip(dy).zip(&mut normalised).zip(&mut slope)
                {
                    *to = channel.normalised(*x);
                    *slope = before(channel, *to, *dy);
                    *to *= *slope;
                }
                sums[0] += sum(&slope[..x.len()], |v| v);
                sums[1] += sum(&normalised[..x.len()], |v| v);
            }
        }
        sums
    });
    let sums: Vec<[f64; 2]> = sums.collect();
    let mut dx = vec![0.0; x.len()];
    let inputs = x
        .par_chunks_exact(h * w)
        .zip(slopes.par_chunks_exact(h * w));
    dx.par_chunks_exact_mut(h * w)
        .zip(inputs)
        .enumerate()
        .for_each(|(i, (dx, (x, dy)))| {
            let channel = &channels[i % c];
            let [mean, product] = sums[i % c].map(|sum| (sum / samples) as f32);
            let factor = channel.weight * channel.scale;
            for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
                let normalised = channel.normalised(*x);
                let slope = before(channel, normalised, *dy);
                *dx = factor * (slope - mean - normalised * product);
            }
        });
    let all = |i: usize| tensor(sums.iter().map(|sums| sums[i] as f32).collect(), [c]);
    [Some(tensor(dx, [n, c, h, w])), Some(all(1)), Some(all(0))]
}

/// Values that are summed at a time.
#[cfg(feature = "autodiff")]
const CHUNK: usize = 512;

/// The planes of a channel.
fn planes(
    values: &[f32],
    channel: usize,
    channels: usize,
    plane: usize,
) -> impl Iterator<Item = &[f32]> {
    values.chunks_exact(plane).skip(channel).step_by(channels)
}
