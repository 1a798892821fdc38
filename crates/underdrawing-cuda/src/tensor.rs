//! The operations on a card. Each notes work; in training it also records how to go back.

use std::rc::Rc;
use std::sync::Arc;

use underdrawing_net::{
    Activation, BatchNorm, ChaCha8Rng, Change, ConvLayer, ConvTransposeLayer, Differentiable,
    ParamId, ResidualNet, Shape, Tensor, Wanted, residual_by_layers,
};

use crate::convolution::{self, Wanted as Of};
use crate::device::{Device, Memory};
use crate::kernels::Argument;
use crate::kernels::Argument::{At, Float, Int, Long};
use crate::launches::{add, couple_backward};
use crate::residual::{self, End};
use crate::session::{Gradients, Moments, Session};

/// A tensor on a card, channels last in its memory.
#[derive(Clone, Debug)]
pub struct CudaTensor {
    pub(crate) session: Rc<Session>,
    pub(crate) node: Wanted,
    shape: Shape,
    values: Arc<Memory>,
    /// What each channel still lacks. Batch normalisation takes it away again, so that it need not be
    /// added before one.
    bias: Option<ParamId>,
}

/// Whether values lie in the same order channels last and by planes.
pub(crate) fn is_in_one_order([_, c, h, w]: Shape) -> bool {
    c == 1 || h * w == 1
}

/// How kernels name an activation.
pub(crate) fn kind_of(activation: Activation) -> [Argument; 2] {
    match activation {
        Activation::None => [Int(0), Float(0.0)],
        Activation::Relu => [Int(1), Float(0.0)],
        Activation::LeakyRelu(slope) => [Int(1), Float(slope)],
        Activation::Sigmoid => [Int(2), Float(0.0)],
        Activation::Tanh => [Int(3), Float(0.0)],
    }
}

impl CudaTensor {
    /// A tensor that no parameter has a part in.
    pub(crate) fn new(session: &Rc<Session>, shape: Shape, values: &[f32]) -> Self {
        let [n, c, h, w] = shape;
        assert_eq!(values.len(), n * c * h * w, "values of a tensor {shape:?}");
        let device = &session.device;
        let planes = device.upload(values);
        let values = match is_in_one_order(shape) {
            true => planes,
            false => {
                let values = device.room(planes.len);
                let sizes = [Long(n * h * w), Long(h * w), Int(c)];
                let arguments = [&[planes.at(), values.at()][..], &sizes].concat();
                device.each("to_channels_last", n * h * w, &arguments);
                values
            }
        };
        Self::of(session, None, shape, values)
    }

    pub(crate) fn of(
        session: &Rc<Session>,
        node: Wanted,
        shape: Shape,
        values: impl Into<Arc<Memory>>,
    ) -> Self {
        Self {
            session: session.clone(),
            node,
            shape,
            values: values.into(),
            bias: None,
        }
    }

    pub(crate) fn device(&self) -> &Device {
        &self.session.device
    }

    /// The values, with nothing lacking.
    pub(crate) fn values(&self) -> &Arc<Memory> {
        debug_assert!(self.bias.is_none(), "a bias is still to be added");
        &self.values
    }

    /// Records how to go back from `values` to `inputs`.
    pub(crate) fn result<F>(
        &self,
        inputs: &[Wanted],
        shape: Shape,
        values: impl Into<Arc<Memory>>,
        backward: impl FnOnce() -> F,
    ) -> Self
    where
        F: FnOnce(Arc<Memory>, &mut Gradients) + 'static,
    {
        let tape = self.session.tape.as_ref();
        let node = tape.and_then(|tape| tape.record(inputs, backward));
        Self::of(&self.session, node, shape, values)
    }

    /// This tensor with its bias.
    pub(crate) fn settled(&self) -> Self {
        match self.bias {
            None => self.clone(),
            Some(bias) => self.biased(Some(bias), Activation::None),
        }
    }

