//! The transposed convolution that doubles the height and width of pictures.

use crate::activation::Activation;
use crate::method::Method;
use crate::path::Isa;
use crate::shape::{Conv, Kernel};

/// Shape of a transposed 4x4 convolution with stride 2 and padding 1: the gradient of
/// [`Kernel::HALVING`] with respect to its input, as a layer.
///
/// With `n` pictures of `height` x `width`, `x` and `dx` are `[n, c_in, height, width]`, `y` and
/// `dy` are `[n, c_out, 2 height, 2 width]`, `w` and `dw` are `[c_in, c_out, 4, 4]`, `b` and `db`
/// are `[c_out]`. All methods overwrite their result, and panic if a slice has the wrong length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvTranspose {
    /// Pictures in the batch.
    pub n: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Channels of the output.
    pub c_out: usize,
    /// Rows of an input picture.
    pub height: usize,
    /// Columns of an input picture.
    pub width: usize,
}

impl ConvTranspose {
    /// Adds each pixel of `x`, times `w`, to 4x4 pixels of the result, adds `b` to each pixel, and
    /// applies the activation.
    pub fn forward(
        &self,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) {
        let mirror = self.mirror();
        let method = Method::of(&mirror.pass_back());
        let b_len = b.map_or(self.c_out, <[f32]>::len);
        assert!(b_len == self.c_out, "`b` has {b_len} values, {self:?}");
        mirror.backward_input_with(Isa::chosen(), method, w, x, b, activation, y);
    }

    /// The gradient with respect to the input, given that with respect to the output (before its
    /// activation).
    pub fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.mirror().forward(dy, w, None, Activation::None, dx);
    }

    /// The gradient with respect to the weights, given that with respect to the output.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.mirror().backward_weight(dy, x, dw);
    }

    /// The gradient with respect to the bias, given that with respect to the output.
    pub fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        let pictures_of_dy = Conv {
            c_out: self.c_out,
            height: 2 * self.height,
            width: 2 * self.width,
            kernel: Kernel::same(1),
            ..self.mirror()
        };
        pictures_of_dy.backward_bias(dy, db);
    }

    /// The convolution that this is the transpose of.
    fn mirror(&self) -> Conv {
        Conv {
            n: self.n,
            c_in: self.c_out,
            c_out: self.c_in,
            height: 2 * self.height,
            width: 2 * self.width,
            kernel: Kernel::HALVING,
        }
    }
}
