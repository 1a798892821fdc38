//! What the tensors of one pass share: parameters and, in training, the statistics of the batch.

use std::cell::RefCell;

use burn::tensor::{Device, Tensor as Array};
use underdrawing_net::{BatchNorm, Param, ParamId, Role};

/// One pass through networks.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) device: Device,
    /// What gradients are asked of; none in inference.
    leaves: Vec<Array<1>>,
    /// Values of the parameters, with their masks.
    weights: Vec<Array<1>>,
    moments: Option<RefCell<Vec<Moments>>>,
}

/// Statistics of a batch, by channel.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) norm: BatchNorm,
    pub(crate) mean: Array<1>,
    /// Unbiased.
    pub(crate) variance: Array<1>,
}

impl Session {
    /// For inference; the weights have their masks already.
    pub(crate) fn inference(device: &Device, weights: &[Array<1>]) -> Self {
        Self {
            device: device.clone(),
            leaves: Vec::new(),
            weights: weights.to_vec(),
            moments: None,
        }
    }

    /// For training: everything made from the weights is recorded.
    pub(crate) fn training(device: &Device, params: &[Param], weights: Vec<Array<1>>) -> Self {
        let leaf = |(param, weights): (&Param, Array<1>)| match param.role {
            Role::Statistic => weights,
            Role::Weights | Role::Other => weights.autodiff().require_grad(),
        };
        let leaves: Vec<_> = params.iter().zip(weights).map(leaf).collect();
        let masked = |(param, leaf): (&Param, &Array<1>)| match &param.mask {
            Some(mask) => leaf.clone() * Array::from_floats(mask.as_slice(), device),
            None => leaf.clone(),
        };
        Self {
            device: device.clone(),
            weights: params.iter().zip(&leaves).map(masked).collect(),
            leaves,
            moments: Some(RefCell::default()),
        }
    }

    /// Whether this is training.
    pub(crate) fn trains(&self) -> bool {
        self.moments.is_some()
    }

    /// The values of a parameter, flat.
    pub(crate) fn weight(&self, id: ParamId) -> Array<1> {
        self.weights[id.index()].clone()
    }

    /// Keeps statistics of a batch.
    pub(crate) fn keep(&self, moments: Moments) {
        if let Some(kept) = &self.moments {
            kept.borrow_mut().push(moments);
        }
    }

    /// Gradients of all parameters, and the statistics of the pass.
    pub(crate) fn backward(&self, loss: Array<4>) -> (Vec<Option<Array<1>>>, Vec<Moments>) {
        let moments = self.moments.as_ref().map(RefCell::take).unwrap_or_default();
        if !loss.is_tracked() {
            // It depends on no parameter.
            return (vec![None; self.leaves.len()], moments);
        }
        let mut gradients = loss.backward();
        let leaves = self.leaves.iter();
        let gradients = leaves.map(|leaf| leaf.grad_remove(&mut gradients));
        (gradients.collect(), moments)
    }
}