    /// Bias and activation of what a convolution gave.
    fn biased(&self, bias: Option<ParamId>, activation: Activation) -> Self {
        let (session, device) = (&self.session, self.device().clone());
        let c = self.shape[1];
        let at = bias.map_or(At(0), |bias| session.weight(bias).at());
        let x = &self.values;
        let y = Arc::new(device.room(x.len));
        let [kind, slope] = kind_of(activation);
        let arguments = [x.at(), at, y.at(), Long(x.len), Int(c), kind, slope];
        device.each("bias_activation", x.len, &arguments);
        let nodes = [self.node, bias.and_then(|bias| session.node(bias))];
        self.result(&nodes, self.shape, y.clone(), || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                let rows = [dy.len / c, c];
                let (dx, partial) = match activation {
                    Activation::None => {
                        let sums = nodes[1]
                            .map(|_| device.column_sums("bias_backward", rows, 1, &[dy.at()], &[]));
                        (dy, sums)
                    }
                    _ if nodes[1].is_none() => {
                        let more = [kind, slope];
                        let dx = device.zipped("activation_backward", &y, &dy, &more);
                        (Arc::new(dx), None)
                    }
                    _ => {
                        let dx = device.room(dy.len);
                        let before = [y.at(), dy.at(), dx.at()];
                        let name = "bias_activation_backward";
                        let sums = device.column_sums(name, rows, 1, &before, &[kind, slope]);
                        (Arc::new(dx), Some(sums))
                    }
                };
                if let Some(partial) = partial {
                    gradients.add(nodes[1], || device.column_sums_end(partial, c));
                }
                gradients.add(nodes[0], || dx);
            }
        })
    }

    /// More rows and columns at the end, of zeros; or fewer.
    fn resized(&self, [to_h, to_w]: [usize; 2]) -> Self {
        let [n, c, h, w] = self.shape;
        let device = self.device().clone();
        let resize = move |x: &Memory, [h, w]: [usize; 2], [to_h, to_w]: [usize; 2]| {
            let y = device.room(n * c * to_h * to_w);
            let sizes = [n, h, w, to_h, to_w, c].map(Int);
            let arguments = [&[x.at(), y.at()][..], &sizes].concat();
            device.each("resize", y.len, &arguments);
            y
        };
        let y = resize(self.values(), [h, w], [to_h, to_w]);
        let node = self.node;
        self.result(&[node], [n, c, to_h, to_w], y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || resize(&dy, [to_h, to_w], [h, w]));
            }
        })
    }

    /// A convolution, `x` to `y`; or, transposed, `y` to `x`.
    fn convolved(&self, shape: convolution::Shape, weight: ParamId) -> Self {
        let transposed = shape.wanted == Of::Input;
        let (session, device) = (&self.session, self.device().clone());
        let convolution::Shape {
            n,
            c_in,
            c_out,
            side,
            ..
        } = shape;
        let result = match transposed {
            true => [n, c_in, shape.height, shape.width],
            false => [n, c_out, shape.height_out(), shape.width_out()],
        };
        let w = session.weight(weight).clone();
        let x = self.values().clone();
        let y = device.room(result.iter().product());
        let of = move |wanted| convolution::Shape { wanted, ..shape };
        device.convolve(shape, ordered(transposed, [&x, &w, &y]));
        let nodes = [self.node, session.node(weight)];
        self.result(&nodes, result, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(nodes[1], || {
                    let dw = device.room(c_out * side * side * c_in);
                    device.convolve(of(Of::Weights), ordered(transposed, [&x, &dw, &dy]));
                    dw
                });
                gradients.add(nodes[0], || {
                    let dx = device.room(x.len);
                    let wanted = match transposed {
                        true => Of::Output,
                        false => Of::Input,
                    };
                    device.convolve(of(wanted), ordered(transposed, [&dx, &w, &dy]));
                    dx
                });
            }
        })
    }

    /// What a convolution gave, with what comes after it.
    fn finished(self, bias: Option<ParamId>, activation: Activation) -> Self {
        match (bias, activation) {
            (bias, Activation::None) => Self { bias, ..self },
            _ => self.biased(bias, activation),
        }
    }

    /// `f` of each value, by kernels.
    fn mapped(&self, name: &str, back: Back, more: &[Argument]) -> Self {
        let x = self.values().clone();
        let device = self.device().clone();
        let y = device.mapped(name, &x, more);
        let (node, more) = (self.node, more.to_vec());
        self.result(&[node], self.shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || match back {
                    Back::Same(name) => Arc::new(device.mapped(name, &dy, &more)),
                    Back::Input(name) => Arc::new(device.zipped(name, &x, &dy, &more)),
                    Back::Through => dy,
                });
            }
        })
    }

    /// Blocks of 2x2 values to four bands, or back.
    fn banded(&self, join: bool, transform: bool, zero: f32) -> Self {
        let [n, c, h, w] = self.shape;
        let device = self.device().clone();
        let (shape, blocks, band, across) = match join {
            true => ([n, c / 4, 2 * h, 2 * w], n * h * w, c / 4, w),
            false => ([n, 4 * c, h / 2, w / 2], n * (h / 2) * (w / 2), c, w / 2),
        };
        let name = |join| if join { "join" } else { "split" };
        let run = move |join: bool, x: &Memory, zero: f32| {
            let y = device.room(x.len);
            let sizes = [Long(blocks), Int(across), Int(band), Int(transform.into())];
            let arguments = [&[x.at(), y.at()][..], &sizes, &[Float(zero)]].concat();
            device.each(name(join), blocks * band, &arguments);
            y
        };
        let y = run(join, self.values(), zero);
        let node = self.node;
        self.result(&[node], shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || run(!join, &dy, 0.0));
            }
        })
    }

    /// `self + sign other`
    pub(crate) fn sum(&self, other: &Self, sign: f32) -> Self {
        let (a, b) = (self.settled(), other.settled());
        assert_eq!(a.shape, b.shape, "shapes of the terms of a sum");
        let device = self.device().clone();
        let y = add(&device, a.values(), b.values(), sign);
        let nodes = [a.node, b.node];
        self.result(&nodes, a.shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(nodes[1], || match sign < 0.0 {
                    true => Arc::new(device.mapped("times", &dy, &[Float(sign)])),
                    false => dy.clone(),
                });
                gradients.add(nodes[0], || dy);
            }
        })
    }

    /// One of the two directions of a coupling.
    fn coupled(&self, update: &Self, inverse: bool) -> Self {
        let (this, update) = (self.settled(), update.settled());
        let [_, c, ..] = this.shape;
        let device = self.device().clone();
        let x = this.values().clone();
        let of = update.values().clone();
        let y = Arc::new(device.room(x.len));
        let sizes = [Long(x.len), Int(c), Int(inverse.into())];
        let arguments = [&[x.at(), of.at(), y.at()][..], &sizes].concat();
        device.each("couple", x.len, &arguments);
        let nodes = [this.node, update.node];
        self.result(&nodes, this.shape, y.clone(), || {
            let kept = if inverse { y } else { x };
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                let [dx, d_update] = couple_backward(&device, [&kept, &of, &dy], 2 * c, c, inverse);
                gradients.add(nodes[0], || dx);
                gradients.add(nodes[1], || d_update);
            }
        })
    }

    /// A residual network of this tensor, with what is done with what it gives, by kernels of its own;
    /// none where there are none.
    fn ended(&self, net: &ResidualNet, end: &End) -> Option<Self> {
        let x = self.settled();
        let [n, c, h, w] = x.shape;
        let made = residual::run(&x.session, net, (x.values(), x.node), [n, h, w], c, end)?;
        let shape = [n, made.channels, h, w];
        let nodes = made.nodes.clone();
        Some(x.result(&nodes, shape, made.y.clone(), || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| made.backward(dy, gradients)
        }))
    }

    /// Gradients are spread over what a mean was taken of, times it where it was of squares.
    fn meant(&self, n: usize, shape: Shape, square: bool) -> Self {
        let x = self.values().clone();
        let device = self.device().clone();
        let y = device.picture_means(&x, n, square);
        let node = self.node;
        self.result(&[node], shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let (dx, len) = (device.room(x.len), x.len / n);
                    let (of, factor) = match square {
                        true => (x.at(), 2.0 / len as f32),
                        false => (At(0), 1.0 / len as f32),
                    };
                    let sizes = [Long(x.len), Long(len), Float(factor)];
                    let arguments = [&[of, dy.at(), dx.at()][..], &sizes].concat();
                    device.each("spread", x.len, &arguments);
                    dx
                });
            }
        })
    }
}

