//! Convolution kernels of underdrawing: plain slices in and out.
//!
//! [`Conv3x3`] is the one layer that the networks are built of, with its gradients. Pictures are
//! NCHW: contiguous, channel by channel, row by row. The result is the same for any number of
//! threads: what decides the method and the order of a sum is the shape alone. It differs in the
//! last digits from a processor with one vector length to one with another.
//!
//! There are two methods, `direct` and `winograd`, written once in terms of the vectors of
//! `simd` and of one micro-kernel, `gemm`. From a dozen channels on both sides Winograd's
//! is two to three times as fast, and as exact: with noise of 150 channels both are wrong by
//! 2e-6 of the largest output. A number that isn't finite spreads to its whole tile of 6x6 pixels
//! there, rather than to its neighbours alone.

// This crate exists to hold the `unsafe` that vector instructions need, so that no other has any.
#![allow(unsafe_code)]

mod block;
mod direct;
mod gemm;
mod layout;
mod scratch;
mod simd;
#[cfg(test)]
mod tests;
mod transform;
mod winograd;

use rayon::prelude::*;

use simd::{Isa, dispatch};

/// Shape of a 3x3, stride 1, padding 1 convolution.
///
/// With `n` pictures of `height` x `width`, `x` and `dx` are `[n, c_in, height, width]`, `y` and
/// `dy` are `[n, c_out, height, width]`, `w` and `dw` are `[c_out, c_in, 3, 3]`, `b` and `db` are
/// `[c_out]`. All methods panic if a slice has another length, and overwrite their result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv3x3 {
    /// Pictures in the batch.
    pub n: usize,
    /// Channels of the input.
    pub c_in: usize,
    /// Channels of the output.
    pub c_out: usize,
    /// Rows of a picture.
    pub height: usize,
    /// Columns of a picture.
    pub width: usize,
}

impl Conv3x3 {
    /// Convolves `x` with `w` and adds `b` to each pixel. As in neural networks, `w` isn't
    /// turned: it is a correlation.
    pub fn forward(&self, x: &[f32], w: &[f32], b: Option<&[f32]>, y: &mut [f32]) {
        self.forward_with(Isa::detect(), Method::of(self), x, w, b, y);
    }

    /// The gradient of the input, from that of the output.
    pub fn backward_input(&self, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.backward_input_with(Isa::detect(), Method::of(self), w, dy, dx);
    }

    /// The gradient of the weights, from that of the output.
    pub fn backward_weight(&self, x: &[f32], dy: &[f32], dw: &mut [f32]) {
        self.backward_weight_with(Isa::detect(), Method::of(self), x, dy, dw);
    }

    /// The gradient of the bias, from that of the output.
    pub fn backward_bias(&self, dy: &[f32], db: &mut [f32]) {
        self.check("dy", dy.len(), self.y_len());
        self.check("db", db.len(), self.c_out);
        let area = self.height * self.width;
        db.par_iter_mut().enumerate().for_each(|(o, db)| {
            let channel = |picture: usize| &dy[(picture * self.c_out + o) * area..][..area];
            *db = (0..self.n)
                .map(|picture| sum(channel(picture)))
                .sum::<f64>() as f32;
        });
    }

    fn forward_with(
        &self,
        isa: Isa,
        method: Method,
        x: &[f32],
        w: &[f32],
        b: Option<&[f32]>,
        y: &mut [f32],
    ) {
        self.check("x", x.len(), self.x_len());
        self.check("w", w.len(), self.w_len());
        self.check("b", b.map_or(self.c_out, <[f32]>::len), self.c_out);
        self.check("y", y.len(), self.y_len());
        let w = Weights {
            w,
            c_in: self.c_in,
            turned: false,
        };
        match method {
            Method::Winograd => {
                dispatch!(isa, simd => winograd::convolve(simd, self, x, w, b, y));
            }
            Method::Direct => dispatch!(isa, simd => direct::convolve(simd, self, x, w, b, y)),
        }
    }

    fn backward_input_with(&self, isa: Isa, method: Method, w: &[f32], dy: &[f32], dx: &mut [f32]) {
        self.check("w", w.len(), self.w_len());
        self.check("dy", dy.len(), self.y_len());
        self.check("dx", dx.len(), self.x_len());
        // A convolution from the output's channels to the input's.
        let back = Self {
            c_in: self.c_out,
            c_out: self.c_in,
            ..*self
        };
        let w = Weights {
            w,
            c_in: self.c_in,
            turned: true,
        };
        match method {
            Method::Winograd => {
                dispatch!(isa, simd => winograd::convolve(simd, &back, dy, w, None, dx));
            }
            Method::Direct => {
                dispatch!(isa, simd => direct::convolve(simd, &back, dy, w, None, dx));
            }
        }
    }

    fn backward_weight_with(
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
            Method::Winograd => {
                dispatch!(isa, simd => winograd::backward_weight(simd, self, x, dy, dw));
            }
            Method::Direct => {
                dispatch!(isa, simd => direct::backward_weight(simd, self, x, dy, dw));
            }
        }
    }

    fn x_len(&self) -> usize {
        self.n * self.c_in * self.height * self.width
    }

    fn y_len(&self) -> usize {
        self.n * self.c_out * self.height * self.width
    }

    fn w_len(&self) -> usize {
        self.c_out * self.c_in * 9
    }

    fn check(&self, name: &str, len: usize, expected: usize) {
        assert!(
            len == expected,
            "`{name}` has {len} numbers, {self:?} needs {expected}"
        );
    }
}

/// The weights of a convolution, or of its gradient.
#[derive(Clone, Copy)]
struct Weights<'a> {
    /// `[c_out, c_in, 3, 3]`
    w: &'a [f32],
    c_in: usize,
    /// Whether they are for the way back: transposed, and turned by 180 degrees.
    turned: bool,
}

impl Weights<'_> {
    /// The weight from channel `from` of what is convolved to channel `to` of the result.
    #[inline(always)]
    fn get(&self, from: usize, to: usize, tap: usize) -> f32 {
        if self.turned {
            self.w[(from * self.c_in + to) * 9 + 8 - tap]
        } else {
            self.w[(to * self.c_in + from) * 9 + tap]
        }
    }
}

/// How to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// See [`direct`].
    Direct,
    /// See [`winograd`].
    Winograd,
}

impl Method {
    /// The faster method for a shape, as measured with AVX-512 and with AVX2 on pictures from 1x1
    /// to 592x592: their size hardly matters, since both methods suffer from small ones.
    fn of(shape: &Conv3x3) -> Self {
        let Conv3x3 {
            n,
            c_in,
            c_out,
            height,
            width,
        } = *shape;
        if n * height * width > 0 && c_in.min(c_out) >= 6 && c_in * c_out >= 192 {
            Self::Winograd
        } else {
            Self::Direct
        }
    }
}

/// The sum of a channel: in single precision over short runs, which vectorise, and in double
/// precision over those.
fn sum(numbers: &[f32]) -> f64 {
    let mut total = 0.0;
    for run in numbers.chunks(1024) {
        let mut lanes = [0.0; 16];
        let (whole, rest) = run.as_chunks::<16>();
        for numbers in whole {
            for (lane, number) in lanes.iter_mut().zip(numbers) {
                *lane += number;
            }
        }
        total += f64::from(lanes.iter().chain(rest).sum::<f32>());
    }
    total
}
