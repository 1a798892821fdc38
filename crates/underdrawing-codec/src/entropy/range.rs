//! A binary range coder without carries.
//!
//! `low` and `high` are the first and the last number of what is left of the interval [0, 2^64).
//! Their common leading bytes are written as soon as there are any. An interval that straddles a
//! byte boundary stays small for a while; with 64 bits, the cost of that is too small to measure.

use super::BitCoder;

/// Writes bits, or reads them.
///
/// It is one type for both, so that the larger models are compiled only once. The processor
/// predicts the branches on the direction. They matter only in the quickest models, which use
/// [`Writing`] and [`Reading`].
#[derive(Debug)]
pub(crate) struct RangeCoder<'a> {
    reads: bool,
    low: u64,
    high: u64,
    /// The number inside the interval that is being read.
    value: u64,
    /// Bytes to read. They are followed by zeros, so that any bytes decode to something.
    unread: &'a [u8],
    written: Vec<u8>,
}

/// Where an interval is cut: numbers up to and including this mean a one.
///
/// In an interval of fewer than 2^16 numbers this is `low`, so both parts still have a number.
#[inline(always)]
fn middle(low: u64, high: u64, chance: u16) -> u64 {
    low + ((high - low) >> 16) * u64::from(chance)
}

impl<'a> RangeCoder<'a> {
    /// A coder that writes; [`Self::finish`] gives the bytes.
    pub(crate) fn writer() -> Self {
        Self {
            reads: false,
            low: 0,
            high: u64::MAX,
            value: 0,
            unread: &[],
            written: Vec::new(),
        }
    }

    /// A coder that reads what was written.
    pub(crate) fn reader(bytes: &'a [u8]) -> Self {
        let mut first = [0; 8];
        let (start, unread) = bytes.split_at(bytes.len().min(8));
        first[..start.len()].copy_from_slice(start);
        Self {
            reads: true,
            value: u64::from_be_bytes(first),
            unread,
            ..Self::writer()
        }
    }

    /// Whether it reads; else it writes.
    pub(crate) fn reads(&self) -> bool {
        self.reads
    }

    /// Bytes written so far; up to eight more follow.
    pub(crate) fn len(&self) -> usize {
        self.written.len()
    }

    /// Ends writing with the fewest bytes that, followed by zeros, give a number inside the
    /// interval.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        for kept in 0..=8 {
            let below = u64::MAX.checked_shr(8 * kept).unwrap_or(0);
            let Some(up) = self.low.checked_add(below) else {
                continue;
            };
            let number = up & !below;
            if number <= self.high {
                self.written
                    .extend_from_slice(&number.to_be_bytes()[..kept as usize]);
                break;
            }
        }
        while self.written.last() == Some(&0) {
            self.written.pop();
        }
        self.written
    }

    #[inline(always)]
    fn write(&mut self, bit: bool, chance: u16) {
        self.narrow(bit, middle(self.low, self.high, chance));
        while (self.low ^ self.high) >> 56 == 0 {
            self.written.push((self.high >> 56) as u8);
            self.shift();
        }
    }

    #[inline(always)]
    fn read(&mut self, chance: u16) -> bool {
        let middle = middle(self.low, self.high, chance);
        let bit = self.value <= middle;
        self.narrow(bit, middle);
        while (self.low ^ self.high) >> 56 == 0 {
            let (byte, rest) = self.unread.split_first().unwrap_or((&0, &[]));
            self.unread = rest;
            self.value = self.value << 8 | u64::from(*byte);
            self.shift();
        }
        bit
    }

    /// Keeps the part of the interval that stands for `bit`.
    #[inline(always)]
    fn narrow(&mut self, bit: bool, middle: u64) {
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
    }

    /// Drops the highest byte of the interval's ends.
    #[inline(always)]
    fn shift(&mut self) {
        self.low <<= 8;
        self.high = self.high << 8 | 0xff;
    }
}

impl BitCoder for RangeCoder<'_> {
    #[inline(always)]
    fn code(&mut self, bit: bool, chance: u16) -> bool {
        // Branches, not a selection: what follows must not wait for `read` where it is not needed.
        if self.reads {
            self.read(chance)
        } else {
            self.write(bit, chance);
            bit
        }
    }
}

