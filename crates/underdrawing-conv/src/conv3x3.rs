//! The former interface, until its last caller has moved to [`Conv`].

use crate::{Activation, Conv, Kernel};

/// A 3x3 [`Conv`] of stride 1 and padding 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv3x3 {
    /// See [`Conv::n`].
    pub n: usize,
    /// See [`Conv::c_in`].
    pub c_in: usize,
    /// See [`Conv::c_out`].
    pub c_out: usize,
    /// See [`Conv::height`].
    pub height: usize,
    /// See [`Conv::width`].
    pub width: usize,
}

impl Conv3x3 {
    /// See [`Conv::forward`].
    pub fn forward(&self, x: &[f32], w: &[f32], b: Option<&[f32]>, y: &mut [f32]) {
        self.conv().forward(x, w, b, Activation::None, y);
    }

    /// See [`Conv::backward_input`].
    pub fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.conv().backward_input(w, dy, dx);
    }

    /// See [`Conv::backward_weight`].
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.conv().backward_weight(x, dy, dw);
    }

    /// See [`Conv::backward_bias`].
    pub fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        self.conv().backward_bias(dy, db);
    }

    fn conv(&self) -> Conv {
        Conv {
            n: self.n,
            c_in: self.c_in,
            c_out: self.c_out,
            height: self.height,
            width: self.width,
            kernel: Kernel::same(3),
        }
    }
}
