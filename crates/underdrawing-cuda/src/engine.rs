//! Training.

use std::rc::Rc;
use std::sync::Arc;

use underdrawing_net::{
    BatchNorm, Differentiable, Engine, Networks, Param, Reading, Runner, Shape, Step, Tensor,
};

use crate::buffer::CudaBuffer;
use crate::device::{Device, Memory};
use crate::error::CudaError;
use crate::kernels::Argument::{Float, Int};
use crate::layout::{from_card, to_card};
use crate::optimiser;
use crate::runner::CudaRunner;
use crate::session::Session;
use crate::tensor::{CudaTensor, is_in_one_order};

/// How a card computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CudaOptions {
    /// Whether the operands of convolutions are rounded to TF32, 10 bits behind the point, on cards
    /// that can (compute capability 8.0 and higher). Products are some times faster, and exact to a
    /// thousandth.
    pub tf32: bool,
}

impl CudaOptions {
    /// With the operands of convolutions rounded to TF32, or not.
    #[must_use]
    pub fn with_tf32(self, tf32: bool) -> Self {
        Self { tf32 }
    }
}

/// Runs and trains networks on an NVIDIA card. Clones share the card's memory and kernels.
///
/// Work is done in order, when values are asked for or a training step is complete. Where the card
/// fails, or its memory is full, the caller panics with what the driver says.
#[derive(Clone, Debug)]
pub struct CudaEngine {
    device: Device,
}

impl CudaEngine {
    /// On the first card that the driver knows.
    ///
    /// # Errors
    /// Where the driver, NVRTC or cuDNN is missing or too old, and where there is no card or one
    /// that is too old. The variable `UNDERDRAWING_CUDA` names folders to look for libraries in.
    pub fn open(options: CudaOptions) -> Result<Self, CudaError> {
        let device = Device::open(options.tf32)?;
        Ok(Self { device })
    }

    /// The card's name.
    #[must_use]
    pub fn card(&self) -> &str {
        &self.device.card().name
    }
}

impl Engine for CudaEngine {
    type Tensor = CudaTensor;
    type Buffer = CudaBuffer;

    fn upload(&self, shape: &[usize], values: Vec<f32>) -> CudaBuffer {
        CudaBuffer::new(self.device.upload(&to_card(shape, &values)), shape)
    }

    fn download(&self, buffer: &CudaBuffer) -> Vec<f32> {
        from_card(&buffer.shape, &self.device.download(&buffer.memory))
    }

    fn begin(
        &self,
        params: &[Param],
        weights: &[CudaBuffer],
        shape: Shape,
        values: &[f32],
    ) -> CudaTensor {
        let weights: Vec<_> = weights.iter().map(|buffer| buffer.memory.clone()).collect();
        let session = Rc::new(Session::training(&self.device, params, &weights));
        CudaTensor::new(&session, shape, values)
    }

    fn finish(&self, loss: CudaTensor, weights: &mut [CudaBuffer]) -> Vec<Option<CudaBuffer>> {
        assert_eq!(loss.shape(), [1; 4], "a loss is one value");
        let one = self.device.upload(&[1.0]);
        let (gradients, moments) = loss.session.backward(loss.node, one);
        for batch in moments {
            let norm = batch.norm;
            let running = [norm.running_mean, norm.running_var];
            for (id, row) in running.into_iter().zip([2, 3]) {
                let memory = &weights[id.index()].memory;
                let n = memory.len;
                let batch = batch.statistics.at_row(row, n);
                let arguments = [memory.at(), batch, Int(n), Float(BatchNorm::MOMENTUM)];
                self.device.each("follow", n, &arguments);
            }
        }
        let gradients = gradients.into_iter().zip(weights);
        let buffer = |memory, weights: &mut CudaBuffer| CudaBuffer::new(memory, &weights.shape);
        let gradients =
            gradients.map(|(g, weights)| g.map(|memory: Arc<Memory>| buffer(memory, weights)));
        gradients.collect()
    }

    fn runner(&self, networks: &Networks) -> Arc<dyn Runner> {
        Arc::new(CudaRunner::new(&self.device, networks))
    }

    fn reading(&self, tensor: &CudaTensor) -> Reading {
        let tensor = tensor.settled();
        if !is_in_one_order(tensor.shape()) {
            return Reading::known(tensor.to_vec());
        }
        let coming = Rc::new(self.device.coming(tensor.values()));
        let waiting = coming.clone();
        Reading::new(move || waiting.is_ready(), move || coming.values())
    }

    fn update(&self, steps: &mut [Step<'_, CudaBuffer>], longest: Option<f64>) {
        optimiser::update(&self.device, steps, longest);
        self.device.send_step();
    }
}
