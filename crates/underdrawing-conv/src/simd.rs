//! The vector operations that the kernels are written in, once per instruction set.
//!
//! Each implementation of [`Simd`] is a token: a value of it exists only where the processor has
//! been asked for the instructions (see [`Isa::detect`]), so that its methods can be safe. All
//! methods are inlined into the body of [`Simd::run`], the one function that is compiled with the
//! instructions enabled; called outside of it they are correct and slow.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::marker::PhantomData;

/// The instruction sets that this build has kernels for and this processor runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    Portable(Portable),
}

impl Isa {
    /// The fastest instruction set of this processor.
    pub(crate) fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if let Some(simd) = Avx512::detect() {
                return Self::Avx512(simd);
            }
            if let Some(simd) = Avx2::detect() {
                return Self::Avx2(simd);
            }
        }
        Self::Portable(Portable)
    }

    /// Every instruction set of this processor, the fastest first.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        let mut all = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            all.extend(Avx512::detect().map(Self::Avx512));
            all.extend(Avx2::detect().map(Self::Avx2));
        }
        all.push(Self::Portable(Portable));
        all
    }
}

/// Runs `$body` with `$simd` bound to the token of an [`Isa`].
macro_rules! dispatch {
    ($isa:expr, $simd:ident => $body:expr) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Isa::Avx512($simd) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::simd::Isa::Avx2($simd) => $body,
            $crate::simd::Isa::Portable($simd) => $body,
        }
    };
}
pub(crate) use dispatch;

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

/// `N` x `N` vectors in memory.
#[derive(Clone, Copy)]
pub(crate) struct Vectors<'a, S, const N: usize> {
    numbers: &'a [f32],
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd, const N: usize> Vectors<'a, S, N> {
    #[inline(always)]
    pub(crate) fn new(numbers: &'a [f32], row_step: usize, col_step: usize) -> Self {
        assert!((N - 1) * (row_step + col_step) + S::LANES <= numbers.len());
        Self {
            numbers,
            row_step,
            col_step,
            simd: PhantomData,
        }
    }

    /// Reads a vector. The row and the column are constants once the loops around are unrolled,
    /// and so is that they are inside.
    #[inline(always)]
    pub(crate) fn get(&self, simd: S, row: usize, col: usize) -> S::V {
        assert!(row < N && col < N);
        let start = row * self.row_step + col * self.col_step;
        // SAFETY: the last vector is inside the slice, as asserted by `new`.
        unsafe { simd.load(self.numbers.as_ptr().add(start)) }
    }
}

/// `N` x `N` vectors in memory, to write.
pub(crate) struct VectorsMut<'a, S, const N: usize> {
    numbers: &'a mut [f32],
    row_step: usize,
    col_step: usize,
    simd: PhantomData<S>,
}

impl<'a, S: Simd, const N: usize> VectorsMut<'a, S, N> {
    #[inline(always)]
    pub(crate) fn new(numbers: &'a mut [f32], row_step: usize, col_step: usize) -> Self {
        assert!((N - 1) * (row_step + col_step) + S::LANES <= numbers.len());
        Self {
            numbers,
            row_step,
            col_step,
            simd: PhantomData,
        }
    }

    /// Writes a vector.
    #[inline(always)]
    pub(crate) fn set(&mut self, simd: S, row: usize, col: usize, v: S::V) {
        assert!(row < N && col < N);
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

/// Plain loops over four numbers, left to the compiler to vectorise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Portable;

impl Portable {
    #[inline(always)]
    fn zip(a: [f32; 4], b: [f32; 4], f: impl Fn(f32, f32) -> f32) -> [f32; 4] {
        [f(a[0], b[0]), f(a[1], b[1]), f(a[2], b[2]), f(a[3], b[3])]
    }
}

impl Simd for Portable {
    type V = [f32; 4];
    const LANES: usize = 4;
    const ROWS: usize = 6;

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        f()
    }
    #[inline(always)]
    fn zero(self) -> Self::V {
        [0.0; 4]
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; 4]
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        Self::zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // `mul_add` is a slow library call where the target has no such instruction.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            let mut sum = c;
            for lane in 0..4 {
                sum[lane] = a[lane].mul_add(b[lane], c[lane]);
            }
            sum
        } else {
            self.add(self.mul(a, b), c)
        }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller vouches for four readable numbers; no alignment is assumed.
        unsafe { p.cast::<[f32; 4]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for four writable numbers; no alignment is assumed.
        unsafe { p.cast::<[f32; 4]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn transpose(self, src: Rows<*const f32>, dst: Rows<*mut f32>) {
        for row in 0..4 {
            for col in 0..dst.count {
                // SAFETY: inside the two blocks that the caller vouches for.
                unsafe { *dst.start.add(col * dst.pitch + row) = *src.get(row).add(col) };
            }
        }
    }
}

/// AVX2 with FMA: 16 registers of 8 numbers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

#[cfg(target_arch = "x86_64")]
impl Avx2 {
    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
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
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn unpack_256(a: __m256, b: __m256) -> (__m256, __m256) {
    // SAFETY: the caller vouches for AVX2.
    unsafe { (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)) }
}

/// AVX-512: 32 registers of 16 numbers.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

#[cfg(target_arch = "x86_64")]
impl Avx512 {
    fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma")).then_some(Self(()))
    }
}

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    type V = __m512;
    const LANES: usize = 16;
    const ROWS: usize = 14;

    #[inline(always)]
    fn run<R>(self, f: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn enabled<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the token says that the processor has AVX-512, which includes AVX2.
        unsafe { enabled(f) }
    }
    #[inline(always)]
    fn zero(self) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_setzero_ps() }
    }
    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // SAFETY: the token says that the processor has AVX-512.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> Self::V {
        // SAFETY: the caller vouches for 16 readable numbers; no alignment is assumed.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: Self::V) {
        // SAFETY: the caller vouches for 16 writable numbers; no alignment is assumed.
        unsafe { _mm512_storeu_ps(p, v) }
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
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn unpack_512(a: __m512, b: __m512) -> (__m512, __m512) {
    // SAFETY: the caller vouches for AVX-512.
    unsafe { (_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)) }
}
