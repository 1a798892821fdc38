//! What was done in a training pass, to go back: the same for all engines that work out gradients
//! themselves.

use std::cell::RefCell;
use std::fmt;

/// A node whose gradient is wanted; none where nothing depends on parameters.
pub type Wanted = Option<usize>;

/// Operations in the order in which they were done; `G` is a gradient, `M` what else is kept of a
/// pass. Parameters are the first nodes.
#[derive(Debug)]
pub struct Tape<G, M> {
    params: usize,
    sum: fn(G, &G) -> G,
    done: RefCell<Done<G, M>>,
}

#[derive(Debug)]
struct Done<G, M> {
    nodes: Vec<Node<G>>,
    kept: Vec<M>,
}

/// From the gradient of a node to those of the nodes that it was made from.
struct Node<G>(Backward<G>);

type Backward<G> = Box<dyn FnOnce(G, &mut Gradients<G>)>;

impl<G> fmt::Debug for Node<G> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node")
    }
}

impl<G, M> Default for Done<G, M> {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            kept: Vec::new(),
        }
    }
}

impl<G, M> Tape<G, M> {
    /// Of a pass with so many parameters; `sum` adds gradients.
    #[must_use]
    pub fn new(params: usize, sum: fn(G, &G) -> G) -> Self {
        Self {
            params,
            sum,
            done: RefCell::default(),
        }
    }

    /// Records an operation; its node. `backward` is only made where one of `inputs` is wanted.
    pub fn record<F>(&self, inputs: &[Wanted], backward: impl FnOnce() -> F) -> Wanted
    where
        F: FnOnce(G, &mut Gradients<G>) + 'static,
    {
        inputs.iter().any(Option::is_some).then(|| {
            let node = Node(Box::new(backward()) as Backward<G>);
            let mut done = self.done.borrow_mut();
            done.nodes.push(node);
            self.params + done.nodes.len() - 1
        })
    }

    /// Keeps something of the pass.
    pub fn keep(&self, kept: M) {
        self.done.borrow_mut().kept.push(kept);
    }

    /// Gradients of all parameters from that of `node`, and what was kept. The tape is empty then.
    pub fn backward(&self, node: Wanted, gradient: G) -> (Vec<Option<G>>, Vec<M>) {
        let done = self.done.take();
        let n = self.params;
        let mut gradients = Gradients {
            sum: self.sum,
            of: (0..n + done.nodes.len()).map(|_| None).collect(),
        };
        gradients.add(node, || gradient);
        for (i, node) in done.nodes.into_iter().enumerate().rev() {
            // What comes after the node is known, so its gradient is whole.
            if let Some(gradient) = gradients.of[n + i].take() {
                node.0(gradient, &mut gradients);
            }
        }
        gradients.of.truncate(n);
        (gradients.of, done.kept)
    }
}

/// Gradients by node, as far as the backward pass has come.
#[derive(Debug)]
pub struct Gradients<G> {
    sum: fn(G, &G) -> G,
    of: Vec<Option<G>>,
}

impl<G> Gradients<G> {
    /// Adds to the gradient of a node, if it is wanted.
    pub fn add<I: Into<G>>(&mut self, node: Wanted, gradient: impl FnOnce() -> I) {
        let Some(node) = node else { return };
        let gradient = gradient().into();
        let sum = match self.of[node].take() {
            Some(sum) => (self.sum)(sum, &gradient),
            None => gradient,
        };
        self.of[node] = Some(sum);
    }

    /// The gradient of a node as far as it is known, which is taken out.
    pub fn take(&mut self, node: Wanted) -> Option<G> {
        self.of[node?].take()
    }
}
