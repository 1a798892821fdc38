//! Bytes to digits of mixed radix and back, at almost no loss (`docs/format.md`, section 3.3).
//!
//! The digits are what an asymmetric numeral system with equally likely symbols (Duda 2013) decodes
//! from the bytes; taking them back is its encoder, run from the last digit to the first. A state
//! below [`END`] is filled with 32 more bits while there are any, and drained to zero after.

/// Largest radix.
pub(super) const MAX_RADIX: u8 = 15;

/// Lower end of the state while words remain: a multiple of every odd radix up to [`MAX_RADIX`],
/// which makes each step reversible.
const LOW: u64 = 45_045 << 15;

/// The first state: this bit above 56 bits of data. It lies in `LOW..LOW << 32`.
const FIRST: u64 = 1 << 61;

/// Bits that the digits must hold beyond all words, so that the state ends at zero: the first
/// state's 62, and one for the rounding of the divisions.
const OVERHEAD_BITS: u64 = 63;

/// Most bits that a run of digits loses: those of a run too short for the overhead, or else what
/// the overhead takes beyond the first state's data, and a word that is not full.
pub(super) const MOST_LOST_BITS: u64 = OVERHEAD_BITS + 1;

/// States from which a word is taken before a digit of each radix is added.
const FULL: [u64; MAX_RADIX as usize + 1] = {
    let mut full = [0; MAX_RADIX as usize + 1];
    let mut radix = 1;
    while radix <= MAX_RADIX as u64 {
        full[radix as usize] = (LOW / radix) << 32;
        radix += 1;
    }
    full
};

/// Bytes of data in the first state.
const FIRST_BYTES: usize = 7;

/// `floor(log2(radix) * 2^20)`.
const LOG2_Q20: [u64; MAX_RADIX as usize + 1] = [
    0, 0, 1_048_576, 1_661_953, 2_097_152, 2_434_718, 2_710_529, 2_943_724, 3_145_728, 3_323_907,
    3_483_294, 3_627_476, 3_759_105, 3_880_192, 3_992_300, 4_096_671,
];

/// Bits that a digit of `radix` (up to 15) holds.
///
/// From the table and not from the platform's logarithm, since it decides what is hidden where.
pub(super) fn bits(radix: u8) -> f64 {
    LOG2_Q20[usize::from(radix)] as f64 / f64::from(1 << 20)
}

/// Bytes that digits of these radices hold.
pub(super) fn capacity(radices: &[u8]) -> usize {
    capacity_of_bits(radices.iter().map(|&r| LOG2_Q20[usize::from(r)]).sum())
}

/// Bytes that `n` digits of one radix hold.
pub(super) fn uniform_capacity(radix: u8, n: usize) -> usize {
    capacity_of_bits(LOG2_Q20[usize::from(radix)] * n as u64)
}

fn capacity_of_bits(bits_q20: u64) -> usize {
    let bits = bits_q20 >> 20;
    if bits < OVERHEAD_BITS {
        return 0;
    }
    FIRST_BYTES + 4 * ((bits - OVERHEAD_BITS) / 32) as usize
}

/// The digits that hold `bytes`, one for each radix: each below its radix, 0 where that is 1.
///
/// `bytes` has the length of [`capacity`].
pub(super) fn digits_from_bytes(bytes: &[u8], radices: &[u8], digits: &mut [u8]) {
    debug_assert_eq!(bytes.len(), capacity(radices));
    debug_assert_eq!(digits.len(), radices.len());
    let Some((first, words)) = bytes.split_at_checked(FIRST_BYTES) else {
        digits.fill(0);
        return;
    };
    let mut state = [0; 8];
    state[..FIRST_BYTES].copy_from_slice(first);
    let mut state = u64::from_le_bytes(state) | FIRST;
    let (words, _) = words.as_chunks::<4>();
    let mut words = words.iter();
    for (digit, &radix) in digits.iter_mut().zip(radices) {
        let (quotient, rest) = divide(state, radix);
        *digit = rest;
        state = quotient;
        if state < LOW
            && let Some(word) = words.next()
        {
            state = state << 32 | u64::from(u32::from_le_bytes(*word));
        }
    }
    debug_assert_eq!(state, 0, "the digits hold all bytes");
}

