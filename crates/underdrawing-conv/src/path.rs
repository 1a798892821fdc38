//! Which instructions the kernels use.

use std::sync::atomic::{AtomicU8, Ordering};

use crate::simd::{Isa, Simd, dispatch};

/// An implementation of the kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// AVX-512F, on x86-64.
    Avx512,
    /// AVX2 and FMA, on x86-64.
    Avx2,
    /// What the compiler makes of plain loops, everywhere.
    Portable,
}

impl Path {
    /// All paths, the fastest first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Whether this processor can take the path.
    #[must_use]
    pub fn is_available(self) -> bool {
        Isa::of(self).is_some()
    }
}

/// The forced path's index and 1, or 0.
static FORCED: AtomicU8 = AtomicU8::new(0);

/// Makes all later calls of the whole process take a path, or with `None` the fastest one again.
/// For tests and benchmarks; results of different paths differ in their last digits. Returns
/// whether the path is available; if not, nothing changes.
pub fn force_path(path: Option<Path>) -> bool {
    let available = path.is_none_or(Path::is_available);
    if available {
        let idx = path.map_or(0, |path| path as u8 + 1);
        FORCED.store(idx, Ordering::Relaxed);
    }
    available
}

/// Runs plain loops compiled for the instructions that the kernels use. The closure and what it
/// calls have to be `#[inline(always)]`, or they are compiled without. The compiler never fuses or
/// reorders floating-point operations, so the bits are the same on every path.
#[inline]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    dispatch!(Isa::chosen(), simd => simd.run(work))
}

pub(crate) fn forced() -> Option<Path> {
    let idx = FORCED.load(Ordering::Relaxed);
    Path::ALL.get(usize::from(idx).wrapping_sub(1)).copied()
}
