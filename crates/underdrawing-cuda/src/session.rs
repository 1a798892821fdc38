//! What the tensors of one pass share: parameters and, in training, the tape.

use std::sync::Arc;

use underdrawing_net::{BatchNorm, Param, ParamId, Tape, Wanted};

use crate::device::{Device, Memory};
use crate::launches::{add, multiplied};
use crate::layout::to_card;

/// Statistics of a batch.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) norm: BatchNorm,
    /// Four rows of a value a channel; the third are means, the fourth variances.
    pub(crate) statistics: Arc<Memory>,
}

/// Gradients on the way back.
pub(crate) type Gradients = underdrawing_net::Gradients<Arc<Memory>>;

/// One pass through networks.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) device: Device,
    /// Values of the parameters, with their masks.
    weights: Vec<Arc<Memory>>,
    masks: Vec<Option<Arc<Memory>>>,
    /// In training.
    pub(crate) tape: Option<Tape<Arc<Memory>, Moments>>,
}

impl Session {
    /// For inference; the weights have their masks already.
    pub(crate) fn inference(device: &Device, weights: &[Arc<Memory>]) -> Self {
        Self {
            device: device.clone(),
            weights: weights.to_vec(),
            masks: Vec::new(),
            tape: None,
        }
    }

    /// For training.
    pub(crate) fn training(device: &Device, params: &[Param], weights: &[Arc<Memory>]) -> Self {
        let mask = |param: &Param| {
            let mask = param.mask.as_ref()?;
            let mask = to_card(&param.shape, mask);
            Some(Arc::new(device.upload(&mask)))
        };
        let masks: Vec<_> = params.iter().map(mask).collect();
        let masked = |(weights, mask): (&Arc<Memory>, &Option<Arc<Memory>>)| match mask {
            Some(mask) => Arc::new(multiplied(device, weights, mask)),
            None => weights.clone(),
        };
        Self {
            device: device.clone(),
            weights: weights.iter().zip(&masks).map(masked).collect(),
            masks,
            tape: Some(Tape::new(params.len(), sum)),
        }
    }

    /// The values of a parameter.
    pub(crate) fn weight(&self, id: ParamId) -> &Arc<Memory> {
        &self.weights[id.index()]
    }

    /// The node of a parameter.
    pub(crate) fn node(&self, id: ParamId) -> Wanted {
        self.tape.is_some().then_some(id.index())
    }

    /// Gradients of all parameters from that of `node`, and the statistics of the pass.
    pub(crate) fn backward(
        &self,
        node: Wanted,
        gradient: Memory,
    ) -> (Vec<Option<Arc<Memory>>>, Vec<Moments>) {
        let tape = self.tape.as_ref().expect("only training goes back");
        let (mut gradients, moments) = tape.backward(node, gradient.into());
        for (gradient, mask) in gradients.iter_mut().zip(&self.masks) {
            if let (Some(gradient), Some(mask)) = (gradient, mask) {
                *gradient = Arc::new(multiplied(&self.device, gradient, mask));
            }
        }
        (gradients, moments)
    }
}

fn sum(sum: Arc<Memory>, gradient: &Arc<Memory>) -> Arc<Memory> {
    Arc::new(add(sum.device(), &sum, gradient, 1.0))
}
