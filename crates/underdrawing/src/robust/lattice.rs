//! Ternary digits in coefficients: the nearest multiple of a step whose number has a given remainder.

/// What a coefficient can be known by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The coefficient in eighths.
    pub(super) value: i32,
    /// The step that it was rounded to, in eighths; 0 where it was not.
    pub(super) step: i32,
}

/// How likely each value of a digit is: natural logarithms, times 8.
pub(super) type Soft = [i16; 3];

/// The multiple of `step` nearest to `value` whose number leaves `digit` modulo 3.
pub(super) fn nearest(value: i32, step: i32, digit: u8) -> i32 {
    let period = 3 * step;
    let offset = step * i32::from(digit);
    // Rounds to the nearest period, halves up.
    let number = (2 * (value - offset) + period).div_euclid(2 * period);
    number * period + offset
}

/// How likely each digit is where a coefficient is seen like this, after noise of so large a
/// deviation, in eighths.
pub(super) fn soft(seen: Seen, step: i32, noise: i32) -> Soft {
    let period = 3 * step;
    let above = seen.value.rem_euclid(period);
    std::array::from_fn(|digit| {
        let off = (above - step * digit as i32).abs();
        likelihood(off.min(period - off), seen.step, noise)
    })
}

/// Rounding of pixels and of an encoder's brightness, as a deviation of a coefficient, in eighths.
pub(super) const ROUNDING: i32 = 3;

/// Deviation of coefficients that a JPEG on another grid leaves, in eighths: 1.25, which is what
/// qualities of 95 do.
pub(super) const OTHER_GRID: i32 = 10;

/// The same of qualities about 80: 2.3 to 3, measured on photographs, and a little more, since
/// likelihoods are those of an edge and not of a point.
pub(super) const COARSE_OTHER_GRID: i32 = 26;

/// Logarithm of how likely a coefficient is seen so far from where it was put, in 1/8: that of the
/// normal distribution up to the edge of what rounds to what is seen, but never below what clipping
/// does anyway.
fn likelihood(distance: i32, rounded_to: i32, noise: i32) -> i16 {
    /// `8 ln(normal(x / 4))` for x from -16 to 8, rounded.
    const LOG_NORMAL: [i16; 25] = [
        -83, -75, -67, -60, -53, -47, -41, -35, -30, -26, -22, -18, -15, -12, -9, -7, -6, -4, -3,
        -2, -1, -1, -1, 0, 0,
    ];
    let inside = 4 * (rounded_to / 2 - distance) / noise;
    LOG_NORMAL[(inside.clamp(-16, 8) + 16) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_multiple_holds_the_digit() {
        for value in -500..500 {
            for step in [8, 40, 24] {
                for digit in 0..3 {
                    let point = nearest(value, step, digit);
                    assert_eq!(point % step, 0);
                    assert_eq!((point / step).rem_euclid(3), i32::from(digit));
                    assert!(2 * (point - value).abs() <= 3 * step);
                }
            }
        }
    }

    #[test]
    fn points_are_sure_and_the_middle_is_not() {
        let of = |value, step| soft(Seen { value, step }, 16, ROUNDING);
        let [zero, one, two] = of(0, 0);
        assert!(zero > one + 60 && zero > two + 60);
        let [zero, one, two] = of(8, 0);
        assert_eq!(zero, one);
        assert!(two < zero);
        assert!(of(9, 8)[1] > of(9, 8)[0]);
    }
}
