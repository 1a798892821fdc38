//! Chances that follow the bits they are asked about.

/// A chance at two rates: one that settles as more bits are seen, one that stays quick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adaptive {
    slow: u16,
    fast: u16,
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

impl Adaptive {
    /// Starts at a chance of `chance` / 65536 for a one.
    pub(crate) const fn new(chance: u16) -> Self {
        Self {
            slow: chance,
            fast: chance,
            seen: 0,
        }
    }

    /// The settled chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn slow(&self) -> u16 {
        self.slow
    }

    /// The quick chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn fast(&self) -> u16 {
        self.fast
    }

    /// Half way between the settled and the quick chance, 1 to 65535.
    #[inline(always)]
    pub(crate) fn chance(&self) -> u16 {
        ((u32::from(self.slow) + u32::from(self.fast)) >> 1) as u16
    }

    /// Takes a bit in. `limit` is how many bits the settled chance remembers, `rate` the quick
    /// one's shift.
    #[inline(always)]
    pub(crate) fn update(&mut self, bit: bool, limit: u8, rate: u32) {
        let target = if bit { 65535 } else { 0 };
        let weight = i64::from(WEIGHTS[usize::from(self.seen)]);
        self.slow = moved(self.slow, target, |gap| {
            ((i64::from(gap) * weight) >> 16) as i32
        });
        self.fast = moved(self.fast, target, |gap| gap >> rate);
        self.seen += u8::from(self.seen < limit);
    }
}

/// `from` moved towards `target` by `step` of their distance, kept within 1 to 65535.
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
        let mut adaptive = Adaptive::new(32768);
        for i in 0..3000 {
            adaptive.update(i % 4 == 0, 255, 5);
        }
        for chance in [adaptive.slow(), adaptive.fast()] {
            assert!((14_000..=19_500).contains(&chance), "{chance}");
        }
    }

    #[test]
    fn chances_stay_in_range_and_reach_the_ends() {
        for bit in [false, true] {
            let mut adaptive = Adaptive::new(32768);
            for _ in 0..20_000 {
                adaptive.update(bit, 255, 4);
                assert!((1..=65535).contains(&adaptive.fast()));
            }
            let unlikely = if bit {
                65536 - u32::from(adaptive.slow())
            } else {
                adaptive.slow().into()
            };
            assert!(unlikely < 300, "{unlikely}");
        }
    }
}
