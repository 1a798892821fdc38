//! The tables of steps that most encoders use, scaled by a quality.

/// Steps for luma and chroma, row by row.
pub type Tables = [[u16; 64]; 2];

/// ITU-T T.81, table K.1.
#[rustfmt::skip]
const LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61,
    12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77,
    24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101,
    72, 92, 95, 98, 112, 100, 103, 99,
];

/// ITU-T T.81, table K.2.
#[rustfmt::skip]
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99,
    18, 21, 26, 66, 99, 99, 99, 99,
    24, 26, 56, 99, 99, 99, 99, 99,
    47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99,
];

/// The standard tables at a quality from 1 to 100, as libjpeg scales them.
#[must_use]
pub fn tables(quality: u8) -> Tables {
    let quality = u32::from(quality.clamp(1, 100));
    let percent = if quality < 50 {
        5000 / quality
    } else {
        200 - 2 * quality
    };
    let scaled = |table: [u16; 64]| {
        table
            .map(|step| (u32::from(step) * percent + 50) / 100)
            .map(|step| step.clamp(1, 255) as u16)
    };
    [scaled(LUMA), scaled(CHROMA)]
}

/// The quality whose luma table is nearest to `steps`, by the sum of the steps.
#[must_use]
pub fn nearest(steps: &[u16; 64]) -> u8 {
    let sum = |steps: &[u16; 64]| steps.iter().map(|&step| u32::from(step)).sum::<u32>();
    let wanted = sum(steps);
    (1..=100)
        .min_by_key(|&quality| sum(&tables(quality)[0]).abs_diff(wanted))
        .unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_as_libjpeg() {
        assert_eq!(tables(50)[0], LUMA);
        assert_eq!(tables(75)[0][..8], [8, 6, 5, 8, 12, 20, 26, 31]);
        assert_eq!(tables(75)[1][..4], [9, 9, 12, 24]);
        assert_eq!(tables(100)[0], [1; 64]);
        assert_eq!(tables(1)[0][0], 255);
    }

    #[test]
    fn finds_a_quality_again() {
        for quality in 20..95 {
            assert_eq!(nearest(&tables(quality)[0]), quality);
        }
    }
}
