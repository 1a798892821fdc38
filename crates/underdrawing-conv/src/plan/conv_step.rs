//! A convolution inside of a plan.

use super::graph::ConvDraft;
use super::memory::{Buffers, Memory, Place, Read, Spot};
use super::sink::{Sink, Source, Target};
use super::{rows, tiles};
use crate::activation::Activation;
use crate::layout::Shared;
use crate::pass::{Pass, Weights};
use crate::shape::Conv;
use crate::simd::Simd;
use crate::transform::TILE;

/// Tiles of a picture from which on Winograd's method is faster: with fewer, reading its weights,
/// four to six times as many, takes longer than the products that it saves.
const MIN_TILES: usize = 12;

/// A convolution with its weights as the kernels read them.
pub(super) struct ConvStep {
    from: Place,
    to: Vec<(Place, Activation)>,
    /// The convolution, or if `transposed`, the one that this is the transpose of. Without sizes.
    conv: Conv,
    transposed: bool,
    bias: Vec<f32>,
    method: Method,
    weights: Vec<f32>,
}

/// How it is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    /// See [`rows`].
    Rows,
    /// See [`tiles`].
    Tiles,
}

impl Method {
    /// The faster method.
    fn of(pass: &Pass) -> Self {
        let n_tiles = pass.rows().div_ceil(TILE) * pass.cols().div_ceil(TILE);
        let has_transforms = pass.taps == 2 || pass.taps == 3;
        if has_transforms && n_tiles >= MIN_TILES {
            Self::Tiles
        } else {
            Self::Rows
        }
    }
}

impl ConvStep {
    /// `size` is that of the plan's inputs that the step should be fast for.
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
            transposed: draft.transposed,
            bias,
            method: Method::Rows,
            weights: Vec::new(),
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
            numbers: &weights,
            map,
        };
        step.method = Method::of(&pass);
        step.weights = match step.method {
            Method::Rows => rows::pack::<S>(&pass, weights),
            Method::Tiles => tiles::pack(simd, &pass, weights),
        };
        step
    }

    /// The pass for pictures of `outer` height and width on the larger side.
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

    /// What it reads, for the border.
    pub(super) fn read(&self) -> Read {
        Read {
            level: self.from.level,
            pass: self.pass(1, [0, 0]),
        }
    }

    /// How far a result looks.
    pub(super) fn radius(&self) -> usize {
        let kernel = self.conv.kernel;
        kernel.before.max(kernel.after)
    }

    pub(super) fn run<S: Simd>(&self, simd: S, buffers: &mut Buffers) {
        let from = buffers.spot(&self.from);
        let spots: Vec<Spot> = self
            .to
            .iter()
            .map(|(place, _)| buffers.spot(place))
            .collect();
        let outer = if self.transposed { spots[0] } else { from };
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
            .zip(spots)
            .map(|((place, activation), spot)| {
                let mut found = shared.iter().filter(|(buffer, _)| *buffer == place.buffer);
                Target {
                    numbers: found.next().expect("each target's buffer was taken").1,
                    spot,
                    activation: *activation,
                }
            });
        let sink = Sink {
            targets: targets.collect(),
            bias: &self.bias,
        };
        let source = Source {
            numbers: buffers.get(self.from.buffer),
            spot: from,
        };
        match self.method {
            Method::Rows => rows::run(simd, &pass, source, &self.weights, &sink),
            Method::Tiles => tiles::run(simd, &pass, source, &self.weights, &sink),
        }
        drop(sink);
        for (buffer, memory) in taken {
            buffers.put(buffer, memory);
        }
    }
}
