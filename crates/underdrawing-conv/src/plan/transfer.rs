//! The steps of a plan that are not convolutions.

use super::buffers::{Buffers, Place, View};
use super::parts::Part;
use crate::layout::{Run, gather, scatter};
use crate::parallel;
use crate::shared::Shared;
use crate::simd::Simd;

/// Converts a part of an input, whose pictures have `height` rows, to the layout of the plan.
pub(super) fn read_input<S: Simd>(
    simd: S,
    buffers: &mut Buffers,
    input: &[f32],
    height: usize,
    part: &Part,
    to: &Place,
) {
    let channels = to.extent;
    each_row(buffers, to, |_, view, picture, row, line| {
        let area = height * view.width;
        let input = &input[picture * channels * area..][..channels * area];
        let run = Run {
            start: (part.from + row) * view.width,
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

/// Copies maps.
pub(super) fn copy(buffers: &mut Buffers, from: &Place, to: &Place) {
    let from_spot = buffers.view(from);
    let extent = from.extent;
    each_row(buffers, to, |buffers, view, picture, row, line| {
        let values = &buffers.get(from.buffer)[from_spot.at(picture, row as isize, 0)..];
        let pixels = values.chunks(from_spot.pixel);
        for (to, from) in line.chunks_mut(view.pixel).zip(pixels) {
            to[..extent].copy_from_slice(&from[..extent]);
        }
    });
}

/// Converts the rows of a part that are to be kept to NCHW, in pictures of `height` rows.
pub(super) fn write_output<S: Simd>(
    simd: S,
    buffers: &Buffers,
    from: &Place,
    height: usize,
    part: &Part,
    output: &mut [f32],
) {
    let view = buffers.view(from);
    let area = height * view.width;
    let channels = from.channels();
    assert_eq!(
        output.len(),
        view.n * channels * area,
        "length of an output"
    );
    let output = Shared::new(output);
    let rows = part.keep.len();
    parallel::each(view.n * rows, &|item| {
        let (picture, row) = (item / rows, part.keep.start + item % rows);
        let at = view.at(picture, (row - part.from) as isize, 0);
        let pixels = &buffers.get(from.buffer)[at..];
        let mut first = 0;
        for (start, count) in &from.parts {
            let run = Run {
                start: (picture * channels + first) * area + row * view.width,
                count: view.width,
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

/// Calls `f` for each row of each picture of `to`, with the other buffers, the view of the maps,
/// the picture, the row, and its values from the first channel of the maps on.
fn each_row(
    buffers: &mut Buffers,
    to: &Place,
    f: impl Fn(&Buffers, View, usize, usize, &mut [f32]) + Sync,
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
