//! Adam and AdamW over all parameters of a module, kept by name so that a checkpoint is a plain
//! list of named tensors.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use underdrawing::net::{AdamFactors, AdamState, NamedTensor, adam_step};

use crate::checkpoint::Values;

/// What stays the same during a run.
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

/// Adam (Kingma and Ba 2015) with bias correction.
#[derive(Debug)]
pub(crate) struct Adam {
    config: AdamConfig,
    steps: u64,
    moments: BTreeMap<String, Moments>,
}

/// Running means of a parameter's gradient and of its square, flattened.
#[derive(Debug, Clone)]
struct Moments {
    mean: Tensor<1>,
    square: Tensor<1>,
}

impl Adam {
    pub(crate) fn new(config: AdamConfig) -> Self {
        Self {
            config,
            steps: 0,
            moments: BTreeMap::new(),
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
            adam: self,
            gradients,
            gradient_scale,
            learning_rate,
            path: Vec::new(),
        })
    }

    /// The state as named tensors: `adam.mean.NAME`, `adam.square.NAME`.
    pub(crate) fn to_tensors(&self) -> Vec<NamedTensor> {
        let mut tensors = Vec::new();
        for (name, moments) in &self.moments {
            for (kind, tensor) in [("mean", &moments.mean), ("square", &moments.square)] {
                let values = values_of(tensor.clone());
                tensors.push(NamedTensor {
                    name: format!("adam.{kind}.{name}"),
                    shape: vec![values.len()],
                    values,
                });
            }
        }
        tensors
    }

    /// Restores what [`Adam::to_tensors`] gave, after `steps` steps.
    pub(crate) fn restore(&mut self, steps: u64, mut tensors: Values, device: &Device) {
        let names: Vec<String> = tensors
            .keys()
            .filter_map(|key| key.strip_prefix("adam.mean.").map(str::to_owned))
            .collect();
        let mut take = |key: String| {
            let values = tensors.remove(&key).unwrap_or_default();
            let n = values.len();
            Tensor::from_data(TensorData::new(values, [n]), device)
        };
        self.steps = steps;
        self.moments = names
            .into_iter()
            .map(|name| {
                let moments = Moments {
                    mean: take(format!("adam.mean.{name}")),
                    square: take(format!("adam.square.{name}")),
                };
                (name, moments)
            })
            .collect();
    }

    /// The new value of a parameter. `gradient` is multiplied by `gradient_scale` first.
    fn update(
        &mut self,
        name: &str,
        value: Tensor<1>,
        gradient: Tensor<1>,
        gradient_scale: f64,
        rate: f64,
    ) -> Tensor<1> {
        let AdamConfig {
            beta_1,
            beta_2,
            epsilon,
            weight_decay,
        } = self.config;
        let steps = self.steps as f64;
        let mean_correction = 1.0 - beta_1.powf(steps);
        let square_correction = 1.0 - beta_2.powf(steps);
        let factors = AdamFactors {
            gradient: gradient_scale as f32,
            beta_1: beta_1 as f32,
            beta_2: beta_2 as f32,
            root: (1.0 / square_correction.sqrt()) as f32,
            epsilon: epsilon as f32,
            rate: (rate / mean_correction) as f32,
            keep: (1.0 - rate * weight_decay) as f32,
        };
        let moments = self.moments.remove(name).unwrap_or_else(|| Moments {
            mean: value.zeros_like(),
            square: value.zeros_like(),
        });
        let state = AdamState {
            value,
            mean: moments.mean,
            square: moments.square,
        };
        let AdamState {
            value,
            mean,
            square,
        } = adam_step(state, gradient, factors);
        self.moments
            .insert(name.to_owned(), Moments { mean, square });
        value
    }
}

/// Walks over the parameters and updates each that has a gradient.
struct Stepper<'a> {
    adam: &'a mut Adam,
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
        let value = self.adam.update(
            &name,
            tensor.inner().reshape([n]),
            gradient.reshape([n]),
            self.gradient_scale,
            (self.learning_rate)(&name),
        );
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
