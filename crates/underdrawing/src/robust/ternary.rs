//! Bytes <-> ternary digits: groups of bits in groups of digits.

/// How many bits a group of digits holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// 30 bits in 19 digits; digits that are left hold nothing.
    First,
    /// 84 bits in 53 digits, and as large a share in those that are left.
    Second,
}

impl Packing {
    /// Bits and digits of a group.
    const fn group(self) -> (usize, usize) {
        match self {
            Self::First => (30, 19),
            Self::Second => (84, 53),
        }
    }

    /// Bits of so many digits, at most a group.
    const fn bits(self, n_digits: usize) -> usize {
        let (bits, digits) = self.group();
        match self {
            Self::First if n_digits < digits => 0,
            _ => n_digits * bits / digits,
        }
    }

    /// Bytes that so many digits hold.
    pub(super) const fn capacity(self, n_digits: usize) -> usize {
        let (bits, digits) = self.group();
        (n_digits / digits * bits + self.bits(n_digits % digits)) / 8
    }

    /// The digits of bytes, lowest first, followed by zeros.
    pub(super) fn digits_of(self, bytes: &[u8], n_digits: usize) -> Vec<u8> {
        debug_assert!(bytes.len() <= self.capacity(n_digits));
        let mut bytes = bytes.iter();
        let (mut ahead, mut n_ahead) = (0_u128, 0);
        let mut digits = vec![0; n_digits];
        for digits in digits.chunks_mut(self.group().1) {
            let n_bits = self.bits(digits.len());
            while n_ahead < n_bits
                && let Some(&byte) = bytes.next()
            {
                ahead |= u128::from(byte) << n_ahead;
                n_ahead += 8;
            }
            let mut group = ahead & ((1 << n_bits) - 1);
            ahead >>= n_bits;
            n_ahead = n_ahead.saturating_sub(n_bits);
            for digit in digits {
                *digit = (group % 3) as u8;
                group /= 3;
            }
        }
        digits
    }

    /// The bytes of digits. Groups of digits that no bytes give are wrong anyway, and give any bytes.
    pub(super) fn bytes_of(self, digits: &[u8], n_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(n_bytes + 11);
        let (mut ahead, mut n_ahead) = (0_u128, 0);
        for digits in digits.chunks(self.group().1) {
            let n_bits = self.bits(digits.len());
            let group = digits
                .iter()
                .rev()
                .fold(0, |group, &digit| 3 * group + u128::from(digit));
            ahead |= (group & ((1 << n_bits) - 1)) << n_ahead;
            n_ahead += n_bits;
            while n_ahead >= 8 {
                bytes.push(ahead as u8);
                ahead >>= 8;
                n_ahead -= 8;
            }
        }
        bytes.truncate(n_bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for packing in [Packing::First, Packing::Second] {
            for n_digits in [0, 5, 6, 18, 19, 38, 52, 53, 54, 95, 1000, 12_345] {
                let n_bytes = packing.capacity(n_digits);
                let bytes: Vec<u8> = (0..n_bytes).map(|i| (255 - i * 7 % 256) as u8).collect();
                let digits = packing.digits_of(&bytes, n_digits);
                assert_eq!(digits.len(), n_digits);
                assert!(digits.iter().all(|&digit| digit < 3));
                assert_eq!(packing.bytes_of(&digits, n_bytes), bytes, "{n_digits}");
            }
        }
        assert_eq!(Packing::First.capacity(95), 18);
        assert_eq!(Packing::Second.capacity(95), 18);
        assert_eq!(Packing::First.capacity(10_000), 1972);
        assert_eq!(Packing::Second.capacity(10_000), 1981);
    }

    #[test]
    fn groups_hold_their_bits() {
        for packing in [Packing::First, Packing::Second] {
            for n in 1..=packing.group().1 {
                assert!(3_u128.pow(n as u32) >= 1 << packing.bits(n), "{n}");
            }
        }
    }
}
