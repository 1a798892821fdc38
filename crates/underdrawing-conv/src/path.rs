//! Which vector instructions the kernels use.

use std::sync::atomic::{AtomicU8, Ordering};

#[cfg(target_arch = "aarch64")]
use crate::simd::Neon;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};
use crate::simd::{Portable, Simd};

/// The kernels compiled for one instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// AVX-512F, on x86-64.
    Avx512,
    /// AVX2 and FMA, on x86-64.
    Avx2,
    /// NEON, on 64-bit ARM.
    Neon,
    /// Plain loops vectorised by the compiler, on every processor; in WebAssembly its vectors, where
    /// the module is built with them.
    Portable,
}

impl Path {
    /// All paths, the fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Whether this processor supports the path.
    #[must_use]
    pub fn is_available(self) -> bool {
        Isa::of(self).is_some()
    }
}

/// The index of the forced path plus 1, or 0.
static FORCED: AtomicU8 = AtomicU8::new(0);

/// Makes all later calls in the whole process take a path, or with `None`, the fastest path again.
/// For tests and benchmarks; the results of different paths differ in their last digits. Returns
/// whether the path is available; if it is not, nothing changes.
pub fn force_path(path: Option<Path>) -> bool {
    let available = path.is_none_or(Path::is_available);
    if available {
        let idx = path.map_or(0, |path| path as u8 + 1);
        FORCED.store(idx, Ordering::Relaxed);
    }
    available
}

/// Runs plain loops compiled for the instructions that the kernels use. The closure and everything
/// it calls must be `#[inline(always)]`; otherwise they are compiled without these instructions.
/// The compiler never fuses or reorders floating-point operations, so the results are identical on
/// every path.
#[inline]
pub fn vectorised<R>(work: impl FnOnce() -> R) -> R {
    dispatch!(Isa::chosen(), simd => simd.run(work))
}

fn forced() -> Option<Path> {
    let idx = FORCED.load(Ordering::Relaxed);
    Path::ALL.get(usize::from(idx).wrapping_sub(1)).copied()
}

/// An instruction set that this build has kernels for and this processor supports.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "aarch64")]
    Neon(Neon),
    Portable(Portable),
}

impl Isa {
    /// The fastest instruction set of this processor.
    pub(crate) fn detect() -> Self {
        let mut paths = Path::ALL.into_iter().filter_map(Self::of);
        paths.next().expect("the portable path is always there")
    }

    /// The instruction set to use: the fastest, or the one set by [`force_path`].
    pub(crate) fn chosen() -> Self {
        match forced() {
            Some(path) => Self::of(path).expect("a forced path is available"),
            None => Self::detect(),
        }
    }

    /// The instruction set of a path, if this processor supports it.
    pub(crate) fn of(path: Path) -> Option<Self> {
        match path {
            #[cfg(target_arch = "x86_64")]
            Path::Avx512 => Avx512::detect().map(Self::Avx512),
            #[cfg(target_arch = "x86_64")]
            Path::Avx2 => Avx2::detect().map(Self::Avx2),
            #[cfg(not(target_arch = "x86_64"))]
            Path::Avx512 | Path::Avx2 => None,
            #[cfg(target_arch = "aarch64")]
            Path::Neon => Some(Self::Neon(Neon)),
            #[cfg(not(target_arch = "aarch64"))]
            Path::Neon => None,
            Path::Portable => Some(Self::Portable(Portable)),
        }
    }

    /// All instruction sets of this processor, the fastest first.
    #[cfg(test)]
    pub(crate) fn all() -> Vec<Self> {
        Path::ALL.into_iter().filter_map(Self::of).collect()
    }
}

/// Runs `$body` with `$simd` bound to the token of an [`Isa`].
macro_rules! dispatch {
    ($isa:expr, $simd:ident => $body:expr) => {
        match $isa {
            #[cfg(target_arch = "x86_64")]
            $crate::path::Isa::Avx512($simd) => $body,
            #[cfg(target_arch = "x86_64")]
            $crate::path::Isa::Avx2($simd) => $body,
            #[cfg(target_arch = "aarch64")]
            $crate::path::Isa::Neon($simd) => $body,
            $crate::path::Isa::Portable($simd) => $body,
        }
    };
}
pub(crate) use dispatch;
