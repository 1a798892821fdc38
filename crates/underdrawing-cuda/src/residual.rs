//! Residual networks by kernels of their own (`kernels/residual.cu`, whose table says what each
//! wants): three launches to go forward, five to go back.

use std::collections::HashMap;
use std::sync::Arc;

use underdrawing_net::{Change, ConvLayer, ResidualNet, Tensor};

use crate::card::Card;
use crate::device::{Command, Device, Memory};
use crate::error::CudaError;
use crate::kernels::Argument::{At, Float, Int};
use crate::kernels::{Argument, Kernel, Launch, compiled};
use crate::tape::{Gradients, Wanted};
use crate::tensor::{CudaTensor, couple_backward};

const SOURCE: &str = include_str!("kernels/residual.cu");

/// Channels of what goes in, inside, and of what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Widths {
    c: usize,
    w: usize,
    co: usize,
}

/// Which way kernels go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Way {
    Forward,
    Back,
}

/// Compiled kernels for some widths, and how they are started.
#[derive(Debug)]
pub(crate) struct Compiled(HashMap<&'static str, Start>);

/// How a kernel is started.
#[derive(Clone, Copy, Debug)]
struct Start {
    kernel: Kernel,
    block: u32,
    shared: usize,
    /// Rows of a tile; its columns are [`COLUMNS`].
    rows: usize,
    /// Blocks that the card runs at the same time.
    at_once: usize,
}

/// Columns of a tile.
const COLUMNS: usize = 16;

/// Rows of a tile of the weights' gradients.
const GRADIENT_ROWS: usize = 8;

/// Warps of a block of the weights' gradients, and where each needs many registers.
const WARPS: usize = 12;
const FEW_WARPS: usize = 8;

/// A kernel to be: its template, parameters, and what of a tile and its weights has to fit in shared
/// memory.
struct Convolution {
    name: &'static str,
    channels: Vec<usize>,
    /// Channels in, channels out, and whether it goes back.
    plan: (usize, usize, bool),
    parameters: &'static str,
}

fn up(value: usize, step: usize) -> usize {
    value.next_multiple_of(step)
}

fn odd_fours(value: usize) -> usize {
    if value % 8 == 4 { value } else { value + 4 }
}

fn odd_eights(value: usize) -> usize {
    let value = up(value, 8);
    if value % 16 == 8 { value } else { value + 8 }
}

/// What a block of a convolution works on: warps of so many rows each, so many of them one below
/// the other, and so many that share the channels.
#[derive(Clone, Copy, Debug)]
struct Tile {
    rows: usize,
    down: usize,
    across: usize,
}

/// Bytes of shared memory of a convolution.
fn shared_of((k, n, back): (usize, usize, bool), tile: Tile) -> usize {
    let Tile { rows, down, across } = tile;
    let columns = 8 * across * n.div_ceil(8 * across);
    let row = up(3 * k, 8);
    let input = (rows * down + 2) * (COLUMNS + 2) * odd_fours(k);
    let weights = match back {
        true => 3 * row * odd_eights(columns),
        false => columns * odd_fours(3 * row),
    };
    4 * (input + weights)
}

/// Bytes of shared memory that each block takes for itself.
const RESERVED: usize = 1024;

/// The tile of a convolution: the larger one where two such blocks share a multiprocessor.
fn tile_of(plan: (usize, usize, bool), card: &Card) -> Option<Tile> {
    let tile = |rows, down, across| Tile { rows, down, across };
    if let Some(t) = std::env::var("UD_TILE").ok() {
        let n: Vec<usize> = t.split(',').map(|v| v.parse().expect("number")).collect();
        return Some(tile(n[0], n[1], n[2]));
    }
    let large = tile(4, 4, 1);
    let two = 2 * (shared_of(plan, large) + RESERVED) <= card.all_shared_memory;
    if plan.1 <= 48 && two {
        return Some(large);
    }
    let small = tile(2, 4, 1);
    (shared_of(plan, small) <= card.shared_memory).then_some(small)
}

/// Bytes of shared memory of the gradients of weights.
fn gradients_shared(widths: Widths, warps: usize, buffers: usize) -> usize {
    let Widths { c, w, co } = widths;
    let one = |a: usize, b: usize, n: usize| {
        let (k, sixteens) = (3 * (a + b), n.div_ceil(16));
        let sums = |shares: usize| 12 * sixteens * k.div_ceil(8 * shares);
        let splits = if sums(warps / 4) <= 72 {
            4
        } else if sums(warps / 2) <= 72 {
            2
        } else {
            1
        };
        let shares = warps / splits;
        let tiles = buffers * (180 * odd_eights(a + b) + 128 * odd_eights(16 * sixteens));
        let exchange = splits / 2 * shares * 32 * (sums(shares) + 2 * sixteens);
        4 * tiles.max(exchange)
    };
    one(c, 0, w).max(one(w, 0, w)).max(one(w, c, co))
}

/// Floats of the gradients of a convolution's weights and biases.
fn partial(c: usize, n: usize) -> usize {
    9 * c * n + n
}

impl Widths {
    /// Of a network that sees `c` channels.
    fn of(net: &ResidualNet, c: usize) -> Self {
        Self {
            c,
            w: net.first.c_out,
            co: net.last.c_out,
        }
    }

    /// Whether there are kernels for it on a card.
    fn fits(self, card: &Card) -> bool {
        let all = [self.c, self.w, self.co];
        let most = card.shared_memory;
        card.capability.0 >= 8
            && all.iter().all(|n| n % 4 == 0 && (4..=64).contains(n))
            && [Way::Forward, Way::Back].into_iter().all(|way| {
                let mut kernels = self.convolutions(way).into_iter();
                kernels.all(|kernel| tile_of(kernel.plan, card).is_some())
            })
            && gradients_shared(self, FEW_WARPS, 1) <= most
    }

    /// The convolutions one way.
    fn convolutions(self, way: Way) -> Vec<Convolution> {
        let Self { c, w, co } = self;
        let kernel = |name, channels: &[usize], plan, parameters| Convolution {
            name,
            channels: channels.to_vec(),
            plan,
            parameters,
        };
        let last = (w + c, co, false);
        let mut kernels = match way {
            Way::Forward => vec![
                kernel("forward_first", &[c, w], (c, w, false), FORWARD),
                kernel("forward_middle", &[w], (w, w, false), FORWARD),
                kernel("forward_last", &[c, w, co], last, LAST),
                kernel("forward_last_added", &[c, w, co], last, ADDED),
            ],
            Way::Back => vec![
                kernel("backward_last", &[c, w, co], (co, w + c, true), BACK_LAST),
                kernel("backward_middle", &[w], (w, w, true), BACK_MIDDLE),
                kernel("backward_first", &[c, w], (w, c, true), BACK_FIRST),
            ],
        };
        if way == Way::Forward && self.couples() {
            kernels.push(kernel("forward_last_coupled", &[c, w, co], last, COUPLED));
        }
        kernels
    }

    /// Whether there is a kernel that couples by what the network gives: that is kept where the
    /// input was.
    fn couples(self) -> bool {
        self.co.is_multiple_of(8) && odd_fours(self.co) <= odd_fours(self.c + self.w)
    }
}

// Parameters, as `kernels/residual.cu` has them.
const FORWARD: &str =
    "const float* x, const float* weight, const float* bias, float* y, int n, int h, int w";
const LAST: &str = "const float* s, const float* x, const float* weight, const float* bias, float* y, int n, int h, int w";
const ADDED: &str = "const float* s, const float* x, const float* weight, const float* bias, const float* other, float* y, int n, int h, int w, float sign";
const COUPLED: &str = "const float* s, const float* x, const float* weight, const float* bias, const float* z, float* y, float* t, int n, int h, int w, float sign";
const BACK_LAST: &str = "const float* dy, const float* weight, const float* s, const float* f, float* dm, float* dx, int n, int h, int w, float sign";
const BACK_MIDDLE: &str = "const float* dm, const float* weight, const float* s, const float* f, float* df, int n, int h, int w";
const BACK_FIRST: &str = "const float* df, const float* weight, const float* dx, const float* other, float* dx_out, int n, int h, int w";

/// Appends a kernel that is a template with its parameters. Names of arguments are those of the
/// parameters.
fn instance(source: &mut String, name: &str, template: &[String], parameters: &str, block: usize) {
    let arguments = parameters.split(", ").map(|parameter| {
        let (_, name) = parameter.rsplit_once(' ').expect("a type and a name");
        name
    });
    let arguments = arguments.collect::<Vec<_>>().join(", ");
    let template = template.join(", ");
    let text = format!(
        "extern \"C\" __global__ void __launch_bounds__({block}) {name}({parameters}) {{\n    \
         residual::{name}<{template}>({arguments});\n}}\n"
    );
    source.push_str(&text);
}

const GRADIENTS: &str = "const float* x, const float* f, const float* s, const float* df, const float* dm, const float* dy, float* partials, int n, int h, int w, int blocks_first, int blocks_middle, int blocks_last";

const REDUCE: &str = "const float* partials, float* dweight_first, float* dbias_first, float* dweight_middle, float* dbias_middle, float* dweight_last, float* dbias_last, int blocks_first, int blocks_middle, int blocks_last, float sign, int added";

/// Bytes of shared memory and threads of the sums of partial sums.
const REDUCE_SHARED: usize = 4096;
const REDUCE_BLOCK: usize = 256;

impl Compiled {
    pub(crate) fn new(
        card: &Card,
        prelude: &str,
        widths: Widths,
        way: Way,
        tf32: bool,
    ) -> Result<Self, CudaError> {
        let most = card.shared_memory;
        let Widths { c, w, co } = widths;
        let mut source = format!("{prelude}{SOURCE}");
        let mut starts = Vec::new();
        let precise = (!tf32).to_string();
        let numbers = |numbers: &[usize]| numbers.iter().map(usize::to_string).collect::<Vec<_>>();
        for wanted in widths.convolutions(way) {
            let tile = tile_of(wanted.plan, card).expect("`Widths::fits` was asked");
            let Tile { rows, down, across } = tile;
            let block = 32 * down * across;
            let shared = shared_of(wanted.plan, tile);
            let tile = numbers(&[rows, down, across]);
            let template = [numbers(&wanted.channels), vec![precise.clone()], tile].concat();
            instance(
                &mut source,
                wanted.name,
                &template,
                wanted.parameters,
                block,
            );
            starts.push((wanted.name, block, shared, rows * down));
        }
        if way == Way::Back {
            let warps = match tf32 && w <= 32 {
                true => WARPS,
                false => FEW_WARPS,
            };
            let buffers = [2, 1].into_iter();
            let mut fitting = buffers.filter(|n| gradients_shared(widths, warps, *n) <= most);
            let buffers = fitting.next().expect("`Widths::fits` was asked");
            let template = [
                numbers(&[c, w, co]),
                vec![precise],
                numbers(&[warps, buffers]),
            ];
            let block = 32 * warps;
            instance(
                &mut source,
                "weight_gradients",
                &template.concat(),
                GRADIENTS,
                block,
            );
            let shared = gradients_shared(widths, warps, buffers);
            starts.push(("weight_gradients", block, shared, GRADIENT_ROWS));
            let template = numbers(&[c, w, co]);
            instance(
                &mut source,
                "reduce_partials",
                &template,
                REDUCE,
                REDUCE_BLOCK,
            );
            starts.push(("reduce_partials", REDUCE_BLOCK, REDUCE_SHARED, 1));
        }
        let shared = |name: &str| {
            let mut starts = starts.iter();
            let start = starts.find(|start| start.0 == name);
            start.map_or(0, |(_, _, shared, _)| *shared)
        };
        let kernels = compiled(card, &source, shared)?;
        let start = |(name, block, shared, rows): &(&'static str, usize, usize, usize)| {
            let kernel = kernels[*name];
            let each = card.blocks_at_once(kernel.function, *block, *shared);
            let start = Start {
                kernel,
                block: *block as u32,
                shared: *shared,
                rows: *rows,
                at_once: each.max(1) * card.processors,
            };
            (*name, start)
        };
        Ok(Self(starts.iter().map(start).collect()))
    }

    fn start(&self, name: &str) -> Start {
        self.0[name]
    }
}

impl Start {
    /// Tiles of pictures.
    fn tiles(&self, [n, h, w]: [usize; 3]) -> usize {
        n * h.div_ceil(self.rows) * w.div_ceil(COLUMNS)
    }

    fn note(&self, device: &Device, blocks: usize, arguments: &[Argument]) {
        let grid = [blocks as u32, 1, 1];
        let launch = Launch::new(self.kernel, grid, self.block, self.shared, arguments);
        device.note(Command::Launch(launch.early()));
    }

    /// Notes a convolution of pictures.
    fn note_tiles(&self, device: &Device, size: [usize; 3], arguments: &[&[Argument]]) {
        let blocks = self.tiles(size).min(self.at_once);
        self.note(device, blocks, &arguments.concat());
    }
}

/// A residual network with its weights on the card.
struct Net {
    weights: [Arc<Memory>; 3],
    biases: [Arc<Memory>; 3],
    widths: Widths,
}

/// What the residual network of `x` gives; or `other` changed by that. None where there are no
/// kernels for it.
pub(crate) fn residual(
    x: &CudaTensor,
    net: &ResidualNet,
    other: Option<(&CudaTensor, Change)>,
) -> Option<CudaTensor> {
    let x = x.settled();
    let device = x.device().clone();
    let [n, c, h, w] = x.shape();
    let widths = Widths::of(net, c);
    if n * h * w == 0 || !widths.fits(device.card()) {
        return None;
    }
    let session = x.session.clone();
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
    let end = match other {
        None => End::Nothing,
        Some((other, change)) => {
            let other = other.settled();
            let sign = match change {
                Change::Add | Change::Couple => 1.0,
                Change::Subtract | Change::Uncouple => -1.0,
            };
            match change {
                Change::Add | Change::Subtract => End::Added(other, sign),
                _ if !widths.couples() => return None,
                Change::Couple | Change::Uncouple => End::Coupled(other, sign),
            }
        }
    };
    let bias = |layer: &ConvLayer| layer.bias.and_then(|bias| session.node(bias));
    let params = layers
        .iter()
        .flat_map(|layer| [session.node(layer.weight), bias(layer)]);
    let nodes: Vec<Wanted> = [x.node, end.node()].into_iter().chain(params).collect();
    let from = x.values().clone();
    let size = [n, h, w];
    let Forward { f, s, y, t } = net.forward(&device, &from, size, &end, session.tape.is_some());
    let shape = [n, end.channels(widths.co), h, w];
    Some(x.result(&nodes.clone(), shape, y.clone(), || {
        move |dy: Arc<Memory>, gradients: &mut Gradients| {
            let mut kept = Kept {
                x: from,
                f,
                s,
                size,
                sign: 1.0,
            };
            match (&end, t) {
                (End::Coupled(other, sign), Some(t)) => {
                    let inverse = *sign < 0.0;
                    let of = if inverse { &y } else { other.values() };
                    let c = widths.co / 2;
                    let [dx, d_update] = couple_backward(&device, [of, &t, &dy], c, c, inverse);
                    gradients.add(nodes[1], || dx);
                    net.backward(&device, &kept, &d_update, &nodes, gradients);
                }
                (End::Added(_, sign), _) => {
                    kept.sign = *sign;
                    net.backward(&device, &kept, &dy, &nodes, gradients);
                    gradients.add(nodes[1], || dy);
                }
                _ => net.backward(&device, &kept, &dy, &nodes, gradients),
            }
        }
    }))
}

/// What is done with what a network gives.
enum End {
    Nothing,
    /// It is added to this, times a sign.
    Added(CudaTensor, f32),
    /// This is coupled by it; or, where the sign is negative, uncoupled.
    Coupled(CudaTensor, f32),
}

impl End {
    fn node(&self) -> Wanted {
        match self {
            Self::Nothing => None,
            Self::Added(other, _) | Self::Coupled(other, _) => other.node,
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
    sign: f32,
}

impl Net {
    fn forward(
        &self,
        device: &Device,
        x: &Memory,
        size: [usize; 3],
        end: &End,
        trains: bool,
    ) -> Forward {
        let Widths { w, co, .. } = self.widths;
        let kernels = device.residual_kernels(self.widths, Way::Forward);
        let pixels: usize = size.iter().product();
        let room = |channels: usize| Arc::new(device.room(pixels * channels));
        let (f, s, y) = (room(w), room(w), room(end.channels(co)));
        let sizes = size.map(Int);
        let [first, middle, last] = [0, 1, 2].map(|i| [self.weights[i].at(), self.biases[i].at()]);
        let start = kernels.start("forward_first");
        start.note_tiles(device, size, &[&[x.at()], &first, &[f.at()], &sizes]);
        let start = kernels.start("forward_middle");
        start.note_tiles(device, size, &[&[f.at()], &middle, &[s.at()], &sizes]);
        let of = [s.at(), x.at()];
        let mut t = None;
        match end {
            End::Nothing => {
                let start = kernels.start("forward_last");
                start.note_tiles(device, size, &[&of, &last, &[y.at()], &sizes]);
            }
            End::Added(other, sign) => {
                let start = kernels.start("forward_last_added");
                let to = [other.values().at(), y.at()];
                let sign = [Float(*sign)];
                start.note_tiles(device, size, &[&of, &last, &to, &sizes, &sign]);
            }
            End::Coupled(other, sign) => {
                t = trains.then(|| device.room(pixels * co / 2));
                let start = kernels.start("forward_last_coupled");
                let kept = t.as_ref().map_or(At(0), Memory::at);
                let to = [other.values().at(), y.at(), kept];
                let sign = [Float(*sign)];
                start.note_tiles(device, size, &[&of, &last, &to, &sizes, &sign]);
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
        dy: &Memory,
        nodes: &[Wanted],
        gradients: &mut Gradients,
    ) {
        let Widths { c, w, .. } = self.widths;
        let Kept {
            x,
            f,
            s,
            size,
            sign,
        } = kept;
        let (size, sign) = (*size, Float(*sign));
        let kernels = device.residual_kernels(self.widths, Way::Back);
        let pixels: usize = size.iter().product();
        let [dm, dx, df] = [w, c, w].map(|channels| device.room(pixels * channels));
        let sizes = size.map(Int);
        let [first, middle, last] = self.weights.each_ref().map(|weight| weight.at());
        let of = [dy.at(), last, s.at(), f.at(), dm.at(), dx.at()];
        let start = kernels.start("backward_last");
        start.note_tiles(device, size, &[&of, &sizes, &[sign]]);
        let of = [dm.at(), middle, s.at(), f.at(), df.at()];
        let start = kernels.start("backward_middle");
        start.note_tiles(device, size, &[&of, &sizes]);
        if nodes[0].is_some() {
            // What is known of the input's gradient is added in the same pass.
            let known = gradients.take(nodes[0]);
            let other = known.as_ref().map_or(At(0), |known| known.at());
            let of = [df.at(), first, dx.at(), other, dx.at()];
            let start = kernels.start("backward_first");
            start.note_tiles(device, size, &[&of, &sizes]);
            gradients.add(nodes[0], || dx);
        }

        let start = kernels.start("weight_gradients");
        let blocks = self.gradient_blocks(&start, size);
        let partials = device.room(self.partials(blocks));
        let of = [x, f, s].map(|memory| memory.at());
        let to = [df.at(), dm.at(), dy.at(), partials.at()];
        let counts = blocks.map(Int);
        let arguments = [&of[..], &to, &sizes, &counts].concat();
        start.note(device, blocks.iter().sum(), &arguments);

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
        start.note(device, outputs.div_ceil(128), &arguments);
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
