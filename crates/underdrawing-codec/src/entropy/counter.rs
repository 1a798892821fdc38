//! Chances that adapt to the bits that they predict.

/// A chance that adapts at two rates: a slow one, which settles as more bits are seen, and a quick
/// one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    slow: u16,
    quick: u16,
    seen: u8,
}

/// `65536 / (n + 1.6)`: the weight of the next bit after `n`.
static WEIGHTS: [u16; 256] = weights();

const fn weights() -> [u16; 256] {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = (655_360 / (10 * n as u32 + 16)) as u16;
        n += 1;
    }
    table
}

impl Counter {
    /// Starts at a chance of `chance` / 65536 for a one.
    pub(crate) const fn new(chance: u16) -> Self {
        Self {
            slow: chance,
            quick: chance,
            seen: 0,
        }
    }

    /// The slow chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn slow(&self) -> u16 {
        self.slow
    }

    /// The quick chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn quick(&self) -> u16 {
        self.quick
    }

    /// The mean of the slow and the quick chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn chance(&self) -> u16 {
        ((u32::from(self.slow) + u32::from(self.quick)) >> 1) as u16
    }

    /// Takes a bit in. The slow chance remembers `limit` bits, the quick one moves by a fraction of
    /// 2^-`rate`.
    #[inline(always)]
    pub(crate) fn update(&mut self, bit: bool, limit: u8, rate: u32) {
        let target = if bit { 65535 } else { 0 };
        let weight = i64::from(WEIGHTS[usize::from(self.seen)]);
        self.slow = moved(self.slow, target, |gap| {
            ((i64::from(gap) * weight) >> 16) as i32
        });
        self.quick = moved(self.quick, target, |gap| gap >> rate);
        self.seen += u8::from(self.seen < limit);
    }
}

/// `from`, moved towards `target` by `step` of the distance and kept within 1 to 65535.
#[inline(always)]
fn moved(from: u16, target: i32, step: impl Fn(i32) -> i32) -> u16 {
    let from = i32::from(from);
    (from + step(target - from)).clamp(1, 65535) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chances_find_the_share_of_ones() {
        let mut counter = Counter::new(32768);
        for i in 0..3000 {
            counter.update(i % 4 == 0, 255, 5);
        }
        for chance in [counter.slow(), counter.quick()] {
            assert!((14_000..=19_500).contains(&chance), "{chance}");
        }
    }

    #[test]
    fn chances_stay_in_range_and_reach_the_ends() {
        for bit in [false, true] {
            let mut counter = Counter::new(32768);
            for _ in 0..20_000 {
                counter.update(bit, 255, 4);
                assert!((1..=65535).contains(&counter.quick()));
            }
            let unlikely = if bit {
                65536 - u32::from(counter.slow())
            } else {
                counter.slow().into()
            };
            assert!(unlikely < 300, "{unlikely}");
        }
    }
}
