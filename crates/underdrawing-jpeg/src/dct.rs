//! Cosine transforms of 8x8 samples in integers, rounding as libjpeg's slow ones do.
//!
//! Both are the factorisation of Loeffler, Ligtenberg and Moschytz (1989) with 11 products a row.

/// Fraction bits of the constants.
const BITS: u32 = 13;

/// Fraction bits kept between the passes.
const PASS: u32 = 2;

/// `round(2^13 x)`.
const F0_298: i32 = 2446;
const F0_390: i32 = 3196;
const F0_541: i32 = 4433;
const F0_765: i32 = 6270;
const F0_899: i32 = 7373;
const F1_175: i32 = 9633;
const F1_501: i32 = 12299;
const F1_847: i32 = 15137;
const F1_961: i32 = 16069;
const F2_053: i32 = 16819;
const F2_562: i32 = 20995;
const F3_072: i32 = 25172;

/// Coefficients of samples from -128 to 127, eight times as large as the orthonormal transform's.
pub fn forward(samples: &mut [i32; 64]) {
    for y in 0..8 {
        let row: [i32; 8] = std::array::from_fn(|x| samples[8 * y + x]);
        let row = forward_pass(row, |even| even << PASS, BITS - PASS);
        samples[8 * y..8 * y + 8].copy_from_slice(&row);
    }
    for x in 0..8 {
        let column: [i32; 8] = std::array::from_fn(|y| samples[8 * y + x]);
        let column = forward_pass(column, |even| descale(even, PASS), BITS + PASS);
        for (y, value) in column.into_iter().enumerate() {
            samples[8 * y + x] = value;
        }
    }
}

/// One pass over eight values: `plain` scales what was not multiplied, `shift` what was.
fn forward_pass(v: [i32; 8], plain: impl Fn(i32) -> i32, shift: u32) -> [i32; 8] {
    let (s0, d0) = (v[0] + v[7], v[0] - v[7]);
    let (s1, d1) = (v[1] + v[6], v[1] - v[6]);
    let (s2, d2) = (v[2] + v[5], v[2] - v[5]);
    let (s3, d3) = (v[3] + v[4], v[3] - v[4]);
    let scaled = |x| descale(x, shift);

    let (e0, e3) = (s0 + s3, s0 - s3);
    let (e1, e2) = (s1 + s2, s1 - s2);
    let rotated = (e2 + e3) * F0_541;

    let z5 = (d3 + d1 + d2 + d0) * F1_175;
    let z1 = (d3 + d0) * -F0_899;
    let z2 = (d2 + d1) * -F2_562;
    let z3 = (d3 + d1) * -F1_961 + z5;
    let z4 = (d2 + d0) * -F0_390 + z5;
    [
        plain(e0 + e1),
        scaled(d0 * F1_501 + z1 + z4),
        scaled(rotated + e3 * F0_765),
        scaled(d1 * F3_072 + z2 + z3),
        plain(e0 - e1),
        scaled(d2 * F2_053 + z2 + z4),
        scaled(rotated - e2 * F1_847),
        scaled(d3 * F0_298 + z1 + z3),
    ]
}

/// Coefficients as libjpeg's fast transform has them, which `ImageMagick` uses: the factorisation of
/// Arai, Agui and Nakajima (1988) with 5 products a row, whose fractions are cut off. They are on
/// scales of their own: [`fast_divisors`] makes numbers of steps of them.
pub fn forward_fast(samples: &mut [i32; 64]) {
    for y in 0..8 {
        let row: [i32; 8] = std::array::from_fn(|x| samples[8 * y + x]);
        samples[8 * y..8 * y + 8].copy_from_slice(&fast_pass(row));
    }
    for x in 0..8 {
        let column: [i32; 8] = std::array::from_fn(|y| samples[8 * y + x]);
        for (y, value) in fast_pass(column).into_iter().enumerate() {
            samples[8 * y + x] = value;
        }
    }
}

/// What [`forward_fast`]'s coefficients are divided by, to the nearest number, for these steps.
#[must_use]
pub fn fast_divisors(steps: &[u16; 64]) -> [i32; 64] {
    // 8 sqrt(2) cos(k pi / 16) a row or column of number k, 8 for the first.
    let scale = |k: usize| {
        let wave = std::f64::consts::SQRT_2 * (k as f64 * std::f64::consts::PI / 16.0).cos();
        if k == 0 { 1.0 } else { wave }
    };
    std::array::from_fn(|place| {
        // As libjpeg has them: the scales with 14 fraction bits first.
        let scale = (scale(place / 8) * scale(place % 8) * 16384.0).round() as i32;
        (i32::from(steps[place]) * scale + (1 << 10)) >> 11
    })
}

fn fast_pass(v: [i32; 8]) -> [i32; 8] {
    /// Products with constants of 8 fraction bits.
    fn times(value: i32, constant: i32) -> i32 {
        (value * constant) >> 8
    }
    const C0_383: i32 = 98;
    const C0_541: i32 = 139;
    const C0_707: i32 = 181;
    const C1_307: i32 = 334;

    let (s0, d0) = (v[0] + v[7], v[0] - v[7]);
    let (s1, d1) = (v[1] + v[6], v[1] - v[6]);
    let (s2, d2) = (v[2] + v[5], v[2] - v[5]);
    let (s3, d3) = (v[3] + v[4], v[3] - v[4]);

    let (e0, e3) = (s0 + s3, s0 - s3);
    let (e1, e2) = (s1 + s2, s1 - s2);
    let rotated = times(e2 + e3, C0_707);

    let (o0, o1, o2) = (d3 + d2, d2 + d1, d1 + d0);
    let z5 = times(o0 - o2, C0_383);
    let z2 = times(o0, C0_541) + z5;
    let z4 = times(o2, C1_307) + z5;
    let z3 = times(o1, C0_707);
    let (far, near) = (d0 + z3, d0 - z3);
    [
        e0 + e1,
        far + z4,
        e3 + rotated,
        near - z2,
        e0 - e1,
        near + z2,
        e3 - rotated,
        far - z4,
    ]
}

