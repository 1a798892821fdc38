//! Division of large pictures into strips.

use super::buffers::Buffers;
use crate::transform::TILE;

/// Maximum number of values in the buffers of a plan, if possible: 512 MiB. Small in tests, so that
/// pictures are divided there.
const MOST_NUMBERS: usize = if cfg!(test) { 1 << 17 } else { 1 << 27 };
/// Minimum number of rows of a strip over those of the halo, which is computed twice and would
/// otherwise take most of the time.
const MIN_STRIP: usize = 8;

/// Rows of the pictures that are computed at a time.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) from: usize,
    pub(super) to: usize,
    /// The rows with correct results.
    pub(super) keep: std::ops::Range<usize>,
}

/// The parts that pictures are divided into: a single one, or strips if that would take too much
/// memory. A strip includes a halo of as many rows as its result depends on. The halo consists of
/// whole tiles, so the result is identical to that of undivided pictures.
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
