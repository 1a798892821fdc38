//! What was done in a training pass, to go back.

use std::cell::RefCell;
use std::sync::Arc;

use underdrawing_net::BatchNorm;

use crate::device::{Device, Memory};
use crate::launches::add;

/// A node whose gradient is wanted; none where nothing depends on parameters.
pub(crate) type Wanted = Option<usize>;

/// Operations in the order in which they were done. Parameters are the first nodes.
#[derive(Debug)]
pub(crate) struct Tape {
    params: usize,
    done: RefCell<Done>,
}

#[derive(Debug, Default)]
struct Done {
    nodes: Vec<Node>,
    moments: Vec<Moments>,
}

/// From the gradient of a node to those of the nodes that it was made from.
struct Node(Backward);

type Backward = Box<dyn FnOnce(Arc<Memory>, &mut Gradients)>;

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Node")
    }
}

/// Statistics of a batch.
#[derive(Debug)]
pub(crate) struct Moments {
    pub(crate) norm: BatchNorm,
    /// Four rows of a value a channel; the third are means, the fourth variances.
    pub(crate) statistics: Arc<Memory>,
}

impl Tape {
    pub(crate) fn new(params: usize) -> Self {
        Self {
            params,
            done: RefCell::default(),
        }
    }

    /// Records an operation; its node. `backward` is only made where one of `inputs` is wanted.
    pub(crate) fn record<F>(&self, inputs: &[Wanted], backward: impl FnOnce() -> F) -> Wanted
    where
        F: FnOnce(Arc<Memory>, &mut Gradients) + 'static,
    {
        inputs.iter().any(Option::is_some).then(|| {
            let node = Node(Box::new(backward()));
            let mut done = self.done.borrow_mut();
            done.nodes.push(node);
            self.params + done.nodes.len() - 1
        })
    }

    /// Keeps statistics of a batch.
    pub(crate) fn keep(&self, moments: Moments) {
        self.done.borrow_mut().moments.push(moments);
    }

    /// Gradients of all parameters from that of `node`, and the statistics of the pass.
    pub(crate) fn backward(
        &self,
        device: &Device,
        node: Wanted,
        gradient: Memory,
    ) -> (Vec<Option<Arc<Memory>>>, Vec<Moments>) {
        let done = self.done.take();
        let n = self.params;
        let mut gradients = Gradients {
            device: device.clone(),
            of: vec![None; n + done.nodes.len()],
        };
        gradients.add(node, || gradient);
        for (i, node) in done.nodes.into_iter().enumerate().rev() {
            // What comes after the node is known, so its gradient is whole.
            if let Some(gradient) = gradients.of[n + i].take() {
                node.0(gradient, &mut gradients);
            }
        }
        gradients.of.truncate(n);
        (gradients.of, done.moments)
    }
}

/// Gradients by node, as far as the backward pass has come.
pub(crate) struct Gradients {
    device: Device,
    of: Vec<Option<Arc<Memory>>>,
}

impl Gradients {
    /// Adds to the gradient of a node, if it is wanted.
    pub(crate) fn add<M: Into<Arc<Memory>>>(&mut self, node: Wanted, gradient: impl FnOnce() -> M) {
        let Some(node) = node else { return };
        let gradient = gradient().into();
        let sum = match &self.of[node] {
            Some(sum) => Arc::new(add(&self.device, sum, &gradient, 1.0)),
            None => gradient,
        };
        self.of[node] = Some(sum);
    }

    /// The gradient of a node as far as it is known, which is taken out.
    pub(crate) fn take(&mut self, node: Wanted) -> Option<Arc<Memory>> {
        self.of[node?].take()
    }
}
