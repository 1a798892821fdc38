//! Networks as plans: their text, run once over tensors that are not there yet, says which kernels
//! run in which order. Batch normalisation by running statistics goes into the convolution before
//! it, and activations and sums into the convolutions that made their input.

use std::cell::RefCell;
use std::rc::Rc;

use underdrawing_conv::{Activation, Kernel, Layer, Maps, Plan, PlanBuilder};

use super::batch_norm::Channel;
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer};
use crate::param::ParamId;
use crate::tensor::{Shape, Tensor};

/// The plan of a network of inputs of so many channels each, which `network` gets. `weights` are
/// the values of all parameters.
pub(super) fn plan<'a>(
    weights: impl Iterator<Item = &'a [f32]>,
    channels: &[usize],
    size: [usize; 2],
    network: impl FnOnce(&[Planned<'a>]) -> Planned<'a>,
) -> Plan {
    let planner = Rc::new(Planner {
        weights: weights.collect(),
        draft: RefCell::default(),
    });
    let inputs: Vec<Planned<'a>> = channels
        .iter()
        .map(|&channels| {
            let maps = planner.draft.borrow_mut().builder.input(channels);
            planner.value(Value::Input(maps), [1, channels, size[0], size[1]])
        })
        .collect();
    let output = network(&inputs);
    let output = planner.draft.borrow_mut().maps(output.value);
    drop(inputs);
    let draft = planner.draft.take();
    draft.builder.build(&[output], size)
}

/// What all values of a plan share.
struct Planner<'a> {
    weights: Vec<&'a [f32]>,
    draft: RefCell<Draft>,
}

#[derive(Default)]
struct Draft {
    builder: PlanBuilder,
    values: Vec<Value>,
}

/// A value of the network.
#[derive(Clone)]
enum Value {
    Input(Maps),
    /// A convolution that a normalisation may still change.
    Convolution(Convolution),
    /// A convolution of the plan, without an activation or with one.
    Maps(Maps),
    /// The channels of other values.
    Concat(Vec<usize>),
}

#[derive(Clone)]
struct Convolution {
    from: usize,
    kernel: Kernel,
    transposed: bool,
    weights: Vec<f32>,
    bias: Vec<f32>,
    activation: Activation,
    /// A value that is added to the result.
    term: Option<usize>,
}

/// A tensor of a network that is planned.
#[derive(Clone)]
pub(super) struct Planned<'a> {
    planner: Rc<Planner<'a>>,
    value: usize,
    shape: Shape,
}

impl<'a> Planner<'a> {
    fn value(self: &Rc<Self>, value: Value, shape: Shape) -> Planned<'a> {
        let mut draft = self.draft.borrow_mut();
        draft.values.push(value);
        Planned {
            planner: self.clone(),
            value: draft.values.len() - 1,
            shape,
        }
    }

    fn weights(&self, id: ParamId) -> &[f32] {
        self.weights[id.index()]
    }
}

impl Draft {
    /// The place of a value in the plan, in which it is from now on.
    fn maps(&mut self, value: usize) -> Maps {
        let maps = match self.values[value].clone() {
            Value::Input(maps) | Value::Maps(maps) => return maps,
            Value::Convolution(conv) => {
                let from = self.maps(conv.from);
                let layer = Layer {
                    c_out: conv.bias.len(),
                    kernel: conv.kernel,
                    weights: &conv.weights,
                    bias: Some(&conv.bias),
                    activation: conv.activation,
                };
                match (conv.transposed, conv.term) {
                    (true, _) => self.builder.conv_transpose(from, layer),
                    (false, None) => self.builder.conv(from, layer),
                    (false, Some(term)) => {
                        let term = self.maps(term);
                        self.builder.conv_plus(from, layer, term)
                    }
                }
            }
            Value::Concat(parts) => {
                let parts: Vec<Maps> = parts.into_iter().map(|part| self.maps(part)).collect();
                self.builder.concat(&parts)
            }
        };
        self.values[value] = Value::Maps(maps);
        maps
    }

    /// A value with another activation: that of the convolutions that it is made of.
    fn activated(&mut self, value: usize, activation: Activation) -> Value {
        if let Value::Concat(parts) = self.values[value].clone() {
            let parts = parts.into_iter().map(|part| {
                let part = self.activated(part, activation);
                self.values.push(part);
                self.values.len() - 1
            });
            return Value::Concat(parts.collect());
        }
        let maps = self.maps(value);
        Value::Maps(self.builder.again(maps, activation))
    }
}

