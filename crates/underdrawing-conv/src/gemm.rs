//! The kernel of all methods and passes: a matrix product, computed in register tiles.
//!
//! `c[r][j] += sum over k of a[r][k] * b[k][j]`. A tile has up to [`Simd::ROWS`] rows `r` and one
//! or two vectors of columns `j`. The values of `a` are broadcast, those of `b` are read as
//! vectors. Where they are is up to the [`Operand`]s, so the same code serves a direct convolution
//! (where
//! `k` runs over channels and taps), its weight gradient (where the rows do) and the products of a
//! Winograd convolution.

use crate::simd::Simd;

/// Width of a full register tile, in vectors.
pub(crate) const VECS: usize = 2;

/// A matrix to multiply.
pub(crate) trait Operand: Copy {
    /// The slice that it is in.
    fn values(&self) -> &[f32];

    /// Index of an element. The columns of a right operand are contiguous.
    fn at(&self, row: usize, col: usize) -> usize;

    /// The largest index of an element in the first rows and columns, of which there is one at
    /// least.
    fn last(&self, rows: usize, cols: usize) -> usize;

    /// The matrix of the first rows, for which [`Self::at`] needs no test.
    #[inline(always)]
    fn first(&self, _rows: usize) -> Self {
        *self
    }
}

/// A matrix to multiply from the left.
pub(crate) trait Left: Copy {
    /// The first rows.
    fn tile(&self, rows: usize) -> impl Operand;

    /// The matrix without the first rows, which were a tile.
    fn skip(&self, rows: usize) -> Self;
}

/// A matrix whose rows are contiguous.
#[derive(Clone, Copy)]
pub(crate) struct ByRow<'a> {
    pub(crate) values: &'a [f32],
    /// Distance between rows.
    pub(crate) pitch: usize,
}

/// A matrix whose columns are contiguous.
#[derive(Clone, Copy)]
pub(crate) struct ByColumn<'a> {
    pub(crate) values: &'a [f32],
    /// Distance between columns.
    pub(crate) pitch: usize,
}

/// A matrix with contiguous rows at any offsets.
#[derive(Clone, Copy)]
pub(crate) struct Scattered<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) offsets: &'a [u32],
    /// The largest offset.
    pub(crate) last_offset: usize,
}

/// A matrix in groups of rows, as many as a register tile has (see [`even_parts`]). The columns of
/// a group are contiguous, one after the other.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    pub(crate) values: &'a [f32],
    /// Columns of the matrix.
    pub(crate) cols: usize,
}

impl Left for ByRow<'_> {
    #[inline(always)]
    fn tile(&self, _: usize) -> impl Operand {
        *self
    }
    #[inline(always)]
    fn skip(&self, rows: usize) -> Self {
        Self {
            values: from(self.values, rows * self.pitch),
            ..*self
        }
    }
}

impl Left for ByColumn<'_> {
    #[inline(always)]
    fn tile(&self, _: usize) -> impl Operand {
        *self
    }
    #[inline(always)]
    fn skip(&self, rows: usize) -> Self {
        Self {
            values: from(self.values, rows),
            ..*self
        }
    }
}

impl Left for Groups<'_> {
    #[inline(always)]
    fn tile(&self, rows: usize) -> impl Operand {
        ByColumn {
            values: self.values,
            pitch: rows,
        }
    }
    #[inline(always)]
    fn skip(&self, rows: usize) -> Self {
        Self {
            values: from(self.values, rows * self.cols),
            ..*self
        }
    }
}

/// The values from `start` on, if any.
#[inline(always)]
fn from(values: &[f32], start: usize) -> &[f32] {
    values.get(start..).unwrap_or_default()
}

impl Operand for ByRow<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.values
    }
    #[inline(always)]
    fn at(&self, row: usize, col: usize) -> usize {
        row * self.pitch + col
    }
    #[inline(always)]
    fn last(&self, rows: usize, cols: usize) -> usize {
        self.at(rows - 1, cols - 1)
    }
}

impl Operand for ByColumn<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.values
    }
    #[inline(always)]
    fn at(&self, row: usize, col: usize) -> usize {
        col * self.pitch + row
    }
    #[inline(always)]
    fn last(&self, rows: usize, cols: usize) -> usize {
        self.at(rows - 1, cols - 1)
    }
}

impl Operand for Scattered<'_> {
    #[inline(always)]
    fn values(&self) -> &[f32] {
        self.values
    }
    #[inline(always)]
    fn at(&self, row: usize, col: usize) -> usize {
        self.offsets[row] as usize + col
    }
    #[inline(always)]
    fn last(&self, _: usize, cols: usize) -> usize {
        self.last_offset + cols - 1
    }
    #[inline(always)]
    fn first(&self, rows: usize) -> Self {
        Self {
            offsets: &self.offsets[..rows],
            ..*self
        }
    }
}

