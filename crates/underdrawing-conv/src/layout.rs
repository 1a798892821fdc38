//! Moving pictures between NCHW and the layouts that the kernels work in.

use crate::simd::Simd;

/// Largest [`Simd::LANES`].
const MAX_LANES: usize = 16;

/// Copies a run of pixels of all channels to a layout with the channels last:
/// `dst[i * pitch + c] = src[c * plane + start + i]`. Channels up to the next multiple of the
/// vector length are set to zero.
#[inline(always)]
pub(crate) fn gather_pixels<S: Simd>(
    simd: S,
    src: &[f32],
    (plane, channels): (usize, usize),
    (start, count): (usize, usize),
    dst: &mut [f32],
    pitch: usize,
) {
    if count == 0 || channels == 0 {
        return;
    }
    let lanes = S::LANES;
    assert!((channels - 1) * plane + start + count <= src.len());
    assert!((count - 1) * pitch + channels.next_multiple_of(lanes) <= dst.len());
    let mut square_in = [0.0; MAX_LANES * MAX_LANES];
    let mut square_out = [0.0; MAX_LANES * MAX_LANES];
    for c in (0..channels).step_by(lanes) {
        let rows = lanes.min(channels - c);
        for i in (0..count).step_by(lanes) {
            let cols = lanes.min(count - i);
            let from = c * plane + start + i;
            let to = i * pitch + c;
            if rows == lanes && cols == lanes {
                // SAFETY: both squares are inside the slices, as asserted.
                unsafe {
                    let (from, to) = (src.as_ptr().add(from), dst.as_mut_ptr().add(to));
                    simd.transpose(from, plane, to, pitch);
                }
                continue;
            }
            for row in 0..lanes {
                let line = &mut square_in[row * lanes..][..lanes];
                line.fill(0.0);
                if row < rows {
                    line[..cols].copy_from_slice(&src[from + row * plane..][..cols]);
                }
            }
            // SAFETY: both arrays hold a square of the longest vectors.
            unsafe {
                simd.transpose(square_in.as_ptr(), lanes, square_out.as_mut_ptr(), lanes);
            }
            for col in 0..cols {
                let line = &square_out[col * lanes..][..lanes];
                dst[to + col * pitch..][..lanes].copy_from_slice(line);
            }
        }
    }
}

/// An `f32` slice that several threads write disjoint parts of.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    slice: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice, which may be sent; `range` makes its user vouch for disjointness.
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

    /// A part of the slice.
    ///
    /// # Safety
    /// While it lives, no other thread may hold an overlapping part.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: inside the slice, as asserted, and disjoint from others, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
