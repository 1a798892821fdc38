//! What the tensors of one pass share: parameters, memory, and in training the tape.

use std::cell::RefCell;
use std::sync::Arc;

use super::buffer::{Buffer, Pool};
use crate::layers::BatchNorm;
use crate::param::{Param, ParamId};

/// One pass through networks.
#[derive(Debug)]
pub(super) struct Session {
    /// Values of the parameters, with their masks.
    weights: Vec<Arc<Buffer>>,
    masks: Vec<Option<Vec<f32>>>,
    pub(super) pool: Arc<Pool>,
    tape: Option<RefCell<Tape>>,
}

/// What was done, for the backward pass. Parameters are the first nodes.
#[derive(Debug, Default)]
struct Tape {
    nodes: Vec<Node>,
    moments: Vec<Moments>,
}

/// From the gradient of a node to those of the nodes that it was made from.
struct Node(Backward);

type Backward = Box<dyn FnOnce(Buffer, &mut Gradients)>;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node")
    }
}

/// Statistics of a batch, by channel.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) norm: BatchNorm,
    pub(super) mean: Vec<f32>,
    /// Unbiased.
    pub(super) variance: Vec<f32>,
}

/// A node whose gradient is wanted; none where nothing depends on parameters.
pub(super) type Wanted = Option<usize>;

impl Session {
    /// For inference: nothing is kept.
    pub(super) fn inference(weights: Vec<Arc<Buffer>>, pool: &Arc<Pool>) -> Self {
        Self {
            masks: Vec::new(),
            weights,
            pool: pool.clone(),
            tape: None,
        }
    }

    /// For training.
    pub(super) fn training(params: &[Param], weights: &[Arc<Buffer>], pool: &Arc<Pool>) -> Self {
        let masks: Vec<_> = params.iter().map(|param| param.mask.clone()).collect();
        let masked = |(weights, mask): (&Arc<Buffer>, &Option<Vec<f32>>)| match mask {
            Some(mask) => Arc::new(masked(weights, mask)),
            None => weights.clone(),
        };
        Self {
            weights: weights.iter().zip(&masks).map(masked).collect(),
            masks,
            pool: pool.clone(),
            tape: Some(RefCell::default()),
        }
    }

    /// Whether operations are recorded.
    pub(super) fn trains(&self) -> bool {
        self.tape.is_some()
    }

    /// The values of a parameter.
    pub(super) fn weight(&self, id: ParamId) -> &Arc<Buffer> {
        &self.weights[id.index()]
    }

    /// The node of a parameter.
    pub(super) fn node(&self, id: ParamId) -> Wanted {
        self.trains().then_some(id.index())
    }

    /// Records an operation; its node. `backward` is only made where one of `inputs` is wanted.
    pub(super) fn record<F>(&self, inputs: &[Wanted], backward: impl FnOnce() -> F) -> Wanted
    where
        F: FnOnce(Buffer, &mut Gradients) + 'static,
    {
        let tape = self.tape.as_ref()?;
        inputs.iter().any(Option::is_some).then(|| {
            let node = Node(Box::new(backward()));
            let mut tape = tape.borrow_mut();
            tape.nodes.push(node);
            self.weights.len() + tape.nodes.len() - 1
        })
    }

    /// Keeps statistics of a batch.
    pub(super) fn keep(&self, moments: Moments) {
        if let Some(tape) = &self.tape {
            tape.borrow_mut().moments.push(moments);
        }
    }

    /// Gradients of all parameters from that of `node`, and the statistics of the pass.
    pub(super) fn backward(
        &self,
        node: Wanted,
        gradient: Buffer,
    ) -> (Vec<Option<Buffer>>, Vec<Moments>) {
        let tape = self.tape.as_ref().map(RefCell::take).unwrap_or_default();
        let n = self.weights.len();
        let mut gradients = Gradients {
            of: (0..n + tape.nodes.len()).map(|_| None).collect(),
        };
        gradients.add(node, || gradient);
        for (i, node) in tape.nodes.into_iter().enumerate().rev() {
            // What comes after the node is known, so its gradient is whole.
            if let Some(gradient) = gradients.of[n + i].take() {
                node.0(gradient, &mut gradients);
            }
        }
        gradients.of.truncate(n);
        for (gradient, mask) in gradients.of.iter_mut().zip(&self.masks) {
            if let (Some(gradient), Some(mask)) = (gradient, mask) {
                *gradient = masked(gradient, mask);
            }
        }
        (gradients.of, tape.moments)
    }
}

/// Gradients by node, as far as the backward pass has come.
pub(super) struct Gradients {
    of: Vec<Option<Buffer>>,
}

impl Gradients {
    /// Adds to the gradient of a node, if it is wanted.
    pub(super) fn add(&mut self, node: Wanted, gradient: impl FnOnce() -> Buffer) {
        let Some(node) = node else { return };
        let gradient = gradient();
        match &mut self.of[node] {
            Some(sum) => super::elementwise::zip(sum, &gradient, |sum, g| sum + g),
            empty => *empty = Some(gradient),
        }
    }
}

fn masked(values: &[f32], mask: &[f32]) -> Buffer {
    let products = values.iter().zip(mask).map(|(v, m)| v * m);
    products.collect::<Vec<f32>>().into()
}
