//! The basis in which a picture's gradients are uncorrelated (Karhunen-Loeve transform), with less
//! weight on strong edges.

use crate::Picture;

/// Added to a gradient's squared length, by which its products are divided. Gradients below about 5
/// grey levels count by their squares, all stronger ones alike.
const SOFT: u32 = 30;

/// About how many pixels are sampled at most.
const SAMPLES: usize = 1 << 18;

/// Weighted sums of products of the gradients of red, green and blue.
pub(super) type Covariance = [[i64; 3]; 3];

/// The basis of a picture without gradients: grey and red minus blue, with 14 fraction bits.
const FALLBACK: [[i16; 3]; 2] = [[9459, 9459, 9459], [11585, 0, -11585]];

/// The picture's horizontal and vertical gradients; large pictures are sampled.
pub(super) fn gradients(picture: &Picture) -> Covariance {
    let (width, height) = (picture.width(), picture.height());
    // Skipping as many rows as columns keeps the sample even.
    let pixels = width * height;
    let skip = (1..).find(|s| pixels / (s * s) <= SAMPLES).unwrap_or(1);
    let mut sums = [[0i64; 3]; 3];
    let stride = 3 * width;
    for y in (0..height).step_by(skip) {
        let row = &picture.samples()[y * stride..][..stride];
        let below = picture.samples().get((y + 1) * stride..(y + 2) * stride);
        for x in (0..width).step_by(skip) {
            let here = &row[3 * x..3 * x + 3];
            if let Some(right) = row.get(3 * x + 3..3 * x + 6) {
                add(&mut sums, here, right);
            }
            if let Some(below) = below {
                add(&mut sums, here, &below[3 * x..3 * x + 3]);
            }
        }
    }
    sums
}

fn add(sums: &mut Covariance, here: &[u8], there: &[u8]) {
    let g = [0, 1, 2].map(|c| i32::from(there[c]) - i32::from(here[c]));
    let length: u32 = g.iter().map(|v| (v * v) as u32).sum();
    let weight = i64::from((1 << 20) / (length + SOFT));
    for i in 0..3 {
        for j in i..3 {
            sums[i][j] += weight * i64::from(g[i] * g[j]);
        }
    }
}

/// The two strongest eigenvectors with 14 fraction bits, by Jacobi's method.
///
/// It uses only additions, multiplications, divisions and square roots of floats, whose results are
/// the same on every machine.
pub(super) fn basis(sums: &Covariance) -> [[i16; 3]; 2] {
    let trace: i64 = (0..3).map(|i| sums[i][i]).sum();
    if trace == 0 {
        return FALLBACK;
    }
    let mut a = [[0.0f64; 3]; 3];
    for i in 0..3 {
        for j in 0..3 {
            a[i][j] = sums[i.min(j)][i.max(j)] as f64 / trace as f64;
        }
    }
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..12 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            rotate(&mut a, &mut vectors, p, q);
        }
    }
    let mut order = [0, 1, 2];
    order.sort_by(|&i, &j| a[j][j].total_cmp(&a[i][i]));
    [order[0], order[1]].map(|i| {
        let sum: f64 = vectors[i].iter().sum();
        let scale = if sum < 0.0 { -16384.0 } else { 16384.0 };
        vectors[i].map(|v| (v * scale).round() as i16)
    })
}

/// Makes `a[p][q]` zero by a rotation, and applies it to the rows of `vectors` too.
fn rotate(a: &mut [[f64; 3]; 3], vectors: &mut [[f64; 3]; 3], p: usize, q: usize) {
    if a[p][q] == 0.0 {
        return;
    }
    let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
    let sign = if theta < 0.0 { -1.0 } else { 1.0 };
    let tangent = sign / (sign * theta + (theta * theta + 1.0).sqrt());
    let cosine = 1.0 / (tangent * tangent + 1.0).sqrt();
    let sine = tangent * cosine;
    for k in 0..3 {
        let (x, y) = (a[k][p], a[k][q]);
        (a[k][p], a[k][q]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
    for k in 0..3 {
        let (x, y) = (a[p][k], a[q][k]);
        (a[p][k], a[q][k]) = (cosine * x - sine * y, sine * x + cosine * y);
        let (x, y) = (vectors[p][k], vectors[q][k]);
        (vectors[p][k], vectors[q][k]) = (cosine * x - sine * y, sine * x + cosine * y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flat_picture_gets_the_fallback() {
        let picture = Picture::new(4, 4, 3, vec![7; 48]).unwrap();
        assert_eq!(basis(&gradients(&picture)), FALLBACK);
    }

    #[test]
    fn gradients_along_one_direction_give_it() {
        // Red goes up twice as fast as green, blue stays.
        let samples: Vec<u8> = (0..40u8).flat_map(|i| [4 * i, 2 * i, 9]).collect();
        let picture = Picture::new(40, 1, 3, samples).unwrap();
        let [first, second] = basis(&gradients(&picture));
        for (found, expected) in first.into_iter().zip([14654i16, 7327, 0]) {
            assert!((found - expected).abs() <= 1, "{first:?}");
        }
        let dot: i64 = (0..3)
            .map(|c| i64::from(first[c]) * i64::from(second[c]))
            .sum();
        assert!(dot.abs() < 1 << 15, "{dot}");
    }
}
