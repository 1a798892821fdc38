//! Networks at once, operation by operation.

use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::buffer::{Buffer, Pool};
use super::session::{Plans, Session};
use super::tensor::CpuTensor;
use crate::param::Param;
use crate::tensor::Shape;

/// Parameters, and what is kept from one run to the next.
pub(super) struct Inference {
    weights: Vec<Arc<Buffer>>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    shapes: Vec<Shape>,
    pool: Arc<Pool>,
    residuals: Plans,
}

impl Inference {
    pub(super) fn new(params: &[Param]) -> Self {
        Self {
            weights: Buffer::of_params(params),
            kept: Mutex::default(),
        }
    }

    /// What `network` makes of the inputs.
    pub(super) fn run(
        &self,
        inputs: &[(Shape, &[f32])],
        network: impl FnOnce(&[CpuTensor]) -> CpuTensor,
    ) -> Vec<f32> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let shapes: Vec<Shape> = inputs.iter().map(|(shape, _)| *shape).collect();
        if kept.shapes != shapes {
            // Nothing of another size can use it.
            kept.pool.clear();
            kept.shapes = shapes;
        }
        let plans = std::mem::take(&mut kept.residuals);
        let session = Rc::new(Session::inference(self.weights.clone(), &kept.pool, plans));
        let tensor = |(shape, values): &(Shape, &[f32])| {
            let values = Buffer::copy_of(values, &session.pool);
            CpuTensor::new(&session, *shape, values)
        };
        let inputs: Vec<CpuTensor> = inputs.iter().map(tensor).collect();
        let output = network(&inputs).values().to_vec();
        drop(inputs);
        if let Some(session) = Rc::into_inner(session) {
            kept.residuals = session.into_plans();
        }
        output
    }
}
