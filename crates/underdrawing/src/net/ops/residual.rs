//! The end of a residual function before its last convolution.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use super::flex::{contiguous, dims, floats, tensor};
use super::ours;

/// The channels of `a + b` (`[n, c, h, w]` each), then those of `x` `[n, d, h, w]`:
/// `[n, c + d, h, w]`.
pub(crate) fn sum_beside(a: Tensor<4>, b: Tensor<4>, x: Tensor<4>) -> Tensor<4> {
    if !ours(&x) {
        return Tensor::cat(vec![a + b, x], 1);
    }
    Tensor::from_dispatch(<Dispatch as ResidualBackend>::sum_beside(
        a.into_dispatch(),
        b.into_dispatch(),
        x.into_dispatch(),
    ))
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait ResidualBackend: Backend {
    fn sum_beside(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        x: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
}

impl ResidualBackend for Flex {
    fn sum_beside(a: FlexTensor, b: FlexTensor, x: FlexTensor) -> FlexTensor {
        forward([a, b, x]).0
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> ResidualBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn sum_beside(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        x: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        super::record::record::<C, _, 3>([a, b, x], forward, backward)
    }
}

/// The result, and the number of channels of the sum.
fn forward(inputs: [FlexTensor; 3]) -> (FlexTensor, usize) {
    let [a, b, x] = inputs.map(contiguous);
    let ([n, c, h, w], [_, d, _, _]) = (dims(&a), dims::<4>(&x));
    let (a, b, x) = (floats(&a), floats(&b), floats(&x));
    let plane = h * w;
    let mut y = vec![0.0; n * (c + d) * plane];
    y.par_chunks_exact_mut(plane)
        .enumerate()
        .for_each(|(i, y)| {
            let (picture, channel) = (i / (c + d), i % (c + d));
            if channel < c {
                let start = (picture * c + channel) * plane;
                let terms = a[start..][..plane].iter().zip(&b[start..][..plane]);
                for (y, (a, b)) in y.iter_mut().zip(terms) {
                    *y = a + b;
                }
            } else {
                y.copy_from_slice(&x[(picture * d + channel - c) * plane..][..plane]);
            }
        });
    (tensor(y, [n, c + d, h, w]), c)
}

#[cfg(feature = "autodiff")]
fn backward(c: usize, dy: FlexTensor, _: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let dy = contiguous(dy);
    let [n, both, h, w] = dims(&dy);
    let dy = floats(&dy);
    let plane = h * w;
    // The gradient of the `count` channels from `first` on.
    let part = |first: usize, count: usize| {
        let mut dx = vec![0.0; n * count * plane];
        dx.par_chunks_exact_mut(plane)
            .enumerate()
            .for_each(|(i, dx)| {
                let channel = i / count * both + first + i % count;
                dx.copy_from_slice(&dy[channel * plane..][..plane]);
            });
        tensor(dx, [n, count, h, w])
    };
    let sum = part(0, c);
    [Some(sum.clone()), Some(sum), Some(part(c, both - c))]
}
