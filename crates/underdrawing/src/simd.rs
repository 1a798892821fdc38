//! Plain loops compiled for the processor that runs them.
//!
//! The crate is built for the oldest x86-64. [`with_simd`] compiles a loop once more for AVX2 and
//! for AVX-512 and chooses at run time; the compiler never fuses or reorders additions, so the
//! bits are the same.

use pulp::{Arch, Simd, WithSimd};

/// Runs `work` with the widest vectors there are. The closure and the functions that it calls have
/// to be `#[inline(always)]`, or they are compiled without.
#[inline]
pub(crate) fn with_simd(work: impl FnMut()) {
    Arch::new().dispatch(Work(work));
}

/// Not the closure itself, whose `call_once` would stand between it and its vectors.
struct Work<F>(F);

impl<F: FnMut()> WithSimd for Work<F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) {
        (self.0)();
    }
}