/// A coder that writes.
pub(crate) struct Writing<'a, 'b>(pub(crate) &'a mut RangeCoder<'b>);

impl BitCoder for Writing<'_, '_> {
    #[inline(always)]
    fn code(&mut self, bit: bool, chance: u16) -> bool {
        self.0.write(bit, chance);
        bit
    }
}

/// A coder that reads.
pub(crate) struct Reading<'a, 'b>(pub(crate) &'a mut RangeCoder<'b>);

impl BitCoder for Reading<'_, '_> {
    #[inline(always)]
    fn code(&mut self, _: bool, chance: u16) -> bool {
        self.0.read(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CostEstimator;
    use super::*;

    /// Bits and their chances: from a linear congruential generator, skewed in all degrees.
    fn sequence(n: usize, seed: u64) -> Vec<(bool, u16)> {
        let mut state = seed;
        let mut next = move || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as u32
        };
        (0..n)
            .map(|_| {
                let chance = ((next() & 0xffff) >> (next() % 16)).clamp(1, 65535) as u16;
                let chance = if next() & 1 == 0 {
                    chance
                } else {
                    (65536 - u32::from(chance)) as u16
                };
                (next() & 0xffff < u32::from(chance), chance)
            })
            .collect()
    }

    #[test]
    fn bits_come_back_at_the_cost_that_was_counted() {
        for (n, seed) in [(0, 1), (1, 2), (7, 3), (1000, 4), (60_000, 5)] {
            let bits = sequence(n, seed);
            let [mut encoder, mut same] = [RangeCoder::writer(), RangeCoder::writer()];
            let mut counter = CostEstimator::default();
            for &(bit, chance) in &bits {
                encoder.code(bit, chance);
                Writing(&mut same).code(bit, chance);
                counter.code(bit, chance);
            }
            let bytes = encoder.finish();
            assert_eq!(same.finish(), bytes);
            let spent = (8 * bytes.len()) as f64;
            assert!((spent - counter.bits()).abs() < 10.0 + 1e-4 * spent);
            let [mut decoder, mut same] = [RangeCoder::reader(&bytes), RangeCoder::reader(&bytes)];
            for &(bit, chance) in &bits {
                assert_eq!(decoder.code(false, chance), bit);
                assert_eq!(Reading(&mut same).code(false, chance), bit);
            }
        }
    }

    #[test]
    fn the_unlikely_comes_back_too() {
        // Always the least likely bit: the interval shrinks as fast as it can.
        for value in [false, true] {
            let chance = if value { 1 } else { 65535 };
            let mut encoder = RangeCoder::writer();
            for _ in 0..1000 {
                encoder.code(value, chance);
            }
            let bytes = encoder.finish();
            let mut decoder = RangeCoder::reader(&bytes);
            assert!((0..1000).all(|_| decoder.code(!value, chance) == value));
        }
    }

    #[test]
    fn a_straddling_interval_of_one_step_still_codes_both() {
        // The narrowest possible interval: two numbers on either side of a byte boundary.
        for bit in [false, true] {
            let (low, high) = ((1 << 56) - 1, 1 << 56);
            let mut encoder = RangeCoder {
                low,
                high,
                ..RangeCoder::writer()
            };
            encoder.code(bit, 65535);
            assert_eq!(encoder.len(), 8);
            let mut decoder = RangeCoder {
                low,
                high,
                ..RangeCoder::reader(&encoder.written)
            };
            assert_eq!(decoder.code(!bit, 65535), bit);
        }
    }

    #[test]
    fn every_truncation_decodes_to_something() {
        let bits = sequence(3000, 6);
        let mut encoder = RangeCoder::writer();
        for &(bit, chance) in &bits {
            encoder.code(bit, chance);
        }
        let bytes = encoder.finish();
        for end in 0..bytes.len() {
            let mut decoder = RangeCoder::reader(&bytes[..end]);
            let same = bits
                .iter()
                .take_while(|&&(bit, chance)| decoder.code(false, chance) == bit)
                .count();
            for &(_, chance) in &bits {
                decoder.code(false, chance);
            }
            // Bits further before the cut than the coder's register are read as they were written.
            if end == bytes.len() / 2 {
                assert!(same > bits.len() / 4 && same < bits.len());
            }
        }
    }
}
