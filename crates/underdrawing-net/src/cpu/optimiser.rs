//! Training on the processor.

use std::rc::Rc;
use std::sync::Arc;

use rayon::prelude::*;
use underdrawing_conv::{MatMul, vectorised};

use super::buffer::{Buffer, Pool};
use super::elementwise::{self, CHUNK, sum_of_squares};
use super::runner::CpuRunner;
use super::session::Session;
use super::tensor::CpuTensor;
use crate::engine::{AdamFactors, Engine, MuonFactors, Rule, Runner, Step, clipping};
use crate::layers::BatchNorm;
use crate::networks::Networks;
use crate::param::Param;
use crate::ranks::{Alone, Ranks};
use crate::tensor::Shape;

/// Trains on all cores. Keeps the memory of a step for the next one.
#[derive(Debug)]
pub struct CpuEngine {
    pool: Arc<Pool>,
    ranks: Rc<dyn Ranks>,
}

impl Default for CpuEngine {
    fn default() -> Self {
        Self {
            pool: Arc::default(),
            ranks: Rc::new(Alone),
        }
    }
}

impl Engine for CpuEngine {
    type Tensor = CpuTensor;
    type Buffer = Arc<Buffer>;

    fn upload(&self, _: &[usize], values: Vec<f32>) -> Self::Buffer {
        Arc::new(values.into())
    }

    fn download(&self, buffer: &Self::Buffer) -> Vec<f32> {
        buffer.to_vec()
    }

    fn begin(
        &self,
        params: &[Param],
        weights: &[Self::Buffer],
        shape: Shape,
        values: &[f32],
    ) -> CpuTensor {
        let session = Rc::new(Session::training(params, weights, &self.pool, &self.ranks));
        CpuTensor::new(&session, shape, values.to_vec().into())
    }

    fn finish(&self, loss: CpuTensor, weights: &mut [Self::Buffer]) -> Vec<Option<Self::Buffer>> {
        assert_eq!(loss.values().len(), 1, "a loss is one value");
        let (gradients, moments) = loss.session.backward(loss.node, vec![1.0].into());
        // The session shares the weights; they are changed in place once it is gone.
        drop(loss);
        for batch in moments {
            let norm = batch.norm;
            let running = [norm.running_mean, norm.running_var];
            for (id, batch) in running.into_iter().zip([batch.mean, batch.variance]) {
                let values = owned(&mut weights[id.index()]);
                elementwise::zip(values, &batch, |old, batch| {
                    old * (1.0 - BatchNorm::MOMENTUM) + batch * BatchNorm::MOMENTUM
                });
            }
        }
        gradients.into_iter().map(|g| g.map(Arc::new)).collect()
    }

    fn join(&mut self, ranks: &Rc<dyn Ranks>) -> bool {
        self.ranks = ranks.clone();
        true
    }

    fn runner(&self, networks: &Networks) -> Arc<dyn Runner> {
        Arc::new(CpuRunner::new(networks))
    }

