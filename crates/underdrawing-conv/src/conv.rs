//! The convolution and its gradients: the public entry points, which pick the method.

use crate::activation::Activation;
use crate::method::Method;
use crate::pass::{Pass, Weights};
use crate::path::{Isa, dispatch};
use crate::reduce;
use crate::shape::Conv;
use crate::{direct, matrix, winograd};

impl Conv {
    /// Convolves `x` with `w`, adds `b` to each pixel, and applies the activation. As usual in
    /// neural networks, `w` is not flipped: this is a cross-correlation.
    pub fn forward(
        &self,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) {
        let pass = self.pass();
        self.forward_with(Isa::chosen(), Method::of(&pass), x, w, b, activation, y);
    }

    /// The gradient with respect to the input, given that with respect to the output (before its
    /// activation).
    pub fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        let method = Method::of(&self.pass_back());
        self.backward_input_with(Isa::chosen(), method, w, dy, None, Activation::None, dx);
    }

    /// The gradient with respect to the weights, given that with respect to the output.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let method = Method::of_gradient(&self.pass());
        self.backward_weight_with(Isa::chosen(), method, x, dy, dw);
    }

    /// The gradient with respect to the bias, given that with respect to the output.
    pub fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        self.check("dy", dy.len(), self.y_len());
        self.check("db", db.len(), self.c_out);
        reduce::sum_pictures(dy, self.height_out() * self.width_out(), db);
    }

    pub(crate) fn forward_with(
        &self,
        isa: Isa,
        method: Method,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        activation: Activation,
        y: &mut [f32],
    ) {
        self.check("x", x.len(), self.x_len());
        self.check("w", w.len(), self.w_len());
        self.check("b", b.map_or(self.c_out, <[f32]>::len), self.c_out);
        self.check("y", y.len(), self.y_len());
        if method == Method::Matrix {
            dispatch!(isa, simd => matrix::forward(simd, self, x, w, b, activation, y));
            return;
        }
        let map = self.map();
        let weights = Weights { values: w, map };
        compute(isa, method, &self.pass(), x, weights, b, activation, y);
    }

    /// Takes a bias and an activation, because this is also the forward pass of a transposed
    /// convolution.
    pub(crate) fn backward_input_with(
        &self,
        isa: Isa,
        method: Method,
        w: &[f32],
        dy: &[f32],
        b: Option<&[f32]>,
        activation: Activation,
        dx: &mut [f32],
    ) {
        self.check("w", w.len(), self.w_len());
        self.check("dy", dy.len(), self.y_len());
        self.check("dx", dx.len(), self.x_len());
        if method == Method::Matrix {
            dispatch!(isa, simd => matrix::backward_input(simd, self, w, dy, b, activation, dx));
            return;
        }
        let map = self.map_back();
        let weights = Weights { values: w, map };
        let pass = self.pass_back();
        compute(isa, method, &pass, dy, weights, b, activation, dx);
    }

    pub(crate) fn backward_weight_with(
        &self,
        isa: Isa,
        method: Method,
        x: &[f32],
        dy: &[f32],
        dw: &mut [f32],
    ) {
        self.check("x", x.len(), self.x_len());
        self.check("dy", dy.len(), self.y_len());
        self.check("dw", dw.len(), self.w_len());
        match method {
            Method::Direct => {
                dispatch!(isa, simd => direct::backward_weight(simd, self, x, dy, dw));
            }
            Method::Matrix => {
                dispatch!(isa, simd => matrix::backward_weight(simd, self, x, dy, dw));
            }
            Method::Winograd => {
                dispatch!(isa, simd => winograd::backward_weight(simd, &self.pass(), self.map(), x, dy, dw));
            }
        }
    }

    fn check(&self, name: &str, len: usize, expected: usize) {
        assert!(
            len == expected,
            "`{name}` has {len} values, {self:?} needs {expected}"
        );
    }
}

fn compute(
    isa: Isa,
    method: Method,
    pass: &Pass,
    x: &[f32],
    w: Weights<'_>,
    b: Option<&[f32]>,
    activation: Activation,
    y: &mut [f32],
) {
    match method {
        Method::Direct => {
            dispatch!(isa, simd => direct::convolve(simd, pass, x, w, b, activation, y));
        }
        Method::Matrix => unreachable!("the matrix method needs no pass"),
        Method::Winograd => {
            dispatch!(isa, simd => winograd::convolve(simd, pass, x, w, b, activation, y));
        }
    }
}
