//! Networks as files of ONNX, the exchange format of other engines (<https://onnx.ai>).
//!
//! A network's text is run once on [`OnnxTensor`], which computes nothing and writes down each
//! operation. Field numbers and the meanings of operators are those of ONNX's IR version 8 and
//! operator set 17.

mod protobuf;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use underdrawing_conv::{Activation, Kernel};

use crate::architecture::Architecture;
use crate::layers::{BatchNorm, ConvLayer, ConvTransposeLayer};
use crate::networks::Networks;
use crate::param::{Param, ParamId};
use crate::tensor::{Shape, Tensor};
use protobuf::Message;

/// Versions of the format and of its operators.
const IR_VERSION: i64 = 8;
const OPERATOR_SET: i64 = 17;

/// Numbers of ONNX's types.
const FLOAT: i64 = 1;
const INT64: i64 = 7;

/// A network as an ONNX file, and what its inputs must be like.
#[derive(Clone, Debug)]
pub struct OnnxNetwork {
    /// The file.
    pub bytes: Vec<u8>,
    /// Names of the inputs, in their order.
    pub inputs: &'static [&'static str],
    /// Name of the output.
    pub output: &'static str,
    /// Heights and widths must be multiples of this.
    pub size_multiple: usize,
}

impl Networks {
    /// The network that hides: `cover` and `secret` to `container`, `float32` of
    /// `[batch, 3, height, width]` with any batch and size, sRGB-encoded, 0 to 1; the container may
    /// lie outside. What stands in `about`, names and texts, goes into the file's metadata.
    #[must_use]
    pub fn hiding_to_onnx(&self, about: &[(&str, &str)]) -> OnnxNetwork {
        let size_multiple = self.architecture().size_multiple();
        let hide = |inputs: &[OnnxTensor]| self.nets().hide(&inputs[0], &inputs[1]);
        self.to_onnx(
            &["cover", "secret"],
            "container",
            size_multiple,
            about,
            hide,
        )
    }

    /// The network that reveals: `container` to `revealed`, as in [`Networks::hiding_to_onnx`].
    #[must_use]
    pub fn reveal_to_onnx(&self, about: &[(&str, &str)]) -> OnnxNetwork {
        let size_multiple = match self.architecture() {
            Architecture::Lifting(_) => 2,
            Architecture::Unet2018(_) | Architecture::Dense2017(_) => 1,
        };
        let reveal = |inputs: &[OnnxTensor]| self.nets().reveal(&inputs[0]);
        self.to_onnx(&["container"], "revealed", size_multiple, about, reveal)
    }

    fn to_onnx(
        &self,
        inputs: &'static [&'static str],
        output: &'static str,
        size_multiple: usize,
        about: &[(&str, &str)],
        network: impl FnOnce(&[OnnxTensor]) -> OnnxTensor,
    ) -> OnnxNetwork {
        let graph = Rc::new(RefCell::new(Graph::default()));
        let networks = Rc::new(self.clone());
        let tensors = inputs.iter().map(|name| OnnxTensor {
            networks: Rc::clone(&networks),
            graph: Rc::clone(&graph),
            name: (*name).to_owned(),
            channels: 3,
        });
        let tensors: Vec<OnnxTensor> = tensors.collect();
        let result = network(&tensors).name;
        let mut graph = graph.borrow_mut();
        graph.node("Identity", &[&result], &[output], &[]);
        let ends = |names: &[&str]| names.iter().map(|name| value_info(name)).collect();
        let (into, out): (Vec<Message>, Vec<Message>) = (ends(inputs), ends(&[output]));
        let message = Message::new()
            .messages(1, &graph.nodes)
            .string(2, "underdrawing")
            .messages(5, &graph.constants)
            .messages(11, &into)
            .messages(12, &out);
        let architecture = self.architecture().to_json();
        let multiple = size_multiple.to_string();
        let known = [
            ("architecture", &*architecture),
            ("size_multiple", &*multiple),
        ];
        let entries: Vec<Message> = known
            .iter()
            .chain(about)
            .map(|(key, text)| Message::new().string(1, key).string(2, text))
            .collect();
        let model = Message::new()
            .int(1, IR_VERSION)
            .string(2, "underdrawing")
            .string(3, env!("CARGO_PKG_VERSION"))
            .message(7, &message)
            .message(8, &Message::new().string(1, "").int(2, OPERATOR_SET))
            .messages(14, &entries);
        OnnxNetwork {
            bytes: model.into_bytes(),
            inputs,
            output,
            size_multiple,
        }
    }
}

