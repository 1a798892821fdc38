//! Inference.

use std::rc::Rc;
use std::sync::Arc;

use underdrawing_net::{Differentiable, Nets, Networks, Runner, Shape};

use crate::device::{Device, Memory};
use crate::layout::to_card;
use crate::session::Session;
use crate::tensor::CudaTensor;

/// Runs networks without recording.
pub(crate) struct CudaRunner {
    nets: Nets,
    device: Device,
    /// With their masks.
    weights: Vec<Arc<Memory>>,
}

impl CudaRunner {
    pub(crate) fn new(device: &Device, networks: &Networks) -> Self {
        let params = networks.params().iter();
        let weights = params.map(|param| {
            let values = to_card(&param.shape, &param.masked_values());
            Arc::new(device.upload(&values))
        });
        Self {
            nets: networks.nets().clone(),
            device: device.clone(),
            weights: weights.collect(),
        }
    }

    fn run(
        &self,
        shape: Shape,
        inputs: &[&[f32]],
        network: impl FnOnce(&[CudaTensor]) -> CudaTensor,
    ) -> Vec<f32> {
        let session = Rc::new(Session::inference(&self.device, &self.weights));
        let tensor = |values: &&[f32]| CudaTensor::new(&session, shape, values);
        let inputs: Vec<CudaTensor> = inputs.iter().map(tensor).collect();
        network(&inputs).to_vec()
    }
}

impl Runner for CudaRunner {
    fn hide(&self, shape: Shape, cover: &[f32], secret: &[f32]) -> Vec<f32> {
        self.run(shape, &[cover, secret], |x| self.nets.hide(&x[0], &x[1]))
    }

    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32> {
        self.run(shape, &[container], |x| self.nets.reveal(&x[0]))
    }
}
