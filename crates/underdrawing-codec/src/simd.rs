//! Plain loops compiled for the processor that runs them.
//!
//! The crate is built for the oldest x86-64; `with_simd` compiles what is inlined into the closure
//! once more for AVX2 and AVX-512 and chooses at run time. Integer code gives the same bits either
//! way, and so does floating-point code, since the compiler never fuses or reorders it.

/// Runs `work` with the widest vectors there are. Functions that it calls need `#[inline(always)]`
/// to profit.
#[inline]
pub(crate) fn with_simd<R>(work: impl FnOnce() -> R) -> R {
    pulp::Arch::new().dispatch(work)
}
