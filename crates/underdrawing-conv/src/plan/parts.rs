//! Division of large pictures into parts that are computed one after the other.

use super::buffers::Layout;
use crate::stretch::Stretch;
use crate::transform::TILE;

/// Number of values in the buffers of a plan that a level-3 cache has room for: 8 MiB. Small in
/// tests, so that pictures are divided there.
const CACHE: usize = if cfg!(test) { 1 << 17 } else { 1 << 21 };
/// Number of values that a computer has room for: 512 MiB.
const MEMORY: usize = 1 << 27;
/// Minimum height of a part for [`CACHE`], in halos. Otherwise what is computed twice, in the halos,
/// takes more time than the cache saves.
const LEAST_FOR_CACHE: usize = if cfg!(test) { 2 } else { 16 };
/// Minimum height of any part, in halos.
const LEAST: usize = 8;

/// A part of the pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) rows: Stretch,
    pub(super) cols: Stretch,
}

/// The parts that pictures are divided into. A part includes a halo of as many pixels as its result
/// depends on. The halo consists of whole tiles, so the result is identical to that of undivided
/// pictures.
pub(super) fn parts(
    layout: &Layout,
    radius: usize,
    n: usize,
    [height, width]: [usize; 2],
) -> Vec<Part> {
    let halo = radius.next_multiple_of(TILE);
    let numbers_of_pixel = n * layout.numbers_of_pixel().max(1);
    let most = if layout.changes_size() {
        [height, width]
    } else {
        let [cache, memory] = [CACHE, MEMORY].map(|numbers| numbers / numbers_of_pixel);
        let small = sides(cache, width);
        if small[0] >= LEAST_FOR_CACHE * halo {
            small
        } else {
            sides(memory, width).map(|side| side.max(LEAST * halo))
        }
    };
    let split = |size, most| Stretch::split(size, most, radius, TILE).collect::<Vec<_>>();
    let cols = split(width, most[1]);
    let rows = split(height, most[0]);
    rows.into_iter()
        .flat_map(|rows| cols.iter().map(move |cols| Part { rows, cols: *cols }))
        .collect()
}

/// Height and width of a part of so many pixels: as wide as the pictures, or twice as wide as high.
fn sides(pixels: usize, width: usize) -> [usize; 2] {
    let width = width.min((2 * pixels).isqrt()).max(1);
    [pixels / width, width]
}