/// The bytes that `digits` hold; `bytes` has the length of [`capacity`].
///
/// Digits that no bytes gave, of a damaged picture, lead to arbitrary bytes.
pub(super) fn bytes_from_digits(digits: &[u8], radices: &[u8], bytes: &mut [u8]) {
    debug_assert_eq!(bytes.len(), capacity(radices));
    let Some((first, words)) = bytes.split_at_mut_checked(FIRST_BYTES) else {
        return;
    };
    let (words, _) = words.as_chunks_mut::<4>();
    let mut words = words.iter_mut().rev();
    let mut state = 0;
    for (&digit, &radix) in digits.iter().zip(radices).rev() {
        if state >= FULL[usize::from(radix & 15)] {
            if let Some(word) = words.next() {
                *word = (state as u32).to_le_bytes();
            }
            state >>= 32;
        }
        state = state * u64::from(radix) + u64::from(digit);
    }
    first.copy_from_slice(&state.to_le_bytes()[..FIRST_BYTES]);
}

/// Quotient and rest; the common radices by constants, which compile to multiplications.
fn divide(state: u64, radix: u8) -> (u64, u8) {
    match radix {
        1 => (state, 0),
        3 => (state / 3, (state % 3) as u8),
        5 => (state / 5, (state % 5) as u8),
        7 => (state / 7, (state % 7) as u8),
        _ => (state / u64::from(radix), (state % u64::from(radix)) as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise that needs no seed kept.
    fn noise(i: usize) -> u8 {
        (i as u64)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(23)
            .wrapping_mul(0xbf58_476d_1ce4_e5b9)
            .to_le_bytes()[7]
    }

    #[test]
    fn logarithms_are_those_of_the_radices() {
        for radix in 1..=MAX_RADIX {
            let exact = f64::from(radix).log2() * f64::from(1 << 20);
            let stored = LOG2_Q20[usize::from(radix)] as f64;
            assert!((0.0..1.0).contains(&(exact - stored)), "radix {radix}");
        }
    }

    #[test]
    fn any_bytes_come_back() {
        let mixes: [&[u8]; 6] = [&[3], &[1, 3], &[3, 5], &[5, 7, 1], &[15], &[9, 11, 13]];
        for mix in mixes {
            for n in [0, 1, 39, 40, 41, 200, 1000, 16_384] {
                let radices: Vec<u8> = (0..n).map(|i| mix[i % mix.len()]).collect();
                let n_bytes = capacity(&radices);
                for bytes in [
                    vec![0; n_bytes],
                    vec![255; n_bytes],
                    (0..n_bytes).map(noise).collect(),
                ] {
                    let mut digits = vec![99; n];
                    digits_from_bytes(&bytes, &radices, &mut digits);
                    assert!(digits.iter().zip(&radices).all(|(d, r)| d < r));
                    let mut back = vec![7; n_bytes];
                    bytes_from_digits(&digits, &radices, &mut back);
                    assert_eq!(back, bytes, "{mix:?} {n}");
                }
            }
        }
    }

    #[test]
    fn little_is_lost() {
        let radices = vec![3; 16_384];
        let held = 8.0 * capacity(&radices) as f64;
        assert!(held > 16_384.0 * 3_f64.log2() * 0.996);
        assert_eq!(capacity(&radices), uniform_capacity(3, 16_384));
    }

    #[test]
    fn digits_that_nobody_wrote_do_no_harm() {
        for radix in [3, 5, 15] {
            let radices = vec![radix; 500];
            let mut bytes = vec![0; capacity(&radices)];
            bytes_from_digits(&vec![radix - 1; 500], &radices, &mut bytes);
            bytes_from_digits(&vec![0; 500], &radices, &mut bytes);
        }
    }
}
