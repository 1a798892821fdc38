//! How our operations take part in automatic differentiation.

use std::fmt;

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};

/// From what the forward pass kept and the gradient of its result to those of its inputs, as far as
/// they are wanted.
pub(super) type Slopes<S, const N: usize> = fn(S, FlexTensor, [bool; N]) -> [Option<FlexTensor>; N];

/// An operation of `N` tensors that keeps `S` for the way back.
struct Recorded<S, const N: usize>(Slopes<S, N>);

impl<S, const N: usize> fmt::Debug for Recorded<S, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Recorded")
    }
}

impl<S, const N: usize> Backward<Flex, N> for Recorded<S, N>
where
    S: Clone + Send + fmt::Debug + 'static,
{
    type State = S;

    fn backward(self, ops: Ops<S, N>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let dy = gradients.consume::<Flex>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        let slopes = (self.0)(ops.state, dy, wanted);
        for (parent, slope) in ops.parents.into_iter().zip(slopes) {
            if let (Some(parent), Some(slope)) = (parent, slope) {
                gradients.register::<Flex>(parent.id, slope);
            }
        }
    }
}

/// Runs `forward` and records `slopes` for the way back.
pub(super) fn record<C: CheckpointStrategy, S, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    forward: impl FnOnce([FlexTensor; N]) -> (FlexTensor, S),
    slopes: Slopes<S, N>,
) -> FloatTensor<Autodiff<Flex, C>>
where
    S: Clone + Send + fmt::Debug + 'static,
{
    let nodes = inputs.each_ref().map(|input| input.node());
    let prepared = Recorded(slopes)
        .prepare::<C>(nodes)
        .compute_bound()
        .stateful();
    let (y, state) = forward(inputs.map(|input| input.into_primitive()));
    match prepared {
        OpsKind::Tracked(prepared) => prepared.finish(state, y),
        OpsKind::UnTracked(prepared) => prepared.finish(y),
    }
}
