//! The operations in burn's terms.

use std::rc::Rc;

use burn::tensor::activation::{leaky_relu, relu, sigmoid};
use burn::tensor::module::{avg_pool2d, batch_norm, batch_norm_train, conv_transpose2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions};
use burn::tensor::{Tensor as Array, TensorData};
use underdrawing_net::{
    Activation, BatchNorm, ConvLayer, ConvTransposeLayer, Differentiable, Shape, Tensor,
};

use crate::session::{Moments, Session};

/// A tensor of burn's.
///
/// Its operations are put in the device's queue; reading values waits for them, and panics if the
/// device fails.
#[derive(Clone, Debug)]
pub struct BurnTensor {
    pub(crate) session: Rc<Session>,
    pub(crate) values: Array<4>,
}

impl BurnTensor {
    /// A tensor that no parameter has a part in.
    pub(crate) fn new(session: &Rc<Session>, shape: Shape, values: Vec<f32>) -> Self {
        let values = Array::from_data(TensorData::new(values, shape), &session.device);
        Self {
            session: session.clone(),
            values,
        }
    }

    fn map(self, f: impl FnOnce(Array<4>) -> Array<4>) -> Self {
        Self {
            session: self.session,
            values: f(self.values),
        }
    }

    /// Numbers of channels, beside tensors of `[n, c, h, w]`.
    fn by_channel(&self, values: &[f32]) -> Array<4> {
        let flat = Array::<1>::from_floats(values, &self.session.device);
        flat.reshape([1, values.len(), 1, 1])
    }
}

/// All values, last extent fastest.
pub(crate) fn read<const D: usize>(values: Array<D>) -> Vec<f32> {
    let values = values.inner().try_into_vec_as::<f32>();
    values.expect("the device has finished what was asked of it")
}

fn activate(x: Array<4>, activation: Activation) -> Array<4> {
    match activation {
        Activation::None => x,
        Activation::Relu => relu(x),
        Activation::LeakyRelu(slope) => leaky_relu(x, slope.into()),
        Activation::Sigmoid => sigmoid(x),
        Activation::Tanh => x.tanh(),
    }
}

/// The first and the second half of the channels.
fn halves(x: &Array<4>) -> [Array<4>; 2] {
    let half = x.dims()[1] / 2;
    [0, half].map(|first| x.clone().narrow(1, first, half))
}

/// Blocks of 2x2 pixels to channels, `[n, c, h, w]` to `[n, 4c, h/2, w/2]`.
fn to_corners(x: Array<4>) -> Array<4> {
    let [n, c, h, w] = x.dims();
    x.reshape([n, c, h / 2, 2, w / 2, 2])
        .permute([0, 3, 5, 1, 2, 4]) // [n, 2, 2, c, h/2, w/2]
        .reshape([n, 4 * c, h / 2, w / 2])
}

/// Undoes [`to_corners`].
fn from_corners(x: Array<4>) -> Array<4> {
    let [n, c4, h, w] = x.dims();
    x.reshape([n, 2, 2, c4 / 4, h, w])
        .permute([0, 3, 4, 1, 5, 2]) // [n, c, h, 2, w, 2]
        .reshape([n, c4 / 4, 2 * h, 2 * w])
}

/// The 4x4 Hadamard matrix over 2, across the four quarters of the channels; its own inverse.
fn hadamard(x: &Array<4>) -> Array<4> {
    let [top, bottom] = halves(x);
    let [sums, differences] = [top.clone() + bottom.clone(), top - bottom];
    let bands = [sums, differences].map(|rows| {
        let [left, right] = halves(&rows);
        [left.clone() + right.clone(), left - right]
    });
    Array::cat(bands.into_iter().flatten().collect(), 1) * 0.5
}

