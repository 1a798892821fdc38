//! The layers that networks are built of: which parameters, and what is done with them.

use underdrawing_conv::Kernel;

use crate::init::Init;
use crate::param::ParamId;

/// A convolution; its activation is said where it is used.
#[derive(Clone, Copy, Debug)]
pub struct ConvLayer {
    /// `[c_out, c_in, side, side]`
    pub weight: ParamId,
    /// `[c_out]`
    pub bias: Option<ParamId>,
    /// Which pixels a weight is for.
    pub kernel: Kernel,
    /// Channels that come out.
    pub c_out: usize,
}

impl ConvLayer {
    /// 3x3 with a bias: weights after He et al. 2015, times `gain`; biases zero.
    pub(crate) fn init_3x3(c_in: usize, c_out: usize, gain: f64, init: &mut Init) -> Self {
        let deviation = gain * (2.0 / (9 * c_in) as f64).sqrt();
        Self {
            weight: init.normal("weight", &[c_out, c_in, 3, 3], 0.0, deviation),
            bias: Some(init.constant("bias", &[c_out], 0.0)),
            kernel: Kernel::same(3),
            c_out,
        }
    }
}

/// The transpose of a 4x4 convolution of stride 2 and padding 1, which doubles the sides.
#[derive(Clone, Copy, Debug)]
pub struct ConvTransposeLayer {
    /// `[c_in, c_out, 4, 4]`
    pub weight: ParamId,
    /// `[c_out]`
    pub bias: Option<ParamId>,
    /// Channels that come out.
    pub c_out: usize,
}

/// Batch normalisation (Ioffe and Szegedy 2015) as PyTorch computes it: in training by the
/// statistics of the batch, which the running ones follow, otherwise by the running ones.
///
/// The running variance follows the unbiased variance of the batch, which is what PyTorch does.
#[derive(Clone, Copy, Debug)]
pub struct BatchNorm {
    /// Deviation of each channel afterwards, `[channels]`.
    pub weight: ParamId,
    /// Mean of each channel afterwards, `[channels]`.
    pub bias: ParamId,
    /// `[channels]`
    pub running_mean: ParamId,
    /// `[channels]`
    pub running_var: ParamId,
}

impl BatchNorm {
    /// Added to the variance.
    pub const EPSILON: f64 = 1e-5;

    /// Weight of the newest batch in the running statistics.
    pub const MOMENTUM: f32 = 0.1;

    /// Weights N(1, 0.02), the rest as PyTorch starts: bias and running mean 0, variance 1.
    pub(crate) fn init(channels: usize, init: &mut Init) -> Self {
        Self {
            weight: init.normal("weight", &[channels], 1.0, 0.02),
            bias: init.constant("bias", &[channels], 0.0),
            running_mean: init.statistic("running_mean", channels, 0.0),
            running_var: init.statistic("running_var", channels, 1.0),
        }
    }
}

/// A residual network of three convolutions of 3x3: the last one sees the sum of what the first two
/// give, beside the input.
#[derive(Clone, Copy, Debug)]
pub struct ResidualNet {
    /// From the input to `width` channels.
    pub first: ConvLayer,
    /// From there to as many.
    pub middle: ConvLayer,
    /// From the sum of both, beside the input.
    pub last: ConvLayer,
}

impl ResidualNet {
    /// Slope of the leaky ReLU after the first two convolutions.
    pub const SLOPE: f32 = 0.2;

    /// Pixels on each side that it looks at, one a convolution.
    pub const RADIUS: usize = 3;

    /// Weights after He et al. 2015, but the last layer's near zero; biases zero.
    pub(crate) fn init(c_in: usize, width: usize, c_out: usize, init: &mut Init) -> Self {
        let mut layer = |name: &str, c_in: usize, c_out: usize, gain: f64| {
            init.within(name, |init| ConvLayer::init_3x3(c_in, c_out, gain, init))
        };
        Self {
            first: layer("first", c_in, width, 1.0),
            middle: layer("middle", width, width, 1.0),
            last: layer("last", width + c_in, c_out, 0.05),
        }
    }
}
