//! A convolution as a step of a plan.

use super::buffers::{Buffers, Memory, Place, Read, View};
use super::graph::ConvDraft;
use super::sink::{Sink, Source, Target};
use super::{direct, winograd};
use crate::activation::Activation;
use crate::pass::{Pass, Weights};
use crate::shape::Conv;
use crate::shared::Shared;
use crate::simd::Simd;
use crate::transform::{Three, Transforms, Wide};

/// Tiles per picture from which Winograd's method is faster: with fewer, reading its weights, of
/// which there are four to six times as many, costs more than it saves.
const WINOGRAD_TILES: usize = 12;
/// Channels, of the input and of the result, and tiles per picture from which tiles of 6x6 are
/// faster: with fewer, the transforms take the time that the products save. Small in tests, so that
/// small networks have such tiles.
const WIDE_CHANNELS: usize = if cfg!(test) { 20 } else { 64 };
const WIDE_TILES: usize = if cfg!(test) { 12 } else { 1000 };

/// A convolution, with its weights in the form that the kernels read.
pub(super) struct ConvStep {
    from: Place,
    to: Vec<(Place, Activation)>,
    /// What is added to the results.
    term: Option<Place>,
    /// The convolution, or if `transposed`, the one that this is the transpose of, without sizes.
    conv: Conv,
    transposed: bool,
    bias: Vec<f32>,
    method: StepMethod,
    /// Aligned: vectors that straddle cache lines cost a fifth of the time.
    weights: Memory,
}

/// A way to compute a convolution of a plan: see the modules of the same names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StepMethod {
    Direct,
    /// With output tiles of `tile` x `tile`.
    Winograd {
        tile: usize,
    },
}

impl StepMethod {
    /// The fastest method for a pass.
    fn of(pass: &Pass) -> Self {
        let tiles = |side: usize| pass.rows().div_ceil(side) * pass.cols().div_ceil(side);
        let has_transforms = pass.taps == 2 || pass.taps == 3;
        if !has_transforms || tiles(Three::TILE) < WINOGRAD_TILES {
            return Self::Direct;
        }
        let channels = pass.from.channels.min(pass.to.channels);
        let wide = pass.taps == 3 && channels >= WIDE_CHANNELS && tiles(Wide::TILE) >= WIDE_TILES;
        Self::Winograd {
            tile: if wide { Wide::TILE } else { Three::TILE },
        }
    }

    /// Side of the tiles that it reads for.
    fn tile(self) -> usize {
        match self {
            Self::Direct => Three::TILE,
            Self::Winograd { tile } => tile,
        }
    }
}

impl ConvStep {
    /// `size` is the size of the plan's inputs that the step should be fast for.
    pub(super) fn new<S: Simd>(
        simd: S,
        draft: ConvDraft,
        place: &impl Fn(usize) -> Place,
        size: [usize; 2],
    ) -> Self {
        let from = place(draft.from);
        let (conv, weights) = draft.spread(&from);
        let mut bias = draft.bias;
        bias.resize(draft.c_out.next_multiple_of(S::LANES), 0.0);
        let mut step = Self {
            to: draft
                .to
                .into_iter()
                .map(|(node, activation)| (place(node), activation))
                .collect(),
            term: draft.term.map(place),
            transposed: draft.transposed,
            bias,
            method: StepMethod::Direct,
            weights: Memory::default(),
            conv,
            from,
        };
        let level = if step.transposed {
            &step.to[0].0
        } else {
            &step.from
        }
        .level;
        let pass = step.pass(1, size.map(|side| (side >> level).max(1)));
        let map = if step.transposed {
            conv.map_back()
        } else {
            conv.map()
        };
        let weights = Weights {
            values: &weights,
            map,
        };
        step.method = StepMethod::of(&pass);
        let packed = match step.method {
            StepMethod::Direct => direct::pack::<S>(&pass, weights),
            StepMethod::Winograd { tile } => winograd::pack(simd, tile, &pass, weights),
        };
        step.weights = Memory::copy_of(&packed);
        step
    }

    /// The pass, where `outer` is the height and width of the pictures on the larger side.
    fn pass(&self, n: usize, outer: [usize; 2]) -> Pass {
        let conv = Conv {
            n,
            height: outer[0],
            width: outer[1],
            ..self.conv
        };
        if self.transposed {
            conv.pass_back()
        } else {
            conv.pass()
        }
    }

    /// What the step reads, for the size of the border.
    pub(super) fn read(&self) -> Read {
        Read {
            buffer: self.from.buffer,
            level: self.from.level,
            tile: self.method.tile(),
            pass: self.pass(1, [0, 0]),
        }
    }

    /// How many pixels away from its own position a result depends on what the step reads.
    pub(super) fn radius(&self) -> usize {
        let kernel = self.conv.kernel;
        kernel.before.max(kernel.after)
    }

    pub(super) fn run<S: Simd>(&self, simd: S, buffers: &mut Buffers<'_>) {
        let from = buffers.view(&self.from);
        let views: Vec<View> = self
            .to
            .iter()
            .map(|(place, _)| buffers.view(place))
            .collect();
        let outer = if self.transposed { views[0] } else { from };
        let pass = self.pass(from.n, [outer.height, outer.width]);

        let mut taken: Vec<(usize, Memory)> = Vec::new();
        for (place, _) in &self.to {
            if taken.iter().all(|(buffer, _)| *buffer != place.buffer) {
                taken.push((place.buffer, buffers.take(place.buffer)));
            }
        }
        let shared: Vec<(usize, Shared<'_>)> = taken
            .iter_mut()
            .map(|(buffer, memory)| (*buffer, memory.shared()))
            .collect();
        let targets = self
            .to
            .iter()
            .zip(views)
            .map(|((place, activation), view)| {
                let mut found = shared.iter().filter(|(buffer, _)| *buffer == place.buffer);
                Target {
                    values: found.next().expect("each target's buffer was taken").1,
                    view,
                    activation: *activation,
                }
            });
        let term = self.term.as_ref().map(|place| Source {
            values: buffers.get(place.buffer),
            view: buffers.view(place),
        });
        let sink = Sink {
            targets: targets.collect(),
            bias: &self.bias,
            term,
        };
        let source = Source {
            values: buffers.get(self.from.buffer),
            view: from,
        };
        match self.method {
            StepMethod::Direct => direct::run(simd, &pass, source, self.weights.values(), &sink),
            StepMethod::Winograd { tile } => {
                winograd::run(simd, tile, &pass, source, self.weights.values(), &sink);
            }
        }
        drop(sink);
        for (buffer, memory) in taken {
            buffers.put(buffer, memory);
        }
    }
}
