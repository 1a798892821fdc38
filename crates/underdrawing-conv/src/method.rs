//! How a convolution is computed.

use crate::pass::Pass;

/// How to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// See [`crate::direct`].
    Direct,
    /// See [`crate::winograd`]. For kernels that have two or three taps in the common grid.
    Winograd,
}

impl Method {
    /// The faster method for a shape, as measured with AVX-512 and with AVX2 on pictures from 1x1
    /// to 592x592: their size hardly matters, since both methods suffer from small ones.
    pub(crate) fn of(pass: &Pass) -> Self {
        let [c_in, c_out] = [pass.from, pass.to].map(|side| side.channels);
        let large = c_in.min(c_out) >= 6 && c_in * c_out >= 192;
        if Self::Winograd.computes(pass) && large && !pass.is_empty() {
            Self::Winograd
        } else {
            Self::Direct
        }
    }

    /// Whether the method can compute a pass.
    pub(crate) fn computes(self, pass: &Pass) -> bool {
        match self {
            Self::Direct => true,
            Self::Winograd => pass.taps == 2 || pass.taps == 3,
        }
    }
}
