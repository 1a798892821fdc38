//! The defining sums, in double precision.

use crate::{Activation, Conv, Kernel};

/// Results of all passes.
pub(super) struct Reference {
    shape: Conv,
    pub(super) y: Vec<f64>,
    pub(super) dx: Vec<f64>,
    pub(super) dw: Vec<f64>,
}

impl Reference {
    pub(super) fn new(shape: Conv, x: &[f32], w: &[f32], dy: &[f32]) -> Self {
        let [x, w, dy] = [x, w, dy]
            .map(|values| -> Vec<f64> { values.iter().map(|number| f64::from(*number)).collect() });
        let mut result = Self {
            shape,
            y: vec![0.0; shape.y_len()],
            dx: vec![0.0; shape.x_len()],
            dw: vec![0.0; shape.w_len()],
        };
        each_row(shape, |xi, wi, yi, count, stride| {
            let xs = (xi..).step_by(stride).take(count);
            for (yi, xi) in (yi..).zip(xs) {
                result.y[yi] += x[xi] * w[wi];
                result.dx[xi] += dy[yi] * w[wi];
                result.dw[wi] += dy[yi] * x[xi];
            }
        });
        result
    }

    /// The output with a bias and an activation.
    pub(super) fn activated(&self, b: &[f32], activation: Activation) -> Vec<f64> {
        let area = self.shape.height_out() * self.shape.width_out();
        let activate = |x: f64| match activation {
            Activation::None => x,
            Activation::Relu => x.max(0.0),
            Activation::LeakyRelu(slope) => x.max(0.0) + f64::from(slope) * x.min(0.0),
            Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Activation::Tanh => x.tanh(),
        };
        let biased = |(idx, y): (usize, &f64)| y + f64::from(b[idx / area % self.shape.c_out]);
        self.y
            .iter()
            .enumerate()
            .map(biased)
            .map(activate)
            .collect()
    }
}

/// Calls `visit` for the products of each weight and each row of the output, with the first indices
/// in `x`, `w` and `y`, the number of products, and the distance between indices in `x`.
fn each_row(shape: Conv, mut visit: impl FnMut(usize, usize, usize, usize, usize)) {
    let Conv {
        n,
        c_in,
        c_out,
        height,
        width,
        kernel,
    } = shape;
    let Kernel {
        side,
        stride,
        before,
        ..
    } = kernel;
    let (height_out, width_out) = (shape.height_out(), shape.width_out());
    for picture in 0..n {
        for (o, i) in (0..c_out).flat_map(|o| (0..c_in).map(move |i| (o, i))) {
            for (row, tap) in
                (0..height_out).flat_map(|row| (0..side * side).map(move |tap| (row, tap)))
            {
                let Some(x_row) = (row * stride + tap / side).checked_sub(before) else {
                    continue;
                };
                // Columns whose tap is inside.
                let tap_col = tap % side;
                let start = before.saturating_sub(tap_col).div_ceil(stride);
                let end = (width + before)
                    .saturating_sub(tap_col)
                    .div_ceil(stride)
                    .min(width_out);
                if x_row >= height || start >= end {
                    continue;
                }
                let x_col = start * stride + tap_col - before;
                visit(
                    ((picture * c_in + i) * height + x_row) * width + x_col,
                    (o * c_in + i) * side * side + tap,
                    ((picture * c_out + o) * height_out + row) * width_out + start,
                    end - start,
                    stride,
                );
            }
        }
    }
}

/// Sums of the channels of pictures.
pub(super) fn sums(pictures: &[f32], area: usize, channels: usize) -> Vec<f64> {
    let mut sums = vec![0.0; channels];
    for (channel, values) in pictures.chunks(area).enumerate() {
        sums[channel % channels] += values.iter().map(|x| f64::from(*x)).sum::<f64>();
    }
    sums
}

/// Values in [-0.5, 0.5), the same in each run.
pub(super) fn noise(len: usize, seed: u32) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..len).map(|_| next()).collect()
}

#[track_caller]
pub(super) fn assert_close(what: &str, found: &[f32], expected: &[f64], tolerance: f64) {
    assert_close_to_scale(what, found, expected, largest(expected), tolerance);
}

/// The largest absolute value.
pub(super) fn largest(values: &[f64]) -> f64 {
    values
        .iter()
        .fold(1e-30_f64, |largest, x| largest.max(x.abs()))
}

#[track_caller]
pub(super) fn assert_close_to_scale(
    what: &str,
    found: &[f32],
    expected: &[f64],
    scale: f64,
    tolerance: f64,
) {
    assert_eq!(found.len(), expected.len());
    for (idx, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs() / scale;
        assert!(
            error <= tolerance,
            "{what}: [{idx}] is {found}, not {expected}: {error:.1e}"
        );
    }
}
