//! Mean magnitudes by context, and from magnitudes to scales.

/// Fraction bits of a magnitude, in steps of the quantiser.
pub(crate) const SIZE_BITS: u32 = 12;

/// Least magnitude told apart: 1/16.
pub(crate) const MIN_SIZE: i32 = 1 << (SIZE_BITS - 4);
pub(crate) const MAX_SIZE: i32 = 1 << (SIZE_BITS + 12);

/// Classes of [`class`].
pub(crate) const CLASSES: usize = 64;

/// Quarter octaves of a magnitude with 12 fraction bits: 0 at 1/16, 16 at 1, 63 at about 3500.
#[inline(always)]
pub(crate) fn class(size: i32) -> usize {
    let size = size.clamp(MIN_SIZE, MAX_SIZE - 1) as u32;
    let log = size.ilog2();
    (4 * (log - 8) + (size >> (log - 2) & 3)) as usize
}

/// One by the scale of a logistic distribution of this mean magnitude, in cells, which are two
/// steps wide; 16 fraction bits.
#[inline(always)]
pub(crate) fn inverse(size: i32) -> i32 {
    // Mean magnitude is 2 ln 2 scales: 65536 * 2 * 1.386 * 4096.
    744_261_118 / size.clamp(MIN_SIZE, MAX_SIZE)
}

/// Sizes of eighths of an octave above one, 12 fraction bits.
const EIGHTHS: [i32; 8] = [4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512];

/// Half way between the sizes of two classes, by their logarithms.
pub(crate) fn size_between(a: usize, b: usize) -> i32 {
    let eighths = a + b;
    (EIGHTHS[eighths % 8] << (eighths / 8)) >> 4
}

/// A mean that settles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mean {
    value: i32,
    seen: i32,
}

impl Mean {
    pub(crate) fn new(value: i32) -> Self {
        Self { value, seen: 0 }
    }

    #[inline(always)]
    pub(crate) fn value(&self) -> i32 {
        self.value
    }

    /// Takes a value in; about `limit` are remembered.
    #[inline(always)]
    pub(crate) fn update(&mut self, value: i32, limit: i32) {
        self.seen += i32::from(self.seen < limit);
        self.value += (value - self.value) / (self.seen + 1);
    }
}
