//! Inference.

use std::rc::Rc;

use burn::tensor::{Device, Tensor as Array};
use underdrawing_net::{Nets, Networks, Runner, Shape};

use crate::session::Session;
use crate::tensor::{BurnTensor, read};

/// Runs networks without recording.
pub(crate) struct BurnRunner {
    nets: Nets,
    device: Device,
    /// With their masks.
    weights: Vec<Array<1>>,
}

impl BurnRunner {
    pub(crate) fn new(device: &Device, networks: &Networks) -> Self {
        let params = networks.params().iter();
        let upload = |values: Vec<f32>| Array::from_floats(values.as_slice(), device);
        Self {
            nets: networks.nets().clone(),
            device: device.clone(),
            weights: params.map(|param| upload(param.masked_values())).collect(),
        }
    }

    fn run(
        &self,
        shape: Shape,
        inputs: &[&[f32]],
        network: impl FnOnce(&[BurnTensor]) -> BurnTensor,
    ) -> Vec<f32> {
        let session = Rc::new(Session::inference(&self.device, &self.weights));
        let tensor = |values: &&[f32]| BurnTensor::new(&session, shape, values.to_vec());
        let inputs: Vec<BurnTensor> = inputs.iter().map(tensor).collect();
        read(network(&inputs).values)
    }
}

impl Runner for BurnRunner {
    fn hide(&self, shape: Shape, cover: &[f32], secret: &[f32]) -> Vec<f32> {
        self.run(shape, &[cover, secret], |x| self.nets.hide(&x[0], &x[1]))
    }

    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32> {
        self.run(shape, &[container], |x| self.nets.reveal(&x[0]))
    }
}
