//! Strips that large pictures are computed in.

use super::memory::Buffers;
use crate::transform::TILE;

/// Most numbers in the buffers of a plan at a time, if there is a way: 512 MiB. Few in tests, so
/// that there is something to divide.
const MOST_NUMBERS: usize = if cfg!(test) { 1 << 17 } else { 1 << 27 };
/// Rows computed at a time, at least, over those of the border that is computed again: else that
/// takes most of the time.
const MIN_STRIP: usize = 8;

/// Rows of the pictures that are computed at a time.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) to: usize,
    /// Those of them that are right.
    pub(super) keep: std::ops::Range<usize>,
}

/// The parts that the pictures are computed in: whole, or where that takes too much memory,
/// in strips. A strip is computed with as many rows around it as the result depends on. These
/// are whole tiles, so that the result is the same, to the bit, as that of whole pictures.
pub(super) fn parts(
    buffers: &Buffers,
    radius: usize,
    n: usize,
    [height, width]: [usize; 2],
) -> Vec<Part> {
    let whole = Part {
        from: 0,
        to: height,
        keep: 0..height,
    };
    let halo = radius.next_multiple_of(TILE);
    let numbers_of_row = n * width * buffers.numbers_of_pixel();
    let rows = MOST_NUMBERS / numbers_of_row.max(1);
    if buffers.changes_size() || height <= rows.max(MIN_STRIP * halo) {
        return vec![whole];
    }
    let strip = (rows.max(MIN_STRIP * halo) - 2 * halo) / TILE * TILE;
    let strips = (0..height).step_by(strip.max(TILE));
    strips
        .map(|top| {
            let end = height.min(top + strip.max(TILE));
            Part {
                from: top.saturating_sub(halo),
                to: height.min(end + halo),
                keep: top..end,
            }
        })
        .collect()
}
