//! Digits in coefficients: the nearest multiple of a step whose number has a given remainder.

/// What a coefficient can be known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The coefficient in eighths.
    pub(super) value: i32,
    /// The step that it was rounded to, in eighths; 0 where it was not.
    pub(super) step: i32,
}

/// The multiple of `step` nearest to `value` that holds a digit of so many bits.
pub(super) fn nearest(value: i32, step: i32, bits: u8, digit: u8) -> i32 {
    let radix = 1 << bits;
    let period = step * radix;
    let offset = step * i32::from(digit);
    // Rounds to the nearest period, halves up.
    let number = (2 * (value - offset) + period).div_euclid(2 * period);
    number * period + offset
}

/// The digit of the nearest multiple.
pub(super) fn digit(value: i32, step: i32, bits: u8) -> u8 {
    let number = (2 * value + step).div_euclid(2 * step);
    (number & ((1 << bits) - 1)) as u8
}

/// A digit's bits, such that neighbours differ in one.
pub(super) fn gray(digit: u8) -> u8 {
    digit ^ digit >> 1
}

/// Undoes [`gray`].
pub(super) fn digit_of_gray(code: u8) -> u8 {
    let code = code ^ code >> 2;
    code ^ code >> 1
}

/// Rounding of pixels and of an encoder's brightness, as a deviation of a coefficient, in eighths.
const NOISE: i32 = 3;

/// How sure each bit of a digit is: above 0 for a 0, in 1/8 of a natural logarithm. The lowest bit
/// first.
pub(super) fn soft_bits(seen: Seen, step: i32, bits: u8, out: &mut [i16]) {
    let likelihoods: [i32; 8] = std::array::from_fn(|digit| {
        if digit >> bits != 0 {
            return 0;
        }
        let point = nearest(seen.value, step, bits, digit as u8);
        likelihood((seen.value - point).abs(), seen.step)
    });
    for (bit, out) in out.iter_mut().enumerate().take(bits.into()) {
        let best = |wanted: u8| {
            (0..1_u8 << bits)
                .filter(|&digit| gray(digit) >> bit & 1 == wanted)
                .map(|digit| likelihoods[usize::from(digit)])
                .max()
                .unwrap_or(0)
        };
        *out = (best(0) - best(1)) as i16;
    }
}

/// Logarithm of how likely a coefficient is seen so far from where it was put, in 1/8: that of the
/// normal distribution up to the edge of what rounds to what is seen, but never below what clipping
/// does anyway.
fn likelihood(distance: i32, rounded_to: i32) -> i32 {
    /// `8 ln(normal(x / 4))` for x from -16 to 8, rounded.
    const LOG_NORMAL: [i16; 25] = [
        -83, -75, -67, -60, -53, -47, -41, -35, -30, -26, -22, -18, -15, -12, -9, -7, -6, -4, -3,
        -2, -1, -1, -1, 0, 0,
    ];
    let inside = 4 * (rounded_to / 2 - distance) / NOISE;
    i32::from(LOG_NORMAL[(inside.clamp(-16, 8) + 16) as usize])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_back() {
        for value in -500..500 {
            for (step, bits) in [(8, 1), (40, 2), (24, 3)] {
                for d in 0..1 << bits {
                    let point = nearest(value, step, bits, d);
                    assert_eq!(digit(point, step, bits), d);
                    assert!((point - value).abs() <= step << bits >> 1);
                }
            }
        }
    }

    #[test]
    fn gray_codes_differ_in_one_bit_and_come_back() {
        for digit in 0..8 {
            assert_eq!(digit_of_gray(gray(digit)), digit);
            assert_eq!((gray(digit) ^ gray((digit + 1) % 8)).count_ones(), 1);
        }
    }

    #[test]
    fn points_are_sure_and_the_middle_is_not() {
        let mut soft = [0; 2];
        let mut of = |value, step| {
            soft_bits(Seen { value, step }, 40, 2, &mut soft);
            soft
        };
        let exact = of(0, 0);
        assert!(exact[0] > 60 && exact[1] > 60, "{exact:?}");
        assert!(of(40, 0)[0] < -60);
        assert_eq!(of(20, 0)[0], 0);
        assert!(of(22, 20)[0] < 0);
    }
}
