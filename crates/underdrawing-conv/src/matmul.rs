//! Matrix products outside of convolutions.

use crate::gemm::{ByRow, Size, VECS, even_parts, multiply};
use crate::panel::{PART_DEPTH, SKEW, transpose_panel};
use crate::parallel;
use crate::path::{Isa, dispatch};
use crate::scratch;
use crate::shared::Shared;
use crate::simd::Simd;

/// Rows of the left matrix that a thread processes at a time: `PART_DEPTH` columns of them fit the
/// level-2 cache.
const BLOCK_ROWS: usize = 96;

/// Multiplications up to which a single thread does all the work: waking others takes longer.
const FEW: usize = 1 << 19;

/// A loop, see [`parallel::each`].
type Each = fn(usize, &(dyn Fn(usize) + Sync));
/// A loop, see [`parallel::each_chunk`].
type EachChunk = fn(&mut [f32], usize, &(dyn Fn(usize, &mut [f32]) + Sync));

/// Shape of a matrix product `c = a b`.
///
/// `a` is `[m, k]`, `b` is `[k, n]`, and `c` is `[m, n]`, all contiguous and row-major. The result
/// does not depend on the number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMul {
    /// Rows of `a` and `c`.
    pub m: usize,
    /// Columns of `b` and `c`.
    pub n: usize,
    /// Columns of `a`, rows of `b`.
    pub k: usize,
    /// Whether `b` is given as its transpose, `[n, k]`.
    pub transposed: bool,
}

impl MatMul {
    /// Overwrites `c` with the product.
    ///
    /// # Panics
    /// Panics if a slice has the wrong length.
    pub fn run(&self, a: &[f32], b: &[f32], c: &mut [f32]) {
        self.run_with(Isa::chosen(), a, b, c);
    }

    pub(crate) fn run_with(&self, isa: Isa, a: &[f32], b: &[f32], c: &mut [f32]) {
        let Self { m, n, k, .. } = *self;
        for (name, len, expected) in [
            ("a", a.len(), m * k),
            ("b", b.len(), k * n),
            ("c", c.len(), m * n),
        ] {
            assert!(
                len == expected,
                "`{name}` has {len} values, {self:?} needs {expected}"
            );
        }
        if m * n * k == 0 {
            c.fill(0.0);
            return;
        }
        dispatch!(isa, simd => self.compute(simd, a, b, c));
    }

    fn compute<S: Simd>(&self, simd: S, a: &[f32], b: &[f32], c: &mut [f32]) {
        let Self { m, n, k, .. } = *self;
        let width = VECS * S::LANES;
        let n_panels = n.div_ceil(width);
        let blocks: Vec<(usize, usize)> = even_parts(m, BLOCK_ROWS / S::ROWS * S::ROWS).collect();
        let c = Shared::new(c);
        let pitch = k + SKEW;
        let skew = |row: usize, to: &mut [f32]| to[..k].copy_from_slice(&a[row * k..][..k]);
        let pack = |idx: usize, panel: &mut [f32]| {
            simd.run(
                #[inline(always)]
                || self.pack(simd, b, idx * width, panel),
            );
        };
        let compute = |item: usize, a: &[f32], panels: &[f32]| {
            let ((first, rows), idx) = (blocks[item / n_panels], item % n_panels);
            let panel = &panels[idx * k * width..][..k * width];
            scratch::with([rows * width], |[sums]| {
                simd.run(
                    #[inline(always)]
                    || {
                        for (start, part) in even_parts(k, PART_DEPTH) {
                            let size = Size {
                                rows,
                                depth: part,
                                vectors: VECS,
                            };
                            let a = ByRow {
                                values: &a[first * pitch + start..],
                                pitch,
                            };
                            let panel = ByRow {
                                values: &panel[start * width..],
                                pitch: width,
                            };
                            multiply(simd, size, a, panel, sums, width, start > 0);
                        }
                    },
                );
                let columns = width.min(n - idx * width);
                for (row, sums) in sums.chunks_exact(width).enumerate() {
                    // SAFETY: each item has other rows or columns.
                    let c = unsafe { c.part((first + row) * n + idx * width, columns) };
                    c.copy_from_slice(&sums[..columns]);
                }
            });
        };
        let few = m * n * k <= FEW;
        let each: Each = if few {
            |count, f| (0..count).for_each(f)
        } else {
            parallel::each
        };
        let each_chunk: EachChunk = if few {
            |values, len, f| {
                for (idx, chunk) in values.chunks_mut(len).enumerate() {
                    f(idx, chunk);
                }
            }
        } else {
            parallel::each_chunk
        };
        scratch::with([m * pitch, n_panels * k * width], |[skewed, panels]| {
            each_chunk(skewed, pitch, &skew);
            each_chunk(panels, k * width, &pack);
            each(blocks.len() * n_panels, &|item| {
                compute(item, skewed, panels);
            });
        });
    }

    /// Fills `panel[k][width]` with the columns of `b` from `first` on. Columns beyond the last are
    /// left as they are.
    #[inline(always)]
    fn pack<S: Simd>(&self, simd: S, b: &[f32], first: usize, panel: &mut [f32]) {
        let Self {
            n, k, transposed, ..
        } = *self;
        let width = VECS * S::LANES;
        let columns = width.min(n - first);
        if transposed {
            let rows = &b[first * k..][..columns * k];
            transpose_panel(simd, rows, columns, k, 0..k, panel);
        } else {
            for (b, panel) in b.chunks_exact(n).zip(panel.chunks_exact_mut(width)) {
                panel[..columns].copy_from_slice(&b[first..][..columns]);
            }
        }
    }
}
