//! Networks in training with their optimiser: one step at a time, wherever the pictures come from.

use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use underdrawing::net::{NamedTensor, Networks};
use underdrawing::{Compute, ComputeError};

use crate::checkpoint::{self, Values};
use crate::config::TrainConfig;
use crate::loss;
use crate::optimiser::{AdamConfig, Optimiser, gradient_norm};

/// PyTorch's default.
const ADAM_EPSILON: f64 = 1e-8;

/// Networks and the state of their optimiser.
pub struct Learner {
    config: TrainConfig,
    device: Device,
    /// Always there between calls. The optimiser takes them out, so that it can change parameters in place.
    networks: Option<Networks>,
    optimiser: Optimiser,
}

/// Learning rates of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Of all networks but the one below.
    pub hiding: f64,
    /// Of a reveal network of its own.
    pub reveal: f64,
}

/// A pass forward and back.
pub(crate) struct Outcome {
    pub(crate) container_mse: f64,
    pub(crate) revealed_mse: f64,
    pub(crate) gradients: Gradients,
}

impl Learner {
    /// Fresh networks. Only the networks' settings, the loss's, the optimiser's and the seed matter.
    ///
    /// # Errors
    /// When the device is not there.
    pub fn new(config: &TrainConfig, compute: Compute) -> Result<Self, ComputeError> {
        underdrawing::keep_freed_memory();
        let device = compute.device()?.autodiff();
        Ok(Self {
            networks: Some(config.architecture().init(config.seed, &device)),
            optimiser: Optimiser::new(
                config.optimiser,
                AdamConfig {
                    beta_1: config.beta_1,
                    beta_2: config.beta_2,
                    epsilon: ADAM_EPSILON,
                    weight_decay: config.weight_decay,
                },
            ),
            config: config.clone(),
            device,
        })
    }

    /// One step: errors of container and revealed picture (mean squares, samples in [0, 1]), then
    /// new parameters. `batch` is `[batch_size, 3, size, size]`, covers before secrets; `step`
    /// picks the noise.
    ///
    /// # Panics
    /// Panics if `batch` has another length.
    pub fn step(&mut self, batch: Vec<f32>, step: u64, rates: Rates) -> (f64, f64) {
        let outcome = self.forward_and_back(batch, step);
        self.update(&outcome.gradients, rates);
        (outcome.container_mse, outcome.revealed_mse)
    }

    pub(crate) fn forward_and_back(&self, batch: Vec<f32>, step: u64) -> Outcome {
        let (n, size) = (self.config.batch_size, self.config.size);
        let data = TensorData::new(batch, [n, 3, size, size]);
        let pictures = Tensor::<4>::from_data(data, &self.device);
        let cover = pictures.clone().narrow(0, 0, n / 2);
        let secret = pictures.narrow(0, n / 2, n / 2);
        let pass = loss::forward(self.networks(), cover, secret, &self.config, step);
        let gradients = pass.loss(&self.config).backward();
        let number = |t: Tensor<1>| f64::from(t.mean().into_scalar::<f32>());
        Outcome {
            container_mse: number(pass.container_mse),
            revealed_mse: number(pass.revealed_mse),
            gradients,
        }
    }

    pub(crate) fn update(&mut self, gradients: &Gradients, rates: Rates) {
        let mut scale = 1.0;
        if self.config.clip_norm > 0.0 {
            let norm = gradient_norm(self.networks(), gradients);
            scale = (self.config.clip_norm / norm.max(1e-12)).min(1.0);
        }
        let networks = self
            .networks
            .take()
            .expect("networks are there between calls");
        self.networks = Some(self.optimiser.step(networks, gradients, scale, &|name| {
            if name.contains("reveal.") {
                rates.reveal
            } else {
                rates.hiding
            }
        }));
    }

    /// The networks as they are.
    ///
    /// # Panics
    /// Never: they are only away while a step changes them.
    #[must_use]
    pub fn networks(&self) -> &Networks {
        self.networks
            .as_ref()
            .expect("networks are there between calls")
    }

    pub(crate) fn device(&self) -> &Device {
        &self.device
    }

    /// The optimiser's state as named tensors.
    pub(crate) fn moments(&self) -> Vec<NamedTensor> {
        self.optimiser.to_tensors()
    }

    /// Restores networks and the optimiser's state after `steps` steps.
    pub(crate) fn restore(&mut self, steps: u64, tensors: Values) -> Result<(), String> {
        let networks = checkpoint::restore(self.networks().clone(), &tensors)?;
        self.networks = Some(networks);
        self.optimiser
            .restore(steps, tensors, &self.device.clone().inner());
        Ok(())
    }
}
