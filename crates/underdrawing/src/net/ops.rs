//! The 3x3 convolution as an operation of its own: our kernels on the CPU, burn's elsewhere.
//!
//! burn's CPU convolution unfolds the picture and multiplies matrices, several times slower than
//! the hardware allows; `underdrawing-conv` does it directly. This file and the one below it are the
//! only ones that touch burn's backend internals.

#[cfg(feature = "autodiff")]
mod backward;

use burn::backend::flex::{FlexTensor, Layout};
use burn::backend::ops::ConvOptions;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::prelude::*;
use burn::tensor::{Bytes, DType};
use rayon::prelude::*;
use underdrawing_conv::Conv3x3 as Kernel;

/// Convolves `x` `[n, c_in, h, w]` with `weight` `[c_out, c_in, 3, 3]` and adds `bias` `[c_out]`:
/// stride 1, zeros outside, `[n, c_out, h, w]`.
pub(crate) fn conv3x3(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    conv3x3_leaky(x, weight, bias, /* slope */ 1.0)
}

/// The same, then a leaky ReLU: values below zero times `slope`, which must be above zero.
pub(crate) fn conv3x3_leaky(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    slope: f32,
) -> Tensor<4> {
    Tensor::from_dispatch(<Dispatch as ConvBackend>::conv3x3(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        slope,
    ))
}

/// Values that a thread takes at a time in element-wise loops.
const CHUNK: usize = 1 << 14;

/// Stride 1, padding 1, no dilation, one group.
fn same_3x3() -> ConvOptions<2> {
    ConvOptions::new([1, 1], [1, 1], [1, 1], 1)
}

/// The convolution and its three gradients; the default bodies are burn's own.
#[backend_extension(
    Flex,
    Cube: cfg(any(feature = "wgpu", feature = "cuda")),
    Autodiff: cfg(feature = "autodiff")
)]
pub(crate) trait ConvBackend: Backend {
    /// See [`conv3x3_leaky`].
    fn conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        slope: f32,
    ) -> FloatTensor<Self> {
        let y = Self::conv2d(x, weight, Some(bias), same_3x3());
        Self::leaky_relu(y, slope.into())
    }
    /// Gradient with respect to the leaky ReLU's input, from its output `y` and that output's
    /// gradient.
    fn leaky_backward(
        y: FloatTensor<Self>,
        dy: FloatTensor<Self>,
        slope: f32,
    ) -> FloatTensor<Self> {
        // The output has the sign of the input, which is all that the gradient asks for: a factor
        // of 1 above zero, of `slope` below.
        let half_step = Self::float_mul_scalar(Self::float_sign(y), (0.5 - 0.5 * slope).into());
        let factor = Self::float_add_scalar(half_step, (0.5 + 0.5 * slope).into());
        Self::float_mul(dy, factor)
    }
    /// Gradient with respect to `x`, from that of the output, `dy`.
    fn conv3x3_backward_input(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::conv2d_x_backward(x, weight, dy, same_3x3())
    }
    /// Gradient with respect to `weight`.
    fn conv3x3_backward_weight(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::conv2d_weight_backward(x, weight, dy, same_3x3())
    }
    /// Gradient with respect to `bias`.
    fn conv3x3_backward_bias(
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dy: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::conv2d_bias_backward(x, bias, dy)
    }
}

#[cfg(any(feature = "wgpu", feature = "cuda"))]
impl ConvBackend for burn::backend::Cube {}

impl ConvBackend for Flex {
    fn conv3x3(x: FlexTensor, weight: FlexTensor, bias: FlexTensor, slope: f32) -> FlexTensor {
        let (x, weight, bias) = (contiguous(x), contiguous(weight), contiguous(bias));
        let kernel = kernel(&x, &weight);
        let mut y = vec![0.0; kernel.n * kernel.c_out * kernel.height * kernel.width];
        kernel.forward(floats(&x), floats(&weight), Some(floats(&bias)), &mut y);
        if slope < 1.0 {
            y.par_chunks_mut(CHUNK).for_each(|chunk| {
                for v in chunk {
                    *v = v.max(*v * slope);
                }
            });
        }
        tensor(y, [kernel.n, kernel.c_out, kernel.height, kernel.width])
    }

    fn leaky_backward(y: FlexTensor, dy: FlexTensor, slope: f32) -> FlexTensor {
        let (y, dy) = (contiguous(y), contiguous(dy));
        let shape: [usize; 4] = y.shape().dims();
        let mut dx = vec![0.0; shape.iter().product()];
        let chunks = dx.par_chunks_mut(CHUNK);
        let inputs = floats(&y)
            .par_chunks(CHUNK)
            .zip(floats(&dy).par_chunks(CHUNK));
        chunks.zip(inputs).for_each(|(dx, (y, dy))| {
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = if *y > 0.0 { *dy } else { *dy * slope };
            }
        });
        tensor(dx, shape)
    }

    fn conv3x3_backward_input(x: FlexTensor, weight: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let (weight, dy) = (contiguous(weight), contiguous(dy));
        let kernel = kernel(&x, &weight);
        let mut dx = vec![0.0; kernel.n * kernel.c_in * kernel.height * kernel.width];
        kernel.backward_input(floats(&weight), floats(&dy), &mut dx);
        tensor(dx, [kernel.n, kernel.c_in, kernel.height, kernel.width])
    }

    fn conv3x3_backward_weight(x: FlexTensor, weight: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let (x, dy) = (contiguous(x), contiguous(dy));
        let kernel = kernel(&x, &weight);
        let mut dw = vec![0.0; kernel.c_out * kernel.c_in * 9];
        kernel.backward_weight(floats(&x), floats(&dy), &mut dw);
        tensor(dw, [kernel.c_out, kernel.c_in, 3, 3])
    }

    fn conv3x3_backward_bias(x: FlexTensor, bias: FlexTensor, dy: FlexTensor) -> FlexTensor {
        let dy = contiguous(dy);
        let [n, c_in, height, width] = x.shape().dims();
        let [c_out] = bias.shape().dims();
        let kernel = Kernel {
            n,
            c_in,
            c_out,
            height,
            width,
        };
        let mut db = vec![0.0; c_out];
        kernel.backward_bias(floats(&dy), &mut db);
        tensor(db, [c_out])
    }
}

/// The kernel for these tensors' shapes.
fn kernel(x: &FlexTensor, weight: &FlexTensor) -> Kernel {
    let [n, c_in, height, width] = x.shape().dims();
    let [c_out, ..] = weight.shape().dims::<4>();
    Kernel {
        n,
        c_in,
        c_out,
        height,
        width,
    }
}

fn contiguous(t: FlexTensor) -> FlexTensor {
    if t.as_slice::<f32>().is_some() {
        t
    } else {
        t.to_contiguous()
    }
}

fn floats(t: &FlexTensor) -> &[f32] {
    t.as_slice()
        .expect("networks compute in f32 on contiguous tensors")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape.into()),
        DType::F32,
    )
}
