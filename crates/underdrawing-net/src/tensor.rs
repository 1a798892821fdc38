//! The operations that networks and losses are written in.
//!
//! A network is generic over [`Tensor`], a loss over [`Differentiable`]. What implements them
//! decides how the same text runs: computed at once, recorded for gradients
//! ([`CpuTensor`](crate::CpuTensor)), or turned into a plan of kernels. Layers hold numbers of
//! parameters, and a tensor knows where the parameters' values are.

use rand_chacha::ChaCha8Rng;
use underdrawing_conv::Activation;

use crate::init::unit;
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer, ResidualNet};

/// Pictures, channels, rows, columns.
pub type Shape = [usize; 4];

/// What the result of a [`ResidualNet`] does to another tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is added.
    Add,
    /// It is subtracted.
    Subtract,
    /// See [`Tensor::couple`].
    Couple,
    /// See [`Tensor::uncouple`].
    Uncouple,
}

impl Change {
    /// What it makes of `x`, where the network gave `update`.
    pub fn apply<T: Tensor>(self, x: T, update: &T) -> T {
        match self {
            Self::Add => x.plus(update),
            Self::Subtract => x.minus(update),
            Self::Couple => x.couple(update),
            Self::Uncouple => x.uncouple(update),
        }
    }
}

/// Values of `[n, c, h, w]`, and the operations of networks on them.
pub trait Tensor: Clone {
    /// Extents.
    fn shape(&self) -> Shape;

    /// The convolution of `[n, c_in, h, w]`, its bias, and the activation.
    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self;

    /// `[n, c_in, h, w]` to `[n, c_out, 2h, 2w]`, with bias and activation.
    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self;

    /// Each channel with a learned mean and deviation, and the activation, which is none or a ReLU.
    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self;

    /// The activation of each value: a ReLU or a leaky one.
    fn activated(&self, activation: Activation) -> Self;

    /// The channels of all parts, one after the other.
    fn concat(parts: &[Self]) -> Self;

    /// `self + other`
    fn plus(self, other: &Self) -> Self;

    /// `self - other`
    fn minus(self, other: &Self) -> Self;

    /// Each channel times a number, and another one added.
    fn affine(self, scale: &[f32], shift: &[f32]) -> Self;

    /// Values held within `low..=high`; the gradient is zero outside.
    fn clamped(self, low: f32, high: f32) -> Self;

    /// Orthonormal two-dimensional Haar transform of `self - zero`, one level: even sides,
    /// `[n, 4c, h/2, w/2]` with all channels of the mean band, then of the horizontal, vertical and
    /// diagonal differences. Keeps the sum of squares.
    fn haar(&self, zero: f32) -> Self;

    /// Undoes [`Tensor::haar`].
    fn inverse_haar(&self, zero: f32) -> Self;

    /// Pixels of the corners of 2x2 blocks, `[n, 4c, h, w]` (top left, top right, bottom left,
    /// bottom right, all channels each), put where they belong: `[n, c, 2h, 2w]`.
    fn pixel_shuffle(&self) -> Self;

    /// `self * exp(tanh(t)) + b`, where `update` `[n, 2c, h, w]` holds `t` and then `b`. So the
    /// logarithm of the scale is held within -1 and 1.
    fn couple(self, update: &Self) -> Self;

    /// Undoes [`Tensor::couple`]: `(self - b) * exp(-tanh(t))`.
    fn uncouple(self, update: &Self) -> Self;

    /// The channels of `a + b`, then those of `self`.
    fn after_sum(&self, a: &Self, b: &Self) -> Self {
        Self::concat(&[a.clone().plus(b), self.clone()])
    }

    /// What the residual network makes of this tensor.
    fn residual(&self, net: &ResidualNet) -> Self {
        residual_by_layers(self, net)
    }

    /// This tensor changed by the residual network of `source`.
    fn change(self, net: &ResidualNet, source: &Self, change: Change) -> Self {
        change.apply(self, &source.residual(net))
    }
}

/// What [`Tensor::residual`] means, layer by layer.
pub fn residual_by_layers<T: Tensor>(source: &T, net: &ResidualNet) -> T {
    let leaky = Activation::LeakyRelu(ResidualNet::SLOPE);
    let features = source.conv(&net.first, leaky); // [n, width, h, w]
    let more = features.conv(&net.middle, leaky);
    let both = source.after_sum(&features, &more); // [n, width + c_in, h, w]
    both.conv(&net.last, Activation::None)
}

/// A tensor that carries gradients, and the operations of losses on it.
pub trait Differentiable: Tensor {
    /// A tensor beside this one that carries none.
    fn constant(&self, shape: Shape, values: &[f32]) -> Self;

    /// Noise beside this tensor: uniform in [-0.5, 0.5), 24 bits a value, one word of `random` for
    /// each in their order.
    fn uniform(&self, shape: Shape, random: &mut ChaCha8Rng) -> Self {
        let values = (0..shape.iter().product()).map(|_| (unit(random) - 0.5) as f32);
        self.constant(shape, &values.collect::<Vec<f32>>())
    }

    /// Values held within 0 to 1; the gradient passes as if they were not, so that what lies
    /// outside can still learn to come back.
    fn clamped_straight_through(self) -> Self;

    /// Mean square of each picture, `[n, 1, 1, 1]`.
    fn mean_square(&self) -> Self;

    /// Means of squares of `side` x `side` values, `[n, c, h / side, w / side]`; what is left of
    /// the sides does not count.
    fn square_means(&self, side: usize) -> Self;

    /// Each value times a number.
    fn times(self, factor: f32) -> Self;

    /// The natural logarithm of each value.
    fn ln(self) -> Self;

    /// The mean of all values, `[1, 1, 1, 1]`.
    fn mean(&self) -> Self;

    /// All values, last extent fastest.
    fn to_vec(&self) -> Vec<f32>;
}
