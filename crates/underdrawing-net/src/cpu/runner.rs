//! Inference on the processor.

use std::sync::{Mutex, MutexGuard, PoisonError};

use underdrawing_conv::{Plan, Workspace};

use super::inference::Inference;
use super::planner::plan;
use crate::engine::Runner;
use crate::networks::{Nets, Networks};
use crate::tensor::Shape;

/// Runs networks on all cores: those of 2018 and residual networks by plans of the kernels, built
/// when first used; the others operation by operation.
pub struct CpuRunner {
    networks: Networks,
    /// Without weights where there are whole plans.
    inference: Inference,
    plans: Mutex<WholePlans>,
}

/// Plans of whole networks, kept from one window to the next.
#[derive(Default)]
struct WholePlans {
    workspace: Workspace,
    hiding: Option<Plan>,
    reveal: Option<Plan>,
}

impl CpuRunner {
    /// Runs these networks.
    #[must_use]
    pub fn new(networks: &Networks) -> Self {
        Self {
            inference: Inference::new(match networks.nets() {
                Nets::Unet2018(_) => &[], // The plans have them.
                _ => networks.params(),
            }),
            networks: networks.clone(),
            plans: Mutex::default(),
        }
    }

    /// The values of all parameters.
    fn values(&self) -> impl Iterator<Item = &[f32]> {
        self.networks.params().iter().map(|param| &param.values[..])
    }

    fn plans(&self) -> MutexGuard<'_, WholePlans> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner for CpuRunner {
    fn hide(&self, shape: Shape, cover: &[f32], secret: &[f32]) -> Vec<f32> {
        let Nets::Unet2018(pair) = self.networks.nets() else {
            let inputs = [(shape, cover), (shape, secret)];
            let nets = self.networks.nets();
            return self.inference.run(&inputs, |x| nets.hide(&x[0], &x[1]));
        };
        let WholePlans {
            workspace, hiding, ..
        } = &mut *self.plans();
        let size = [shape[2], shape[3]];
        let plan = hiding
            .get_or_insert_with(|| plan(self.values(), &[3, 3], size, |x| pair.hide(&x[0], &x[1])));
        run(plan, workspace, shape, &[cover, secret])
    }

    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32> {
        let Nets::Unet2018(pair) = self.networks.nets() else {
            let nets = self.networks.nets();
            return (self.inference).run(&[(shape, container)], |x| nets.reveal(&x[0]));
        };
        let WholePlans {
            workspace, reveal, ..
        } = &mut *self.plans();
        let size = [shape[2], shape[3]];
        let plan =
            reveal.get_or_insert_with(|| plan(self.values(), &[3], size, |x| pair.reveal(&x[0])));
        run(plan, workspace, shape, &[container])
    }
}

/// Runs a plan whose output has the inputs' shape.
fn run(plan: &Plan, workspace: &mut Workspace, shape: Shape, inputs: &[&[f32]]) -> Vec<f32> {
    let mut output = vec![0.0; shape.iter().product()];
    let [n, _, h, w] = shape;
    plan.run(workspace, n, [h, w], inputs, &mut [&mut output]);
    output
}
