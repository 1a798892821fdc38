//! Copying pixels between NCHW and a channels-last layout, in which a vector holds consecutive
//! channels of a pixel.

use crate::shared::Shared;
use crate::simd::{Rows, Simd};

/// A run of pixels in all channels of an NCHW picture.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// Start of the run in the first channel.
    pub(crate) start: usize,
    /// Number of pixels.
    pub(crate) count: usize,
    /// Distance between channels.
    pub(crate) plane: usize,
    pub(crate) channels: usize,
}

/// Copies `run` of `src` to `dst[pixel * pitch + channel]`. It also writes to the padding channels,
/// up to the next multiple of the vector length; what it writes there is finite if `src` is.
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

/// Starts of runs of `lanes` that cover `count`, which is at least `lanes`. The last run may
/// overlap the one before it.
#[inline(always)]
fn squares(count: usize, lanes: usize) -> impl Iterator<Item = usize> {
    (0..count)
        .step_by(lanes)
        .map(move |start| start.min(count - lanes))
}
