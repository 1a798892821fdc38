use std::arch::aarch64::*;

use super::{Rows, Simd};

/// NEON: 32 registers of 4 values. Every 64-bit ARM processor has it, so nothing is detected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Neon;

impl Simd for Neon {
    type V = float32x4_t;
    const LANES: usize = 4;
    const ROWS: usize = 12;

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
        self.splat(0.0)
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: every processor that this is compiled for has NEON; so for all below.
        unsafe { vdupq_n_f32(x) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see `splat`.
        unsafe { vaddq_f32(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see `splat`.
        unsafe { vsubq_f32(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: see `splat`.
        unsafe { vmulq_f32(a, b) }
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // NEON's own maximum is NaN where either is.
        // SAFETY: see `splat`.
        unsafe { vbslq_f32(vcgtq_f32(a, b), a, b) }
    }
    #[inline(always)]
    fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V {
        let mut values = [0.0; 4];
        // SAFETY: four values are written and read; see `splat`.
        unsafe {
            self.store(values.as_mut_ptr(), v);
            self.load(values.map(f).as_ptr())
        }
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: see `splat`.
        unsafe { vfmaq_f32(c, a, b) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller vouches for four readable values; no alignment is assumed.
        unsafe { vld1q_f32(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for four writable values; no alignment is assumed.
        unsafe { vst1q_f32(p, v) }
    }
    #[inline(always)]
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>) {
        // SAFETY: inside the two blocks that the caller vouches for; see `splat`.
        unsafe {
            let row = |i: usize| self.load(src.get(i));
            let (even01, odd01) = pairs(row(0), row(1));
            let (even23, odd23) = pairs(row(2), row(3));
            let columns = [
                vzip1q_f64(even01, even23),
                vzip1q_f64(odd01, odd23),
                vzip2q_f64(even01, even23),
                vzip2q_f64(odd01, odd23),
            ];
            for (col, values) in columns.into_iter().enumerate().take(dst.count) {
                self.store(
                    dst.start.add(col * dst.pitch),
                    vreinterpretq_f32_f64(values),
                );
            }
        }
    }
}

/// The even values of both in turn, and the odd ones; two of them as one wider value.
#[inline(always)]
fn pairs(a: float32x4_t, b: float32x4_t) -> (float64x2_t, float64x2_t) {
    // SAFETY: see `Neon::splat`.
    unsafe {
        (
            vreinterpretq_f64_f32(vtrn1q_f32(a, b)),
            vreinterpretq_f64_f32(vtrn2q_f32(a, b)),
        )
    }
}
