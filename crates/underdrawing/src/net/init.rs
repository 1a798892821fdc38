//! Where the first weights come from: one generator, seeded once.

use burn::module::{Param, ParamId};
use burn::prelude::*;
use burn::tensor::TensorData;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Deviation of the first weights of the 2018 system.
pub(crate) const FIRST_DEVIATION: f64 = 0.02;

/// A source of initial parameters. Equal seeds give equal parameters on every machine, whatever
/// the device.
#[derive(Debug)]
pub struct Init {
    random: ChaCha8Rng,
    device: Device,
    unfilled: bool,
}

impl Init {
    /// Parameters will live on `device`.
    #[must_use]
    pub fn new(seed: u64, device: &Device) -> Self {
        Self {
            random: ChaCha8Rng::seed_from_u64(seed),
            device: device.clone(),
            unfilled: false,
        }
    }

    /// For networks whose parameters come from a file: each gets its shape, and no memory before
    /// it is read (as zeros) or replaced.
    #[must_use]
    pub fn unfilled(device: &Device) -> Self {
        Self {
            unfilled: true,
            ..Self::new(0, device)
        }
    }

    /// Where parameters live.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Uniform in `[0, 1)`, 24 bits.
    fn unit(&mut self) -> f64 {
        f64::from(self.random.next_u32() >> 8) / f64::from(1u32 << 24)
    }

    /// A parameter of normal values (Box-Muller transform).
    pub fn normal<const D: usize>(
        &mut self,
        shape: [usize; D],
        mean: f64,
        deviation: f64,
    ) -> Param<Tensor<D>> {
        self.parameter(shape, |init| {
            let radius = (-2.0 * (1.0 - init.unit()).ln()).sqrt();
            mean + deviation * radius * (std::f64::consts::TAU * init.unit()).cos()
        })
    }

    /// A parameter of values uniform in `[-bound, bound)`.
    pub fn uniform<const D: usize>(&mut self, shape: [usize; D], bound: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |init| bound * (2.0 * init.unit() - 1.0))
    }

    /// A parameter of one value.
    pub fn constant<const D: usize>(&mut self, shape: [usize; D], value: f64) -> Param<Tensor<D>> {
        self.parameter(shape, |_| value)
    }

    fn parameter<const D: usize>(
        &mut self,
        shape: [usize; D],
        mut value: impl FnMut(&mut Self) -> f64,
    ) -> Param<Tensor<D>> {
        if self.unfilled {
            return Param::uninitialized(
                ParamId::new(),
                move |device, _| Tensor::zeros(shape, device),
                self.device.clone(),
                /* is_require_grad */ true,
                shape.into(),
            );
        }
        let n = shape.iter().product();
        let values: Vec<f32> = (0..n).map(|_| value(self) as f32).collect();
        Param::from_data(TensorData::new(values, shape), &self.device)
    }
}
