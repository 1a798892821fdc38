//! The parameters of any network by name, as plain numbers.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::TensorData;

/// One parameter or running statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedTensor {
    /// Dotted path of fields, as PyTorch names them: `blocks.0.cover_update.first.weight`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Values, last extent fastest.
    pub values: Vec<f32>,
}

/// All parameters and running statistics of a module, in the order of its fields.
#[must_use]
pub fn named_tensors<M: Module>(module: &M) -> Vec<NamedTensor> {
    let mut collector = Collector::default();
    module.visit(&mut collector);
    collector.tensors
}

/// The module with every value replaced by `values(name, shape)`, which must return as many values
/// as the shape holds.
#[must_use]
pub fn with_tensors<M: Module>(
    module: M,
    values: &mut dyn FnMut(&str, &[usize]) -> Vec<f32>,
) -> M {
    module.map(&mut Replacer {
        path: Vec::new(),
        values,
    })
}

#[derive(Default)]
struct Collector {
    path: Vec<String>,
    tensors: Vec<NamedTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        self.tensors.push(NamedTensor {
            name: self.path.join("."),
            shape: data.shape().to_vec(),
            values: data.try_to_vec().expect("networks keep their parameters in f32"),
        });
    }
}

struct Replacer<'a> {
    path: Vec<String>,
    values: &'a mut dyn FnMut(&str, &[usize]) -> Vec<f32>,
}

impl ModuleMapper for Replacer<'_> {
    fn enter_module(&mut self, name: &str, _container: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let values = (self.values)(&self.path.join("."), &shape);
        let fresh = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
        let fresh = if tensor.is_require_grad() {
            fresh.require_grad()
        } else {
            fresh
        };
        Param::from_mapped_value(id, fresh, mapper)
    }
}
