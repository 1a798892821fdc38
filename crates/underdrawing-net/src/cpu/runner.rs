//! Inference on the processor.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use underdrawing_conv::Plan;

use super::buffer::{Buffer, Pool};
use super::planner::plan;
use super::session::Session;
use super::tensor::CpuTensor;
use crate::engine::Runner;
use crate::networks::{Nets, Networks};
use crate::tensor::Shape;

/// Runs networks on all cores: those of 2018 by plans of the kernels, built when first used; the
/// others in parts that stay in the cache.
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

    /// Runs what has no plan: `network` gets the inputs.
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
        let session = Rc::new(Session::inference(self.weights.clone(), &memory.pool));
        let tensor = |values: &&[f32]| {
            CpuTensor::new(&session, shape, Buffer::copy_of(values, &session.pool))
        };
        let inputs: Vec<CpuTensor> = inputs.iter().map(tensor).collect();
        network(&inputs).values().to_vec()
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
        let hiding = &mut self.memory().hiding;
        let params = self.networks.params();
        let plan = hiding.get_or_insert_with(|| {
            plan(params, 2, [shape[2], shape[3]], |x| pair.hide(&x[0], &x[1]))
        });
        run(plan, shape, &inputs)
    }

    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32> {
        let Nets::Unet2018(pair) = self.networks.nets() else {
            return self.compute(shape, &[container], |x| self.networks.nets().reveal(&x[0]));
        };
        let reveal = &mut self.memory().reveal;
        let params = self.networks.params();
        let plan = reveal
            .get_or_insert_with(|| plan(params, 1, [shape[2], shape[3]], |x| pair.reveal(&x[0])));
        run(plan, shape, &[container])
    }
}

/// Runs a plan whose output has the inputs' shape.
fn run(plan: &mut Plan, shape: Shape, inputs: &[&[f32]]) -> Vec<f32> {
    let mut output = vec![0.0; shape.iter().product()];
    let [n, _, h, w] = shape;
    plan.run(n, [h, w], inputs, &mut [&mut output]);
    output
}