    fn update(&self, steps: &mut [Step<'_, Self::Buffer>], longest: Option<f64>) {
        let scale = longest.map_or(1.0, |longest| {
            let squares = steps.iter().map(|step| sum_of_squares(step.gradient));
            clipping(squares.sum(), longest)
        });
        for step in steps {
            let value = owned(step.value);
            match &mut step.rule {
                Rule::Adam {
                    mean,
                    square,
                    factors,
                } => {
                    let moments = [owned(mean), owned(square)];
                    adam(value, moments, step.gradient, scale as f32, *factors);
                }
                Rule::Muon { momentum, factors } => {
                    let ahead =
                        look_ahead(owned(momentum), step.gradient, scale as f32, &self.pool);
                    muon(value, &ahead, *factors, &self.pool);
                }
            }
        }
    }
}

/// A step of Adam; `scale` multiplies the gradient first.
fn adam(
    value: &mut [f32],
    [mean, square]: [&mut [f32]; 2],
    gradient: &[f32],
    scale: f32,
    f: AdamFactors,
) {
    let chunks = value.par_chunks_mut(CHUNK).zip(mean.par_chunks_mut(CHUNK));
    let chunks = chunks.zip(square.par_chunks_mut(CHUNK));
    let chunks = chunks.zip(gradient.par_chunks(CHUNK));
    chunks.for_each(|(((value, mean), square), gradient)| {
        vectorised(
            #[inline(always)]
            || {
                for (((value, mean), square), gradient) in
                    value.iter_mut().zip(mean).zip(square).zip(gradient)
                {
                    let gradient = gradient * scale;
                    *mean = *mean * f.beta_1 + gradient * (1.0 - f.beta_1);
                    *square = *square * f.beta_2 + gradient * gradient * (1.0 - f.beta_2);
                    let root = square.sqrt() * f.root + f.epsilon;
                    *value = *value * f.keep - *mean / root * f.rate;
                }
            },
        );
    });
}

/// Adds a gradient, times `scale`, to Muon's sum; where the sum would be a step later.
fn look_ahead(momentum: &mut [f32], gradient: &[f32], scale: f32, pool: &Arc<Pool>) -> Buffer {
    elementwise::zip(momentum, gradient, |sum, g| {
        sum * MuonFactors::MOMENTUM + g * scale
    });
    let mut ahead = Buffer::copy_of(momentum, pool);
    elementwise::zip(&mut ahead, gradient, |sum, g| {
        sum * MuonFactors::MOMENTUM + g * scale
    });
    ahead
}

/// A step of Muon.
fn muon(value: &mut [f32], ahead: &[f32], f: MuonFactors, pool: &Arc<Pool>) {
    let columns = ahead.len() / f.rows;
    let step = orthogonal(ahead, f.rows, pool);
    let rate = f.rate * MuonFactors::STEP * (f.rows.max(columns) as f32).sqrt();
    elementwise::zip(value, &step, |value, step| value * f.keep - step * rate);
}

/// The values to change in place; a copy where somebody else has them too.
fn owned(buffer: &mut Arc<Buffer>) -> &mut [f32] {
    if Arc::get_mut(buffer).is_none() {
        *buffer = Arc::new(buffer.to_vec().into());
    }
    Arc::get_mut(buffer).expect("nobody else holds a buffer made here")
}

/// Roughly the nearest matrix whose singular values are all 1, by a Newton-Schulz iteration.
fn orthogonal(matrix: &[f32], rows: usize, pool: &Arc<Pool>) -> Buffer {
    let columns = matrix.len() / rows;
    if rows > columns {
        let wide = transposed(matrix, rows, pool);
        return transposed(&orthogonal(&wide, columns, pool), columns, pool);
    }
    let product = |m: usize, n: usize, k: usize, transposed: bool, a: &[f32], b: &[f32]| {
        let mut c = pool.take(m * n);
        MatMul {
            m,
            n,
            k,
            transposed,
        }
        .run(a, b, &mut c);
        c
    };
    let norm = elementwise::sum_of_squares(matrix).sqrt() as f32 + 1e-12;
    let mut x = Buffer::copy_of(matrix, pool);
    elementwise::map(&mut x, |v| v / norm);
    let [a, b, c] = MuonFactors::COEFFICIENTS;
    for _ in 0..MuonFactors::ITERATIONS {
        let square = product(rows, rows, columns, /* transposed */ true, &x, &x);
        // The square is symmetric, so it is its own transpose.
        let mut factor = product(
            rows, rows, rows, /* transposed */ true, &square, &square,
        );
        elementwise::zip(&mut factor, &square, |fourth, square| {
            square * b + fourth * c
        });
        let more = product(
            rows, columns, rows, /* transposed */ false, &factor, &x,
        );
        elementwise::zip(&mut x, &more, |x, more| x * a + more);
    }
    x
}

fn transposed(matrix: &[f32], rows: usize, pool: &Arc<Pool>) -> Buffer {
    let columns = matrix.len() / rows;
    let mut result = pool.take(matrix.len());
    let lines = result.par_chunks_exact_mut(rows.max(1)).enumerate();
    lines.for_each(|(column, line)| {
        for (row, value) in line.iter_mut().enumerate() {
            *value = matrix[row * columns + column];
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns)
            .map(|i| ((i as u32).wrapping_mul(2_654_435_761) >> 16) as f32 / 65_536.0 - 0.3)
            .collect()
    }

    #[test]
    fn directions_come_out_alike_whatever_the_shape() {
        for (rows, columns) in [(4, 30), (12, 5), (1, 9)] {
            let x = orthogonal(&matrix(rows, columns), rows, &Arc::default());
            let at = |row: usize, column: usize| x[row * columns + column];
            let side = rows.min(columns);
            for i in 0..side {
                for j in 0..side {
                    let product: f32 = if rows > columns {
                        (0..rows).map(|k| at(k, i) * at(k, j)).sum()
                    } else {
                        (0..columns).map(|k| at(i, k) * at(j, k)).sum()
                    };
                    // Singular values of 0.7 to 1.2 have squares of 0.49 to 1.44.
                    let range = if i == j { 0.4..1.5 } else { -0.6..0.6 };
                    assert!(
                        range.contains(&product),
                        "{rows}x{columns}, {i} {j}: {product}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_step_has_its_size_and_the_gradients_side() {
        let engine = CpuEngine::default();
        let [rows, columns] = [8, 18];
        let upload = |values| engine.upload(&[rows, columns], values);
        let gradient = upload(matrix(rows, columns));
        let [mut value, mut momentum] = [(); 2].map(|()| upload(vec![0.0; rows * columns]));
        let factors = MuonFactors {
            rows,
            rate: 0.5,
            keep: 1.0,
        };
        let step = Step {
            value: &mut value,
            gradient: &gradient,
            rule: Rule::Muon {
                momentum: &mut momentum,
                factors,
            },
        };
        engine.update(&mut [step], Some(1e-3));
        let mean_square = elementwise::sum_of_squares(&value) / value.len() as f64;
        let size = mean_square.sqrt() / 0.5;
        assert!((0.14..0.26).contains(&size), "root mean square {size}");
        let along: f32 = value.iter().zip(gradient.iter()).map(|(v, g)| v * g).sum();
        assert!(along < 0.0, "along the gradient: {along}");
    }
}