/// Samples from 0 to 255 of coefficients, each already times its step.
#[must_use]
pub fn inverse(coefficients: &[i32; 64]) -> [u8; 64] {
    let mut values = *coefficients;
    for x in 0..8 {
        let column: [i32; 8] = std::array::from_fn(|y| values[8 * y + x]);
        let column = inverse_pass(column, BITS - PASS);
        for (y, value) in column.into_iter().enumerate() {
            values[8 * y + x] = value;
        }
    }
    let mut samples = [0; 64];
    for y in 0..8 {
        let row: [i32; 8] = std::array::from_fn(|x| values[8 * y + x]);
        for (x, value) in inverse_pass(row, BITS + PASS + 3).into_iter().enumerate() {
            samples[8 * y + x] = (value + 128).clamp(0, 255) as u8;
        }
    }
    samples
}

/// Damaged files hold coefficients of any size, hence the sums that wrap.
fn inverse_pass(v: [i32; 8], shift: u32) -> [i32; 8] {
    let times = i32::wrapping_mul;
    let plus = i32::wrapping_add;
    let minus = i32::wrapping_sub;

    let rotated = times(plus(v[2], v[6]), F0_541);
    let e2 = minus(rotated, times(v[6], F1_847));
    let e3 = plus(rotated, times(v[2], F0_765));
    let e0 = times(plus(v[0], v[4]), 1 << BITS);
    let e1 = times(minus(v[0], v[4]), 1 << BITS);
    let even = [plus(e0, e3), plus(e1, e2), minus(e1, e2), minus(e0, e3)];

    let (o7, o5, o3, o1) = (v[7], v[5], v[3], v[1]);
    let z5 = times(plus(plus(o7, o3), plus(o5, o1)), F1_175);
    let z1 = times(plus(o7, o1), -F0_899);
    let z2 = times(plus(o5, o3), -F2_562);
    let z3 = plus(times(plus(o7, o3), -F1_961), z5);
    let z4 = plus(times(plus(o5, o1), -F0_390), z5);
    let odd = [
        plus(times(o1, F1_501), plus(z1, z4)),
        plus(times(o3, F3_072), plus(z2, z3)),
        plus(times(o5, F2_053), plus(z2, z4)),
        plus(times(o7, F0_298), plus(z1, z3)),
    ];
    std::array::from_fn(|i| {
        let sum = if i < 4 {
            plus(even[i], odd[i])
        } else {
            minus(even[7 - i], odd[7 - i])
        };
        plus(sum, 1 << (shift - 1)) >> shift
    })
}

fn descale(x: i32, shift: u32) -> i32 {
    (x + (1 << (shift - 1))) >> shift
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The transform by its definition.
    fn exact(samples: &[i32; 64]) -> [f64; 64] {
        let scale = |k| if k == 0 { 0.5_f64.sqrt() } else { 1.0 };
        let wave = |x: usize, k: usize| {
            (std::f64::consts::PI * (2 * x + 1) as f64 * k as f64 / 16.0).cos()
        };
        std::array::from_fn(|place| {
            let (v, u) = (place / 8, place % 8);
            let sum: f64 = (0..64)
                .map(|i| f64::from(samples[i]) * wave(i % 8, u) * wave(i / 8, v))
                .sum();
            sum * scale(u) * scale(v) / 4.0
        })
    }

    fn noise(seed: u32) -> [i32; 64] {
        std::array::from_fn(|i| {
            let mixed = (i as u32 + 1)
                .wrapping_mul(seed | 1)
                .wrapping_mul(0x9E37_79B1);
            (mixed >> 24) as i32 - 128
        })
    }

    #[test]
    fn forward_is_the_transform() {
        for seed in 1..40 {
            let samples = noise(seed);
            let mut integers = samples;
            forward(&mut integers);
            for (integer, exact) in integers.iter().zip(exact(&samples)) {
                assert!((f64::from(*integer) / 8.0 - exact).abs() < 0.3);
            }
        }
    }

    /// Off by what is cut off, but by no more.
    #[test]
    fn the_fast_transform_is_nearly_the_transform() {
        for seed in 1..40 {
            let samples = noise(seed);
            let mut integers = samples;
            forward_fast(&mut integers);
            let scales = fast_divisors(&[1000; 64]).map(|divisor| f64::from(divisor) / 1000.0);
            for ((integer, scale), exact) in integers.iter().zip(scales).zip(exact(&samples)) {
                assert!((f64::from(*integer) / scale - exact).abs() < 8.0);
            }
        }
    }

    #[test]
    fn inverse_undoes_it() {
        for seed in 1..40 {
            let samples = noise(seed);
            let rounded = exact(&samples).map(|x| x.round() as i32);
            let back = inverse(&rounded);
            for (&back, sample) in back.iter().zip(samples) {
                assert!((i32::from(back) - 128 - sample).abs() <= 2);
            }
        }
    }

    #[test]
    fn absurd_coefficients_give_samples() {
        let _ = inverse(&[i32::MAX; 64]);
        let _ = inverse(&[i32::MIN; 64]);
    }
}
