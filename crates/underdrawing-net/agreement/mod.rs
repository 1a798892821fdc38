//! What every engine must do as the processor does: single operations, networks, gradients,
//! optimisers. Tests of engines include this folder and say which engine:
//!
//! ```ignore
//! #[path = "../../underdrawing-net/agreement/mod.rs"]
//! mod agreement;
//! agreement::tests!(Some(engine()), 1e-4, 1e-4);
//! ```

pub(crate) mod networks;
pub(crate) mod operations;
pub(crate) mod optimisers;
mod values;

use underdrawing_net::{
    Architecture, Differentiable, Engine, LiftingNetConfig, Networks, Param, Role, Shape, Tensor,
};

use values::{lively, noise};

/// All tests of an engine, with the errors that are allowed of single operations and of whole
/// networks. The engine is an `Option`: where it is none, the tests end at once.
macro_rules! tests {
    ($engine:expr, $operations:expr, $networks:expr) => {
        #[test]
        fn single_operations_and_their_gradients_agree() {
            let Some(engine) = $engine else { return };
            $crate::agreement::operations::agree(&engine, $operations);
        }

        #[test]
        fn networks_gradients_and_statistics_agree() {
            let Some(engine) = $engine else { return };
            $crate::agreement::networks::agree(&engine, $networks);
        }

        #[test]
        fn masked_parameters_agree() {
            let Some(engine) = $engine else { return };
            $crate::agreement::networks::masked_parameters_agree(&engine, $operations);
        }

        #[test]
        fn inference_agrees() {
            let Some(engine) = $engine else { return };
            $crate::agreement::networks::inference_agrees(&engine, $networks);
        }

        #[test]
        fn optimisers_agree() {
            let Some(engine) = $engine else { return };
            $crate::agreement::optimisers::agree(&engine, $operations);
        }
    };
}
pub(crate) use tests;

/// Values by name.
type Named = Vec<(String, Vec<f32>)>;

const LIFTING: Architecture = Architecture::Lifting(LiftingNetConfig {
    blocks: 2,
    width: 8,
    shaping: true,
});

/// As wide as the models of the program.
const WIDE: Architecture = Architecture::Lifting(LiftingNetConfig {
    blocks: 2,
    width: 32,
    shaping: true,
});

/// Largest size of a value.
fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, v| v.abs().max(largest))
}

/// Compares by the largest value of each tensor. Some gradients are zero but for rounding, such as
/// that of a bias before a batch normalisation: hence a hundredth of the largest of all at least.
#[track_caller]
fn assert_close(what: &str, found: &Named, expected: &Named, tolerance: f32) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let overall = expected.iter().map(|(_, values)| largest(values));
    let floor = 0.01 * overall.fold(0.0, f32::max);
    for ((name, found), (other, expected)) in found.iter().zip(expected) {
        assert_eq!((name, found.len()), (other, expected.len()), "{what}");
        let scale = largest(expected).max(floor);
        for (found, expected) in found.iter().zip(expected) {
            let error = (found - expected).abs() / scale;
            assert!(error <= tolerance, "{what}, {name}: {error:.1e}");
        }
    }
}

/// Goes forward and back: what `f` makes of two pictures, gradients of its distance from noise,
/// running statistics.
fn pass<E: Engine>(
    engine: &E,
    networks: &Networks,
    shape: Shape,
    f: impl FnOnce(&E::Tensor, &E::Tensor) -> E::Tensor,
) -> Named {
    let params = networks.params();
    let upload = |param: &Param| engine.upload(&param.shape, param.values.clone());
    let mut weights: Vec<_> = params.iter().map(upload).collect();
    let len = shape.iter().product();
    let first = engine.begin(params, &weights, shape, &noise(len, 100));
    let second = first.constant(shape, &noise(len, 101));
    let output = f(&first, &second);
    let shape = output.shape();
    let target = output.constant(shape, &noise(shape.iter().product(), 102));
    let mut named = vec![("output".to_owned(), output.to_vec())];
    let loss = output.minus(&target).mean_square().mean();
    named.push(("loss".to_owned(), loss.to_vec()));
    let gradients = engine.finish(loss, &mut weights);
    assert_eq!(gradients.len(), params.len());
    for (param, gradient) in params.iter().zip(&gradients) {
        let values = gradient.as_ref().map(|g| engine.download(g));
        named.push((format!("d {}", param.name), values.unwrap_or_default()));
    }
    for (param, weights) in params.iter().zip(&weights) {
        if param.role == Role::Statistic {
            named.push((param.name.clone(), engine.download(weights)));
        }
    }
    named
}
