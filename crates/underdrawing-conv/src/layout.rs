//! Moving pixels between NCHW and a layout with the channels last, in which a vector holds a
//! pixel's neighbouring channels.

use crate::simd::{Rows, Simd};

/// A run of pixels of all channels of a picture in NCHW.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Where the run starts in the first channel.
    pub(crate) start: usize,
    /// Pixels in the run.
    pub(crate) count: usize,
    /// From a channel to the next.
    pub(crate) plane: usize,
    pub(crate) channels: usize,
}

/// Copies `run` of `src` to `dst[pixel * pitch + channel]`. What it writes to channels that don't
/// exist, up to the next multiple of the vector length, is finite if `src` is.
#[inline(always)]
pub(crate) fn gather<S: Simd>(simd: S, src: &[f32], run: Run, dst: &mut [f32], pitch: usize) {
    let lanes = S::LANES;
    let Run {
        start,
        count,
        plane,
        channels,
    } = run;
    if count == 0 || channels == 0 {
        return;
    }
    assert!((channels - 1) * plane + start + count <= src.len());
    assert!((count - 1) * pitch + channels.next_multiple_of(lanes) <= dst.len());
    for c in (0..channels).step_by(lanes) {
        let rows = lanes.min(channels - c);
        let src = &src[c * plane + start..];
        let dst = &mut dst[c..];
        if count < lanes {
            for pixel in 0..count {
                for lane in 0..lanes {
                    dst[pixel * pitch + lane] = src[lane.min(rows - 1) * plane + pixel];
                }
            }
            continue;
        }
        for pixel in squares(count, lanes) {
            // SAFETY: `pixel + lanes <= count`, and by the assertions the pixels up to `count` of
            // `rows` channels are inside `src`, and those of `lanes` channels inside `dst`.
            unsafe {
                let src = Rows {
                    start: src.as_ptr().add(pixel),
                    pitch: plane,
                    count: rows,
                };
                let dst = dst.as_mut_ptr().add(pixel * pitch);
                let dst = Rows {
                    start: dst,
                    pitch,
                    count: lanes,
                };
                if rows == lanes {
                    simd.transpose(
                        Rows {
                            count: lanes,
                            ..src
                        },
                        dst,
                    );
                } else {
                    simd.transpose(src, dst);
                }
            }
        }
    }
}

/// The opposite of [`gather`].
///
/// # Safety
/// No other thread may read or write the run of `dst` meanwhile.
#[inline(always)]
pub(crate) unsafe fn scatter<S: Simd>(
    simd: S,
    src: &[f32],
    pitch: usize,
    dst: Shared<'_>,
    run: Run,
) {
    let lanes = S::LANES;
    let Run {
        start,
        count,
        plane,
        channels,
    } = run;
    if count == 0 || channels == 0 {
        return;
    }
    assert!((channels - 1) * plane + start + count <= dst.len);
    assert!((count - 1) * pitch + channels.next_multiple_of(lanes) <= src.len());
    for c in (0..channels).step_by(lanes) {
        let rows = lanes.min(channels - c);
        let src = &src[c..];
        // SAFETY: inside the slice, as asserted.
        let dst = unsafe { dst.start.add(c * plane + start) };
        if count < lanes {
            for lane in 0..rows {
                for pixel in 0..count {
                    // SAFETY: inside the run, which is inside the slice and this thread's own.
                    unsafe { *dst.add(lane * plane + pixel) = src[pixel * pitch + lane] };
                }
            }
            continue;
        }
        for pixel in squares(count, lanes) {
            // SAFETY: `pixel + lanes <= count`, so that the rows written are inside the run, and
            // those read inside `src`, as asserted.
            unsafe {
                let src = src.as_ptr().add(pixel * pitch);
                let src = Rows {
                    start: src,
                    pitch,
                    count: lanes,
                };
                let dst = Rows {
                    start: dst.add(pixel),
                    pitch: plane,
                    count: rows,
                };
                if rows == lanes {
                    simd.transpose(
                        src,
                        Rows {
                            count: lanes,
                            ..dst
                        },
                    );
                } else {
                    simd.transpose(src, dst);
                }
            }
        }
    }
}

/// Starts of runs of `lanes` that cover `count`, which is no smaller. The last one may overlap
/// the one before.
#[inline(always)]
fn squares(count: usize, lanes: usize) -> impl Iterator<Item = usize> {
    (0..count)
        .step_by(lanes)
        .map(move |start| start.min(count - lanes))
}

/// A slice that several threads write disjoint parts of.
#[derive(Clone, Copy)]
pub(crate) struct Shared<'a> {
    start: *mut f32,
    len: usize,
    slice: std::marker::PhantomData<&'a mut [f32]>,
}

// SAFETY: it is a mutable slice, and those may be sent; who uses a part vouches that it is alone.
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

    /// Writes a vector from `start` on.
    ///
    /// # Safety
    /// No other thread may use these numbers meanwhile.
    #[inline(always)]
    pub(crate) unsafe fn store<S: Simd>(&self, simd: S, start: usize, v: S::V) {
        assert!(start + S::LANES <= self.len);
        // SAFETY: inside the slice, as asserted, and alone, as the caller vouches.
        unsafe { simd.store(self.start.add(start), v) }
    }

    /// A part of the slice.
    ///
    /// # Safety
    /// While it lives, no overlapping part may be used.
    #[allow(clippy::mut_from_ref)]
    pub(crate) unsafe fn part(&self, start: usize, len: usize) -> &'a mut [f32] {
        assert!(start <= self.len && len <= self.len - start);
        // SAFETY: inside the slice, as asserted, and alone, as the caller vouches.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}
