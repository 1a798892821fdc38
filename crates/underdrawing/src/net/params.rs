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

/// Names and shapes of [`named_tensors`]; parameters that are not filled yet stay so.
#[must_use]
pub fn named_shapes<M: Module>(module: &M) -> Vec<(String, Vec<usize>)> {
    let mut shapes = Shapes::default();
    module.visit(&mut shapes);
    shapes.shapes
}

/// Number of trained values: all but the running statistics.
#[must_use]
pub fn n_parameters<M: Module>(module: &M) -> usize {
    named_shapes(module)
        .iter()
        .filter(|(name, _)| !is_statistic(name))
        .map(|(_, shape)| shape.iter().product::<usize>())
        .sum()
}

/// Whether a name of [`named_tensors`] is a running statistic, which no optimiser changes.
#[must_use]
pub fn is_statistic(name: &str) -> bool {
    name.ends_with(".running_mean") || name.ends_with(".running_var")
}

/// The module with every value replaced by `values(name, shape)`, which must return as many values
/// as the shape holds. Devices and the identities of parameters stay.
///
/// Clones of a module share their running statistics: replacing one's replaces the other's.
///
/// # Panics
/// Panics if `values` returns another number of values.
#[must_use]
pub fn with_tensors<M: Module>(module: M, values: &mut dyn FnMut(&str, &[usize]) -> Vec<f32>) -> M {
    module.map(&mut Replacer {
        path: Path::default(),
        values,
    })
}

/// Fields on the way to the current tensor; the variants of an enum leave no trace.
#[derive(Default)]
struct Path(Vec<String>);

impl Path {
    fn enter(&mut self, name: &str, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.push(name.to_owned());
        }
    }

    fn exit(&mut self, container: &str) {
        if !container.starts_with("Enum:") {
            self.0.pop();
        }
    }

    fn name(&self) -> String {
        self.0.join(".")
    }
}

/// The values of a parameter or statistic.
pub(crate) fn values_of<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    t.into_data()
        .try_into_vec()
        .expect("networks keep their parameters in f32")
}

#[derive(Default)]
struct Collector {
    path: Path,
    tensors: Vec<NamedTensor>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let data = param.val().into_data();
        self.tensors.push(NamedTensor {
            name: self.path.name(),
            shape: data.shape().to_vec(),
            values: data
                .try_to_vec()
                .expect("networks keep their parameters in f32"),
        });
    }
}

#[derive(Default)]
struct Shapes {
    path: Path,
    shapes: Vec<(String, Vec<usize>)>,
}

impl ModuleVisitor for Shapes {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.lazy_shape().dims::<D>().to_vec();
        self.shapes.push((self.path.name(), shape));
    }
}

struct Replacer<'a> {
    path: Path,
    values: &'a mut dyn FnMut(&str, &[usize]) -> Vec<f32>,
}

impl ModuleMapper for Replacer<'_> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.path.exit(container);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let shape = tensor.dims();
        let values = (self.values)(&self.path.name(), &shape);
        let fresh = Tensor::from_data(TensorData::new(values, shape), &tensor.device());
        let fresh = fresh.set_require_grad(tensor.is_require_grad());
        Param::from_mapped_value(id, fresh, mapper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{HidingNetConfig, Init, Networks, Pair2018Config, RevealNetConfig};

    fn networks(seed: u64, device: &Device) -> Networks {
        let config = Pair2018Config {
            hiding: HidingNetConfig { width: 1, depth: 3 },
            reveal: RevealNetConfig { width: 1 },
        };
        Networks::Unet2018(config.init(&mut Init::new(seed, device)))
    }

    #[test]
    fn names_are_paths_of_fields_in_their_order() {
        let names: Vec<_> = named_shapes(&networks(1, &Device::flex()))
            .into_iter()
            .map(|(name, _)| name)
            .collect();
        let beginning = [
            "hiding.down.0.weight",
            "hiding.down.1.weight",
            "hiding.down.1.norm.weight",
            "hiding.down.1.norm.bias",
            "hiding.down.1.norm.running_mean",
            "hiding.down.1.norm.running_var",
            "hiding.down.2.weight",
            "hiding.up.0.weight",
            "hiding.up.0.bias",
        ];
        assert_eq!(names[..beginning.len()], beginning);
        assert_eq!(names.last().map(String::as_str), Some("reveal.last.bias"));
    }

    #[test]
    fn values_survive_the_way_out_and_in() {
        for device in [Device::flex(), Device::flex().autodiff()] {
            let source = named_tensors(&networks(1, &device));
            let mut values = source.iter();
            let copy = with_tensors(networks(2, &device), &mut |name, shape| {
                let tensor = values.next().expect("as many tensors as before");
                assert_eq!((name, shape), (&*tensor.name, &*tensor.shape));
                tensor.values.clone()
            });
            assert_eq!(named_tensors(&copy), source);
        }
    }

    #[test]
    fn new_values_are_trained_and_statistics_are_not() {
        let device = Device::flex().autodiff();
        let copy = with_tensors(networks(1, &device), &mut |_, shape| {
            vec![1.0; shape.iter().product()]
        });
        let mut gradients = Requirements::default();
        copy.visit(&mut gradients);
        for (name, required) in gradients.found {
            assert_eq!(required, !is_statistic(&name), "{name}");
        }
    }

    #[derive(Default)]
    struct Requirements {
        path: Path,
        found: Vec<(String, bool)>,
    }

    impl ModuleVisitor for Requirements {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _name: &str, container: &str) {
            self.path.exit(container);
        }

        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.found
                .push((self.path.name(), param.val().is_require_grad()));
        }
    }
}
