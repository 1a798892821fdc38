//! The steps of a plan that are not convolutions.

use super::buffers::{Buffers, Place, View};
use super::parts::Part;
use crate::layout::{Run, gather, scatter};
use crate::parallel;
use crate::shared::Shared;
use crate::simd::Simd;
use crate::stretch::Stretch;

/// Converts a part of an input, whose pictures have `size`, to the layout of the plan.
pub(super) fn read_input<S: Simd>(
    simd: S,
    buffers: &mut Buffers<'_>,
    input: &[f32],
    [height, width]: [usize; 2],
    part: &Part,
    to: &Place,
) {
    let channels = to.extent;
    each_row(buffers, to, |_, view, picture, row, line| {
        let area = height * width;
        let input = &input[picture * channels * area..][..channels * area];
        let run = Run {
            start: (part.rows.start + row) * width + part.cols.start,
            count: view.width,
            plane: area,
            channels,
        };
        simd.run(
            #[inline(always)]
            || gather(simd, input, run, line, view.pixel),
        );
    });
}

/// Copies maps, with zeros in the last vector's unused lanes.
pub(super) fn copy<S: Simd>(_: S, buffers: &mut Buffers<'_>, from: &Place, to: &Place) {
    let from_spot = buffers.view(from);
    let (extent, whole) = (from.extent, from.extent.next_multiple_of(S::LANES));
    each_row(buffers, to, |buffers, view, picture, row, line| {
        let values = &buffers.get(from.buffer)[from_spot.at(picture, row as isize, 0)..];
        let pixels = values.chunks(from_spot.pixel);
        for (to, from) in line.chunks_mut(view.pixel).zip(pixels) {
            to[..extent].copy_from_slice(&from[..extent]);
            to[extent..whole].fill(0.0);
        }
    });
}

/// Converts what is kept of a part to NCHW, in pictures of `size` at the level of the inputs.
///
/// # Safety
/// No other thread may access what the part keeps of the output meanwhile.
pub(super) unsafe fn write_output<S: Simd>(
    simd: S,
    buffers: &Buffers<'_>,
    from: &Place,
    size: [usize; 2],
    part: &Part,
    output: Shared<'_>,
) {
    let view = buffers.view(from);
    let [height, width] = size.map(|side| side >> from.level);
    let [rows, cols] = [part.rows, part.cols].map(|side| at_level(side, from.level));
    let area = height * width;
    let channels = from.channels();
    parallel::each(view.n * rows.len(), &|item| {
        let (picture, row) = (item / rows.len(), rows.from + item % rows.len());
        let [above, before] = [row - rows.start, cols.from - cols.start];
        let at = view.at(picture, above as isize, before as isize);
        let pixels = &buffers.get(from.buffer)[at..];
        let mut first = 0;
        for (start, count) in &from.parts {
            let run = Run {
                start: (picture * channels + first) * area + row * width + cols.from,
                count: cols.len(),
                plane: area,
                channels: *count,
            };
            simd.run(
                #[inline(always)]
                || {
                    // SAFETY: each item has another row.
                    unsafe { scatter(simd, &pixels[*start..], view.pixel, output, run) };
                },
            );
            first += count;
        }
    });
}

/// A side of a part at a level. Only pictures that are not divided have other levels than 0.
fn at_level(side: Stretch, level: usize) -> Stretch {
    Stretch {
        start: side.start >> level,
        from: side.from >> level,
        to: side.to >> level,
        end: side.end >> level,
    }
}

/// Calls `f` for each row of each picture of `to`, with the other buffers, the view of the maps,
/// the picture, the row, and its values from the first channel of the maps on.
fn each_row(
    buffers: &mut Buffers<'_>,
    to: &Place,
    f: impl Fn(&Buffers<'_>, View, usize, usize, &mut [f32]) + Sync,
) {
    let view = buffers.view(to);
    let mut memory = buffers.take(to.buffer);
    let shared = memory.shared();
    let others = &*buffers;
    parallel::each(view.n * view.height, &|item| {
        let (picture, row) = (item / view.height, item % view.height);
        let start = view.at(picture, row as isize, 0);
        let len = view.width * view.pixel - to.offset;
        // SAFETY: each item has another row.
        let line = unsafe { shared.part(start, len) };
        f(others, view, picture, row, line);
    });
    buffers.put(to.buffer, memory);
}