/// What goes in, weights, and what comes out, as cuDNN names them.
fn ordered(transposed: bool, [x, w, y]: [&Memory; 3]) -> [&Memory; 3] {
    match transposed {
        true => [y, w, x],
        false => [x, w, y],
    }
}

/// How a gradient comes back through a function of single values: by which kernel, from what beside
/// the gradient.
#[derive(Clone, Copy)]
enum Back {
    /// Nothing.
    Same(&'static str),
    /// What went in.
    Input(&'static str),
    /// As it is.
    Through,
}

/// Copies channels of `[n, c, h, w]`: which ones of how many to where among how many.
fn copy_channels(
    device: &Device,
    (x, c, first): (&Memory, usize, usize),
    (y, to_c, to_first): (&Memory, usize, usize),
    count: usize,
    pixels: usize,
) {
    let of = [x.at(), Int(c), Int(first)];
    let to = [y.at(), Int(to_c), Int(to_first)];
    let arguments = [&of[..], &to, &[Int(count), Long(pixels)]].concat();
    device.each("copy_channels", count * pixels, &arguments);
}

impl Tensor for CudaTensor {
    fn shape(&self) -> Shape {
        self.shape
    }

    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self {
        let kernel = layer.kernel;
        let mut x = self.settled();
        if kernel.after != kernel.before {
            // cuDNN has no fast ways for zeros that differ from side to side.
            let [_, _, h, w] = self.shape;
            x = x.resized([h, w].map(|side| side + kernel.after - kernel.before));
        }
        let [n, c_in, height, width] = x.shape;
        let shape = convolution::Shape {
            wanted: Of::Output,
            n,
            c_in,
            c_out: layer.c_out,
            height,
            width,
            side: kernel.side,
            stride: kernel.stride,
            padding: kernel.before,
        };
        let y = x.convolved(shape, layer.weight);
        y.finished(layer.bias, activation)
    }

    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self {
        let x = self.settled();
        let [n, c_in, height, width] = x.shape;
        let shape = convolution::Shape {
            wanted: Of::Input,
            n,
            c_in: layer.c_out,
            c_out: c_in,
            height: 2 * height,
            width: 2 * width,
            side: 4,
            stride: 2,
            padding: 1,
        };
        let y = x.convolved(shape, layer.weight);
        y.finished(layer.bias, activation)
    }

    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self {
        let [n, c, h, w] = self.shape;
        let rows = n * h * w;
        let least = match activation {
            Activation::Relu => 0.0,
            _ => f32::NEG_INFINITY,
        };
        let (session, device) = (&self.session, self.device().clone());
        let x = self.values.clone();
        let added = self.bias.map_or(At(0), |bias| session.weight(bias).at());
        let epsilon = Float(BatchNorm::EPSILON as f32);
        let statistics = Arc::new(device.room(4 * c));
        if let Some(tape) = &session.tape {
            let before = [x.at()];
            let (partial, blocks) =
                device.column_sums("batch_norm_moments", [rows, c], 2, &before, &[]);
            let arguments = [
                x.at(),
                partial.at(),
                Int(blocks),
                Long(rows),
                added,
                epsilon,
                statistics.at(),
            ];
            let grid = [c as u32, 1, 1];
            device.launch("batch_norm_moments_end", grid, 32, 0, &arguments);
            tape.keep(Moments {
                norm: *norm,
                statistics: statistics.clone(),
            });
        } else {
            let [mean, variance] =
                [norm.running_mean, norm.running_var].map(|id| session.weight(id).at());
            let arguments = [mean, variance, added, epsilon, statistics.at(), Int(c)];
            device.each("batch_norm_running", c, &arguments);
        }
        let [weight, bias] = [norm.weight, norm.bias].map(|id| session.weight(id).clone());
        let y = device.room(x.len);
        let known = [x.at(), statistics.at(), weight.at(), bias.at()];
        let sizes = [y.at(), Long(x.len), Int(c), Float(least)];
        device.each("batch_norm", x.len, &[known, sizes].concat());
        let nodes = [
            self.node,
            session.node(norm.weight),
            session.node(norm.bias),
            self.bias.and_then(|bias| session.node(bias)),
        ];
        self.result(&nodes, self.shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                let known = [&*x, &*statistics, &*weight, &*bias, &*dy].map(Memory::at);
                let (partial, blocks) = device.column_sums(
                    "batch_norm_backward_sums",
                    [rows, c],
                    2,
                    &known,
                    &[Float(least)],
                );
                let [d_weight, d_bias, means] = [c, c, 2 * c].map(|len| device.room(len));
                let arguments = [
                    partial.at(),
                    Int(blocks),
                    Long(rows),
                    d_weight.at(),
                    d_bias.at(),
                    means.at(),
                ];
                let grid = [c as u32, 1, 1];
                device.launch("batch_norm_backward_end", grid, 32, 0, &arguments);
                let dx = device.room(x.len);
                let sizes = [means.at(), dx.at(), Long(x.len), Int(c), Float(least)];
                device.each("batch_norm_backward", x.len, &[&known[..], &sizes].concat());
                gradients.add(nodes[0], || dx);
                gradients.add(nodes[1], || d_weight);
                gradients.add(nodes[2], || d_bias);
                // It moves all values of a channel alike, which the mean takes away again.
                gradients.add(nodes[3], || device.zeros(c));
            }
        })
    }

