//! Training.

use std::rc::Rc;
use std::sync::Arc;

use burn::tensor::{Device, Tensor as Array, TensorData};
use underdrawing_net::{
    AdamFactors, BatchNorm, Engine, MuonFactors, Networks, Param, Rule, Runner, Shape, Step,
    Tensor as _, clipping,
};

#[cfg(any(feature = "vulkan", feature = "wgpu"))]
use crate::device::{self, GpuError};
use crate::runner::BurnRunner;
use crate::session::Session;
use crate::tensor::{BurnTensor, read};

/// Runs and trains networks on a device of burn's. Clones share the device.
#[derive(Clone, Debug)]
pub struct BurnEngine {
    device: Device,
}

/// Values on the device.
#[derive(Clone, Debug)]
pub struct BurnBuffer(Array<1>);

impl BurnEngine {
    /// On the graphics card that wgpu takes for the fastest.
    ///
    /// # Errors
    /// Where there is no card, none with its driver, or only a driver that does a card's work on
    /// the processor.
    #[cfg(any(feature = "vulkan", feature = "wgpu"))]
    pub fn gpu() -> Result<Self, GpuError> {
        device::card().map(|device| Self { device })
    }

    /// On a driver that does a card's work on the processor, such as Mesa's: what it runs is what a
    /// card would run. For tests; panics when used where there is none.
    #[cfg(any(feature = "vulkan", feature = "wgpu"))]
    #[must_use]
    pub fn software() -> Self {
        Self {
            device: device::software(),
        }
    }

    /// On the processor, by burn. For tests.
    #[cfg(feature = "flex")]
    #[must_use]
    pub fn flex() -> Self {
        Self {
            device: Device::flex(),
        }
    }
}

impl Engine for BurnEngine {
    type Tensor = BurnTensor;
    type Buffer = BurnBuffer;

    fn upload(&self, _: &[usize], values: Vec<f32>) -> BurnBuffer {
        let n = values.len();
        BurnBuffer(Array::from_data(TensorData::new(values, [n]), &self.device))
    }

    fn download(&self, buffer: &BurnBuffer) -> Vec<f32> {
        read(buffer.0.clone())
    }

    fn begin(
        &self,
        params: &[Param],
        weights: &[BurnBuffer],
        shape: Shape,
        values: &[f32],
    ) -> BurnTensor {
        let weights = weights.iter().map(|buffer| buffer.0.clone()).collect();
        let session = Rc::new(Session::training(&self.device, params, weights));
        BurnTensor::new(&session, shape, values.to_vec())
    }

    fn finish(&self, loss: BurnTensor, weights: &mut [BurnBuffer]) -> Vec<Option<BurnBuffer>> {
        assert_eq!(loss.shape(), [1; 4], "a loss is one value");
        let (gradients, moments) = loss.session.backward(loss.values);
        for batch in moments {
            let norm = batch.norm;
            let running = [norm.running_mean, norm.running_var];
            for (id, batch) in running.into_iter().zip([batch.mean, batch.variance]) {
                weights[id.index()]
                    .update(|old| old * (1.0 - BatchNorm::MOMENTUM) + batch * BatchNorm::MOMENTUM);
            }
        }
        let gradients = gradients.into_iter();
        gradients.map(|g| g.map(BurnBuffer)).collect()
    }

    fn runner(&self, networks: &Networks) -> Arc<dyn Runner> {
        Arc::new(BurnRunner::new(&self.device, networks))
    }

    fn update(&self, steps: &mut [Step<'_, BurnBuffer>], longest: Option<f64>) {
        let scale = longest.map_or(1.0, |longest| {
            let squares = steps
                .iter()
                .map(|step| step.gradient.0.clone().square().sum());
            let sum = squares.map(|sum| f64::from(read(sum)[0])).sum();
            clipping(sum, longest)
        });
        for step in steps {
            let gradient = step.gradient.0.clone() * scale;
            match &mut step.rule {
                Rule::Adam {
                    mean,
                    square,
                    factors,
                } => adam(step.value, [mean, square], gradient, *factors),
                Rule::Muon { momentum, factors } => {
                    muon(step.value, momentum, gradient, *factors);
                }
            }
        }
    }
}

/// A step of Adam.
fn adam(
    value: &mut BurnBuffer,
    [mean, square]: [&mut BurnBuffer; 2],
    gradient: Array<1>,
    f: AdamFactors,
) {
    let newest = gradient.clone() * (1.0 - f.beta_1);
    let mean = mean.update(|mean| mean * f.beta_1 + newest);
    let newest = gradient.square() * (1.0 - f.beta_2);
    let square = square.update(|square| square * f.beta_2 + newest);
    let root = square.sqrt() * f.root + f.epsilon;
    let step = mean / root * f.rate;
    value.update(|value| value * f.keep - step);
}

/// A step of Muon.
fn muon(value: &mut BurnBuffer, momentum: &mut BurnBuffer, gradient: Array<1>, f: MuonFactors) {
    let ahead = |sum: Array<1>| sum * MuonFactors::MOMENTUM + gradient.clone();
    let sum = momentum.update(ahead);
    let len = sum.dims()[0];
    let columns = len / f.rows;
    let step = orthogonal(ahead(sum).reshape([f.rows, columns])).reshape([len]);
    let rate = f.rate * MuonFactors::STEP * (f.rows.max(columns) as f32).sqrt();
    value.update(|value| value * f.keep - step * rate);
}

impl BurnBuffer {
    /// Changes the values, in place where nobody else has them; they afterwards.
    fn update(&mut self, f: impl FnOnce(Array<1>) -> Array<1>) -> Array<1> {
        self.0.inplace(f);
        self.0.clone()
    }
}

/// Roughly the nearest matrix whose singular values are all 1, by a Newton-Schulz iteration.
fn orthogonal(matrix: Array<2>) -> Array<2> {
    let [rows, columns] = matrix.dims();
    if rows > columns {
        // The products of a wide matrix with itself are the smaller ones.
        return orthogonal(matrix.transpose()).transpose();
    }
    let norm = matrix.clone().square().sum().sqrt() + 1e-12;
    let mut x = matrix / norm.reshape([1, 1]);
    let [a, b, c] = MuonFactors::COEFFICIENTS;
    for _ in 0..MuonFactors::ITERATIONS {
        let square = x.clone().matmul(x.clone().transpose());
        let factor = square.clone() * b + square.clone().matmul(square) * c;
        x = x.clone() * a + factor.matmul(x);
    }
    x
}
