//! The steps of a plan that aren't convolutions.

use rayon::prelude::*;

use super::memory::{Buffers, Place, Spot};
use super::parts::Part;
use crate::layout::{Run, Shared, gather, scatter};
use crate::simd::Simd;

/// Brings a part of an input, whose pictures have `height` rows, into the layout.
pub(super) fn enter<S: Simd>(
    simd: S,
    buffers: &mut Buffers,
    input: &[f32],
    height: usize,
    part: &Part,
    to: &Place,
) {
    let channels = to.extent;
    each_row(buffers, to, |_, spot, picture, row, line| {
        let area = height * spot.width;
        let input = &input[picture * channels * area..][..channels * area];
        let run = Run {
            start: (part.from + row) * spot.width,
            count: spot.width,
            plane: area,
            channels,
        };
        simd.run(
            #[inline(always)]
            || gather(simd, input, run, line, spot.pixel),
        );
    });
}

/// Copies maps.
pub(super) fn copy(buffers: &mut Buffers, from: &Place, to: &Place) {
    let from_spot = buffers.spot(from);
    let extent = from.extent;
    each_row(buffers, to, |buffers, spot, picture, row, line| {
        let numbers = &buffers.get(from.buffer)[from_spot.at(picture, row as isize, 0)..];
        let pixels = numbers.chunks(from_spot.pixel);
        for (to, from) in line.chunks_mut(spot.pixel).zip(pixels) {
            to[..extent].copy_from_slice(&from[..extent]);
        }
    });
}

/// Brings the right rows of a part of maps into NCHW, pictures of `height` rows.
pub(super) fn leave<S: Simd>(
    simd: S,
    buffers: &Buffers,
    from: &Place,
    height: usize,
    part: &Part,
    output: &mut [f32],
) {
    let spot = buffers.spot(from);
    let area = height * spot.width;
    let channels = from.channels();
    assert_eq!(
        output.len(),
        spot.n * channels * area,
        "length of an output"
    );
    let output = Shared::new(output);
    let rows = part.keep.len();
    (0..spot.n * rows).into_par_iter().for_each(|item| {
        let (picture, row) = (item / rows, part.keep.start + item % rows);
        let at = spot.at(picture, (row - part.from) as isize, 0);
        let pixels = &buffers.get(from.buffer)[at..];
        let mut first = 0;
        for (start, count) in &from.parts {
            let run = Run {
                start: (picture * channels + first) * area + row * spot.width,
                count: spot.width,
                plane: area,
                channels: *count,
            };
            simd.run(
                #[inline(always)]
                || {
                    // SAFETY: each item has another row.
                    unsafe { scatter(simd, &pixels[*start..], spot.pixel, output, run) };
                },
            );
            first += count;
        }
    });
}

/// Calls `f` for each row of each picture of `to`, with what else there is, the maps' spot, the
/// picture, the row, and the row's numbers from the first channel of the maps on.
fn each_row(
    buffers: &mut Buffers,
    to: &Place,
    f: impl Fn(&Buffers, Spot, usize, usize, &mut [f32]) + Sync,
) {
    let spot = buffers.spot(to);
    let mut memory = buffers.take(to.buffer);
    let shared = memory.shared();
    let others = &*buffers;
    (0..spot.n * spot.height).into_par_iter().for_each(|item| {
        let (picture, row) = (item / spot.height, item % spot.height);
        let start = spot.at(picture, row as isize, 0);
        let len = spot.width * spot.pixel - to.offset;
        // SAFETY: each item has another row.
        let line = unsafe { shared.part(start, len) };
        f(others, spot, picture, row, line);
    });
    buffers.put(to.buffer, memory);
}
