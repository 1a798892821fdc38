//! Plain loops, compiled for several kinds of vector instructions.
//!
//! The crate is built for the oldest x86-64. [`with_simd`] compiles whatever is inlined into a
//! closure for AVX2 and AVX-512 too, and chooses at run time. All give the same bits: the compiler
//! neither fuses nor reorders floating-point operations.

/// Runs `work` with the widest vectors of this processor. Only what is `#[inline(always)]` in it
/// benefits. Each use is compiled three times, so it should not depend on generic parameters.
#[inline]
pub(crate) fn with_simd<R>(work: impl FnOnce() -> R) -> R {
    #[cfg(test)]
    match tests::LEVEL.load(std::sync::atomic::Ordering::Relaxed) {
        tests::PLAIN => return work(),
        #[cfg(target_arch = "x86_64")]
        tests::AVX2 => {
            if let Some(avx2) = pulp::x86::V3::try_new() {
                return pulp::Simd::vectorize(avx2, work);
            }
        }
        _ => {}
    }
    // A module of WebAssembly has vectors everywhere, or nowhere.
    if cfg!(target_arch = "wasm32") {
        return work();
    }
    pulp::Arch::new().dispatch(work)
}

/// AVX2, where this processor has it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn avx2() -> Option<pulp::x86::V3> {
    #[cfg(test)]
    if tests::LEVEL.load(std::sync::atomic::Ordering::Relaxed) == tests::PLAIN {
        return None;
    }
    pulp::x86::V3::try_new()
}

#[cfg(test)]
mod tests {
    use crate::{Effort, Encoder, Picture};
    use std::sync::atomic::{AtomicU8, Ordering};

    /// The vectors that all tests of this process use for now: the widest unless a test sets it.
    pub(super) static LEVEL: AtomicU8 = AtomicU8::new(0);
    pub(super) const PLAIN: u8 = 1;
    pub(super) const AVX2: u8 = 2;

    #[test]
    fn narrower_vectors_give_the_same_bytes() {
        let (width, height) = (150, 110);
        let mut state = 9u32;
        let samples = (0..3 * width * height).map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((i / 3 % width + i / width) as u32 % 190 + (state >> 27)) as u8
        });
        let picture = Picture::new(width, height, 3, samples.collect()).unwrap();
        let code = |level: u8| {
            LEVEL.store(level, Ordering::Relaxed);
            let codings = [Effort::Fast, Effort::Normal, Effort::Best].map(|effort| {
                let encoder = Encoder::new(&picture, effort);
                (encoder.encode_to_bytes(9000), encoder.encode_to_mse(0.0))
            });
            LEVEL.store(0, Ordering::Relaxed);
            codings
        };
        let widest = code(0);
        assert!(code(PLAIN) == widest && code(AVX2) == widest);
    }
}
