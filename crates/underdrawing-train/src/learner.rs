//! Networks in training with their optimiser: one step at a time, wherever the pictures come from.

use underdrawing_net::{CpuEngine, Differentiable, Engine, Nets, Networks, Param, Reading};

use crate::checkpoint::{self, NamedTensor, Values};
use crate::config::TrainConfig;
use crate::loss;
use crate::optimiser::{AdamConfig, Optimiser, Rates};

/// PyTorch's default.
const ADAM_EPSILON: f64 = 1e-8;

/// Networks and the state of their optimiser.
pub struct Learner<E: Engine = CpuEngine> {
    config: TrainConfig,
    engine: E,
    nets: Nets,
    /// Without values, which are in `weights`.
    params: Vec<Param>,
    weights: Vec<E::Buffer>,
    optimiser: Optimiser<E::Buffer>,
}

/// Errors of a step: mean squares, samples in [0, 1]. They are there when the step has been made,
/// which need not be waited for.
pub struct Errors {
    container: Reading,
    revealed: Reading,
}

impl Errors {
    /// Whether [`Errors::values`] comes at once.
    pub(crate) fn are_ready(&self) -> bool {
        self.container.is_ready() && self.revealed.is_ready()
    }

    /// Of the containers and of the revealed pictures.
    #[must_use]
    pub fn values(self) -> (f64, f64) {
        let mean = |reading: Reading| {
            let errors = reading.values();
            errors.iter().map(|v| f64::from(*v)).sum::<f64>() / errors.len() as f64
        };
        (mean(self.container), mean(self.revealed))
    }
}

impl<E: Engine> Learner<E> {
    /// Fresh networks. Only the networks' settings, the loss's, the optimiser's and the seed
    /// matter.
    #[must_use]
    pub fn new(config: &TrainConfig, engine: E) -> Self {
        let networks = Networks::new(config.architecture(), config.seed);
        let params = networks.params().iter();
        Self {
            nets: networks.nets().clone(),
            weights: params
                .map(|param| engine.upload(&param.shape, param.values.clone()))
                .collect(),
            params: Networks::shapes(config.architecture()),
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
            engine,
        }
    }

    /// One step, with new parameters in the end. `batch` is `[batch_size, 3, size, size]`, covers
    /// before secrets; `step` picks the noise.
    ///
    /// # Panics
    /// Panics if `batch` has another length.
    pub fn step(&mut self, mut batch: Vec<f32>, step: u64, rates: Rates) -> Errors {
        let (n, size) = (self.config.batch_size / 2, self.config.size);
        let shape = [n, 3, size, size];
        let mut random = loss::random(&self.config, step);
        let (covers, secrets) = batch.split_at_mut(shape.iter().product());
        loss::vary_strengths(secrets, n, self.config.strengths as f32, &mut random);
        let cover = self
            .engine
            .begin(&self.params, &self.weights, shape, covers);
        let secret = cover.constant(shape, secrets);
        let pass = loss::forward(&self.nets, &cover, &secret, &self.config, &mut random);
        let errors = Errors {
            container: self.engine.reading(&pass.container_mse),
            revealed: self.engine.reading(&pass.revealed_mse),
        };
        let loss = pass.loss(&self.config);
        // The weights can only change in place once nothing of the pass is left.
        drop((pass, cover, secret));
        let gradients = self.engine.finish(loss, &mut self.weights);
        self.optimiser.step(
            &self.engine,
            &self.params,
            &mut self.weights,
            &gradients,
            (self.config.clip_norm > 0.0).then_some(self.config.clip_norm),
            rates,
        );
        errors
    }

    /// The networks as they are.
    #[must_use]
    pub fn networks(&self) -> Networks {
        let mut weights = self.weights.iter();
        let architecture = self.config.architecture();
        let networks = Networks::with_values(architecture, |_| {
            let weights = weights.next().expect("one buffer a parameter");
            Ok::<_, std::convert::Infallible>(self.engine.download(weights))
        });
        let Ok(networks) = networks;
        networks
    }

    pub(crate) fn engine(&self) -> &E {
        &self.engine
    }

    /// The optimiser's state as named tensors.
    pub(crate) fn moments(&self) -> Vec<NamedTensor> {
        self.optimiser.to_tensors(&self.engine, &self.params)
    }

    /// Restores networks and the optimiser's state after `steps` steps.
    pub(crate) fn restore(&mut self, steps: u64, tensors: Values) -> Result<(), String> {
        let values = checkpoint::values_of(&self.params, &tensors)?;
        let values = self.params.iter().zip(values);
        let weights = values.map(|(param, values)| self.engine.upload(&param.shape, values));
        self.weights = weights.collect();
        self.optimiser
            .restore(&self.engine, &self.params, steps, &tensors);
        Ok(())
    }
}
