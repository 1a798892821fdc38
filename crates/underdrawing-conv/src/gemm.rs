//! The micro-kernel of all methods and passes: a register tile of a matrix product.
//!
//! `c[r][j] += sum over k of a[k][r] * b[k][j]`, with up to [`Simd::ROWS`] rows `r` and one or two
//! vectors of columns `j`. The caller says where the operands are, so the same loop serves a direct
//! convolution (where `k` runs over channels and taps), its weight gradient (where the rows do) and
//! the products of a Winograd convolution.

use crate::simd::Simd;

/// Width of a full register tile, in vectors.
pub(crate) const VECS: usize = 2;

/// The operands of a register tile. Element `(k, r)` of `a` is at `a_at(k) + a_row(r)`; the vectors
/// of `b` for `k` start at `b_at(k)`.
#[derive(Clone, Copy)]
pub(crate) struct Operands<'a, A, R, B> {
    /// Number of values of `k`.
    pub(crate) depth: usize,
    /// The operand whose values are broadcast.
    pub(crate) a: &'a [f32],
    /// Offset of `k`.
    pub(crate) a_at: A,
    /// Offset of row `r`.
    pub(crate) a_row: R,
    /// The largest sum of the two offsets.
    pub(crate) a_last: usize,
    /// The operand that is read as vectors.
    pub(crate) b: &'a [f32],
    pub(crate) b_at: B,
    /// The largest `b_at(k)`.
    pub(crate) b_last: usize,
}

/// Computes a tile of `rows` rows and `VECS` vectors. Adds to `c` if `add`, otherwise overwrites
/// it. `rows` is at most [`Simd::ROWS`].
#[inline(always)]
pub(crate) fn tile<S: Simd, const VECS: usize>(
    simd: S,
    rows: usize,
    operands: Operands<
        '_,
        impl Fn(usize) -> usize,
        impl Fn(usize) -> usize,
        impl Fn(usize) -> usize,
    >,
    c: &mut [f32],
    c_row: usize,
    add: bool,
) {
    macro_rules! by_rows {
        ($($small:literal)*; $($large:literal)*) => {
            match rows {
                $($small => fixed_tile::<S, $small, VECS>(simd, operands, c, c_row, add),)*
                // Testing a constant keeps unreachable tiles out of the binary.
                $($large if S::ROWS >= $large => {
                    fixed_tile::<S, $large, VECS>(simd, operands, c, c_row, add);
                })*
                _ => unreachable!("a tile of {rows} rows, at most {}", S::ROWS),
            }
        };
    }
    by_rows!(1 2 3 4 5 6; 7 8 9 10 11 12 13 14);
}

#[inline(always)]
fn fixed_tile<S: Simd, const ROWS: usize, const VECS: usize>(
    simd: S,
    operands: Operands<
        '_,
        impl Fn(usize) -> usize,
        impl Fn(usize) -> usize,
        impl Fn(usize) -> usize,
    >,
    c: &mut [f32],
    c_row: usize,
    add: bool,
) {
    let Operands {
        depth,
        a,
        a_at,
        a_row,
        a_last,
        b,
        b_at,
        b_last,
    } = operands;
    let width = VECS * S::LANES;
    assert!(depth == 0 || a_last < a.len());
    assert!(depth == 0 || b_last + width <= b.len());
    assert!((ROWS - 1) * c_row + width <= c.len());

    let c = c.as_mut_ptr();
    let mut sums = [[simd.zero(); VECS]; ROWS];
    if add {
        for r in 0..ROWS {
            for v in 0..VECS {
                // SAFETY: the last vector of the last row is inside `c`, as asserted.
                sums[r][v] = unsafe { simd.load(c.add(r * c_row + v * S::LANES)) };
            }
        }
    }
    let a = a.as_ptr();
    let b = b.as_ptr();
    for k in 0..depth {
        let mut vectors = [simd.zero(); VECS];
        debug_assert!(b_at(k) <= b_last);
        for v in 0..VECS {
            // SAFETY: the vector of the largest start is inside `b`, as asserted.
            vectors[v] = unsafe { simd.load(b.add(b_at(k) + v * S::LANES)) };
        }
        for r in 0..ROWS {
            debug_assert!(a_at(k) + a_row(r) <= a_last);
            // SAFETY: the element of the largest offset is inside `a`, as asserted.
            let scalar = simd.splat(unsafe { *a.add(a_at(k)).add(a_row(r)) });
            for v in 0..VECS {
                sums[r][v] = simd.fma(scalar, vectors[v], sums[r][v]);
            }
        }
    }
    for r in 0..ROWS {
        for v in 0..VECS {
            // SAFETY: the last vector of the last row is inside `c`, as asserted.
            unsafe { simd.store(c.add(r * c_row + v * S::LANES), sums[r][v]) };
        }
    }
}

/// Splits `total` into as few parts of at most `limit` as possible, with sizes that differ by at
/// most one. Yields `(start, size)`.
pub(crate) fn even_parts(total: usize, limit: usize) -> impl Iterator<Item = (usize, usize)> {
    let parts = total.div_ceil(limit).max(1);
    let (size, larger) = (total / parts, total % parts);
    (0..parts).map(move |part| {
        (
            part * size + part.min(larger),
            size + usize::from(part < larger),
        )
    })
}