impl Tensor for BurnTensor {
    fn shape(&self) -> Shape {
        self.values.dims()
    }

    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self {
        let (kernel, c_in) = (layer.kernel, self.shape()[1]);
        let weight = self.session.weight(layer.weight);
        let weight = weight.reshape([layer.c_out, c_in, kernel.side, kernel.side]);
        let bias = layer.bias.map(|bias| self.session.weight(bias));
        let padding = [(kernel.before, kernel.after); 2];
        let options =
            ConvOptions::new_with_padding([kernel.stride; 2], padding, [1, 1], /* groups */ 1);
        let convolved = |x| activate(conv2d(x, weight, bias, options), activation);
        self.clone().map(convolved)
    }

    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self {
        let weight = self.session.weight(layer.weight);
        let weight = weight.reshape([self.shape()[1], layer.c_out, 4, 4]);
        let bias = layer.bias.map(|bias| self.session.weight(bias));
        let extra = /* output padding */ [0, 0];
        let options = ConvTransposeOptions::new([2, 2], [1, 1], extra, [1, 1], /* groups */ 1);
        let convolved = |x| activate(conv_transpose2d(x, weight, bias, options), activation);
        self.clone().map(convolved)
    }

    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self {
        let [weight, bias, mean, variance] =
            [norm.weight, norm.bias, norm.running_mean, norm.running_var]
                .map(|id| self.session.weight(id));
        let x = self.values.clone();
        let output = if self.session.trains() {
            let [n, _, h, w] = self.shape();
            let samples = (n * h * w) as f64;
            let batch = batch_norm_train(x, weight, bias, BatchNorm::EPSILON);
            self.session.keep(Moments {
                norm: *norm,
                mean: batch.mean.inner(),
                variance: batch.variance.inner() * (samples / (samples - 1.0).max(1.0)),
            });
            batch.output
        } else {
            batch_norm(x, weight, bias, mean, variance, BatchNorm::EPSILON)
        };
        self.clone().map(|_| activate(output, activation))
    }

    fn activated(&self, activation: Activation) -> Self {
        self.clone().map(|x| activate(x, activation))
    }

    fn concat(parts: &[Self]) -> Self {
        let values = parts.iter().map(|part| part.values.clone()).collect();
        parts[0].clone().map(|_| Array::cat(values, 1))
    }

    fn plus(self, other: &Self) -> Self {
        self.map(|x| x + other.values.clone())
    }

    fn minus(self, other: &Self) -> Self {
        self.map(|x| x - other.values.clone())
    }

    fn affine(self, scale: &[f32], shift: &[f32]) -> Self {
        let (scale, shift) = (self.by_channel(scale), self.by_channel(shift));
        self.map(|x| x * scale + shift)
    }

    fn clamped(self, low: f32, high: f32) -> Self {
        self.map(|x| x.clamp(low, high))
    }

    fn haar(&self, zero: f32) -> Self {
        self.clone().map(|x| hadamard(&to_corners(x - zero)))
    }

    fn inverse_haar(&self, zero: f32) -> Self {
        self.clone().map(|x| from_corners(hadamard(&x)) + zero)
    }

    fn pixel_shuffle(&self) -> Self {
        self.clone().map(from_corners)
    }

    fn couple(self, update: &Self) -> Self {
        let [t, b] = halves(&update.values);
        self.map(|x| x * t.tanh().exp() + b)
    }

    fn uncouple(self, update: &Self) -> Self {
        let [t, b] = halves(&update.values);
        self.map(|x| (x - b) * t.tanh().neg().exp())
    }
}

impl Differentiable for BurnTensor {
    fn constant(&self, shape: Shape, values: &[f32]) -> Self {
        Self::new(&self.session, shape, values.to_vec())
    }

    fn clamped_straight_through(self) -> Self {
        self.map(|x| {
            let constant = x.clone().inner();
            // The difference is zero and brings the gradient.
            x - constant.clone() + constant.clamp(0.0, 1.0)
        })
    }

    fn mean_square(&self) -> Self {
        let [n, ..] = self.shape();
        let mean = |x: Array<4>| x.square().flatten::<2>(1, 3).mean_dim(1);
        self.clone().map(|x| mean(x).reshape([n, 1, 1, 1]))
    }

    fn square_means(&self, side: usize) -> Self {
        let options = AvgPoolOptions::new([side; 2]).with_stride([side; 2]);
        self.clone().map(|x| avg_pool2d(x, options))
    }

    fn times(self, factor: f32) -> Self {
        self.map(|x| x * factor)
    }

    fn ln(self) -> Self {
        self.map(Array::log)
    }

    fn mean(&self) -> Self {
        self.clone().map(|x| x.mean().reshape([1; 4]))
    }

    fn to_vec(&self) -> Vec<f32> {
        read(self.values.clone())
    }
}
