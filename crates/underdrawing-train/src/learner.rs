//! Networks in training with their optimiser: one step at a time, wherever the pictures come from.

use underdrawing_net::{CpuEngine, Differentiable, Engine, Nets, Networks, Param};

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

/// A pass forward and back.
pub(crate) struct Outcome<B> {
    pub(crate) container_mse: f64,
    pub(crate) revealed_mse: f64,
    pub(crate) gradients: Vec<Option<B>>,
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
                .map(|param| engine.upload(param.values.clone()))
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

    pub(crate) fn forward_and_back(
        &mut self,
        mut batch: Vec<f32>,
        step: u64,
    ) -> Outcome<E::Buffer> {
        let (n, size) = (self.config.batch_size / 2, self.config.size);
        let shape = [n, 3, size, size];
        let mut random = loss::random(&self.config, step);
        let mut secrets = batch.split_off(shape.iter().product());
        loss::vary_strengths(&mut secrets, n, self.config.strengths as f32, &mut random);
        let cover = self.engine.begin(&self.params, &self.weights, shape, batch);
        let secret = cover.constant(shape, secrets);
        let pass = loss::forward(&self.nets, &cover, &secret, &self.config, &mut random);
        let [container_mse, revealed_mse] =
            [&pass.container_mse, &pass.revealed_mse].map(|errors| {
                let errors = errors.to_vec();
                errors.iter().map(|v| f64::from(*v)).sum::<f64>() / errors.len() as f64
            });
        let loss = pass.loss(&self.config);
        // The weights can only change in place once nothing of the pass is left.
        drop((pass, cover, secret));
        Outcome {
            container_mse,
            revealed_mse,
            gradients: self.engine.finish(loss, &mut self.weights),
        }
    }

    pub(crate) fn update(&mut self, gradients: &[Option<E::Buffer>], rates: Rates) {
        let mut scale = 1.0;
        if self.config.clip_norm > 0.0 {
            let squares = gradients.iter().flatten();
            let sum: f64 = squares.map(|g| self.engine.sum_of_squares(g)).sum();
            scale = (self.config.clip_norm / sum.sqrt().max(1e-12)).min(1.0);
        }
        self.optimiser.step(
            &self.engine,
            &self.params,
            &mut self.weights,
            gradients,
            scale,
            rates,
        );
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
        self.optimiser.to_tensors(&self.engine)
    }

    /// Restores networks and the optimiser's state after `steps` steps.
    pub(crate) fn restore(&mut self, steps: u64, tensors: Values) -> Result<(), String> {
        let values = checkpoint::values_of(&self.params, &tensors)?;
        let weights = values.into_iter().map(|values| self.engine.upload(values));
        self.weights = weights.collect();
        self.optimiser.restore(&self.engine, steps, tensors);
        Ok(())
    }
}
