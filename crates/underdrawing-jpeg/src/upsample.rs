//! Planes of fewer samples in the picture's size, as libjpeg-turbo's smooth upsampling does it.

pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) samples: Vec<u8>,
}

impl Plane {
    fn row(&self, y: usize) -> &[u8] {
        &self.samples[y * self.width..][..self.width]
    }
}

/// `plane`, `h` and `v` times as large, cut to a size.
pub(crate) fn upsampled(plane: Plane, h: usize, v: usize, width: usize, height: usize) -> Plane {
    // Two columns or fewer have no neighbours to be smoothed with.
    let smooth = plane.width > 2;
    let row = |y: usize| -> Vec<u8> {
        match (h, v) {
            (2, 1) if smooth => doubled(plane.row(y)),
            (2, 2) if smooth => {
                let (near, far) = (plane.row(y / 2), plane.row(neighbour(y, plane.height)));
                let sums: Vec<i32> = near
                    .iter()
                    .zip(far)
                    .map(|(&a, &b)| three_to_one(a, b))
                    .collect();
                doubled_sums(&sums)
            }
            (1, 2) => {
                let (near, far) = (plane.row(y / 2), plane.row(neighbour(y, plane.height)));
                let bias = if y.is_multiple_of(2) { 1 } else { 2 };
                near.iter()
                    .zip(far)
                    .map(|(&a, &b)| ((three_to_one(a, b) + bias) >> 2) as u8)
                    .collect()
            }
            _ => plane
                .row(y / v)
                .iter()
                .flat_map(|&sample| std::iter::repeat_n(sample, h))
                .collect(),
        }
    };
    if (h, v) == (1, 1) {
        return plane;
    }
    let mut samples = Vec::with_capacity(width * height);
    for y in 0..height {
        samples.extend_from_slice(&row(y)[..width]);
    }
    Plane {
        width,
        height,
        samples,
    }
}

/// The row that the upsampled row `y` is also near to, beside `y / 2`.
fn neighbour(y: usize, height: usize) -> usize {
    if y.is_multiple_of(2) {
        (y / 2).saturating_sub(1)
    } else {
        (y / 2 + 1).min(height - 1)
    }
}

fn three_to_one(near: u8, far: u8) -> i32 {
    3 * i32::from(near) + i32::from(far)
}

/// A row of at least two samples, twice as wide.
fn doubled(row: &[u8]) -> Vec<u8> {
    let last = row.len() - 1;
    let mut out = Vec::with_capacity(2 * row.len());
    for (i, &sample) in row.iter().enumerate() {
        if i == 0 {
            out.push(sample);
        } else {
            out.push(((three_to_one(sample, row[i - 1]) + 1) >> 2) as u8);
        }
        if i == last {
            out.push(sample);
        } else {
            out.push(((three_to_one(sample, row[i + 1]) + 2) >> 2) as u8);
        }
    }
    out
}

/// As [`doubled`], of sums four times as large.
fn doubled_sums(row: &[i32]) -> Vec<u8> {
    let last = row.len() - 1;
    let mut out = Vec::with_capacity(2 * row.len());
    for (i, &sum) in row.iter().enumerate() {
        let before = if i == 0 { sum } else { row[i - 1] };
        let after = if i == last { sum } else { row[i + 1] };
        out.push(((3 * sum + before + 8) >> 4) as u8);
        out.push(((3 * sum + after + 7) >> 4) as u8);
    }
    out
}
