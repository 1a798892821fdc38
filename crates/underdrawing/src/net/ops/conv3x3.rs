//! The 3x3 convolution with the activation behind it.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use burn::tensor::activation::leaky_relu;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use underdrawing_conv::Conv3x3 as Kernel;

use super::flex::{contiguous, dims, floats, map, tensor, zip};
use super::ours;

/// Convolves `x` `[n, c_in, h, w]` with `weight` `[c_out, c_in, 3, 3]` and adds `bias` `[c_out]`:
/// stride 1, zeros outside, `[n, c_out, h, w]`.
pub(crate) fn conv3x3(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>) -> Tensor<4> {
    convolve(x, weight, bias, None)
}

/// The same, then a leaky ReLU: values below zero times `slope`, which must be above zero.
pub(crate) fn conv3x3_leaky(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Tensor<1>,
    slope: f32,
) -> Tensor<4> {
    convolve(x, weight, bias, Some(slope))
}

fn convolve(x: Tensor<4>, weight: Tensor<4>, bias: Tensor<1>, slope: Option<f32>) -> Tensor<4> {
    if !ours(&x) {
        let same = ConvOptions::new([1, 1], [1, 1], [1, 1], /* groups */ 1);
        let y = conv2d(x, weight, Some(bias), same);
        return slope.map_or(y.clone(), |slope| leaky_relu(y, slope.into()));
    }
    Tensor::from_dispatch(<Dispatch as Conv3x3Backend>::conv3x3(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        slope,
    ))
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait Conv3x3Backend: Backend {
    fn conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        slope: Option<f32>,
    ) -> FloatTensor<Self>;
}

impl Conv3x3Backend for Flex {
    fn conv3x3(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        slope: Option<f32>,
    ) -> FlexTensor {
        forward([x, weight, bias], slope).0
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> Conv3x3Backend
    for burn::backend::Autodiff<Flex, C>
{
    fn conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        slope: Option<f32>,
    ) -> FloatTensor<Self> {
        super::record::record::<C, _, 3>(
            [x, weight, bias],
            |inputs| forward(inputs, slope),
            backward,
        )
    }
}

/// Input and weight; where there is an activation its output and slope.
type Kept = (FlexTensor, FlexTensor, Option<(FlexTensor, f32)>);

fn forward(inputs: [FlexTensor; 3], slope: Option<f32>) -> (FlexTensor, Kept) {
    let [x, weight, bias] = inputs.map(contiguous);
    let kernel = kernel(&x, &weight);
    let mut y = vec![0.0; kernel.n * kernel.c_out * kernel.height * kernel.width];
    kernel.forward(floats(&x), floats(&weight), Some(floats(&bias)), &mut y);
    let y = tensor(y, [kernel.n, kernel.c_out, kernel.height, kernel.width]);
    let Some(slope) = slope else {
        return (y, (x, weight, None));
    };
    let y = map(y, move |v| v.max(v * slope));
    (y.clone(), (x, weight, Some((y, slope))))
}

#[cfg(feature = "autodiff")]
fn backward(
    (x, weight, activated): Kept,
    dy: FlexTensor,
    wanted: [bool; 3],
) -> [Option<FlexTensor>; 3] {
    let dy = match activated {
        // The output has the sign of the activation's input.
        Some((y, slope)) => zip(dy, &y, move |dy, y| if y > 0.0 { dy } else { dy * slope }),
        None => contiguous(dy),
    };
    let kernel = kernel(&x, &weight);
    let (x, weight, dy) = (floats(&x), floats(&weight), floats(&dy));
    let Kernel {
        n,
        c_in,
        c_out,
        height,
        width,
    } = kernel;
    let [dx, dw, db] = wanted;
    [
        dx.then(|| {
            let mut dx = vec![0.0; n * c_in * height * width];
            kernel.backward_input(weight, dy, &mut dx);
            tensor(dx, [n, c_in, height, width])
        }),
        dw.then(|| {
            let mut dw = vec![0.0; c_out * c_in * 9];
            kernel.backward_weight(x, dy, &mut dw);
            tensor(dw, [c_out, c_in, 3, 3])
        }),
        db.then(|| {
            let mut db = vec![0.0; c_out];
            kernel.backward_bias(dy, &mut db);
            tensor(db, [c_out])
        }),
    ]
}

/// The kernel for these tensors' shapes.
fn kernel(x: &FlexTensor, weight: &FlexTensor) -> Kernel {
    let [n, c_in, height, width] = dims(x);
    let [c_out, ..] = dims::<4>(weight);
    Kernel {
        n,
        c_in,
        c_out,
        height,
        width,
    }
}
