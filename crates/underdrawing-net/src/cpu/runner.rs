//! Inference on the processor.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use underdrawing_conv::{Plan, Workspace};

use super::buffer::{Buffer, Pool};
use super::planner::plan;
use super::session::{Plans, Session};
use super::tensor::CpuTensor;
use crate::engine::Runner;
use crate::networks::{Nets, Networks};
use crate::tensor::Shape;

/// Runs networks on all cores: those of 2018 and residual networks by plans of the kernels, built
/// when first used; the others operation by operation.
pub struct CpuRunner {
    networks: Networks,
    weights: Vec<Arc<Buffer>>,
    memory: Mutex<Memory>,
}

/// What is kept from one window to the next.
#[derive(Default)]
struct Memory {
    shape: Shape,
    pool: Arc<Pool>,
    residuals: Plans,
    workspace: Workspace,
    hiding: Option<Plan>,
    reveal: Option<Plan>,
}

impl CpuRunner {
    /// Runs these networks.
    #[must_use]
    pub fn new(networks: &Networks) -> Self {
        let params = networks.params().iter();
        Self {
            weights: match networks.nets() {
                Nets::Unet2018(_) => Vec::new(), // The plans have them.
                _ => params
                    .map(|param| Arc::new(param.masked_values().into()))
                    .collect(),
            },
            networks: networks.clone(),
            memory: Mutex::default(),
        }
    }

    /// Runs what has no plan as a whole: `network` gets the inputs.
    fn compute(
        &self,
        shape: Shape,
        inputs: &[&[f32]],
        network: impl FnOnce(&[CpuTensor]) -> CpuTensor,
    ) -> Vec<f32> {
        let mut memory = self.memory();
        if memory.shape != shape {
            // Nothing of another size can use it.
            memory.pool.clear();
            memory.shape = shape;
        }
        let plans = std::mem::take(&mut memory.residuals);
        let session = Session::inference(self.weights.clone(), &memory.pool, plans);
        let session = Rc::new(session);
        let tensor = |values: &&[f32]| {
            CpuTensor::new(&session, shape, Buffer::copy_of(values, &session.pool))
        };
        let inputs: Vec<CpuTensor> = inputs.iter().map(tensor).collect();
        let output = network(&inputs).values().to_vec();
        drop(inputs);
        if let Some(session) = Rc::into_inner(session) {
            memory.residuals = session.into_plans();
        }
        output
    }

    /// The values of all parameters.
    fn values(&self) -> impl Iterator<Item = &[f32]> {
        self.networks.params().iter().map(|param| &param.values[..])
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runner for CpuRunner {
    fn hide(&self, shape: Shape, cover: &[f32], secret: &[f32]) -> Vec<f32> {
        let inputs = [cover, secret];
        let Nets::Unet2018(pair) = self.networks.nets() else {
            return self.compute(shape, &inputs, |x| self.networks.nets().hide(&x[0], &x[1]));
        };
        let Memory {
            workspace, hiding, ..
        } = &mut *self.memory();
        let size = [shape[2], shape[3]];
        let plan = hiding
            .get_or_insert_with(|| plan(self.values(), &[3, 3], size, |x| pair.hide(&x[0], &x[1])));
        run(plan, workspace, shape, &inputs)
    }

    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32> {
        let Nets::Unet2018(pair) = self.networks.nets() else {
            return self.compute(shape, &[container], |x| self.networks.nets().reveal(&x[0]));
        };
        let Memory {
            workspace, reveal, ..
        } = &mut *self.memory();
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
