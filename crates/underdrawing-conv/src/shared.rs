//! Slices that several threads write at once.

use crate::simd::Simd;

/// A slice of which several threads write disjoint parts.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) start: *mut f32,
    pub(crate) len: usize,
    slice: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice, which is `Send`; whoever accesses a part vouches that no other
// thread does.
unsafe impl Send for Shared<'_> {}
// SAFETY: as above.
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub(crate) fn new(slice: &'a mut [f32]) -> Self {
        Self {
            start: slice.as_mut_ptr(),
            len: slice.len(),
            slice: std::marker::PhantomData,
        }
    }

    /// Writes a vector at `start`.
    ///
    /// # Safety
    /// No other thread may access these values meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(&self, simd: S, start: usize, v: S::V) {
        assert!(start + S::LANES <= self.len);
        // SAFETY: inside the slice, as asserted, and alone, as the caller vouches.
        unsafe { simd.store(self.start.add(start), v) }
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// No overlapping part may be accessed while it is alive.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: inside the slice, as asserted, and alone, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
