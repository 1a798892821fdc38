use std::arch::x86_64::*;

use super::x86::operations;
use super::{Rows, Simd};

/// AVX-512: 32 registers of 16 values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 14;

    operations! {
        features: "avx512f,avx2,fma",
        zero: _mm512_setzero_ps, splat: _mm512_set1_ps,
        add: _mm512_add_ps, sub: _mm512_sub_ps, mul: _mm512_mul_ps, max: _mm512_max_ps,
        fma: _mm512_fmadd_ps,
        load: _mm512_loadu_ps, store: _mm512_storeu_ps,
    }

    #[inline(always)]
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>) {
        // SAFETY: the caller vouches for the two blocks, the token for AVX-512.
        unsafe {
            // quads[g][j], quarter q: column 4q + j of rows 4g .. 4g + 4.
            let mut quads = [[_mm512_setzero_ps(); 4]; 4];
            for (g, quad) in quads.iter_mut().enumerate() {
                let row = |i: usize| _mm512_loadu_ps(src.get(4 * g + i));
                let (low01, high01) = unpack_512(row(0), row(1));
                let (low23, high23) = unpack_512(row(2), row(3));
                let pairs = [(low01, low23), (high01, high23)];
                for (j, (a, b)) in pairs.into_iter().enumerate() {
                    let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                    quad[2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
                    quad[2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
                }
            }
            for j in 0..4 {
                let [a, b, c, d] = [quads[0][j], quads[1][j], quads[2][j], quads[3][j]];
                let even_ab = _mm512_shuffle_f32x4::<0x88>(a, b); // a0 a2 b0 b2
                let even_cd = _mm512_shuffle_f32x4::<0x88>(c, d);
                let odd_ab = _mm512_shuffle_f32x4::<0xdd>(a, b); // a1 a3 b1 b3
                let odd_cd = _mm512_shuffle_f32x4::<0xdd>(c, d);
                let quarters = [
                    _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd),
                    _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd),
                    _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd),
                    _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd),
                ];
                for (q, quarter) in quarters.into_iter().enumerate() {
                    if 4 * q + j < dst.count {
                        _mm512_storeu_ps(dst.start.add((4 * q + j) * dst.pitch), quarter);
                    }
                }
            }
        }
    }
}

/// # Safety
/// The processor must have AVX-512.
#[inline(always)]
unsafe fn unpack_512(a: __m512, b: __m512) -> (__m512, __m512) {
    // SAFETY: the caller vouches for AVX-512.
    unsafe { (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
}
