//! Winograd transforms for F(t x t, r x r): t^2 outputs of a convolution from (t + r - 1)^2
//! products.
//!
//! A polynomial is determined by its values at as many points as it has coefficients, one of which
//! may be the leading coefficient itself (the value "at infinity"). The points used here for tiles
//! of 4x4 are not the usual 0, +-1, +-2: those need fewer multiplications, but the errors are two to
//! four times as large (Alam et al., "Winograd convolution for deep neural networks: efficient point
//! selection", 2022). With `p` for a point and `m(x)` for the product of `x - p` over all finite
//! points:
//!
//! - `output` has the rows `p^i`: it is the transpose of evaluating t coefficients;
//! - `weight` has the rows `(1, p, p^2, ...) / m'(p)`;
//! - `input` has the coefficients of `m(x) / (x - p)`.
//!
//! `y = output [(weight w weight^T) * (input x input^T)] output^T`. Hence `dw` is the same with the
//! transposed matrices: `weight^T [(output^T dy output) * (input x input^T)] weight`.

mod three;
mod two;
mod wide;

pub(crate) use three::Three;
pub(crate) use two::Two;
pub(crate) use wide::Wide;

use crate::simd::Simd;

/// The transforms for one size of kernels and tiles. Each reads its argument with `load(row, column)` and writes
/// its result with `store(row, column, vector)`: matrices passed as arrays would be copied to
/// memory and back.
pub(crate) trait Transforms: Copy + Send + Sync + 'static {
    /// Side of an output tile.
    const TILE: usize;
    /// Side of the kernel.
    const TAPS: usize;
    /// Side of the input patch, and of the matrix of products.
    const PATCH: usize = Self::TILE + Self::TAPS - 1;
    /// Products per tile, input channel and output channel.
    const PRODUCTS: usize = Self::PATCH * Self::PATCH;

    /// Transforms pixels of the input.
    fn input<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// Transforms products to pixels of the output.
    fn output<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// Transforms weights.
    fn weight<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );
}

/// The transposes, for the gradient with respect to the weights.
pub(crate) trait Transposes: Transforms {
    /// The transpose of [`Transforms::output`].
    fn output_transposed<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// The transpose of [`Transforms::weight`].
    fn weight_transposed<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );
}

/// Computes `M x M^T`, where `transform` multiplies a vector by `M`.
#[inline(always)]
fn both_sides<S: Simd, const IN: usize, const OUT: usize>(
    simd: S,
    transform: impl Fn(S, [S::V; IN]) -> [S::V; OUT],
    load: impl Fn(usize, usize) -> S::V,
    mut store: impl FnMut(usize, usize, S::V),
) {
    let mut half = [[simd.zero(); IN]; OUT];
    for row in 0..IN {
        let mut x = [simd.zero(); IN];
        for col in 0..IN {
            x[col] = load(row, col);
        }
        let x = transform(simd, x);
        for col in 0..OUT {
            half[col][row] = x[col];
        }
    }
    for col in 0..OUT {
        let x = transform(simd, half[col]);
        for row in 0..OUT {
            store(row, col, x[row]);
        }
    }
}

/// Defines transforms of matrices from the transforms of their rows and columns.
macro_rules! by_both_sides {
    ($($name:ident: $transform:ident,)*) => {$(
        #[inline(always)]
        fn $name<S: Simd>(
            simd: S,
            load: impl Fn(usize, usize) -> S::V,
            store: impl FnMut(usize, usize, S::V),
        ) {
            both_sides(
                simd,
                #[inline(always)]
                |simd, x| $transform(simd, x),
                load,
                store,
            );
        }
    )*};
}
use by_both_sides;
