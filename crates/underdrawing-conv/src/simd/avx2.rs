use std::arch::x86_64::*;

use super::x86::operations;
use super::{Rows, Simd};

/// AVX2 with FMA: 16 registers of 8 values.
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

    operations! {
        features: "avx2,fma",
        zero: _mm256_setzero_ps, splat: _mm256_set1_ps,
        add: _mm256_add_ps, sub: _mm256_sub_ps, mul: _mm256_mul_ps, max: _mm256_max_ps,
        fma: _mm256_fmadd_ps,
        load: _mm256_loadu_ps, store: _mm256_storeu_ps,
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
