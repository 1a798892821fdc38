//! Steps over all parameters of a module, with state kept by name so that a checkpoint is a plain
//! list of named tensors.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use underdrawing::net::{AdamFactors, AdamState, NamedTensor, adam_step};

use crate::checkpoint::Values;
use crate::config::OptimiserKind;
use crate::muon::muon_step;

/// What stays the same of Adam during a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AdamConfig {
    /// Decay of the mean of the gradients.
    pub(crate) beta_1: f64,
    /// Decay of the mean of their squares.
    pub(crate) beta_2: f64,
    /// Added to the root of the mean square; PyTorch's default is 1e-8.
    pub(crate) epsilon: f64,
    /// Decoupled weight decay (Loshchilov and Hutter 2019); 0 is plain Adam.
    pub(crate) weight_decay: f64,
}

/// Adam (Kingma and Ba 2015) with bias correction, and Muon where it is asked for.
#[derive(Debug)]
pub(crate) struct Optimiser {
    kind: OptimiserKind,
    adam: AdamConfig,
    steps: u64,
    /// By kind and name: `adam.mean.NAME`, `adam.square.NAME`, `muon.momentum.NAME`; flattened.
    state: BTreeMap<String, Tensor<1>>,
}

/// A parameter and what is to be done to it.
struct Update<'a> {
    name: &'a str,
    shape: &'a [usize],
    value: Tensor<1>,
    gradient: Tensor<1>,
    /// Multiplies the gradient first (clipping).
    scale: f64,
    rate: f64,
}

impl Optimiser {
    pub(crate) fn new(kind: OptimiserKind, adam: AdamConfig) -> Self {
        Self {
            kind,
            adam,
            steps: 0,
            state: BTreeMap::new(),
        }
    }

    /// One step; `learning_rate` is asked for each parameter's dotted name, `gradient_scale`
    /// multiplies every gradient (clipping).
    pub(crate) fn step<M: Module>(
        &mut self,
        module: M,
        gradients: &Gradients,
        gradient_scale: f64,
        learning_rate: &dyn Fn(&str) -> f64,
    ) -> M {
        self.steps += 1;
        module.map(&mut Stepper {
            optimiser: self,
            gradients,
            gradient_scale,
            learning_rate,
            path: Vec::new(),
        })
    }

    /// The state as named tensors.
    pub(crate) fn to_tensors(&self) -> Vec<NamedTensor> {
        let tensors = self.state.iter().map(|(name, tensor)| {
            let values = values_of(tensor.clone());
            NamedTensor {
                name: name.clone(),
                shape: vec![values.len()],
                values,
            }
        });
        tensors.collect()
    }

    /// Restores what [`Optimiser::to_tensors`] gave, after `steps` steps; other tensors may be
    /// there.
    pub(crate) fn restore(&mut self, steps: u64, tensors: Values, device: &Device) {
        let ours = |name: &str| name.starts_with("adam.") || name.starts_with("muon.");
        self.steps = steps;
        self.state = tensors
            .into_iter()
            .filter(|(name, _)| ours(name))
            .map(|(name, values)| {
                let n = values.len();
                (
                    name,
                    Tensor::from_data(TensorData::new(values, [n]), device),
                )
            })
            .collect();
    }

    fn take(&mut self, kind: &str, name: &str, like: &Tensor<1>) -> Tensor<1> {
        let state = self.state.remove(&format!("{kind}.{name}"));
        state.unwrap_or_else(|| like.zeros_like())
    }

    fn keep(&mut self, kind: &str, name: &str, tensor: Tensor<1>) {
        self.state.insert(format!("{kind}.{name}"), tensor);
    }

    /// The new value of a parameter.
    fn update(&mut self, update: Update<'_>) -> Tensor<1> {
        let layer = update.shape.len() == 4 && !update.name.ends_with(SHAPING);
        match self.kind {
            OptimiserKind::Muon if layer => self.by_muon(update),
            OptimiserKind::Muon | OptimiserKind::Adam => self.by_adam(update),
        }
    }

    fn by_muon(&mut self, update: Update<'_>) -> Tensor<1> {
        let momentum = self.take("muon.momentum", update.name, &update.value);
        let gradient = update.gradient * update.scale;
        let (momentum, step) = muon_step(update.shape[0], momentum, gradient);
        self.keep("muon.momentum", update.name, momentum);
        let kept = 1.0 - update.rate * self.adam.weight_decay;
        update.value * kept - step * update.rate
    }

    fn by_adam(&mut self, update: Update<'_>) -> Tensor<1> {
        let AdamConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.adam;
        let steps = self.steps as f64;
        let mean_correction = 1.0 - beta_1.powf(steps);
        let square_correction = 1.0 - beta_2.powf(steps);
        let factors = AdamFactors {
            gradient: update.scale as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            root: (1.0 / square_correction.sqrt()) as f32,
            epsilon: epsilon as f32,
            rate: (update.rate / mean_correction) as f32,
            keep: (1.0 - update.rate * weight_decay) as f32,
        };
        let state = AdamState {
            mean: self.take("adam.mean", update.name, &update.value),
            square: self.take("adam.square", update.name, &update.value),
            value: update.value,
        };
        let state = adam_step(state, update.gradient, factors);
        self.keep("adam.mean", update.name, state.mean);
        self.keep("adam.square", update.name, state.square);
        state.value
    }
}

/// Weights that are no layer's.
const SHAPING: &str = "rounding.weight";

/// Walks over the parameters and updates each that has a gradient.
struct Stepper<'a> {
    optimiser: &'a mut Optimiser,
    gradients: &'a Gradients,
    gradient_scale: f64,
    learning_rate: &'a dyn Fn(&str) -> f64,
    path: Vec<String>,
}

impl ModuleMapper for Stepper<'_> {
    // As `named_tensors` does, without the variants of enums.
    fn enter_module(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.path.pop();
        }
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let Some(gradient) = tensor.grad(self.gradients) else {
            return Param::from_mapped_value(id, tensor, mapper);
        };
        let name = self.path.join(".");
        let shape = tensor.dims();
        let n = shape.iter().product::<usize>();
        let value = self.optimiser.update(Update {
            name: &name,
            shape: &shape,
            value: tensor.inner().reshape([n]),
            gradient: gradient.reshape([n]),
            scale: self.gradient_scale,
            rate: (self.learning_rate)(&name),
        });
        let value = Tensor::from_inner(value.reshape(shape)).require_grad();
        Param::from_mapped_value(id, value, mapper)
    }
}

/// Square root of the sum of squares of all gradients.
pub(crate) fn gradient_norm<M: Module>(module: &M, gradients: &Gradients) -> f64 {
    struct Norm<'a> {
        gradients: &'a Gradients,
        sum: f64,
    }
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad(self.gradients) {
                self.sum += f64::from(gradient.square().sum().into_scalar::<f32>());
            }
        }
    }
    let mut norm = Norm {
        gradients,
        sum: 0.0,
    };
    module.visit(&mut norm);
    norm.sum.sqrt()
}

fn values_of(tensor: Tensor<1>) -> Vec<f32> {
    tensor
        .into_data()
        .try_to_vec()
        .expect("optimiser state is kept in f32")
}
