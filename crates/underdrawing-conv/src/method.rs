//! The choice between the ways to compute a convolution.

use crate::pass::Pass;

/// A way to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// See [`crate::direct`].
    Direct,
    /// See [`crate::matrix`].
    Matrix,
    /// See [`crate::winograd`]. For kernels with two or three taps in the common grid.
    Winograd,
}

/// Output pixels up to which a layer with many channels is computed as a matrix product: for so
/// few, transforming the weights costs more than it saves.
const MATRIX_PIXELS: usize = 256;
/// The same for the gradient with respect to the weights, whose sums have to be transformed back.
const MATRIX_PIXELS_GRADIENT: usize = 1024;
/// Factor by which both are smaller for 3x3 kernels, where Winograd's method saves more.
const SAVES_MORE: usize = 3;
/// Input channels times output channels from which a layer counts as having many.
const MANY_CHANNELS: usize = 4096;

impl Method {
    /// The fastest method for a shape, as measured with AVX-512 and AVX2 on pictures from 1x1 to
    /// 592x592. It must not depend on the number of threads.
    pub(crate) fn of(pass: &Pass) -> Self {
        Self::choose(pass, MATRIX_PIXELS)
    }

    /// The same for the gradient with respect to the weights.
    pub(crate) fn of_gradient(pass: &Pass) -> Self {
        Self::choose(pass, MATRIX_PIXELS_GRADIENT)
    }

    fn choose(pass: &Pass, matrix_pixels: usize) -> Self {
        let [c_in, c_out] = [pass.from, pass.to].map(|side| side.channels);
        if pass.is_empty() || c_in == 0 {
            return Self::Direct;
        }
        let pixels = pass.n * pass.rows() * pass.cols();
        let pixels = if pass.taps == 3 {
            SAVES_MORE * pixels
        } else {
            pixels
        };
        let large = c_in.min(c_out) >= 6 && c_in * c_out >= 192;
        if pixels <= matrix_pixels && c_in * c_out >= MANY_CHANNELS {
            Self::Matrix
        } else if Self::Winograd.computes(pass) && large {
            Self::Winograd
        } else {
            Self::Direct
        }
    }

    /// Whether the method can compute a pass.
    pub(crate) fn computes(self, pass: &Pass) -> bool {
        match self {
            Self::Direct => true,
            Self::Matrix => !pass.is_empty() && pass.from.channels > 0,
            Self::Winograd => pass.taps == 2 || pass.taps == 3,
        }
    }
}
