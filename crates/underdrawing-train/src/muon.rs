//! Muon: momentum made orthogonal (Jordan et al. 2024), for weights that are matrices.
//!
//! A convolution's weights are a matrix of its output channels by all that one of them sees. Adam
//! steps each number on its own; Muon steps so that all directions of the matrix grow alike. Steps
//! are as large as Adam's usually are (Liu et al. 2025: a root mean square of 0.2 times the
//! learning rate), so one rate serves both.

use burn::prelude::*;

/// Decay of the sum of gradients.
const MOMENTUM: f64 = 0.95;
/// Root mean square of a step at learning rate 1.
const STEP: f64 = 0.2;
/// Iterations towards an orthogonal matrix, and their coefficients: singular values end between
/// 0.7 and 1.2.
const ITERATIONS: usize = 5;
const COEFFICIENTS: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// New sum of gradients, and the step for learning rate 1 that it suggests. `rows` are the output
/// channels of the weights.
pub(crate) fn muon_step(
    rows: usize,
    momentum: Tensor<1>,
    gradient: Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    let [n] = gradient.dims();
    let columns = n / rows;
    let momentum = momentum * MOMENTUM + gradient.clone();
    let ahead = (gradient + momentum.clone() * MOMENTUM).reshape([rows, columns]);
    let scale = STEP * (rows.max(columns) as f64).sqrt();
    (momentum, (orthogonal(ahead) * scale).reshape([n]))
}

/// Roughly the nearest matrix whose singular values are all 1, by a Newton-Schulz iteration.
fn orthogonal(x: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = x.dims();
    let tall = rows > columns;
    let x = if tall { x.transpose() } else { x };
    let norm: f32 = x.clone().square().sum().into_scalar();
    let mut x = x / (norm.sqrt() + 1e-12);
    let [a, b, c] = COEFFICIENTS;
    for _ in 0..ITERATIONS {
        let square = x.clone().matmul(x.clone().transpose());
        let fourth = square.clone().matmul(square.clone());
        x = x.clone() * a + (square * b + fourth * c).matmul(x);
    }
    if tall { x.transpose() } else { x }
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;

    fn matrix(rows: usize, columns: usize) -> Tensor<2> {
        let values: Vec<f32> = (0..rows * columns)
            .map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.3)
            .collect();
        Tensor::from_data(TensorData::new(values, [rows, columns]), &Device::flex())
    }

    fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
        x.into_data().try_into_vec().unwrap()
    }

    #[test]
    fn directions_come_out_alike_whatever_the_shape() {
        for (rows, columns) in [(4, 30), (12, 5), (1, 9)] {
            let x = orthogonal(matrix(rows, columns));
            let small = if rows > columns {
                x.clone().transpose().matmul(x)
            } else {
                x.clone().matmul(x.transpose())
            };
            let side = rows.min(columns);
            // Singular values of 0.7 to 1.2 have squares of 0.49 to 1.44.
            for (i, v) in values(small).into_iter().enumerate() {
                let on_diagonal = i / side == i % side;
                let range = if on_diagonal { 0.4..1.5 } else { -0.6..0.6 };
                assert!(range.contains(&v), "{rows}x{columns}, {i}: {v}");
            }
        }
    }

    #[test]
    fn a_step_has_its_size_and_the_gradients_side() {
        let gradient = matrix(8, 18).reshape([144]);
        let zero = gradient.zeros_like();
        let (momentum, step) = muon_step(8, zero, gradient.clone() * 1e-3);
        let square = values(step.clone().square().mean())[0];
        assert!((0.14..0.25).contains(&square.sqrt()), "{}", square.sqrt());
        assert!(values((step * gradient.clone()).sum())[0] > 0.0);
        let (momentum, _) = muon_step(8, momentum, gradient.clone() * 1e-3);
        let ratio = values(momentum.sum())[0] / values(gradient.sum())[0];
        assert!((ratio - 1.95e-3).abs() < 1e-6, "{ratio}");
    }
}
