use std::arch::wasm32::*;

use super::{Rows, Simd};

/// WebAssembly's vectors of 4 values, which every browser's compiler maps to the processor's. The
/// instructions are either in the whole module or not there at all, so nothing is detected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Simd for Portable {
    type V = v128;
    const LANES: usize = 4;
    /// x86 has 16 registers, of which the browser keeps one: ten sums, two vectors, a broadcast
    /// value and a product.
    const ROWS: usize = 5;

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
    #[inline(never)]
    fn run_outlined<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
    #[inline(always)]
    fn zero(self) -> Self::V {
        f32x4_splat(0.0)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        f32x4_splat(x)
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        f32x4_add(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        f32x4_sub(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        f32x4_mul(a, b)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // `b < a ? a : b`: one instruction of x86, unlike WebAssembly's other maximum.
        f32x4_pmax(b, a)
    }
    #[inline(always)]
    fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V {
        f32x4(
            f(f32x4_extract_lane::<0>(v)),
            f(f32x4_extract_lane::<1>(v)),
            f(f32x4_extract_lane::<2>(v)),
            f(f32x4_extract_lane::<3>(v)),
        )
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // Rounded twice: a product and sum in one is not in every browser.
        f32x4_add(f32x4_mul(a, b), c)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller vouches for four readable values; no alignment is assumed.
        unsafe { v128_load(p.cast()) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for four writable values; no alignment is assumed.
        unsafe { v128_store(p.cast(), v) }
    }
    #[inline(always)]
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>) {
        // SAFETY: inside the two blocks that the caller vouches for.
        unsafe {
            let row = |i: usize| self.load(src.get(i));
            let (low01, high01) = interleave(row(0), row(1));
            let (low23, high23) = interleave(row(2), row(3));
            let columns = [
                i64x2_shuffle::<0, 2>(low01, low23),
                i64x2_shuffle::<1, 3>(low01, low23),
                i64x2_shuffle::<0, 2>(high01, high23),
                i64x2_shuffle::<1, 3>(high01, high23),
            ];
            for (col, values) in columns.into_iter().enumerate().take(dst.count) {
                self.store(dst.start.add(col * dst.pitch), values);
            }
        }
    }
}

/// The values of both in turn: those of the lower halves, and those of the upper.
#[inline(always)]
fn interleave(a: v128, b: v128) -> (v128, v128) {
    (
        i32x4_shuffle::<0, 4, 1, 5>(a, b),
        i32x4_shuffle::<2, 6, 3, 7>(a, b),
    )
}
