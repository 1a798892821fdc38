//! Convolutions with the activation behind them.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use burn::tensor::module::{conv_transpose2d, conv2d};
use burn::tensor::ops::{ConvOptions, ConvTransposeOptions};
use underdrawing_conv::{Activation, Conv, Doubling, Kernel};

use super::activation::{by_definition, slope_before};
use super::flex::{contiguous, dims, floats, tensor};
use super::ours;

/// Convolves `x` `[n, c_in, h, w]` with `weight` `[c_out, c_in, side, side]`, adds `bias` `[c_out]`
/// and applies the activation. The kernel says which pixels a weight is for and how many come out.
pub(crate) fn conv(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    kernel: Kernel,
    activation: Activation,
) -> Tensor<4> {
    if !ours(&x) {
        let (stride, padding) = ([kernel.stride; 2], [(kernel.before, kernel.after); 2]);
        let options = ConvOptions::new_with_padding(stride, padding, [1, 1], /* groups */ 1);
        return by_definition(conv2d(x, weight, bias, options), activation);
    }
    let [c_out, ..] = weight.dims();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([c_out], &x.device()));
    Tensor::from_dispatch(<Dispatch as ConvBackend>::conv(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        kernel,
        activation,
    ))
}

/// The transpose of a 4x4 convolution of stride 2 and padding 1: `x` `[n, c_in, h, w]` with
/// `weight` `[c_in, c_out, 4, 4]` to `[n, c_out, 2h, 2w]`; then bias and activation.
pub(crate) fn doubling(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    activation: Activation,
) -> Tensor<4> {
    if !ours(&x) {
        let extra = /* output padding */ [0, 0];
        let options = ConvTransposeOptions::new([2, 2], [1, 1], extra, [1, 1], /* groups */ 1);
        return by_definition(conv_transpose2d(x, weight, bias, options), activation);
    }
    let [_, c_out, ..] = weight.dims();
    let bias = bias.unwrap_or_else(|| Tensor::zeros([c_out], &x.device()));
    Tensor::from_dispatch(<Dispatch as ConvBackend>::doubling(
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        activation,
    ))
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait ConvBackend: Backend {
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kernel: Kernel,
        activation: Activation,
    ) -> FloatTensor<Self>;
    fn doubling(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self>;
}

impl ConvBackend for Flex {
    fn conv(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        kernel: Kernel,
        activation: Activation,
    ) -> FlexTensor {
        let inputs = [x, weight, bias].map(contiguous);
        Shape::conv(&inputs, kernel).forward(inputs, activation).0
    }

    fn doubling(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        activation: Activation,
    ) -> FlexTensor {
        let inputs = [x, weight, bias].map(contiguous);
        Shape::doubling(&inputs).forward(inputs, activation).0
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> ConvBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn conv(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        kernel: Kernel,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let forward = |inputs: [FlexTensor; 3]| {
            let inputs = inputs.map(contiguous);
            Shape::conv(&inputs, kernel).forward(inputs, activation)
        };
        super::record::record::<C, _, 3>([x, weight, bias], forward, backward)
    }

    fn doubling(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        activation: Activation,
    ) -> FloatTensor<Self> {
        let forward = |inputs: [FlexTensor; 3]| {
            let inputs = inputs.map(contiguous);
            Shape::doubling(&inputs).forward(inputs, activation)
        };
        super::record::record::<C, _, 3>([x, weight, bias], forward, backward)
    }
}

/// Which convolution it is.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Conv(Conv),
    Doubling(Doubling),
}

/// What the way back needs.
#[derive(Clone, Debug)]
struct Kept {
    shape: Shape,
    x: FlexTensor,
    weight: FlexTensor,
    /// The output, where there is an activation.
    y: Option<FlexTensor>,
    activation: Activation,
}

impl Shape {
    fn conv([x, weight, _]: &[FlexTensor; 3], kernel: Kernel) -> Self {
        let [n, c_in, height, width] = dims(x);
        let [c_out, ..] = dims::<4>(weight);
        Self::Conv(Conv {
            n,
            c_in,
            c_out,
            height,
            width,
            kernel,
        })
    }

    fn doubling([x, weight, _]: &[FlexTensor; 3]) -> Self {
        let [n, c_in, height, width] = dims(x);
        let [_, c_out, ..] = dims::<4>(weight);
        Self::Doubling(Doubling {
            n,
            c_in,
            c_out,
            height,
            width,
        })
    }

    fn forward(
        self,
        [x, weight, bias]: [FlexTensor; 3],
        activation: Activation,
    ) -> (FlexTensor, Kept) {
        let bias_values = Some(floats(&bias));
        let y = match self {
            Self::Conv(conv) => {
                let shape = [conv.n, conv.c_out, conv.height_out(), conv.width_out()];
                let mut y = vec![0.0; shape.iter().product()];
                conv.forward(floats(&x), floats(&weight), bias_values, activation, &mut y);
                tensor(y, shape)
            }
            Self::Doubling(d) => {
                let shape = [d.n, d.c_out, 2 * d.height, 2 * d.width];
                let mut y = vec![0.0; shape.iter().product()];
                d.forward(floats(&x), floats(&weight), bias_values, activation, &mut y);
                tensor(y, shape)
            }
        };
        let kept = Kept {
            shape: self,
            x,
            weight,
            y: (activation != Activation::None).then(|| y.clone()),
            activation,
        };
        (y, kept)
    }
}

#[cfg(feature = "autodiff")]
fn backward(kept: Kept, dy: FlexTensor, wanted: [bool; 3]) -> [Option<FlexTensor>; 3] {
    let dy = match kept.y {
        Some(y) => slope_before(kept.activation, &y, dy),
        None => contiguous(dy),
    };
    let (x, weight, dy) = (floats(&kept.x), floats(&kept.weight), floats(&dy));
    let result = |wanted: bool, shape: &[usize], compute: &dyn Fn(&mut [f32])| {
        wanted.then(|| {
            let mut values = vec![0.0; shape.iter().product()];
            compute(&mut values);
            super::flex::tensor_of(values, shape)
        })
    };
    let (x_dims, w_dims) = (dims::<4>(&kept.x), dims::<4>(&kept.weight));
    let [dx, dw, db] = wanted;
    match kept.shape {
        Shape::Conv(conv) => [
            result(dx, &x_dims, &|dx| conv.backward_input(weight, dy, dx)),
            result(dw, &w_dims, &|dw| conv.backward_weight(x, dy, dw)),
            result(db, &[conv.c_out], &|db| conv.backward_bias(dy, db)),
        ],
        Shape::Doubling(d) => [
            result(dx, &x_dims, &|dx| d.backward_input(weight, dy, dx)),
            result(dw, &w_dims, &|dw| d.backward_weight(x, dy, dw)),
            result(db, &[d.c_out], &|db| d.backward_bias(dy, db)),
        ],
    }
}
