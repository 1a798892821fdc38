//! Conversion between chances and the logistic domain, by tables computed in integers.

/// Largest magnitude that [`stretch`] returns: 8 in units of 1/256.
pub(crate) const LOGIT_LIMIT: i32 = 2047;

/// `e^(-1/256)` with 62 fraction bits.
const EXP_STEP: u64 = 4_593_706_758_521_714_574;

/// Entries of [`SQUASH`] above its middle: 12 in units of 1/256, beyond which chances do not
/// change.
const HALF: usize = 12 * 256;

/// `65536 / (1 + e^(-x / 256))` for `x` from -[`HALF`] to [`HALF`] - 1.
static SQUASH: [u16; 2 * HALF] = squash_table();

/// [`stretch`] of the middle of all chances with the same upper 12 bits.
static STRETCH: [i16; 4096] = stretch_table(16);

/// [`stretch`] of chances below 4096.
static STRETCH_LOW: [i16; 4096] = stretch_table(1);

/// The chance, 1 to 65535, for a number of the logistic domain in 1/256.
#[inline(always)]
pub(crate) fn squash(logit: i32) -> u16 {
    let half = HALF as i32;
    SQUASH[(logit.clamp(-half, half - 1) + half) as usize]
}

/// `256 ln(p / (1 - p))` with `p = chance / 65536`, within [`LOGIT_LIMIT`].
#[inline(always)]
pub(crate) fn stretch(chance: u16) -> i32 {
    if chance < 4096 {
        i32::from(STRETCH_LOW[usize::from(chance) & 4095])
    } else if chance > 61440 {
        -i32::from(STRETCH_LOW[usize::from(chance.wrapping_neg()) & 4095])
    } else {
        i32::from(STRETCH[usize::from(chance >> 4)])
    }
}

const fn squash_table() -> [u16; 2 * HALF] {
    let mut table = [0; 2 * HALF];
    let one = 1u64 << 62;
    let mut exp = one; // e^(-x / 256)
    let mut x = 0;
    while x <= HALF {
        let sum = (one as u128) + exp as u128;
        let chance = (((1u128 << 79) + sum) / (2 * sum)) as u32; // Rounded.
        let chance = if chance > 65535 { 65535 } else { chance };
        if x < HALF {
            table[HALF + x] = chance as u16;
        }
        if x > 0 {
            table[HALF - x] = (65536 - chance) as u16;
        }
        exp = ((exp as u128 * EXP_STEP as u128) >> 62) as u64;
        x += 1;
    }
    table
}

/// Inverts [`SQUASH`] for the chances `step i + step / 2`, by walking up while the middle between
/// two entries is lower.
const fn stretch_table(step: u32) -> [i16; 4096] {
    let squash = squash_table();
    let mut table = [0; 4096];
    let mut x = HALF - 2047;
    let mut i = 0;
    while i < 4096 {
        let chance = 2 * (step * i as u32 + step / 2);
        while x < HALF + 2047 && squash[x] as u32 + (squash[x + 1] as u32) < chance {
            x += 1;
        }
        // Of several equal entries of `squash`, the walk stops at the first.
        table[i] = (x as i32 - HALF as i32) as i16;
        i += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squash_is_the_logistic_function() {
        for x in -4000..4000 {
            let exact = 65536.0 / (1.0 + (-f64::from(x) / 256.0).exp());
            let found = f64::from(squash(x));
            assert!((found - exact.clamp(1.0, 65535.0)).abs() <= 0.51, "{x}");
        }
    }

    #[test]
    fn stretch_is_its_inverse() {
        for chance in 1..=65535u16 {
            let p = f64::from(chance) / 65536.0;
            let exact = (256.0 * (p / (1.0 - p)).ln()).clamp(-2047.0, 2047.0);
            // A step of the table, or of a chance near 0 and 1, is this large there.
            let step = 256.0 / 65536.0 / (p * (1.0 - p));
            let allowed = 1.0
                + step
                    * if (4096..=61440).contains(&chance) {
                        9.0
                    } else {
                        1.0
                    };
            let found = f64::from(stretch(chance));
            assert!(
                (found - exact).abs() <= allowed,
                "{chance}: {found} {exact}"
            );
        }
    }
}
