//! The kernels of residual networks: which there are for some channels, and how they are started.
//!
//! `kernels/residual.cu` has the table that this follows.

use std::collections::HashMap;

use underdrawing_net::ResidualNet;

use crate::card::Card;
use crate::error::CudaError;
use crate::kernels::{Argument, Kernel, Launch, PRELUDE, compiled};

const SOURCES: [&str; 2] = [
    include_str!("kernels/residual.cu"),
    include_str!("kernels/residual_weights.cu"),
];

/// Channels of what goes in, inside, and of what comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Widths {
    pub(crate) c: usize,
    pub(crate) w: usize,
    pub(crate) co: usize,
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
pub(crate) struct Start {
    kernel: Kernel,
    block: u32,
    shared: usize,
    /// Rows of a tile; its columns are [`COLUMNS`].
    rows: usize,
    /// Blocks that the card runs at the same time.
    pub(crate) at_once: usize,
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
///
/// A step of the lifting network on an H200, with tiles of rows, down, across: 3.10 ms with
/// (2, 8, 1), 3.13 with (4, 4, 2), 3.37 with (4, 4, 1), 3.41 with (2, 4, 2), 3.53 with (2, 4, 1),
/// 4.05 with (4, 2, 1).
fn tile_of(plan: (usize, usize, bool), card: &Card) -> Option<Tile> {
    let tile = |down| Tile {
        rows: 2,
        down,
        across: 1,
    };
    let large = tile(8);
    let two = 2 * (shared_of(plan, large) + RESERVED) <= card.all_shared_memory;
    if plan.1 <= 48 && two {
        return Some(large);
    }
    let small = tile(4);
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
pub(crate) fn partial(c: usize, n: usize) -> usize {
    9 * c * n + n
}

impl Widths {
    /// Of a network that sees `c` channels.
    pub(crate) fn of(net: &ResidualNet, c: usize) -> Self {
        Self {
            c,
            w: net.first.c_out,
            co: net.last.c_out,
        }
    }

    /// Whether there are kernels for it on a card.
    pub(crate) fn fits(self, card: &Card) -> bool {
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
    pub(crate) fn couples(self) -> bool {
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
        widths: Widths,
        way: Way,
        tf32: bool,
    ) -> Result<Self, CudaError> {
        let most = card.shared_memory;
        let Widths { c, w, co } = widths;
        let mut source = [&[PRELUDE], &SOURCES[..]].concat().concat();
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

    pub(crate) fn start(&self, name: &str) -> Start {
        self.0[name]
    }
}

impl Start {
    /// Tiles of pictures.
    pub(crate) fn tiles(&self, [n, h, w]: [usize; 3]) -> usize {
        n * h.div_ceil(self.rows) * w.div_ceil(COLUMNS)
    }

    /// The start of so many blocks.
    pub(crate) fn launch(&self, blocks: usize, arguments: &[Argument]) -> Launch {
        let grid = [blocks as u32, 1, 1];
        Launch::new(self.kernel, grid, self.block, self.shared, arguments).early()
    }

    /// The start of a convolution of pictures.
    pub(crate) fn launch_tiles(&self, size: [usize; 3], arguments: &[&[Argument]]) -> Launch {
        let blocks = self.tiles(size).min(self.at_once);
        self.launch(blocks, &arguments.concat())
    }
}
