//! Mean magnitudes in contexts, and the scales of distributions that have them.

/// Fraction bits of a magnitude, which is in steps.
pub(crate) const SIZE_BITS: u32 = 12;

/// Smallest and largest magnitude that are distinguished: 1/16 and 4096.
pub(crate) const MIN_SIZE: i32 = 1 << (SIZE_BITS - 4);
pub(crate) const MAX_SIZE: i32 = 1 << (SIZE_BITS + 12);

/// Number of classes.
pub(crate) const CLASSES: usize = 64;

/// The class of a magnitude with 12 fraction bits, in quarter octaves: 0 at 1/16, 16 at 1, 63 at
/// about 3500.
#[inline(always)]
pub(crate) fn class(size: i32) -> usize {
    let size = size.clamp(MIN_SIZE, MAX_SIZE - 1) as u32;
    let log = size.ilog2();
    (4 * (log - 8) + (size >> (log - 2) & 3)) as usize
}

/// The reciprocal of a logistic distribution's scale, with 16 fraction bits, given its mean
/// magnitude. The scale is in cells, which are two steps wide.
#[inline(always)]
pub(crate) fn inverse(size: i32) -> i32 {
    // The mean magnitude is 2 ln 2 times the scale: 65536 * 2 * 1.386 * 4096.
    744_261_118 / size.clamp(MIN_SIZE, MAX_SIZE)
}

/// `2^(i / 8)` with 12 fraction bits.
const EIGHTHS: [i32; 8] = [4096, 4467, 4871, 5312, 5793, 6317, 6889, 7512];

/// The geometric mean of the sizes of two classes.
pub(crate) fn size_between(a: usize, b: usize) -> i32 {
    let eighths = a + b;
    (EIGHTHS[eighths % 8] << (eighths / 8)) >> 4
}

/// A running mean: of all values at first, later mostly of recent ones.
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

    /// Takes a value in. About `limit` of them are remembered.
    #[inline(always)]
    pub(crate) fn update(&mut self, value: i32, limit: i32) {
        self.seen += i32::from(self.seen < limit);
        self.value += (value - self.value) / (self.seen + 1);
    }
}
