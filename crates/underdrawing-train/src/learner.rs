//! Networks in training with their optimiser: one step at a time, wherever the pictures come from.

use underdrawing_net::{
    CpuEngine, Differentiable, Engine, Nets, Networks, Param, Ranks, Reading, add_up,
};

use crate::checkpoint::{self, NamedTensor, Values};
use crate::config::TrainConfig;
use crate::loss::{self, Pairs};
use crate::optimiser::{AdamConfig, Optimiser, Rates};
use crate::share::Share;

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

/// What came of a step of all ranks.
pub(crate) struct Together {
    pub(crate) errors: Errors,
    /// Whether one of them wants to stop.
    pub(crate) stop: bool,
}

impl Errors {
    /// Whether [`Errors::values`] comes at once.
    pub(crate) fn are_ready(&self) -> bool {
        self.container.is_ready() && self.revealed.is_ready()
    }

    fn known(container: f32, revealed: f32) -> Self {
        Self {
            container: Reading::known(vec![container]),
            revealed: Reading::known(vec![revealed]),
        }
    }

    /// Sums over the pairs: of the containers and of the revealed pictures.
    fn sums(self) -> [f64; 2] {
        let sum = |reading: Reading| reading.values().iter().map(|v| f64::from(*v)).sum();
        [sum(self.container), sum(self.revealed)]
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

    /// One step, with new parameters in the end. `batch` is `[batch_size, 3, side, side]`, covers
    /// before secrets; `step` picks the noise.
    ///
    /// # Panics
    /// Panics if `batch` has another length.
    pub fn step(&mut self, batch: Vec<f32>, step: u64, rates: Rates) -> Errors {
        let (gradients, errors) = self.pass(batch, step, Share::WHOLE);
        self.apply(&gradients, rates);
        errors
    }

    /// One step, of which this rank takes `shares`, one after the other; `batch` gives the pictures
    /// of each. What it returns is the same for all ranks, but where `batch` has none to give.
    pub(crate) fn step_together(
        &mut self,
        ranks: &dyn Ranks,
        shares: &[Share],
        mut batch: impl FnMut() -> Option<Vec<f32>>,
        step: u64,
        rates: Rates,
        stop: bool,
    ) -> Option<Together> {
        // Everything that ranks tell each other in a step: errors, whether one wants to stop, and
        // gradients.
        let mut sums = [0.0, 0.0, f32::from(u8::from(stop))].to_vec();
        let told = sums.len();
        let mut lengths = Vec::new();
        for share in shares {
            let (gradients, errors) = self.pass(batch()?, step, *share);
            let gradients = gradients.iter();
            let gradients: Vec<Option<Vec<f32>>> = gradients
                .map(|g| g.as_ref().map(|g| self.engine.download(g)))
                .collect();
            lengths = gradients.iter().map(|g| g.as_ref().map(Vec::len)).collect();
            let gradients = gradients.into_iter().flatten().flatten();
            let n = (self.config.batch_size / 2) as f64;
            for (sum, error) in sums.iter_mut().zip(errors.sums()) {
                *sum += (error / n) as f32;
            }
            if sums.len() == told {
                sums.extend(gradients);
            } else {
                let gradients = sums[told..].iter_mut().zip(gradients);
                gradients.for_each(|(sum, gradient)| *sum += gradient);
            }
        }
        add_up(ranks, &mut sums);
        let mut rest = &sums[told..];
        let gradients = self.params.iter().zip(lengths);
        let gradients = gradients.map(|(param, len)| {
            let gradient;
            (gradient, rest) = rest.split_at(len?);
            Some(self.engine.upload(&param.shape, gradient.to_vec()))
        });
        let gradients: Vec<_> = gradients.collect();
        self.apply(&gradients, rates);
        Some(Together {
            errors: Errors::known(sums[0], sums[1]),
            stop: sums[2] > 0.0,
        })
    }

    /// Hides and reveals a share of a batch: its part of the batch's gradients, and its errors.
    fn pass(
        &mut self,
        mut batch: Vec<f32>,
        step: u64,
        share: Share,
    ) -> (Vec<Option<E::Buffer>>, Errors) {
        let pairs = Pairs {
            share,
            of: self.config.batch_size / 2,
        };
        let n = pairs.len();
        let size = (batch.len() / (2 * 3 * n)).isqrt();
        let shape = [n, 3, size, size];
        let mut random = loss::random(&self.config, step);
        let (covers, secrets) = batch.split_at_mut(shape.iter().product());
        loss::vary_strengths(secrets, pairs, self.config.strengths as f32, &mut random);
        let cover = self
            .engine
            .begin(&self.params, &self.weights, shape, covers);
        let secret = cover.constant(shape, secrets);
        let pass = loss::forward(
            &self.nets,
            &cover,
            &secret,
            pairs,
            &self.config,
            &mut random,
        );
        let errors = Errors {
            container: self.engine.reading(&pass.container_mse),
            revealed: self.engine.reading(&pass.revealed_mse),
        };
        let mut loss = pass.loss(&self.config);
        if n < pairs.of {
            // The loss is a mean over the batch.
            loss = loss.times(n as f32 / pairs.of as f32);
        }
        // The weights can only change in place once nothing of the pass is left.
        drop((pass, cover, secret));
        (self.engine.finish(loss, &mut self.weights), errors)
    }

    /// New parameters by the gradients of a batch.
    fn apply(&mut self, gradients: &[Option<E::Buffer>], rates: Rates) {
        self.optimiser.step(
            &self.engine,
            &self.params,
            &mut self.weights,
            gradients,
            (self.config.clip_norm > 0.0).then_some(self.config.clip_norm),
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
