//! The vector operations that the kernels are written in, implemented for each instruction set.
//!
//! Each implementation of [`Simd`] is a token: a value exists only after the processor was found to
//! support the instructions (see [`crate::path`]), so its methods can be safe. All methods are
//! inlined into [`Simd::run`], the one function that is compiled with the instructions enabled.
//! Called outside of it, they are correct but slow.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod portable;
// What every processor has is more there than loops for the compiler to vectorise.
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
#[path = "simd/wasm.rs"]
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "aarch64")]
pub(crate) use neon::Neon;
pub(crate) use portable::Portable;

/// Arithmetic on vectors of `f32`.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// One vector register.
    type V: Copy;
    /// Values per vector.
    const LANES: usize;
    /// Rows of the largest register tile with a width of two vectors.
    const ROWS: usize;

    /// Calls `f`, an `#[inline(always)]` closure, with the instructions enabled.
    fn run<R>(self, f: impl FnOnce() -> R) -> R;

    /// Like [`Self::run`], but never inlined into the caller.
    fn run_outlined<R>(self, f: impl FnOnce() -> R) -> R;

    /// A vector of zeros.
    fn zero(self) -> Self::V;
    /// A vector with `x` in all lanes.
    fn splat(self, x: f32) -> Self::V;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of the two, lane by lane; `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `f` of each lane. `f` should have no branches, since vectorising it is left to the compiler.
    fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V;
    /// `a * b + c`, rounded once if the instruction set can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// Asks for the cache line at `p`, which may be any address: a hint, for what will be read or
    /// written in steps that the processor does not foresee.
    #[inline(always)]
    fn prefetch(self, _p: *const f32) {}

    /// Reads a vector.
    ///
    /// # Safety
    /// `LANES` values at `p` must be readable.
    unsafe fn load(self, p: *const f32) -> Self::V;

    /// Writes a vector.
    ///
    /// # Safety
    /// `LANES` values at `p` must be writable.
    unsafe fn store(self, p: *mut f32, v: Self::V);

    /// Transposes `src.count` rows of `dst.count` values, both at most `LANES`.
    ///
    /// # Safety
    /// All rows of `src` must be readable and all rows of `dst` writable, for `LANES` values each.
    /// The two must not overlap. In the rows that are written, values beyond the first `src.count`
    /// are copies of others.
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>);
}

/// `side` x `side` vectors in memory.
#[derive(Clone, Copy)]
pub(crate) struct Vectors<'a, S> {
    values: &'a [f32],
    side: usize,
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd> Vectors<'a, S> {
    #[inline(always)]
    pub(crate) fn new(values: &'a [f32], side: usize, [row_step, col_step]: [usize; 2]) -> Self {
        assert!((side - 1) * (row_step + col_step) + S::LANES <= values.len());
        Self {
            values,
            side,
            row_step,
            col_step,
            simd: PhantomData,
        }
    }

    /// Reads a vector. Once the loops around it are unrolled, row and column are constants, and the
    /// bounds check disappears.
    #[inline(always)]
    pub(crate) fn get(&self, simd: S, row: usize, col: usize) -> S::V {
        assert!(row < self.side && col < self.side);
        let start = row * self.row_step + col * self.col_step;
        // SAFETY: the last vector is inside the slice, as asserted by `new`.
        unsafe { simd.load(self.values.as_ptr().add(start)) }
    }
}

/// `side` x `side` vectors in memory, to write.
pub(crate) struct VectorsMut<'a, S> {
    values: &'a mut [f32],
    side: usize,
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd> VectorsMut<'a, S> {
    #[inline(always)]
    pub(crate) fn new(
        values: &'a mut [f32],
        side: usize,
        [row_step, col_step]: [usize; 2],
    ) -> Self {
        assert!((side - 1) * (row_step + col_step) + S::LANES <= values.len());
        Self {
            values,
            side,
            row_step,
            col_step,
            simd: PhantomData,
        }
    }

    /// Writes a vector.
    #[inline(always)]
    pub(crate) fn set(&mut self, simd: S, row: usize, col: usize, v: S::V) {
        assert!(row < self.side && col < self.side);
        let start = row * self.row_step + col * self.col_step;
        // SAFETY: the last vector is inside the slice, as asserted by `new`.
        unsafe { simd.store(self.values.as_mut_ptr().add(start), v) }
    }
}

/// Rows in memory: the start of the first, the distance between them, and their number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<P> {
    pub(crate) start: P,
    pub(crate) pitch: usize,
    pub(crate) count: usize,
}

impl Rows<*const f32> {
    /// The start of a row, or of the last row if there are fewer.
    ///
    /// # Safety
    /// The rows must be in one allocation.
    #[inline(always)]
    unsafe fn get(self, row: usize) -> *const f32 {
        // SAFETY: a row that exists, in the allocation as the caller vouches.
        unsafe { self.start.add(row.min(self.count - 1) * self.pitch) }
    }
}