impl Planned<'_> {
    fn convolution(
        &self,
        weight: ParamId,
        bias: Option<ParamId>,
        kernel: Kernel,
        transposed: bool,
        c_out: usize,
        activation: Activation,
    ) -> Self {
        let [n, _, h, w] = self.shape;
        let bias = match bias {
            Some(bias) => self.planner.weights(bias).to_vec(),
            None => vec![0.0; c_out],
        };
        let size = match transposed {
            true => [2 * h, 2 * w],
            false => [kernel.size_out(h), kernel.size_out(w)],
        };
        let conv = Convolution {
            from: self.value,
            kernel,
            transposed,
            weights: self.planner.weights(weight).to_vec(),
            bias,
            activation,
            term: None,
        };
        let shape = [n, c_out, size[0], size[1]];
        self.planner.value(Value::Convolution(conv), shape)
    }
}

impl Convolution {
    /// With each channel of the result scaled and shifted.
    fn scaled(mut self, channels: &[(f32, f32)]) -> Self {
        let taps = self.kernel.side * self.kernel.side;
        let c_out = channels.len();
        let block = match self.transposed {
            true => taps,                               // [c_in, c_out, side, side]
            false => self.weights.len() / c_out.max(1), // [c_out, c_in, side, side]
        };
        for (i, weights) in self.weights.chunks_exact_mut(block).enumerate() {
            let scale = channels[i % c_out].0;
            weights.iter_mut().for_each(|w| *w *= scale);
        }
        for (bias, (scale, shift)) in self.bias.iter_mut().zip(channels) {
            *bias = *bias * scale + shift;
        }
        self
    }
}

/// Why the other operations are missing: they are between plans.
const NOT_PLANNED: &str = "only networks of convolutions are planned";

impl Tensor for Planned<'_> {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self {
        self.convolution(
            layer.weight,
            layer.bias,
            layer.kernel,
            /* transposed */ false,
            layer.c_out,
            activation,
        )
    }

    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self {
        self.convolution(
            layer.weight,
            layer.bias,
            Kernel::HALVING,
            /* transposed */ true,
            layer.c_out,
            activation,
        )
    }

    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self {
        let value = self.planner.draft.borrow().values[self.value].clone();
        let Value::Convolution(conv @ Convolution { term: None, .. }) = value else {
            unreachable!("a normalisation follows the convolution that takes it over");
        };
        let [weight, bias, mean, variance] =
            [norm.weight, norm.bias, norm.running_mean, norm.running_var]
                .map(|id| self.planner.weights(id));
        let channels: Vec<(f32, f32)> = (0..weight.len())
            .map(|c| {
                let moments = [mean[c], variance[c]].map(f64::from);
                let channel = Channel::new(moments, [weight[c], bias[c]], BatchNorm::EPSILON);
                channel.scale_and_shift()
            })
            .collect();
        let conv = Convolution {
            activation,
            ..conv.scaled(&channels)
        };
        self.planner.value(Value::Convolution(conv), self.shape)
    }

    fn activated(&self, activation: Activation) -> Self {
        let value = self
            .planner
            .draft
            .borrow_mut()
            .activated(self.value, activation);
        self.planner.value(value, self.shape)
    }

    fn concat(parts: &[Self]) -> Self {
        let [n, _, h, w] = parts[0].shape;
        let channels = parts.iter().map(|part| part.shape[1]).sum();
        let values = parts.iter().map(|part| part.value).collect();
        let planner = &parts[0].planner;
        planner.value(Value::Concat(values), [n, channels, h, w])
    }

    fn plus(self, other: &Self) -> Self {
        let value = self.planner.draft.borrow().values[other.value].clone();
        let Value::Convolution(
            conv @ Convolution {
                term: None,
                transposed: false,
                ..
            },
        ) = value
        else {
            unreachable!("only a convolution takes over that something is added to it");
        };
        let term = Some(self.value);
        let sum = Value::Convolution(Convolution { term, ..conv });
        self.planner.value(sum, self.shape)
    }

    fn minus(self, _: &Self) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn affine(self, _: &[f32], _: &[f32]) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn clamped(self, _: f32, _: f32) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn haar(&self, _: f32) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn inverse_haar(&self, _: f32) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn pixel_shuffle(&self) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn couple(self, _: &Self) -> Self {
        unreachable!("{NOT_PLANNED}")
    }

    fn uncouple(self, _: &Self) -> Self {
        unreachable!("{NOT_PLANNED}")
    }
}