    fn activated(&self, activation: Activation) -> Self {
        let x = self.settled();
        let device = self.device().clone();
        let y = Arc::new(device.room(x.values().len));
        let kind = kind_of(activation);
        let len = y.len;
        let arguments = [x.values().at(), At(0), y.at(), Long(len), Int(1)];
        device.each("bias_activation", len, &[&arguments[..], &kind].concat());
        let node = x.node;
        self.result(&[node], self.shape, y.clone(), || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || {
                    device.zipped("activation_backward", &y, &dy, &kind)
                });
            }
        })
    }

    fn concat(parts: &[Self]) -> Self {
        let parts: Vec<Self> = parts.iter().map(Self::settled).collect();
        let first = &parts[0];
        let [n, _, h, w] = first.shape;
        let pixels = n * h * w;
        let counts: Vec<usize> = parts.iter().map(|part| part.shape[1]).collect();
        let c: usize = counts.iter().sum();
        let device = first.device().clone();
        let y = device.room(pixels * c);
        let mut start = 0;
        for (part, count) in parts.iter().zip(&counts) {
            let from = (&**part.values(), *count, 0);
            copy_channels(&device, from, (&y, c, start), *count, pixels);
            start += count;
        }
        let nodes: Vec<Wanted> = parts.iter().map(|part| part.node).collect();
        first.result(&nodes.clone(), [n, c, h, w], y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                let mut start = 0;
                for (node, count) in nodes.into_iter().zip(counts) {
                    gradients.add(node, || {
                        let part = device.room(pixels * count);
                        copy_channels(&device, (&dy, c, start), (&part, count, 0), count, pixels);
                        part
                    });
                    start += count;
                }
            }
        })
    }

    fn plus(self, other: &Self) -> Self {
        self.sum(other, 1.0)
    }

    fn minus(self, other: &Self) -> Self {
        self.sum(other, -1.0)
    }

    fn affine(self, scale: &[f32], shift: &[f32]) -> Self {
        let this = self.settled();
        let c = this.shape[1];
        let device = self.device().clone();
        let [scale, shift] = [scale, shift].map(|values| device.upload(values));
        let x = this.values();
        let y = device.room(x.len);
        let memory = [x.at(), scale.at(), shift.at(), y.at()];
        let sizes = [Long(x.len), Int(c)];
        device.each("affine", x.len, &[&memory[..], &sizes].concat());
        let node = this.node;
        this.result(&[node], this.shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let dx = device.room(dy.len);
                    let memory = [dy.at(), scale.at(), At(0), dx.at()];
                    device.each("affine", dy.len, &[&memory[..], &sizes].concat());
                    dx
                });
            }
        })
    }

    fn clamped(self, low: f32, high: f32) -> Self {
        let back = Back::Input("clamp_backward");
        self.settled()
            .mapped("clamp", back, &[Float(low), Float(high)])
    }

    fn haar(&self, zero: f32) -> Self {
        self.settled().banded(/* join */ false, true, zero)
    }

    fn inverse_haar(&self, zero: f32) -> Self {
        self.settled().banded(/* join */ true, true, zero)
    }

    fn pixel_shuffle(&self) -> Self {
        self.settled().banded(/* join */ true, false, 0.0)
    }

    fn residual(&self, net: &ResidualNet) -> Self {
        let ended = self.ended(net, &End::Nothing);
        ended.unwrap_or_else(|| residual_by_layers(self, net))
    }

    fn change(self, net: &ResidualNet, source: &Self, change: Change) -> Self {
        let this = self.settled();
        let (values, node) = (this.values().clone(), this.node);
        let end = match change {
            Change::Add => End::Added(values, node, 1.0),
            Change::Subtract => End::Added(values, node, -1.0),
            Change::Couple => End::Coupled(values, node, 1.0),
            Change::Uncouple => End::Coupled(values, node, -1.0),
        };
        let changed = source.ended(net, &end);
        changed.unwrap_or_else(|| change.apply(self, &residual_by_layers(source, net)))
    }

    fn couple(self, update: &Self) -> Self {
        self.coupled(update, /* inverse */ false)
    }

    fn uncouple(self, update: &Self) -> Self {
        self.coupled(update, /* inverse */ true)
    }
}

