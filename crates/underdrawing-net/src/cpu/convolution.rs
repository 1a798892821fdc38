//! The two kinds of convolutions that layers are, with one face.

use underdrawing_conv::{Activation, Conv, ConvTranspose};

use crate::tensor::Shape;

/// A convolution of known sizes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Convolution {
    Plain(Conv),
    Transposed(ConvTranspose),
}

impl Convolution {
    /// Of the result.
    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Plain(c) => [c.n, c.c_out, c.height_out(), c.width_out()],
            Self::Transposed(c) => [c.n, c.c_out, 2 * c.height, 2 * c.width],
        }
    }

    pub(super) fn forward(
        &self,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) {
        match self {
            Self::Plain(c) => c.forward(x, w, b, activation, y),
            Self::Transposed(c) => c.forward(x, w, b, activation, y),
        }
    }

    pub(super) fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        match self {
            Self::Plain(c) => c.backward_input(w, dy, dx),
            Self::Transposed(c) => c.backward_input(w, dy, dx),
        }
    }

    pub(super) fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        match self {
            Self::Plain(c) => c.backward_weight(x, dy, dw),
            Self::Transposed(c) => c.backward_weight(x, dy, dw),
        }
    }

    pub(super) fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        match self {
            Self::Plain(c) => c.backward_bias(dy, db),
            Self::Transposed(c) => c.backward_bias(dy, db),
        }
    }
}
