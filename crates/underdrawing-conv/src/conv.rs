//! The convolution and its gradients, as called from outside.

use crate::activation::Activation;
use crate::method::Method;
use crate::pass::{Pass, Side, WeightMap};
use crate::reduce;
use crate::simd::{Isa, dispatch};
use crate::{direct, matrix, winograd};

/// Which pixels of the input a pixel of the output is computed from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    /// Rows and columns of weights.
    pub side: usize,
    /// Pixels of the input to one of the output, along each axis: 1, or 2 with an even side.
    pub stride: usize,
    /// Rows of zeros above the input, and columns of them to its left.
    pub before: usize,
    /// Rows of zeros below the input, and columns of them to its right.
    pub after: usize,
}

impl Kernel {
    /// Stride 1, as many pixels out as in. With an even side, the odd zero is at the end.
    #[must_use]
    pub const fn same(side: usize) -> Self {
        Self {
            side,
            stride: 1,
            before: (side - 1) / 2,
            after: side / 2,
        }
    }

    /// 4x4 of stride 2: half as many pixels out as in.
    pub const HALVING: Self = Self {
        side: 4,
        stride: 2,
        before: 1,
        after: 1,
    };

    /// Pixels out along an axis, from those in.
    #[must_use]
    pub const fn size_out(&self, size: usize) -> usize {
        match (size + self.before + self.after).checked_sub(self.side) {
            Some(moves) => moves / self.stride + 1,
            None => 0,
        }
    }
}

/// Shape of a convolution.
///
/// With `n` pictures of `height` x `width`, `x` and `dx` are `[n, c_in, height, width]`, `y` and
/// `dy` are `[n, c_out, height_out, width_out]`, `w` and `dw` are `[c_out, c_in, side, side]`, `b`
/// and `db` are `[c_out]`. All methods panic if a slice has another length, and overwrite their
/// result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
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
    /// The pixels it looks at.
    pub kernel: Kernel,
}

impl Conv {
    /// Convolves `x` with `w`, adds `b` to each pixel, and applies the activation. As in neural
    /// networks, `w` isn't turned: it is a correlation.
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

    /// The gradient of the input, from that of the output (before its activation).
    pub fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        let way = (Isa::chosen(), Method::of(&self.pass_back()));
        self.backward_input_with(way.0, way.1, w, dy, None, Activation::None, dx);
    }

    /// The gradient of the weights, from that of the output.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        let method = Method::of_gradient(&self.pass());
        self.backward_weight_with(Isa::chosen(), method, x, dy, dw);
    }

    /// The gradient of the bias, from that of the output.
    pub fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        self.check("dy", dy.len(), self.y_len());
        self.check("db", db.len(), self.c_out);
        reduce::sum_pictures(dy, self.height_out() * self.width_out(), db);
    }

    /// Rows of an output picture.
    #[must_use]
    pub fn height_out(&self) -> usize {
        self.kernel.size_out(self.height)
    }

    /// Columns of an output picture.
    #[must_use]
    pub fn width_out(&self) -> usize {
        self.kernel.size_out(self.width)
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
        let weights = Weights { numbers: w, map };
        compute(isa, method, &self.pass(), x, weights, b, activation, y);
    }

    /// With a bias and an activation, since it is also a transposed convolution.
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
        let weights = Weights { numbers: w, map };
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

    /// The way from `x` to `y`.
    pub(crate) fn pass(&self) -> Pass {
        let Kernel {
            side,
            stride,
            before,
            ..
        } = self.kernel;
        assert!(
            (stride == 1 || stride == 2) && side > 0 && side % stride == 0,
            "{:?} is not supported",
            self.kernel
        );
        Pass {
            n: self.n,
            from: self.outer(),
            to: self.inner(),
            taps: side / stride,
            first: [-(before as isize); 2],
        }
    }

    /// The way from `dy` to `dx`. A pixel `q` of `dx` is summed over the pixels `r` of `dy` whose
    /// tap `q + before - stride * r` exists.
    pub(crate) fn pass_back(&self) -> Pass {
        let first = self.map_back().first;
        let Kernel { stride, before, .. } = self.kernel;
        Pass {
            from: self.inner(),
            to: self.outer(),
            first: [0, 1]
                .map(|q| (q as isize + before as isize - first[q] as isize) / stride as isize),
            ..self.pass()
        }
    }

    pub(crate) fn map(&self) -> WeightMap {
        let side = self.kernel.side;
        WeightMap {
            from_stride: side * side,
            to_stride: self.c_in * side * side,
            side,
            first: [0; 2],
            step: self.kernel.stride as isize,
        }
    }

    pub(crate) fn map_back(&self) -> WeightMap {
        let Kernel {
            side,
            stride,
            before,
            ..
        } = self.kernel;
        WeightMap {
            from_stride: self.c_in * side * side,
            to_stride: side * side,
            side,
            // The last tap of the phase is the first pixel of `dy`.
            first: [0, 1].map(|q| side - stride + (q + before) % stride),
            step: -(stride as isize),
        }
    }

    fn outer(&self) -> Side {
        Side {
            channels: self.c_in,
            height: self.height,
            width: self.width,
            step: self.kernel.stride,
        }
    }

    fn inner(&self) -> Side {
        Side {
            channels: self.c_out,
            height: self.height_out(),
            width: self.width_out(),
            step: 1,
        }
    }

    pub(crate) fn x_len(&self) -> usize {
        self.n * self.c_in * self.height * self.width
    }

    pub(crate) fn y_len(&self) -> usize {
        self.n * self.c_out * self.height_out() * self.width_out()
    }

    pub(crate) fn w_len(&self) -> usize {
        self.c_out * self.c_in * self.kernel.side * self.kernel.side
    }

    fn check(&self, name: &str, len: usize, expected: usize) {
        assert!(
            len == expected,
            "`{name}` has {len} numbers, {self:?} needs {expected}"
        );
    }
}

/// The weights of a pass.
#[derive(Clone, Copy)]
pub(crate) struct Weights<'a> {
    pub(crate) numbers: &'a [f32],
    pub(crate) map: WeightMap,
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