/// Values as a file of ONNX's `TensorProto`, with which its runners are tested.
///
/// # Panics
/// When there are more or fewer values than the shape holds.
#[must_use]
pub fn onnx_tensor(name: &str, shape: &[usize], values: &[f32]) -> Vec<u8> {
    floats(name, shape, values).into_bytes()
}

fn floats(name: &str, shape: &[usize], values: &[f32]) -> Message {
    assert_eq!(shape.iter().product::<usize>(), values.len(), "{name}");
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    constant(name, shape, FLOAT, &bytes)
}

fn constant(name: &str, shape: &[usize], data_type: i64, bytes: &[u8]) -> Message {
    Message::new()
        .ints(1, shape.iter().map(|&extent| extent as i64))
        .int(2, data_type)
        .string(8, name)
        .bytes(9, bytes)
}

/// An input or output: three channels, everything else as it comes.
fn value_info(name: &str) -> Message {
    let free = |name| Message::new().string(2, name);
    let dims = [
        free("batch"),
        Message::new().int(1, 3),
        free("height"),
        free("width"),
    ];
    let shape = Message::new().messages(1, &dims);
    let tensor = Message::new().int(1, FLOAT).message(2, &shape);
    let kind = Message::new().message(1, &tensor);
    Message::new().string(1, name).message(2, &kind)
}

/// What has been written down so far.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Message>,
    constants: Vec<Message>,
    /// Names of the constants.
    known: BTreeSet<String>,
    /// Values that were given a name.
    n_values: usize,
}

impl Graph {
    fn node(&mut self, operator: &str, inputs: &[&str], outputs: &[&str], attributes: &[Message]) {
        let mut node = Message::new();
        for input in inputs {
            node = node.string(1, input);
        }
        for output in outputs {
            node = node.string(2, output);
        }
        let name = format!("{operator}_{}", self.nodes.len());
        let node = node.string(3, &name).string(4, operator);
        self.nodes.push(node.messages(5, attributes));
    }

    /// A name for a value that a node gives.
    fn value(&mut self) -> String {
        self.n_values += 1;
        format!("value_{}", self.n_values)
    }

    /// A constant, once however often it is used; its name.
    fn constant(&mut self, name: &str, make: impl FnOnce() -> Message) -> String {
        if self.known.insert(name.to_owned()) {
            self.constants.push(make());
        }
        name.to_owned()
    }
}

fn attribute_int(name: &str, value: i64) -> Message {
    const TYPE: i64 = 2;
    Message::new().string(1, name).int(3, value).int(20, TYPE)
}

fn attribute_float(name: &str, value: f32) -> Message {
    const TYPE: i64 = 1;
    Message::new().string(1, name).float(2, value).int(20, TYPE)
}

fn attribute_text(name: &str, value: &str) -> Message {
    const TYPE: i64 = 3;
    Message::new()
        .string(1, name)
        .string(4, value)
        .int(20, TYPE)
}

fn attribute_ints<const N: usize>(name: &str, values: [usize; N]) -> Message {
    const TYPE: i64 = 7;
    let values = values.map(|value| value as i64);
    Message::new().string(1, name).ints(8, values).int(20, TYPE)
}

/// A value of the graph.
#[derive(Clone)]
struct OnnxTensor {
    networks: Rc<Networks>,
    graph: Rc<RefCell<Graph>>,
    name: String,
    channels: usize,
}

impl OnnxTensor {
    /// What an operator makes of this value and others.
    fn then(&self, operator: &str, others: &[&str], attributes: &[Message]) -> Self {
        self.to_channels(self.channels, operator, others, attributes)
    }

