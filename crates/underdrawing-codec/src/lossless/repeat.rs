//! Repetitions: whether a pixel has the colour of a neighbour, or the colour that followed the same
//! neighbourhood before.

use super::{Neighbours, Pixel};
use crate::entropy::{BitCoder, Counter, Mixer, RangeCoder, stretch};

/// The most candidates that are tried.
const MAX_ASKED: usize = 4;

/// Sources of candidates: two tables with three degrees of confidence each, four neighbours.
const SOURCES: usize = 10;

/// Patterns of which neighbours are equal.
const PATTERNS: usize = 32;

/// Classes of the length of a run of repetitions, one for each power of two.
const RUNS: usize = 16;

/// A colour that followed a neighbourhood.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    colour: u32,
    /// How often it was right, up to 15; 0 if nothing is known.
    trust: u8,
}

/// Codes repetitions, and remembers which colours followed which neighbourhoods.
pub(super) struct Repeater {
    /// Entries by a wide neighbourhood and by a narrow one.
    tables: [Vec<Entry>; 2],
    slots: [usize; 2],
    by_pattern: Vec<Counter>,
    by_run: Vec<Counter>,
    mixer: Mixer<8, 1>,
    /// Repetitions since the last pixel that was not one.
    run: u32,
}

#[inline(always)]
fn packed(p: Pixel) -> u32 {
    (p[0] | p[1] << 8 | p[2] << 16) as u32
}

#[inline(always)]
fn unpacked(colour: u32) -> Pixel {
    [colour & 255, colour >> 8 & 255, colour >> 16 & 255].map(|v| v as i32)
}

impl Repeater {
    pub(super) fn new(n_pixels: usize) -> Self {
        let size = n_pixels.next_power_of_two().clamp(1 << 8, 1 << 16);
        let mut weights = [0; 8];
        weights[..4].fill(3 << 18);
        Self {
            tables: std::array::from_fn(|_| vec![Entry::default(); size]),
            slots: [0; 2],
            by_pattern: vec![Counter::new(32768); PATTERNS * SOURCES * MAX_ASKED],
            by_run: vec![Counter::new(32768); RUNS * SOURCES * MAX_ASKED],
            mixer: Mixer::new(vec![weights; SOURCES * MAX_ASKED]),
            run: 0,
        }
    }

    /// Codes whether the pixel is a repetition, and returns it if so. When reading, `pixel` is
    /// ignored.
    #[inline(always)]
    pub(super) fn code(
        &mut self,
        coder: &mut RangeCoder,
        neighbours: &Neighbours,
        pixel: Pixel,
    ) -> Option<Pixel> {
        let [w, ww, n, nw, ne, nn] = [
            neighbours.west,
            neighbours.west_2,
            neighbours.north,
            neighbours.north_west,
            neighbours.north_east,
            neighbours.north_2,
        ]
        .map(packed);
        let mut hash = 0u32;
        let mut add = |colour: u32| {
            hash = (hash ^ colour).wrapping_mul(0x9e37_79b1).rotate_left(13);
            hash
        };
        let mut narrow = 0;
        for colour in [w, ww, n, nw, ne, nn, packed(neighbours.north_2_east)] {
            narrow = add(colour);
        }
        let mut wide = narrow;
        for pixel in neighbours.far {
            wide = add(packed(pixel));
        }
        self.slots = [wide, narrow].map(|hash| hash as usize % self.tables[0].len());
        let [wide, narrow] = [0, 1].map(|i| self.tables[i][self.slots[i]]);
        let equal = [w == nw, n == nw, n == ne, w == ww, n == nn];
        if wide.trust.max(narrow.trust) < 2 && !equal.contains(&true) {
            self.run = 0;
            return None;
        }
        let pattern = equal.iter().fold(0, |p, &e| 2 * p + usize::from(e));
        let wanted = packed(pixel);
        let known = |entry: Entry, source: usize| match entry.trust {
            0 => None,
            1 => Some((entry.colour, source)),
            2..=4 => Some((entry.colour, source + 1)),
            _ => Some((entry.colour, source + 2)),
        };
        let known = [known(wide, 0), known(narrow, 3)];
        let neighbours = [Some((w, 6)), Some((n, 7)), Some((ne, 8)), Some((nw, 9))];
        let mut asked = [0; MAX_ASKED];
        let mut n_asked = 0;
        for (colour, source) in known.into_iter().chain(neighbours).flatten() {
            if n_asked == MAX_ASKED || asked[..n_asked].contains(&colour) {
                continue;
            }
            if self.flag(
                coder,
                wanted == colour,
                pattern,
                source * MAX_ASKED + n_asked,
            ) {
                self.run += 1;
                return Some(unpacked(colour));
            }
            asked[n_asked] = colour;
            n_asked += 1;
        }
        self.run = 0;
        None
    }

    #[inline(always)]
    fn flag(&mut self, coder: &mut RangeCoder, bit: bool, pattern: usize, kind: usize) -> bool {
        let kinds = SOURCES * MAX_ASKED;
        let run = (32 - self.run.leading_zeros() as usize).min(RUNS - 1);
        let a = &mut self.by_pattern[pattern * kinds + kind];
        let b = &mut self.by_run[run * kinds + kind];
        let chances = [a.slow(), a.quick(), b.slow(), b.quick()];
        let mut inputs = [0; 8];
        for i in 0..4 {
            inputs[i] = stretch(chances[i]);
        }
        inputs[4] = 256;
        let bit = coder.code(bit, self.mixer.mix(&inputs, [kind]));
        self.mixer.update(bit, 24);
        a.update(bit, 255, 4);
        b.update(bit, 255, 4);
        bit
    }

    /// Remembers that `pixel` followed the last neighbourhood.
    #[inline(always)]
    pub(super) fn learn(&mut self, pixel: Pixel) {
        let colour = packed(pixel);
        for (table, &slot) in self.tables.iter_mut().zip(&self.slots) {
            let entry = &mut table[slot];
            if entry.trust > 0 && entry.colour == colour {
                entry.trust = (entry.trust + 1).min(15);
            } else if entry.trust > 2 {
                entry.trust /= 2;
            } else {
                *entry = Entry { colour, trust: 1 };
            }
        }
    }
}
