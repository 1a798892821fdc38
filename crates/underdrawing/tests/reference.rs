//! The networks agree with PyTorch, which computed in 64 bits: forward in both modes, running
//! statistics, gradients. `tools/reference/write_reference.py` wrote the files and says what is in
//! them.

use std::collections::BTreeMap;

use burn::module::{Module, ModuleVisitor, Param};
use burn::prelude::*;
use burn::tensor::{Gradients, TensorData};
use safetensors::{Dtype, SafeTensors};
use underdrawing::net::{
    HidingNetConfig, Init, LiftingNetConfig, Networks, Pair2018Config, RevealNetConfig,
    Triple2017Config, is_statistic, named_shapes, named_tensors, with_tensors,
};

/// Largest error allowed, relative to the largest value of the tensor. Ours are sums of up to a few
/// thousand products in 32 bits, each rounded by 6e-8, through some twenty layers; 4e-6 was found.
const RELATIVE: f32 = 1e-4;

const REVEAL_WEIGHT: f32 = 0.75;

#[test]
fn the_2018_system_agrees_with_pytorch() {
    let config = Pair2018Config {
        hiding: HidingNetConfig { width: 2, depth: 5 },
        reveal: RevealNetConfig { width: 4 },
    };
    let files: [&[u8]; 2] = [
        include_bytes!("../../../testdata/reference/unet2018.safetensors"),
        include_bytes!("../../../testdata/reference/reveal2018.safetensors"),
    ];
    check(&files, |init| Networks::Unet2018(config.init(init)));
}

#[test]
fn the_2017_design_agrees_with_pytorch() {
    let file = include_bytes!("../../../testdata/reference/dense2017.safetensors");
    let config = Triple2017Config { width: 4 };
    check(&[file], |init| Networks::Dense2017(config.init(init)));
}

#[test]
fn the_lifting_network_agrees_with_pytorch() {
    let file = include_bytes!("../../../testdata/reference/lifting.safetensors");
    let config = LiftingNetConfig {
        blocks: 2,
        width: 8,
        shaping: false,
    };
    check(&[file], |init| Networks::Lifting(config.init(init)));
}

fn check(files: &[&[u8]], build: impl Fn(&mut Init) -> Networks) {
    let reference = Reference::read(files);
    let networks = |device: &Device| {
        with_tensors(build(&mut Init::new(1, device)), &mut |name, shape| {
            reference.values(&format!("weight/{name}"), shape).to_vec()
        })
    };
    check_evaluation(&reference, &networks(&Device::flex()));
    check_training(&reference, &networks(&Device::flex().autodiff()));
}

fn check_evaluation(reference: &Reference, networks: &Networks) {
    let before = named_tensors(networks);
    let [cover, secret] =
        ["cover", "secret"].map(|name| reference.picture(name, &Device::flex()).narrow(0, 0, 1));
    let container = networks.hide(cover, secret);
    let revealed = networks.reveal(container.clone());
    reference.assert_agrees("eval/container", container);
    reference.assert_agrees("eval/revealed", revealed);
    assert!(before == named_tensors(networks), "evaluation changed them");
}

fn check_training(reference: &Reference, networks: &Networks) {
    let device = Device::flex().autodiff();
    let cover = reference.picture("cover", &device);
    let secret = reference.picture("secret", &device);
    let container = networks.hide(cover.clone(), secret.clone());
    let revealed = networks.reveal(container.clone());
    reference.assert_agrees("train/container", container.clone());
    reference.assert_agrees("train/revealed", revealed.clone());
    for tensor in named_tensors(networks) {
        if is_statistic(&tensor.name) {
            let name = format!("train/{}", tensor.name);
            reference.assert_close(&name, &tensor.shape, &tensor.values);
        }
    }

    let loss =
        (container - cover).square().mean() + (revealed - secret).square().mean() * REVEAL_WEIGHT;
    let mut gradients = Collector {
        gradients: &loss.backward(),
        found: Vec::new(),
    };
    networks.visit(&mut gradients);
    let shapes = named_shapes(networks);
    assert_eq!(shapes.len(), gradients.found.len());
    for ((name, shape), found) in shapes.into_iter().zip(gradients.found) {
        check_gradient(reference, &name, &shape, found);
    }
}

