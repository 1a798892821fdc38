//! What the tensors of one pass share: parameters, memory, and in training the tape.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use underdrawing_conv::{Plan, Workspace};

use super::buffer::{Buffer, Pool};
use super::planner::plan;
use crate::layers::{BatchNorm, ResidualNet};
use crate::param::{Param, ParamId};
use crate::ranks::{Alone, Ranks};
use crate::tape::{Tape, Wanted};
use crate::tensor::{Shape, Tensor};

/// One pass through networks.
#[derive(Debug)]
pub(super) struct Session {
    /// Values of the parameters, with their masks.
    weights: Vec<Arc<Buffer>>,
    masks: Vec<Option<Vec<f32>>>,
    pub(super) pool: Arc<Pool>,
    /// In training: who has the rest of the batch.
    pub(super) ranks: Rc<dyn Ranks>,
    /// In training and refining: what was done.
    tape: Option<Tape<Buffer, Moments>>,
    /// Whether the parameters are the tape's first nodes.
    learns: bool,
    /// In inference: how residual networks run.
    plans: RefCell<Plans>,
}

/// Plans of residual networks, made when first used, and the memory that they take turns in.
#[derive(Debug, Default)]
pub(super) struct Plans {
    /// By the number of the first parameter.
    by_param: BTreeMap<usize, Plan>,
    workspace: Workspace,
}

/// Size that plans are built for. They run at any; with a constant one, what was run before has no
/// part in the result.
const PLANNED_FOR: [usize; 2] = [128, 128];

/// Statistics of a batch, by channel.
#[derive(Debug)]
pub(super) struct Moments {
    pub(super) norm: BatchNorm,
    pub(super) mean: Vec<f32>,
    /// Unbiased.
    pub(super) variance: Vec<f32>,
}

/// Gradients on the way back.
pub(super) type Gradients = crate::tape::Gradients<Buffer>;

impl Session {
    /// For inference: nothing is kept but plans.
    pub(super) fn inference(weights: Vec<Arc<Buffer>>, pool: &Arc<Pool>, plans: Plans) -> Self {
        Self {
            plans: RefCell::new(plans),
            masks: Vec::new(),
            weights,
            pool: pool.clone(),
            ranks: Rc::new(Alone),
            tape: None,
            learns: false,
        }
    }

    /// For gradients of so many inputs, while the parameters stay as they are.
    pub(super) fn refining(weights: Vec<Arc<Buffer>>, pool: &Arc<Pool>, inputs: usize) -> Self {
        Self {
            tape: Some(Tape::new(inputs, sum)),
            ..Self::inference(weights, pool, Plans::default())
        }
    }

    /// For training.
    pub(super) fn training(
        params: &[Param],
        weights: &[Arc<Buffer>],
        pool: &Arc<Pool>,
        ranks: &Rc<dyn Ranks>,
    ) -> Self {
        let masks: Vec<_> = params.iter().map(|param| param.mask.clone()).collect();
        let masked = |(weights, mask): (&Arc<Buffer>, &Option<Vec<f32>>)| match mask {
            Some(mask) => Arc::new(masked(weights, mask)),
            None => weights.clone(),
        };
        Self {
            weights: weights.iter().zip(&masks).map(masked).collect(),
            masks,
            pool: pool.clone(),
            ranks: ranks.clone(),
            tape: Some(Tape::new(params.len(), sum)),
            learns: true,
            plans: RefCell::default(),
        }
    }

    /// The plans of a session that has ended.
    pub(super) fn into_plans(self) -> Plans {
        self.plans.into_inner()
    }

    /// Runs a residual network of `x` by its plan; for inference.
    pub(super) fn run_planned(&self, net: &ResidualNet, shape: Shape, x: &[f32], y: &mut [f32]) {
        let [n, c, h, w] = shape;
        let Plans {
            by_param,
            workspace,
        } = &mut *self.plans.borrow_mut();
        let plan = by_param.entry(net.first.weight.index()).or_insert_with(|| {
            let weights = self.weights.iter().map(|weights| &weights[..]);
            plan(weights, &[c], PLANNED_FOR, |x| x[0].residual(net))
        });
        plan.run(workspace, n, [h, w], &[x], &mut [y]);
    }

    /// Whether operations are recorded.
    pub(super) fn records(&self) -> bool {
        self.tape().is_some()
    }

    /// Whether it is the parameters that gradients are for.
    pub(super) fn trains(&self) -> bool {
        self.learns && self.records()
    }

    /// What was done. Without the feature the compiler sees that there is none, and
    /// leaves out all that goes back.
    fn tape(&self) -> Option<&Tape<Buffer, Moments>> {
        self.tape.as_ref().filter(|_| cfg!(feature = "gradients"))
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
        self.tape()?.record(inputs, backward)
    }

    /// Keeps statistics of a batch.
    pub(super) fn keep(&self, moments: Moments) {
        if let Some(tape) = self.tape() {
            tape.keep(moments);
        }
    }

    /// Gradients of all parameters, or inputs, from that of `node`, and the statistics of the pass.
    pub(super) fn backward(
        &self,
        node: Wanted,
        gradient: Buffer,
    ) -> (Vec<Option<Buffer>>, Vec<Moments>) {
        let tape = self.tape().expect("only what is recorded goes back");
        let (mut gradients, moments) = tape.backward(node, gradient);
        for (gradient, mask) in gradients.iter_mut().zip(&self.masks) {
            if let (Some(gradient), Some(mask)) = (gradient, mask) {
                *gradient = masked(gradient, mask);
            }
        }
        (gradients, moments)
    }
}

fn sum(mut sum: Buffer, gradient: &Buffer) -> Buffer {
    super::elementwise::zip(&mut sum, gradient, |sum, g| sum + g);
    sum
}

fn masked(values: &[f32], mask: &[f32]) -> Buffer {
    let products = values.iter().zip(mask).map(|(v, m)| v * m);
    products.collect::<Vec<f32>>().into()
}