impl Differentiable for CudaTensor {
    fn constant(&self, shape: Shape, values: &[f32]) -> Self {
        Self::new(&self.session, shape, values)
    }

    fn uniform(&self, shape: Shape, random: &mut ChaCha8Rng) -> Self {
        let [n, c, h, w] = shape;
        let len = n * c * h * w;
        let position = random.get_word_pos();
        random.set_word_pos(position + len as u128);
        let block = (position / 16) as u64;
        let words = random.get_seed();
        let words = words
            .as_chunks::<4>()
            .0
            .iter()
            .map(|word| u32::from_le_bytes(*word));
        let halves = |v: u64| [v as u32, (v >> 32) as u32];
        let words = words
            .chain(halves(random.get_stream()))
            .chain(halves(block));
        let words = words.chain([(position % 16) as u32]);
        let words: Vec<f32> = words.map(f32::from_bits).collect();
        let device = self.device();
        let (key, y) = (device.upload(&words), device.room(len));
        let arguments = [key.at(), y.at(), Long(len), Long(h * w), Int(c)];
        device.each("uniform", len.div_ceil(16) + 1, &arguments);
        Self::of(&self.session, None, shape, y)
    }

    fn clamped_straight_through(self) -> Self {
        let bounds = [Float(0.0), Float(1.0)];
        self.settled().mapped("clamp", Back::Through, &bounds)
    }