/// Size of a product.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// Rows of `a` and `c`.
    pub(crate) rows: usize,
    /// Columns of `a`, rows of `b`.
    pub(crate) depth: usize,
    /// Columns of `b` and `c`, in vectors.
    pub(crate) vectors: usize,
}

/// Computes `a b`, and adds it to `c` if `add`, or else overwrites `c`. The rows of `c` are `pitch`
/// apart.
///
/// This is compiled once for each instruction set and kind of operands, rather than inlined: it is
/// most of the machine code of this crate.
#[inline(always)]
pub(crate) fn multiply<S: Simd>(
    simd: S,
    size: Size,
    a: impl Left,
    b: impl Operand,
    c: &mut [f32],
    pitch: usize,
    add: bool,
) {
    simd.run_outlined(
        #[inline(always)]
        move || {
            for vector in (0..size.vectors).step_by(VECS) {
                let col = vector * S::LANES;
                // A pointer that moves on: from the row, it would be computed again for each `k`.
                let mut rest = a;
                for (row, rows) in even_parts(size.rows, S::ROWS) {
                    let (a, c) = (rest.tile(rows), &mut c[row * pitch + col..]);
                    let shape = [rows, size.depth];
                    if size.vectors - vector == 1 {
                        tile::<S, 1>(simd, shape, a, b, col, c, pitch, add);
                    } else {
                        tile::<S, VECS>(simd, shape, a, b, col, c, pitch, add);
                    }
                    rest = rest.skip(rows);
                }
            }
        },
    );
}

/// Computes a tile from the first row of `a` and a column of `b` on.
#[inline(always)]
fn tile<S: Simd, const VECS: usize>(
    simd: S,
    [rows, depth]: [usize; 2],
    a: impl Operand,
    b: impl Operand,
    first_col: usize,
    c: &mut [f32],
    pitch: usize,
    add: bool,
) {
    macro_rules! by_rows {
        ($($small:literal)*; $($large:literal)*) => {
            match rows {
                $($small => fixed_tile::<S, $small, VECS>(
                    simd, depth, a, b, first_col, c, pitch, add,
                ),)*
                // Testing a constant keeps unreachable tiles out of the binary.
                $($large if const { S::ROWS >= $large } => fixed_tile::<S, $large, VECS>(
                    simd, depth, a, b, first_col, c, pitch, add,
                ),)*
                _ => unreachable!("a tile of {rows} rows, at most {}", S::ROWS),
            }
        };
    }
    by_rows!(1 2 3 4 5 6; 7 8 9 10 11 12 13 14);
}

#[inline(always)]
fn fixed_tile<S: Simd, const ROWS: usize, const VECS: usize>(
    simd: S,
    depth: usize,
    a: impl Operand,
    b: impl Operand,
    first_col: usize,
    c: &mut [f32],
    pitch: usize,
    add: bool,
) {
    let width = VECS * S::LANES;
    assert!((ROWS - 1) * pitch + width <= c.len());
    assert!(depth == 0 || a.last(ROWS, depth) < a.values().len());
    assert!(depth == 0 || b.last(depth, first_col + width) < b.values().len());

    let c = c.as_mut_ptr();
    let mut sums = [[simd.zero(); VECS]; ROWS];
    if add {
        for r in 0..ROWS {
            for v in 0..VECS {
                // SAFETY: the last vector of the last row is inside `c`, as asserted.
                sums[r][v] = unsafe { simd.load(c.add(r * pitch + v * S::LANES)) };
            }
        }
    }
    let a_values = a.values().as_ptr();
    let b_values = b.values().as_ptr();
    let b = b.first(depth);
    for k in 0..depth {
        let mut vectors = [simd.zero(); VECS];
        debug_assert!(b.at(k, first_col + width - 1) <= b.last(depth, first_col + width));
        for v in 0..VECS {
            let at = b.at(k, first_col + v * S::LANES);
            // SAFETY: the last value of the vector is inside the slice, as asserted.
            vectors[v] = unsafe { simd.load(b_values.add(at)) };
        }
        for r in 0..ROWS {
            let at = a.at(r, k);
            debug_assert!(at <= a.last(ROWS, depth));
            // SAFETY: the element with the largest index is inside the slice, as asserted.
            let scalar = simd.splat(unsafe { *a_values.add(at) });
            for v in 0..VECS {
                sums[r][v] = simd.fma(scalar, vectors[v], sums[r][v]);
            }
        }
    }
    for r in 0..ROWS {
        for v in 0..VECS {
            // SAFETY: the last vector of the last row is inside `c`, as asserted.
            unsafe { simd.store(c.add(r * pitch + v * S::LANES), sums[r][v]) };
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
