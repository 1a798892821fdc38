//! Winograd's transforms for F(4x4, r x r): 16 outputs of a convolution from (r + 3)^2 products.
//!
//! A polynomial is known from its values at as many points as it has coefficients, of which one
//! may be the leading coefficient itself (the value "at infinity"). The points here are not the
//! usual 0, +-1, +-2: those need fewer multiplications, but lose two to four times the digits
//! (Alam et al., "Winograd convolution for deep neural networks: efficient point selection",
//! 2022). With `p` for a point and `m(x)` for the product of `x - p` over all finite points:
//!
//! - `output` has the rows `p^i`: it is the transpose of evaluating four coefficients;
//! - `weight` has the rows `(1, p, p^2, ...) / m'(p)`;
//! - `input` has the coefficients of `m(x) / (x - p)`.
//!
//! `y = output [(weight w weight^T) * (input x input^T)] output^T`, and so `dw` is the same with
//! the transposes: `weight^T [(output^T dy output) * (input x input^T)] weight`.

mod three;
mod two;

pub(crate) use three::Three;
pub(crate) use two::Two;

use crate::simd::Simd;

/// Side of an output tile.
pub(crate) const TILE: usize = 4;

/// The transforms for one size of kernel. Each reads what it is of by `load(row, column)` and
/// writes what it gives by `store(row, column, vector)`: as arrays the matrices would be copied to
/// memory and back.
pub(crate) trait Transforms: Copy + Send + Sync + 'static {
    /// Side of the kernel.
    const TAPS: usize;
    /// Side of the input patch, and of the matrix of products.
    const PATCH: usize = TILE + Self::TAPS - 1;
    /// Products of a tile, a channel of the input and one of the output.
    const PRODUCTS: usize = Self::PATCH * Self::PATCH;

    /// Pixels of the input to the products' domain.
    fn input<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// The products' domain to pixels of the output.
    fn output<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// The transpose of [`Self::output`], for its gradient.
    fn output_transposed<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// Weights to the products' domain.
    fn weight<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );

    /// The transpose of [`Self::weight`], for its gradient.
    fn weight_transposed<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        store: impl FnMut(usize, usize, S::V),
    );
}

/// `M x M^T`, where `transform` multiplies a vector by `M`.
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

/// Defines transforms of matrices by the transforms of their rows and columns.
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