fn check_gradient(reference: &Reference, name: &str, shape: &[usize], found: Option<Vec<f32>>) {
    if is_statistic(name) {
        assert!(found.is_none(), "{name} must have no gradient");
        return;
    }
    let Some(found) = found else {
        panic!("{name} has no gradient");
    };
    match reference.weight_before_norm(name) {
        // A bias in front of batch normalisation: its exact gradient is 0, since the normalisation
        // takes the mean away again. What is found is rounding, so it is held against the gradient
        // of the weights beside it.
        Some(weight) => {
            let limit = RELATIVE * largest(&reference.tensors[&weight].1);
            assert!(largest(&found) < limit, "{name}: {found:?}, limit {limit}");
        }
        None => reference.assert_close(&format!("gradient/{name}"), shape, &found),
    }
}

/// Gradients of all parameters and statistics, in the order of `named_shapes`.
struct Collector<'a> {
    gradients: &'a Gradients,
    found: Vec<Option<Vec<f32>>>,
}

impl ModuleVisitor for Collector<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = param.val().grad(self.gradients);
        self.found.push(gradient.map(floats));
    }
}

/// Tensors that PyTorch computed.
struct Reference {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Reference {
    fn read(files: &[&[u8]]) -> Self {
        let mut tensors = BTreeMap::new();
        for file in files {
            let file = SafeTensors::deserialize(file).expect("a safetensors file");
            for (name, view) in file.tensors() {
                let data = view.data();
                let values = match view.dtype() {
                    Dtype::U8 => data.iter().map(|&v| f32::from(v) / 255.0).collect(),
                    _ => data
                        .chunks_exact(4)
                        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                        .collect(),
                };
                tensors.insert(name, (view.shape().to_vec(), values));
            }
        }
        Self { tensors }
    }

    fn values(&self, name: &str, shape: &[usize]) -> &[f32] {
        let Some((expected, values)) = self.tensors.get(name) else {
            panic!("{name} is not in the reference file");
        };
        assert_eq!(expected, shape, "{name}");
        values
    }

    fn picture(&self, name: &str, device: &Device) -> Tensor<4> {
        let (shape, values) = &self.tensors[name];
        Tensor::from_data(TensorData::new(values.clone(), shape.clone()), device)
    }

    /// The key of a convolution's weight gradient, if `name` is its bias and batch normalisation
    /// follows.
    fn weight_before_norm(&self, name: &str) -> Option<String> {
        let layer = name.strip_suffix(".conv.bias")?;
        let norm = format!("weight/{layer}.norm.weight");
        let normalised = self.tensors.contains_key(&norm);
        normalised.then(|| format!("gradient/{layer}.conv.weight"))
    }

    fn assert_agrees(&self, name: &str, found: Tensor<4>) {
        self.assert_close(name, &found.dims(), &floats(found));
    }

    fn assert_close(&self, name: &str, shape: &[usize], found: &[f32]) {
        let expected = self.values(name, shape);
        let errors: Vec<f32> = expected.iter().zip(found).map(|(a, b)| a - b).collect();
        let error = largest(&errors) / largest(expected);
        assert!(error < RELATIVE, "{name}: relative error {error:e}");
    }
}

fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor
        .into_data()
        .try_to_vec()
        .expect("tensors here are f32")
}

/// The largest absolute value; NaN if there is one.
fn largest(values: &[f32]) -> f32 {
    let keep_nan = |a: f32, b: f32| if a.is_nan() || a > b { a } else { b };
    values.iter().map(|v| v.abs()).fold(0.0, keep_nan)
}
