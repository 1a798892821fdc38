//! What the x86 instruction sets have in common.

/// Defines the functions of [`super::Simd`] that differ only in the names of the instructions.
/// `Self` must be a token which proves that the processor has them.
macro_rules! operations {
    (
        features: $features:literal,
        zero: $zero:path, splat: $splat:path,
        add: $add:path, sub: $sub:path, mul: $mul:path, max: $max:path,
        fma: $fma:path,
        load: $load:path, store: $store:path $(,)?
    ) => {
        #[inline(always)]
        fn run<R>(self, f: impl FnOnce() -> R) -> R {
            #[target_feature(enable = $features)]
            fn enabled<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
            // SAFETY: the token says that the processor has the instructions.
            unsafe { enabled(f) }
        }
        #[inline(always)]
        fn run_outlined<R>(self, f: impl FnOnce() -> R) -> R {
            #[inline(never)]
            #[target_feature(enable = $features)]
            fn enabled<R>(f: impl FnOnce() -> R) -> R {
                f()
            }
            // SAFETY: the token says that the processor has the instructions.
            unsafe { enabled(f) }
        }
        #[inline(always)]
        fn zero(self) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $zero() }
        }
        #[inline(always)]
        fn splat(self, x: f32) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $splat(x) }
        }
        #[inline(always)]
        fn add(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $add(a, b) }
        }
        #[inline(always)]
        fn sub(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $sub(a, b) }
        }
        #[inline(always)]
        fn mul(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $mul(a, b) }
        }
        #[inline(always)]
        fn max(self, a: Self::V, b: Self::V) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $max(a, b) }
        }
        #[inline(always)]
        fn map(self, v: Self::V, f: impl Fn(f32) -> f32) -> Self::V {
            let mut values = [0.0; Self::LANES];
            // SAFETY: the array has as many values as a vector.
            unsafe { self.store(values.as_mut_ptr(), v) };
            for x in &mut values {
                *x = f(*x);
            }
            // SAFETY: as above.
            unsafe { self.load(values.as_ptr()) }
        }
        #[inline(always)]
        fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
            // SAFETY: the token says that the processor has the instruction.
            unsafe { $fma(a, b, c) }
        }
        #[inline(always)]
        fn prefetch(self, p: *const f32) {
            // SAFETY: every x86-64 has the instruction, which does nothing for invalid addresses.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
        }
        #[inline(always)]
        unsafe fn load(self, p: *const f32) -> Self::V {
            // SAFETY: the caller vouches for a vector of readable values; no alignment is assumed.
            unsafe { $load(p) }
        }
        #[inline(always)]
        unsafe fn store(self, p: *mut f32, v: Self::V) {
            // SAFETY: the caller vouches for a vector of writable values; no alignment is assumed.
            unsafe { $store(p, v) }
        }
    };
}
pub(super) use operations;
