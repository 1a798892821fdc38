//! The vector operations that the kernels are written in, once per instruction set.
//!
//! Each implementation of [`Simd`] is a token: a value of it exists only where the processor has
//! been asked for the instructions (see [`crate::path`]), so that its methods can be safe. All
//! methods are inlined into the body of [`Simd::run`], the one function that is compiled with the
//! instructions enabled; called outside of it they are correct and slow.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::marker::PhantomData;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Arithmetic on vectors of `f32`.
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// One vector register.
    type V: Copy;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of the largest register tile that is two vectors wide.
    const ROWS: usize;

    /// Calls `f`, an `#[inline(always)]` closure, with the instructions enabled.
    fn run<R>(self, f: impl FnOnce() -> R) -> R;

    /// The vector of zeros.
    fn zero(self) -> Self::V;
    /// The vector of equal numbers.
    fn splat(self, x: f32) -> Self::V;
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// The larger of the two, lane by lane; `b` where either is not a number.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// `f` of each lane. `f` should be free of branches: it is left to the compiler to vectorise.
    fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V;
    /// `a * b + c`, rounded once where the instruction set can.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;

    /// Reads a vector.
    ///
    /// # Safety
    /// `LANES` numbers from `p` on must be readable.
    unsafe fn load(self, p: *const f32) -> Self::V;

    /// Writes a vector.
    ///
    /// # Safety
    /// `LANES` numbers from `p` on must be writable.
    unsafe fn store(self, p: *mut f32, v: Self::V);

    /// Transposes a block of `rows` x `cols` numbers, each at most `LANES`.
    ///
    /// # Safety
    /// `rows` rows of `LANES` numbers, `src_row` apart from `src` on, must be readable; `cols` rows
    /// of `LANES` numbers, `dst_row` apart from `dst` on, must be writable. The two must not
    /// overlap. Numbers after the first `rows` of a written row are copies of others.
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>);
}

/// `side` x `side` vectors in memory.
#[derive(Clone, Copy)]
pub(crate) struct Vectors<'a, S> {
    numbers: &'a [f32],
    side: usize,
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd> Vectors<'a, S> {
    #[inline(always)]
    pub(crate) fn new(numbers: &'a [f32], side: usize, [row_step, col_step]: [usize; 2]) -> Self {
        assert!((side - 1) * (row_step + col_step) + S::LANES <= numbers.len());
        Self {
            numbers,
            side,
            row_step,
            col_step,
            simd: PhantomData,
        }
    }

    /// Reads a vector. The row and the column are constants once the loops around are unrolled,
    /// and so is that they are inside.
    #[inline(always)]
    pub(crate) fn get(&self, simd: S, row: usize, col: usize) -> S::V {
        assert!(row < self.side && col < self.side);
        let start = row * self.row_step + col * self.col_step;
        // SAFETY: the last vector is inside the slice, as asserted by `new`.
        unsafe { simd.load(self.numbers.as_ptr().add(start)) }
    }
}

/// `side` x `side` vectors in memory, to write.
pub(crate) struct VectorsMut<'a, S> {
    numbers: &'a mut [f32],
    side: usize,
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd> VectorsMut<'a, S> {
    #[inline(always)]
    pub(crate) fn new(
        numbers: &'a mut [f32],
        side: usize,
        [row_step, col_step]: [usize; 2],
    ) -> Self {
        assert!((side - 1) * (row_step + col_step) + S::LANES <= numbers.len());
        Self {
            numbers,
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
        unsafe { simd.store(self.numbers.as_mut_ptr().add(start), v) }
    }
}

/// Rows in memory: where the first one starts, the distance to the next, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<P> {
    pub(crate) start: P,
    pub(crate) pitch: usize,
    pub(crate) count: usize,
}

impl Rows<*const f32> {
    /// The start of a row, or that of the last one if there are fewer.
    ///
    /// # Safety
    /// The rows must be in one allocation.
    #[inline(always)]
    unsafe fn get(self, row: usize) -> *const f32 {
        // SAFETY: a row that exists, in the allocation as the caller vouches.
        unsafe { self.start.add(row.min(self.count - 1) * self.pitch) }
    }
}