    fn to_channels(
        &self,
        channels: usize,
        operator: &str,
        others: &[&str],
        attributes: &[Message],
    ) -> Self {
        let inputs = [&[&*self.name], others].concat();
        let mut graph = self.graph.borrow_mut();
        let name = graph.value();
        graph.node(operator, &inputs, &[&name], attributes);
        drop(graph);
        Self {
            name,
            channels,
            ..self.clone()
        }
    }

    fn param(&self, id: ParamId) -> String {
        let param: &Param = &self.networks.params()[id.index()];
        let make = || floats(&param.name, &param.shape, &param.masked_values());
        self.graph.borrow_mut().constant(&param.name, make)
    }

    fn params(&self, ids: impl IntoIterator<Item = ParamId>) -> Vec<String> {
        ids.into_iter().map(|id| self.param(id)).collect()
    }

    /// A constant of floats under a name of its own.
    fn floats(&self, name: &str, shape: &[usize], values: &[f32]) -> String {
        let make = || floats(name, shape, values);
        self.graph.borrow_mut().constant(name, make)
    }

    /// A number.
    fn number(&self, value: f32) -> String {
        self.floats(&format!("number_{value:e}"), &[], &[value])
    }

    /// Each channel plus or times a number.
    fn by_channel(&self, operator: &str, values: &[f32]) -> Self {
        let numbers: Vec<String> = values.iter().map(|v| format!("{v:e}")).collect();
        let name = format!("channels_{}", numbers.join("_"));
        let name = self.floats(&name, &[1, values.len(), 1, 1], values);
        self.then(operator, &[&name], &[])
    }

    /// The weights of Haar's transform and of its inverse, `[4c, c, 2, 2]`.
    fn haar_weights(&self, c: usize) -> String {
        /// Signs of the corners in the mean and the differences.
        const SIGNS: [[f32; 4]; 4] = [
            [1.0, 1.0, 1.0, 1.0],
            [1.0, -1.0, 1.0, -1.0],
            [1.0, 1.0, -1.0, -1.0],
            [1.0, -1.0, -1.0, 1.0],
        ];
        let mut values = vec![0.0; 4 * c * c * 4];
        for (band, signs) in SIGNS.iter().enumerate() {
            for channel in 0..c {
                let row = band * c + channel;
                for (corner, sign) in signs.iter().enumerate() {
                    values[4 * (row * c + channel) + corner] = 0.5 * sign;
                }
            }
        }
        self.floats(&format!("haar_{c}"), &[4 * c, c, 2, 2], &values)
    }

    /// The two halves of the channels.
    fn halves(&self) -> [Self; 2] {
        let c = self.channels / 2;
        let sizes = format!("halves_of_{}", self.channels);
        let bytes = [(c as i64).to_le_bytes(); 2].concat();
        let mut graph = self.graph.borrow_mut();
        let split = graph.constant(&sizes, || constant(&sizes, &[2], INT64, &bytes));
        let names = [graph.value(), graph.value()];
        let outputs = [&*names[0], &*names[1]];
        let axis = attribute_int("axis", 1);
        graph.node("Split", &[&self.name, &split], &outputs, &[axis]);
        drop(graph);
        names.map(|name| Self {
            name,
            channels: c,
            ..self.clone()
        })
    }
}

/// Where a kernel's zeros are: above, to the left, below, to the right.
fn pads(kernel: &Kernel) -> Message {
    attribute_ints(
        "pads",
        [kernel.before, kernel.before, kernel.after, kernel.after],
    )
}

impl Tensor for OnnxTensor {
    /// Zeros where only a picture tells.
    fn shape(&self) -> Shape {
        [0, self.channels, 0, 0]
    }

    fn conv(&self, layer: &ConvLayer, activation: Activation) -> Self {
        let params = self.params([layer.weight].into_iter().chain(layer.bias));
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        let ConvLayer { kernel, c_out, .. } = layer;
        let attributes = [
            attribute_ints("kernel_shape", [kernel.side; 2]),
            pads(kernel),
            attribute_ints("strides", [kernel.stride; 2]),
        ];
        let convolved = self.to_channels(*c_out, "Conv", &params, &attributes);
        convolved.activated(activation)
    }

