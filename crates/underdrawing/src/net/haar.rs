//! Orthonormal two-dimensional Haar transform of tensors (one level).

use burn::prelude::*;

/// `[n, c, h, w]` with even sides to `[n, 4c, h/2, w/2]`: all channels of the mean band, then of
/// the horizontal, vertical and diagonal differences. Keeps the sum of squares.
pub(crate) fn forward(x: Tensor<4>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let corners = x
        .reshape([n, c, h / 2, 2, w / 2, 2])
        .permute([0, 3, 5, 1, 2, 4]) // [n, 2, 2, c, h/2, w/2]
        .reshape([n, 4 * c, h / 2, w / 2]);
    butterfly(corners, c)
}

/// Undoes [`forward`].
pub(crate) fn inverse(bands: Tensor<4>) -> Tensor<4> {
    let [n, c4, h, w] = bands.dims();
    let c = c4 / 4;
    butterfly(bands, c)
        .reshape([n, 2, 2, c, h, w])
        .permute([0, 3, 4, 1, 5, 2]) // [n, c, h, 2, w, 2]
        .reshape([n, c, 2 * h, 2 * w])
}

/// The 4x4 Hadamard matrix over 2 across groups of `c` channels; it is its own inverse.
fn butterfly(x: Tensor<4>, c: usize) -> Tensor<4> {
    let part = |i: usize| x.clone().narrow(1, i * c, c);
    let (top_sum, top_difference) = (part(0) + part(1), part(0) - part(1));
    let (bottom_sum, bottom_difference) = (part(2) + part(3), part(2) - part(3));
    Tensor::cat(
        vec![
            top_sum.clone() + bottom_sum.clone(),
            top_difference.clone() + bottom_difference.clone(),
            top_sum - bottom_sum,
            top_difference - bottom_difference,
        ],
        1,
    ) * 0.5
}
