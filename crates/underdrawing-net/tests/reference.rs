//! The networks agree with PyTorch, which computed in 64 bits: forward in both modes, running
//! statistics, gradients. `tools/reference/write_reference.py` wrote the files and says what is in
//! them.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};
use underdrawing_net::{
    Architecture, CpuEngine, CpuRunner, Differentiable, Engine, HidingNetConfig, LiftingNetConfig,
    Networks, Pair2018Config, Param, RevealNetConfig, Role, Runner, Tensor, Triple2017Config,
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
    check(&files, Architecture::Unet2018(config));
}

#[test]
fn the_2017_design_agrees_with_pytorch() {
    let file = include_bytes!("../../../testdata/reference/dense2017.safetensors");
    let config = Triple2017Config { width: 4 };
    check(&[file], Architecture::Dense2017(config));
}

#[test]
fn the_lifting_network_agrees_with_pytorch() {
    let file = include_bytes!("../../../testdata/reference/lifting.safetensors");
    let config = LiftingNetConfig {
        blocks: 2,
        width: 8,
        shaping: false,
    };
    check(&[file], Architecture::Lifting(config));
}

fn check(files: &[&[u8]], architecture: Architecture) {
    let reference = Reference::read(files);
    let networks = Networks::new(architecture, 1).map(|param| {
        let name = format!("weight/{}", param.name);
        reference.values(&name, &param.shape).to_vec()
    });
    check_evaluation(&reference, &networks);
    check_training(&reference, &networks);
}

fn check_evaluation(reference: &Reference, networks: &Networks) {
    let [cover, secret] = ["cover", "secret"].map(|name| reference.picture(name));
    let shape = [1, cover.0[1], cover.0[2], cover.0[3]];
    let n = shape.iter().product::<usize>();
    let runner = CpuRunner::new(networks);
    let container = runner.hide(shape, &cover.1[..n], &secret.1[..n]);
    let revealed = runner.reveal(shape, &container);
    reference.assert_close("eval/container", &shape, &container);
    reference.assert_close("eval/revealed", &shape, &revealed);
}

fn check_training(reference: &Reference, networks: &Networks) {
    let engine = CpuEngine::default();
    let upload = |param: &Param| engine.upload(&param.shape, param.values.clone());
    let mut weights: Vec<_> = networks.params().iter().map(upload).collect();
    let [cover, secret] = ["cover", "secret"].map(|name| reference.picture(name));
    let cover = engine.begin(networks.params(), &weights, cover.0, &cover.1);
    let secret = cover.constant(secret.0, &secret.1);
    let container = networks.nets().hide(&cover, &secret);
    let revealed = networks.nets().reveal(&container);
    reference.assert_agrees("train/container", &container);
    reference.assert_agrees("train/revealed", &revealed);

    let of_container = container.minus(&cover).mean_square().mean();
    let of_revealed = revealed.minus(&secret).mean_square().mean();
    let loss = of_container.plus(&of_revealed.times(REVEAL_WEIGHT));
    drop((cover, secret));
    let gradients = engine.finish(loss, &mut weights);
    for ((param, weights), gradient) in networks.params().iter().zip(&weights).zip(gradients) {
        if param.role == Role::Statistic {
            assert!(gradient.is_none(), "{} must have no gradient", param.name);
            let name = format!("train/{}", param.name);
            reference.assert_close(&name, &param.shape, &engine.download(weights));
            continue;
        }
        let Some(gradient) = gradient else {
            panic!("{} has no gradient", param.name);
        };
        check_gradient(reference, param, &engine.download(&gradient));
    }
}

fn check_gradient(reference: &Reference, param: &Param, found: &[f32]) {
    let name = &param.name;
    match reference.weight_before_norm(name) {
        // A bias in front of batch normalisation: its exact gradient is 0, since the normalisation
        // takes the mean away again. What is found is rounding, so it is held against the gradient
        // of the weights beside it.
        Some(weight) => {
            let limit = RELATIVE * largest(&reference.tensors[&weight].1);
            assert!(largest(found) < limit, "{name}: {found:?}, limit {limit}");
        }
        None => reference.assert_close(&format!("gradient/{name}"), &param.shape, found),
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

    fn picture(&self, name: &str) -> ([usize; 4], Vec<f32>) {
        let (shape, values) = &self.tensors[name];
        (shape[..].try_into().expect("four extents"), values.clone())
    }

    /// The key of a convolution's weight gradient, if `name` is its bias and batch normalisation
    /// follows.
    fn weight_before_norm(&self, name: &str) -> Option<String> {
        let layer = name.strip_suffix(".conv.bias")?;
        let norm = format!("weight/{layer}.norm.weight");
        let normalised = self.tensors.contains_key(&norm);
        normalised.then(|| format!("gradient/{layer}.conv.weight"))
    }

    fn assert_agrees(&self, name: &str, found: &impl Differentiable) {
        self.assert_close(name, &found.shape(), &found.to_vec());
    }

    fn assert_close(&self, name: &str, shape: &[usize], found: &[f32]) {
        let expected = self.values(name, shape);
        let errors: Vec<f32> = expected.iter().zip(found).map(|(a, b)| a - b).collect();
        let error = largest(&errors) / largest(expected);
        assert!(error < RELATIVE, "{name}: relative error {error:e}");
    }
}

/// The largest absolute value; NaN if there is one.
fn largest(values: &[f32]) -> f32 {
    let keep_nan = |a: f32, b: f32| if a.is_nan() || a > b { a } else { b };
    values.iter().map(|v| v.abs()).fold(0.0, keep_nan)
}