    fn conv_transpose(&self, layer: &ConvTransposeLayer, activation: Activation) -> Self {
        let params = self.params([layer.weight].into_iter().chain(layer.bias));
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        let kernel = Kernel::HALVING;
        let attributes = [
            attribute_ints("kernel_shape", [kernel.side; 2]),
            pads(&kernel),
            attribute_ints("strides", [kernel.stride; 2]),
        ];
        let convolved = self.to_channels(layer.c_out, "ConvTranspose", &params, &attributes);
        convolved.activated(activation)
    }

    fn batch_norm(&self, norm: &BatchNorm, activation: Activation) -> Self {
        let BatchNorm {
            weight,
            bias,
            running_mean,
            running_var,
        } = *norm;
        let params = self.params([weight, bias, running_mean, running_var]);
        let params: Vec<&str> = params.iter().map(String::as_str).collect();
        let epsilon = attribute_float("epsilon", BatchNorm::EPSILON as f32);
        let normalised = self.then("BatchNormalization", &params, &[epsilon]);
        normalised.activated(activation)
    }

    fn activated(&self, activation: Activation) -> Self {
        match activation {
            Activation::None => self.clone(),
            Activation::Relu => self.then("Relu", &[], &[]),
            Activation::LeakyRelu(slope) => {
                self.then("LeakyRelu", &[], &[attribute_float("alpha", slope)])
            }
            Activation::Sigmoid => self.then("Sigmoid", &[], &[]),
            Activation::Tanh => self.then("Tanh", &[], &[]),
        }
    }

    fn concat(parts: &[Self]) -> Self {
        let (first, others) = parts.split_first().expect("parts to put together");
        let names: Vec<&str> = others.iter().map(|part| &*part.name).collect();
        let channels = parts.iter().map(|part| part.channels).sum();
        first.to_channels(channels, "Concat", &names, &[attribute_int("axis", 1)])
    }

    fn plus(self, other: &Self) -> Self {
        self.then("Add", &[&other.name], &[])
    }

    fn minus(self, other: &Self) -> Self {
        self.then("Sub", &[&other.name], &[])
    }

    fn affine(self, scale: &[f32], shift: &[f32]) -> Self {
        self.by_channel("Mul", scale).by_channel("Add", shift)
    }

    fn clamped(self, low: f32, high: f32) -> Self {
        let [low, high] = [low, high].map(|bound| self.number(bound));
        self.then("Clip", &[&low, &high], &[])
    }

    fn haar(&self, zero: f32) -> Self {
        let c = self.channels;
        let (weights, zero) = (self.haar_weights(c), self.number(zero));
        let moved = self.then("Sub", &[&zero], &[]);
        moved.to_channels(4 * c, "Conv", &[&weights], &halving())
    }

    fn inverse_haar(&self, zero: f32) -> Self {
        let c = self.channels / 4;
        let (weights, zero) = (self.haar_weights(c), self.number(zero));
        let picture = self.to_channels(c, "ConvTranspose", &[&weights], &halving());
        picture.then("Add", &[&zero], &[])
    }

    fn pixel_shuffle(&self) -> Self {
        let attributes = [attribute_int("blocksize", 2), attribute_text("mode", "DCR")];
        self.to_channels(self.channels / 4, "DepthToSpace", &[], &attributes)
    }

    fn couple(self, update: &Self) -> Self {
        let [t, b] = update.halves();
        let scale = t.then("Tanh", &[], &[]).then("Exp", &[], &[]);
        self.then("Mul", &[&scale.name], &[]).plus(&b)
    }

    fn uncouple(self, update: &Self) -> Self {
        let [t, b] = update.halves();
        let negated = t.then("Tanh", &[], &[]).then("Neg", &[], &[]);
        let scale = negated.then("Exp", &[], &[]);
        self.minus(&b).then("Mul", &[&scale.name], &[])
    }
}

/// Attributes of a convolution of blocks of 2x2 pixels.
fn halving() -> [Message; 2] {
    [
        attribute_ints("kernel_shape", [2, 2]),
        attribute_ints("strides", [2, 2]),
    ]
}
