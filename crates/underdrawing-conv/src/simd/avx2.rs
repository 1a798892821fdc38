use std::arch::x86_64::*;

use super::{Rows, Simd};

/// AVX2 with FMA: 16 registers of 8 numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Simd for Avx2 {
    type V = __m256;
    const LANES: usize = 8;
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma")]
        fn enabled<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the token says that the processor has AVX2 and FMA.
        unsafe { enabled(f) }
    }
    #[inline(always)]
    fn zero(self) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_setzero_ps() }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX2.
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V {
        let mut numbers = [0.0; Self::LANES];
        // SAFETY: the array has as many numbers as a vector.
        unsafe { self.store(numbers.as_mut_ptr(), v) };
        for x in &mut numbers {
            *x = f(*x);
        }
        // SAFETY: as above.
        unsafe { self.load(numbers.as_ptr()) }
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has FMA.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller vouches for eight readable numbers; no alignment is assumed.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for eight writable numbers; no alignment is assumed.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>) {
        // SAFETY: the caller vouches for the two blocks, the token for AVX2.
        unsafe {
            // quads[g][j], half h: column 4h + j of rows 4g .. 4g + 4.
            let mut quads = [[_mm256_setzero_ps(); 4]; 2];
            for (g, quad) in quads.iter_mut().enumerate() {
                let row = |i: usize| _mm256_loadu_ps(src.get(4 * g + i));
                let (low01, high01) = unpack_256(row(0), row(1));
                let (low23, high23) = unpack_256(row(2), row(3));
                let pairs = [(low01, low23), (high01, high23)];
                for (j, (a, b)) in pairs.into_iter().enumerate() {
                    let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
                    quad[2 * j] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
                    quad[2 * j + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
                }
            }
            for j in 0..4 {
                let (a, b) = (quads[0][j], quads[1][j]);
                let halves = [
                    _mm256_permute2f128_ps::<0x20>(a, b),
                    _mm256_permute2f128_ps::<0x31>(a, b),
                ];
                for (h, half) in halves.into_iter().enumerate() {
                    if 4 * h + j < dst.count {
                        _mm256_storeu_ps(dst.start.add((4 * h + j) * dst.pitch), half);
                    }
                }
            }
        }
    }
}

/// # Safety
/// The processor must have AVX2.
#[inline(always)]
unsafe fn unpack_256(a: __m256, b: __m256) -> (__m256, __m256) {
    // SAFETY: the caller vouches for AVX2.
    unsafe { (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)) }
}
