//! Bytes <-> ternary digits: 30 bits in 19 digits.

const GROUP_BITS: usize = 30;
const GROUP_DIGITS: usize = 19;
const _: () = assert!(3_u64.pow(GROUP_DIGITS as u32) >= 1 << GROUP_BITS);

/// Bytes that so many digits hold.
pub(super) const fn capacity(n_digits: usize) -> usize {
    n_digits / GROUP_DIGITS * GROUP_BITS / 8
}

/// The digits of bytes, lowest first, followed by zeros.
pub(super) fn digits_of(bytes: &[u8], n_digits: usize) -> Vec<u8> {
    debug_assert!(bytes.len() <= capacity(n_digits));
    let mut digits = Vec::with_capacity(n_digits);
    let mut put = |mut group: u64| {
        for _ in 0..GROUP_DIGITS {
            digits.push((group % 3) as u8);
            group /= 3;
        }
    };
    let (mut ahead, mut n_ahead) = (0_u64, 0);
    for &byte in bytes {
        ahead |= u64::from(byte) << n_ahead;
        n_ahead += 8;
        if n_ahead >= GROUP_BITS {
            put(ahead & ((1 << GROUP_BITS) - 1));
            ahead >>= GROUP_BITS;
            n_ahead -= GROUP_BITS;
        }
    }
    if n_ahead > 0 {
        put(ahead);
    }
    digits.resize(n_digits, 0);
    digits
}

/// The bytes of digits. Groups of digits that no bytes give are wrong anyway, and give any bytes.
pub(super) fn bytes_of(digits: &[u8], n_bytes: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(n_bytes + 4);
    let (mut ahead, mut n_ahead) = (0_u64, 0);
    for digits in digits.chunks_exact(GROUP_DIGITS) {
        let group = digits
            .iter()
            .rev()
            .fold(0, |group, &digit| 3 * group + u64::from(digit));
        ahead |= (group & ((1 << GROUP_BITS) - 1)) << n_ahead;
        n_ahead += GROUP_BITS;
        while n_ahead >= 8 {
            bytes.push(ahead as u8);
            ahead >>= 8;
            n_ahead -= 8;
        }
    }
    bytes.truncate(n_bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for n_digits in [0, 18, 19, 38, 95, 1000] {
            let n_bytes = capacity(n_digits);
            let bytes: Vec<u8> = (0..n_bytes).map(|i| (255 - i * 7 % 256) as u8).collect();
            let digits = digits_of(&bytes, n_digits);
            assert_eq!(digits.len(), n_digits);
            assert!(digits.iter().all(|&digit| digit < 3));
            assert_eq!(bytes_of(&digits, n_bytes), bytes);
        }
        assert_eq!(capacity(95), 18);
    }
}
