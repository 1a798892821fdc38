//! Activations by themselves, where no convolution is before them.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use burn::tensor::activation::{leaky_relu, relu, sigmoid};
use underdrawing_conv::Activation;

use super::flex::{map, zip};
use super::ours;

/// `max(x, 0)`
pub(crate) fn rectified(x: Tensor<4>) -> Tensor<4> {
    rectified_leaky(x, 0.0)
}

/// `x` above zero, else `x` times `slope`, which is 0 to 1.
pub(crate) fn rectified_leaky(x: Tensor<4>, slope: f32) -> Tensor<4> {
    if !ours(&x) {
        return leaky_relu(x, slope.into());
    }
    Tensor::from_dispatch(<Dispatch as ActivationBackend>::rectified(
        x.into_dispatch(),
        slope,
    ))
}

/// An activation in burn's terms.
pub(super) fn by_definition(x: Tensor<4>, activation: Activation) -> Tensor<4> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, slope.into()),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

/// The gradient before an activation, from its output and the gradient of that.
#[cfg(feature = "autodiff")]
pub(super) fn slope_before(activation: Activation, y: &FlexTensor, dy: FlexTensor) -> FlexTensor {
    // One loop each, so that each vectorises.
    match activation {
        Activation::None => dy,
        Activation::Relu => zip(dy, y, |dy, y| if y > 0.0 { dy } else { 0.0 }),
        Activation::LeakyRelu(slope) => {
            zip(dy, y, move |dy, y| dy * if y > 0.0 { 1.0 } else { slope })
        }
        Activation::Sigmoid => zip(dy, y, |dy, y| dy * (y * (1.0 - y))),
        Activation::Tanh => zip(dy, y, |dy, y| dy * (1.0 - y * y)),
    }
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait ActivationBackend: Backend {
    fn rectified(x: FloatTensor<Self>, slope: f32) -> FloatTensor<Self>;
}

impl ActivationBackend for Flex {
    fn rectified(x: FlexTensor, slope: f32) -> FlexTensor {
        map(x, move |v| v.max(v * slope))
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> ActivationBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn rectified(x: FloatTensor<Self>, slope: f32) -> FloatTensor<Self> {
        super::record::record::<C, _, 1>(
            [x],
            |[x]| {
                let y = Flex::rectified(x, slope);
                (y.clone(), (y, slope))
            },
            |(y, slope), dy, _| {
                // Of a plain ReLU the slope below is zero, and its output is zero there too.
                let activation = Activation::LeakyRelu(slope);
                [Some(slope_before(activation, &y, dy))]
            },
        )
    }
}