    fn mean_square(&self) -> Self {
        let x = self.settled();
        let n = x.shape[0];
        x.meant(n, [n, 1, 1, 1], /* square */ true)
    }

    fn square_means(&self, side: usize) -> Self {
        let this = self.settled();
        let [n, c, h, w] = this.shape;
        let shape = [n, c, h / side, w / side];
        let device = self.device().clone();
        let y = device.room(shape.iter().product());
        let sizes = [h, w, c, side].map(Int);
        let arguments = [&[this.values().at(), y.at(), Long(y.len)][..], &sizes].concat();
        device.each("square_means", y.len, &arguments);
        let (node, len) = (this.node, this.values().len);
        this.result(&[node], shape, y, || {
            move |dy: Arc<Memory>, gradients: &mut Gradients| {
                gradients.add(node, || {
                    let dx = device.room(len);
                    let arguments = [&[dy.at(), dx.at(), Long(len)][..], &sizes].concat();
                    device.each("square_means_backward", len, &arguments);
                    dx
                });
            }
        })
    }

    fn times(self, factor: f32) -> Self {
        let back = Back::Same("times");
        self.settled().mapped("times", back, &[Float(factor)])
    }

    fn ln(self) -> Self {
        let back = Back::Input("logarithm_backward");
        self.settled().mapped("logarithm", back, &[])
    }

    fn mean(&self) -> Self {
        self.settled().meant(1, [1; 4], /* square */ false)
    }

    fn to_vec(&self) -> Vec<f32> {
        let this = self.settled();
        let [n, c, h, w] = this.shape;
        let device = this.device();
        let values = this.values();
        if values.len == 0 {
            return Vec::new();
        }
        if is_in_one_order(this.shape) {
            return device.download(values);
        }
        let planes = device.room(values.len);
        let sizes = [Long(n * h * w), Long(h * w), Int(c)];
        let arguments = [&[values.at(), planes.at()][..], &sizes].concat();
        device.each("to_planes", n * h * w, &arguments);
        device.download(&planes)
    }
}
