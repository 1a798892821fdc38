//! Solves symmetric systems of 16 equations in 64-bit integers, by LDL^T decomposition.
//!
//! Rows and columns are first scaled by powers of two until the diagonal lies between 2^28 and
//! 2^30, so that precision does not depend on units. A ridge of 1/1024 of the diagonal keeps
//! systems of nearly dependent regressors stable. All intermediate results are clamped, so that
//! products fit in 64 bits whatever the input is.

/// Number of equations and of unknowns.
pub(crate) const N: usize = 16;

/// A symmetric matrix, row by row.
pub(crate) type Matrix = [[i64; N]; N];

/// Fraction bits of the triangular factor.
const FACTOR_BITS: u32 = 20;

/// Bounds: the factor's entries, pivots, and both right-hand sides.
const FACTOR_LIMIT: i64 = 1 << 26;
const ENTRY_LIMIT: i64 = 1 << 32;
const LEAST_PIVOT: i64 = 1 << 18;
const SIDE_LIMIT: i64 = 1 << 35;

/// Solves `sums * weights = target` for the weights, which have 16 fraction bits and are clamped to
/// plus and minus 8.
#[inline(always)]
pub(crate) fn solve(sums: &Matrix, target: &[i64; N]) -> [i32; N] {
    let mut shifts = [0; N];
    for i in 0..N {
        let size = 64 - sums[i][i].max(1).leading_zeros() as i32; // 2^(size - 1) <= sum < 2^size
        shifts[i] = (30 - size).div_euclid(2);
    }
    let mut sides = [0; N];
    for i in 0..N {
        sides[i] = shifted(target[i], shifts[i]);
    }
    let largest = sides.iter().map(|b| b.abs()).max().unwrap_or(0).max(1);
    let side_shift = 30 - (64 - largest.leading_zeros() as i32);
    let mut z = [0; N];
    for i in 0..N {
        z[i] = shifted(target[i], shifts[i] + side_shift).clamp(-SIDE_LIMIT, SIDE_LIMIT);
    }
    let (factor, pivots) = factorise(sums, &shifts);
    for j in 0..N {
        let zj = z[j];
        for i in j + 1..N {
            z[i] = (z[i] - ((factor[j][i] * zj) >> FACTOR_BITS)).clamp(-SIDE_LIMIT, SIDE_LIMIT);
        }
    }
    // Back substitution, with 24 fraction bits.
    for j in (0..N).rev() {
        let mut value = (z[j] << 24) / pivots[j];
        for i in j + 1..N {
            value -= (factor[j][i] * z[i]) >> FACTOR_BITS;
        }
        z[j] = value.clamp(-SIDE_LIMIT, SIDE_LIMIT);
    }
    let mut weights = [0; N];
    for i in 0..N {
        let weight = shifted(z[i], shifts[i] - side_shift - 8);
        weights[i] = weight.clamp(-(8 << 16), 8 << 16) as i32;
    }
    weights
}

/// The triangular factor, column by column, and the pivots.
#[inline(always)]
fn factorise(sums: &Matrix, shifts: &[i32; N]) -> (Matrix, [i64; N]) {
    let mut factor = [[0; N]; N];
    let mut pivots = [0; N];
    // Columns of the factor, times their pivots.
    let mut columns = [[0i64; N]; N];
    for j in 0..N {
        let mut column = [0; N];
        for i in j..N {
            let entry = shifted(sums[j][i], shifts[i] + shifts[j]);
            column[i] = entry.clamp(-ENTRY_LIMIT, ENTRY_LIMIT);
        }
        // Regressors that are always zero get a pivot too.
        column[j] += (column[j] >> 10) + LEAST_PIVOT;
        for k in 0..j {
            let fk = factor[k][j];
            for i in 0..N {
                column[i] -= (columns[k][i] * fk) >> FACTOR_BITS;
            }
        }
        let pivot = column[j].clamp(LEAST_PIVOT, ENTRY_LIMIT);
        let inverse = (1i64 << 44) / pivot;
        for i in j + 1..N {
            column[i] = column[i].clamp(-ENTRY_LIMIT, ENTRY_LIMIT);
            let entry = (column[i] * inverse) >> (44 - FACTOR_BITS);
            factor[j][i] = entry.clamp(-FACTOR_LIMIT, FACTOR_LIMIT);
        }
        pivots[j] = pivot;
        columns[j] = column;
        columns[j][..=j].fill(0);
        columns[j][j] = 0;
    }
    (factor, pivots)
}

/// `x * 2^shift`, limited to 2^56 when it grows.
#[inline(always)]
fn shifted(x: i64, shift: i32) -> i64 {
    if shift < 0 {
        x >> (-shift).min(63)
    } else {
        let room = 1i64 << 56 >> shift.min(56);
        x.clamp(-room, room) << shift.min(56)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn solves_a_known_system() {
        // A = B^T B + a diagonal, of any size: weights come back.
        for scale in [1i64, 1000, 1 << 30] {
            let b = |i: usize, j: usize| ((i * 7 + j * 13 + i * j) % 11) as i64 - 5;
            let mut sums = [[0; N]; N];
            for i in 0..N {
                for j in 0..N {
                    sums[i][j] = (0..40).map(|k| b(k, i) * b(k, j)).sum::<i64>() * scale;
                }
                sums[i][i] += 100 * scale;
            }
            let expected: [i64; N] = std::array::from_fn(|i| (i as i64 - 8) * 5000);
            let target = std::array::from_fn(|i| {
                (0..N)
                    .map(|j| i128::from(sums[i][j]) * i128::from(expected[j]) / 65536)
                    .sum::<i128>() as i64
            });
            let found = solve(&sums, &target);
            for i in 0..N {
                let gap = (i64::from(found[i]) - expected[i]).abs();
                assert!(gap < 700, "{scale} {i}: {} {}", found[i], expected[i]);
            }
        }
    }

    #[test]
    fn no_numbers_overflow() {
        // Not even with a matrix that is no sum of products.
        for pattern in 0..20u64 {
            let big = |i: usize, j: usize| {
                let h = (i * 31 + j * 17 + i * j) as u64 * (pattern + 1) % 7;
                (h as i64 - 3) << (20 + 2 * pattern)
            };
            let sums = std::array::from_fn(|i| std::array::from_fn(|j| big(i, j)));
            let target = std::array::from_fn(|i| big(i, 3 * i + 1));
            solve(&sums, &target);
        }
    }
}
