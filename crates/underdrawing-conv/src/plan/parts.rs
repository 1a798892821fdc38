//! Division of large pictures into parts that are computed one after the other.

use super::buffers::Layout;
use crate::stretch::Stretch;

/// What parts begin and end at multiples of: the tiles of most convolutions.
const TILE: usize = 4;
/// Most rows and columns of a part that stays in a level-3 cache: with 100 values per pixel, it has
/// 8 MB. Small in tests, so that pictures are divided there.
const CACHED: [usize; 2] = if cfg!(test) { [24, 48] } else { [96, 192] };
/// Minimum height of such a part, in halos. Otherwise what is computed twice, in the halos, takes
/// more time than the cache saves.
const LEAST_CACHED: usize = if cfg!(test) { 2 } else { 16 };
/// Number of values in the buffers of a plan that a computer has room for: 512 MiB.
const MEMORY: usize = 1 << 27;
/// Minimum height and width of any part, in halos.
const LEAST: usize = 8;

/// A part of the pictures.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) rows: Stretch,
    pub(super) cols: Stretch,
}

/// The parts that pictures are divided into. A part includes a halo of as many pixels as its result
/// depends on, in whole tiles, so that the result is that of undivided pictures but for the last
/// digits. Sizes alone decide on the parts.
pub(super) fn parts(
    layout: &Layout,
    radius: usize,
    n: usize,
    [height, width]: [usize; 2],
) -> Vec<Part> {
    let halo = radius.next_multiple_of(TILE);
    let most = if layout.changes_size() {
        [height, width]
    } else if CACHED[0] >= LEAST_CACHED * halo {
        CACHED
    } else {
        let pixels = MEMORY / (n * layout.numbers_of_pixel()).max(1);
        let cols = width.min((2 * pixels).isqrt()).max(LEAST * halo);
        [(pixels / cols).max(LEAST * halo), cols]
    };
    let split = |size, most| Stretch::split(size, most, radius, TILE).collect::<Vec<_>>();
    let cols = split(width, most[1]);
    let rows = split(height, most[0]);
    rows.into_iter()
        .flat_map(|rows| cols.iter().map(move |cols| Part { rows, cols: *cols }))
        .collect()
}
