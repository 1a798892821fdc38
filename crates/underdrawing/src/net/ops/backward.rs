//! How gradients pass through the convolution.

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend};

use super::ConvBackend;

/// Backward step of [`ConvBackend::conv3x3`].
#[derive(Debug)]
struct Conv3x3Backward;

/// What the backward step needs of the forward one: input, weight and bias, the output where there
/// is an activation, and the slope of that.
type State<B> = ([NodeId; 3], Option<FloatTensor<B>>, f32);

impl<B: Backend + ConvBackend> Backward<B, 3> for Conv3x3Backward {
    type State = State<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [x_parent, weight_parent, bias_parent] = ops.parents;
        let mut dy = grads.consume::<B>(&ops.node);
        let ([x, weight, bias], y, slope) = ops.state;
        if let Some(y) = y {
            dy = B::leaky_backward(y, dy, slope);
        }
        let x: FloatTensor<B> = checkpointer.retrieve_node_output(x);
        let weight: FloatTensor<B> = checkpointer.retrieve_node_output(weight);
        let bias: FloatTensor<B> = checkpointer.retrieve_node_output(bias);
        if let Some(parent) = x_parent {
            let dx = B::conv3x3_backward_input(x.clone(), weight.clone(), dy.clone());
            grads.register::<B>(parent.id, dx);
        }
        if let Some(parent) = weight_parent {
            let dw = B::conv3x3_backward_weight(x.clone(), weight, dy.clone());
            grads.register::<B>(parent.id, dw);
        }
        if let Some(parent) = bias_parent {
            grads.register::<B>(parent.id, B::conv3x3_backward_bias(x, bias, dy));
        }
    }
}

impl<B: Backend + ConvBackend, C: CheckpointStrategy> ConvBackend for Autodiff<B, C> {
    fn conv3x3(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        slope: f32,
    ) -> FloatTensor<Self> {
        let nodes = [x.node(), weight.node(), bias.node()];
        let prepared = Conv3x3Backward
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful();
        match prepared {
            OpsKind::Tracked(mut prepared) => {
                let inputs = [
                    prepared.checkpoint(&x),
                    prepared.checkpoint(&weight),
                    prepared.checkpoint(&bias),
                ];
                let y = forward::<B, C>(x, weight, bias, slope);
                let activated = (slope < 1.0).then(|| y.clone());
                prepared.finish((inputs, activated, slope), y)
            }
            OpsKind::UnTracked(prepared) => {
                prepared.finish(forward::<B, C>(x, weight, bias, slope))
            }
        }
    }
}

fn forward<B: Backend + ConvBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    slope: f32,
) -> FloatTensor<B> {
    B::conv3x3(
        x.into_primitive(),
        weight.into_primitive(),
        bias.into_primitive(),
        slope,
    )
}
