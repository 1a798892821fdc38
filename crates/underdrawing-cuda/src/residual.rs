//! Residual networks by kernels of their own: three launches to go forward, five to go back.

use std::sync::Arc;

use underdrawing_net::{ConvLayer, ResidualNet, Wanted};

use crate::device::{Command, Device, Memory};
use crate::kernels::Argument::{At, Float, Int};
use crate::launches::couple_backward;
use crate::residual_kernels::{Compiled, Start, Way, Widths, partial};
use crate::session::{Gradients, Session};

/// A residual network with its weights on the card.
struct Net {
    weights: [Arc<Memory>; 3],
    biases: [Arc<Memory>; 3],
    widths: Widths,
}

/// What is done with what a network gives.
#[derive(Clone)]
pub(crate) enum End {
    Nothing,
    /// It is added to this, times a sign.
    Added(Arc<Memory>, Wanted, f32),
    /// This is coupled by it; or, where the sign is negative, uncoupled.
    Coupled(Arc<Memory>, Wanted, f32),
}

impl End {
    fn node(&self) -> Wanted {
        match self {
            Self::Nothing => None,
            Self::Added(_, node, _) | Self::Coupled(_, node, _) => *node,
        }
    }

    /// Channels of the result, where the network gives `co`.
    fn channels(&self, co: usize) -> usize {
        match self {
            Self::Nothing | Self::Added(..) => co,
            Self::Coupled(..) => co / 2,
        }
    }
}

/// What became of a residual network, with what it takes to go back.
pub(crate) struct Made {
    pub(crate) y: Arc<Memory>,
    pub(crate) channels: usize,
    /// Those of the input, of what was changed, and of weights and biases in turn.
    pub(crate) nodes: Vec<Wanted>,
    device: Device,
    net: Net,
    end: End,
    kept: Kept,
    t: Option<Memory>,
}

/// Runs a residual network on pictures of a size and `c` channels. None where there are no kernels
/// for it.
pub(crate) fn run(
    session: &Session,
    net: &ResidualNet,
    (x, node): (&Arc<Memory>, Wanted),
    size: [usize; 3],
    c: usize,
    end: &End,
) -> Option<Made> {
    let device = session.device.clone();
    let widths = Widths::of(net, c);
    let couples = matches!(end, End::Coupled(..));
    if size.contains(&0) || couples && !widths.couples() {
        return None;
    }
    let kernels = device.residual_kernels(widths, Way::Forward)?;
    let layers = [net.first, net.middle, net.last];
    let biases = layers
        .iter()
        .map(|layer| Some(session.weight(layer.bias?).clone()));
    let biases: Vec<_> = biases.collect::<Option<_>>()?;
    let net = Net {
        weights: layers.map(|layer| session.weight(layer.weight).clone()),
        biases: biases.try_into().expect("three layers"),
        widths,
    };
    let bias = |layer: &ConvLayer| layer.bias.and_then(|bias| session.node(bias));
    let params = layers
        .iter()
        .flat_map(|layer| [session.node(layer.weight), bias(layer)]);
    let nodes = [node, end.node()].into_iter().chain(params).collect();
    let Forward { f, s, y, t } =
        net.forward(&device, &kernels, x, size, end, session.tape.is_some());
    Some(Made {
        y,
        channels: end.channels(widths.co),
        nodes,
        device,
        net,
        end: end.clone(),
        kept: Kept {
            x: x.clone(),
            f,
            s,
            size,
        },
        t,
    })
}

impl Made {
    /// Adds to the gradients of its nodes, from that of the result.
    pub(crate) fn backward(self, dy: Arc<Memory>, gradients: &mut Gradients) {
        let Self {
            device,
            net,
            kept,
            nodes,
            ..
        } = &self;
        match (&self.end, &self.t) {
            (End::Coupled(other, _, sign), Some(t)) => {
                let inverse = *sign < 0.0;
                let of = if inverse { &self.y } else { other };
                let c = net.widths.co / 2;
                let [dx, d_update] = couple_backward(device, [of, t, &dy], c, c, inverse);
                gradients.add(nodes[1], || dx);
                net.backward(device, kept, (&d_update, 1.0), nodes, gradients);
            }
            (End::Added(_, _, sign), _) => {
                net.backward(device, kept, (&dy, *sign), nodes, gradients);
                gradients.add(nodes[1], || dy);
            }
            _ => net.backward(device, kept, (&dy, 1.0), nodes, gradients),
        }
    }
}

/// What the first layer gives, that and the second together, the result, and of a coupling that has
/// to go back its `t`.
struct Forward {
    f: Arc<Memory>,
    s: Arc<Memory>,
    y: Arc<Memory>,
    t: Option<Memory>,
}

/// What the way back starts from.
struct Kept {
    x: Arc<Memory>,
    f: Arc<Memory>,
    s: Arc<Memory>,
    size: [usize; 3],
}

impl Net {
    fn forward(
        &self,
        device: &Device,
        kernels: &Compiled,
        x: &Memory,
        size: [usize; 3],
        end: &End,
        trains: bool,
    ) -> Forward {
        let Widths { w, co, .. } = self.widths;
        let note = |launch| device.note(Command::Launch(launch));
        let pixels: usize = size.iter().product();
        let room = |channels: usize| Arc::new(device.room(pixels * channels));
        let (f, s, y) = (room(w), room(w), room(end.channels(co)));
        let sizes = size.map(Int);
        let [first, middle, last] = [0, 1, 2].map(|i| [self.weights[i].at(), self.biases[i].at()]);
        let start = kernels.start("forward_first");
        note(start.launch_tiles(size, &[&[x.at()], &first, &[f.at()], &sizes]));
        let start = kernels.start("forward_middle");
        note(start.launch_tiles(size, &[&[f.at()], &middle, &[s.at()], &sizes]));
        let of = [s.at(), x.at()];
        let mut t = None;
        match end {
            End::Nothing => {
                let start = kernels.start("forward_last");
                note(start.launch_tiles(size, &[&of, &last, &[y.at()], &sizes]));
            }
            End::Added(other, _, sign) => {
                let start = kernels.start("forward_last_added");
                let to = [other.at(), y.at()];
                let sign = [Float(*sign)];
                note(start.launch_tiles(size, &[&of, &last, &to, &sizes, &sign]));
            }
            End::Coupled(other, _, sign) => {
                t = trains.then(|| device.room(pixels * co / 2));
                let start = kernels.start("forward_last_coupled");
                let kept = t.as_ref().map_or(At(0), Memory::at);
                let to = [other.at(), y.at(), kept];
                let sign = [Float(*sign)];
                note(start.launch_tiles(size, &[&of, &last, &to, &sizes, &sign]));
            }
        }
        Forward { f, s, y, t }
    }

    /// Gradients of what went in and of the parameters; `nodes` are those of the input, of what was
    /// added to, and of weights and biases in turn.
    fn backward(
        &self,
        device: &Device,
        kept: &Kept,
        (dy, sign): (&Memory, f32),
        nodes: &[Wanted],
        gradients: &mut Gradients,
    ) {
        let Widths { c, w, .. } = self.widths;
        let Kept { x, f, s, size } = kept;
        let (size, sign) = (*size, Float(sign));
        let kernels = device.residual_kernels(self.widths, Way::Back);
        let kernels = kernels.expect("there are kernels both ways, or none");
        let note = |launch| device.note(Command::Launch(launch));
        let pixels: usize = size.iter().product();
        let [dm, dx, df] = [w, c, w].map(|channels| device.room(pixels * channels));
        let sizes = size.map(Int);
        let [first, middle, last] = self.weights.each_ref().map(|weight| weight.at());
        let of = [dy.at(), last, s.at(), f.at(), dm.at(), dx.at()];
        let start = kernels.start("backward_last");
        note(start.launch_tiles(size, &[&of, &sizes, &[sign]]));
        let of = [dm.at(), middle, s.at(), f.at(), df.at()];
        let start = kernels.start("backward_middle");
        note(start.launch_tiles(size, &[&of, &sizes]));
        if nodes[0].is_some() {
            // What is known of the input's gradient is added in the same pass.
            let known = gradients.take(nodes[0]);
            let other = known.as_ref().map_or(At(0), |known| known.at());
            let of = [df.at(), first, dx.at(), other, dx.at()];
            let start = kernels.start("backward_first");
            note(start.launch_tiles(size, &[&of, &sizes]));
            gradients.add(nodes[0], || dx);
        }

        let start = kernels.start("weight_gradients");
        let blocks = self.gradient_blocks(&start, size);
        let partials = device.room(self.partials(blocks));
        let of = [x, f, s].map(|memory| memory.at());
        let to = [df.at(), dm.at(), dy.at(), partials.at()];
        let counts = blocks.map(Int);
        let arguments = [&of[..], &to, &sizes, &counts].concat();
        note(start.launch(blocks.iter().sum(), &arguments));

        // A network that is used twice adds to the gradients that its first use on the way back
        // gave.
        let params = &nodes[2..];
        let known: Option<Vec<_>> = params.iter().map(|node| gradients.take(*node)).collect();
        let added = known.is_some();
        let lens = self.lens();
        let sums = known.unwrap_or_else(|| {
            let room = |len: &usize| Arc::new(device.room(*len));
            lens.iter().map(room).collect()
        });
        let to: Vec<_> = sums.iter().map(|sum| sum.at()).collect();
        let arguments = [
            &[partials.at()][..],
            &to,
            &counts,
            &[sign, Int(added.into())],
        ]
        .concat();
        let outputs: usize = lens.iter().sum();
        let start = kernels.start("reduce_partials");
        note(start.launch(outputs.div_ceil(128), &arguments));
        for (node, sum) in params.iter().zip(sums) {
            gradients.add(*node, || sum);
        }
    }

    /// Floats of weights and biases, in turn.
    fn lens(&self) -> [usize; 6] {
        let Widths { c, w, co } = self.widths;
        [9 * c * w, w, 9 * w * w, w, 9 * (w + c) * co, co]
    }

    /// Blocks for the gradients of each convolution's weights: by its work, as many in all as the card
    /// runs at the same time, each with nearly as many tiles.
    fn gradient_blocks(&self, start: &Start, size: [usize; 3]) -> [usize; 3] {
        let Widths { c, w, co } = self.widths;
        let work =
            [(c, w), (w, w), (w + c, co)].map(|(k, n)| 3 * (3 * k).div_ceil(8) * n.div_ceil(16));
        let tiles = start.tiles(size);
        let all: usize = work.iter().sum();
        work.map(|work| {
            let blocks = (start.at_once * work / all).clamp(1, tiles);
            tiles.div_ceil(tiles.div_ceil(blocks))
        })
    }

    /// Floats of all blocks' partial sums.
    fn partials(&self, [first, middle, last]: [usize; 3]) -> usize {
        let Widths { c, w, co } = self.widths;
        first * partial(c, w) + middle * partial(w, w) + last * partial(w + c, co)
    }
}
