//! What a plan is built from.

use super::conv_step::ConvStep;
use super::memory::{Buffers, Kind, Place};
use super::simple::Couple;
use super::{Plan, Step};
use crate::activation::Activation;
use crate::conv::{Conv, Kernel};
use crate::simd::{Isa, dispatch};

/// A convolution of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Channels of the result.
    pub c_out: usize,
    /// [`Kernel::same`] or one that halves the pictures: stride 2, `size_out` of an even size
    /// half of it.
    pub kernel: Kernel,
    /// `[c_out, c_in, side, side]`; `[c_in, c_out, side, side]` for [`PlanBuilder::doubling`].
    pub weights: &'a [f32],
    /// `[c_out]`
    pub bias: Option<&'a [f32]>,
    /// What is done to the result.
    pub activation: Activation,
}

/// Some channels that a plan computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps(usize);

/// Collects the layers of a [`Plan`], in the order in which they run.
#[derive(Default)]
pub struct PlanBuilder {
    nodes: Vec<Node>,
    steps: Vec<Draft>,
    inputs: Vec<usize>,
}

struct Node {
    channels: usize,
    level: usize,
    /// What is concatenated.
    parts: Vec<usize>,
    /// The concatenation that it lies in, and which part of that it is.
    home: Option<(usize, usize)>,
}

/// A step whose places aren't known yet.
enum Draft {
    Enter {
        input: usize,
        to: usize,
    },
    Conv(ConvDraft),
    Copy {
        from: usize,
        to: usize,
    },
    Couple {
        state: usize,
        update: usize,
        inverse: bool,
        to: usize,
    },
}

pub(super) struct ConvDraft {
    pub(super) from: usize,
    pub(super) add: Option<usize>,
    pub(super) to: Vec<(usize, Activation)>,
    pub(super) kernel: Kernel,
    pub(super) doubling: bool,
    pub(super) c_out: usize,
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
}

impl PlanBuilder {
    /// Pictures that are given to the plan.
    pub fn input(&mut self, channels: usize) -> Maps {
        let to = self.node(channels, 0);
        let input = self.inputs.len();
        self.inputs.push(channels);
        self.steps.push(Draft::Enter { input, to });
        Maps(to)
    }

    /// A convolution.
    ///
    /// # Panics
    /// Panics if weights or bias have another length than the layer needs.
    pub fn conv(&mut self, x: Maps, layer: Layer<'_>) -> Maps {
        self.conv_step(x, layer, None, /* doubling */ false)
    }

    /// A convolution and its activation, then `other` added.
    pub fn conv_add(&mut self, x: Maps, layer: Layer<'_>, other: Maps) -> Maps {
        self.conv_step(x, layer, Some(other), /* doubling */ false)
    }

    /// A transposed convolution that doubles the pictures, see [`crate::Doubling`]; also the
    /// transpose of any other kernel that halves them.
    pub fn doubling(&mut self, x: Maps, layer: Layer<'_>) -> Maps {
        self.conv_step(x, layer, None, /* doubling */ true)
    }

    /// The result of the convolution that was added last, with another activation.
    ///
    /// # Panics
    /// Panics if the last step isn't a convolution.
    pub fn again(&mut self, activation: Activation) -> Maps {
        let Some(Draft::Conv(conv)) = self.steps.last() else {
            panic!("the last step of the plan is not a convolution");
        };
        let to = self.node(conv.c_out, self.nodes[conv.to[0].0].level);
        if let Some(Draft::Conv(conv)) = self.steps.last_mut() {
            conv.to.push((to, activation));
        }
        Maps(to)
    }

    /// The channels of all parts, one after the other. None may be a concatenation itself, nor be
    /// computed from another part.
    pub fn concat(&mut self, parts: &[Maps]) -> Maps {
        let level = self.nodes[parts[0].0].level;
        let concat = self.nodes.len();
        let channels = parts.iter().map(|part| self.nodes[part.0].channels).sum();
        self.node(channels, level);
        let mut own = Vec::with_capacity(parts.len());
        for (position, Maps(part)) in parts.iter().enumerate() {
            let Node {
                level,
                channels,
                home,
                ..
            } = self.nodes[*part];
            assert_eq!(
                level, self.nodes[concat].level,
                "sizes of concatenated maps"
            );
            assert!(
                self.nodes[*part].parts.is_empty(),
                "a concatenation of a concatenation"
            );
            // What already lies elsewhere is copied.
            let part = match home {
                None => *part,
                Some(_) => {
                    let copy = self.node(channels, level);
                    self.steps.push(Draft::Copy {
                        from: *part,
                        to: copy,
                    });
                    copy
                }
            };
            self.nodes[part].home = Some((concat, position));
            own.push(part);
        }
        self.nodes[concat].parts = own;
        Maps(concat)
    }

    /// `state * exp(tanh(a)) + b`, or if `inverse`, `(state - b) * exp(-tanh(a))`, with the first
    /// half of the channels of `update` for `a` and the second for `b`.
    pub fn couple(&mut self, state: Maps, update: Maps, inverse: bool) -> Maps {
        let (state, update) = (state.0, update.0);
        let channels = self.nodes[state].channels;
        assert_eq!(
            2 * channels,
            self.nodes[update].channels,
            "channels of an update"
        );
        let to = self.node(channels, self.nodes[state].level);
        self.steps.push(Draft::Couple {
            state,
            update,
            inverse,
            to,
        });
        Maps(to)
    }

    /// Prepares the plan. It runs at any size, and is fastest at `size`, height and width of the
    /// inputs.
    #[must_use]
    pub fn build(self, outputs: &[Maps], size: [usize; 2]) -> Plan {
        self.build_with(Isa::chosen(), outputs, size)
    }

    pub(crate) fn build_with(self, isa: Isa, outputs: &[Maps], size: [usize; 2]) -> Plan {
        let lanes = dispatch!(isa, simd => lanes(simd));
        let (places, kinds) = self.places(outputs, lanes);
        let steps: Vec<Step> = self
            .steps
            .into_iter()
            .map(|draft| match draft {
                Draft::Enter { input, to } => Step::Enter {
                    input,
                    to: places[to].clone(),
                },
                Draft::Conv(draft) => {
                    dispatch!(isa, simd => Step::Conv(ConvStep::new(simd, draft, &places, size)))
                }
                Draft::Copy { from, to } => Step::Copy {
                    from: places[from].clone(),
                    to: places[to].clone(),
                },
                Draft::Couple {
                    state,
                    update,
                    inverse,
                    to,
                } => Step::Couple(Couple {
                    state: places[state].clone(),
                    update: places[update].clone(),
                    inverse,
                    to: places[to].clone(),
                }),
            })
            .collect();
        let reads = steps.iter().filter_map(|step| match step {
            Step::Conv(conv) => Some(conv.read()),
            _ => None,
        });
        Plan {
            isa,
            radius: steps.iter().map(Step::radius).sum(),
            inputs: self.inputs,
            outputs: outputs.iter().map(|maps| places[maps.0].clone()).collect(),
            buffers: Buffers::new(kinds, reads.collect()),
            steps,
        }
    }

    fn node(&mut self, channels: usize, level: usize) -> usize {
        self.nodes.push(Node {
            channels,
            level,
            parts: Vec::new(),
            home: None,
        });
        self.nodes.len() - 1
    }

    fn conv_step(&mut self, x: Maps, layer: Layer<'_>, add: Option<Maps>, doubling: bool) -> Maps {
        let Layer {
            c_out,
            kernel,
            weights,
            bias,
            activation,
        } = layer;
        let from = &self.nodes[x.0];
        let stride = kernel.stride;
        assert!(
            (stride == 1 && !doubling && kernel.size_out(64) == 64)
                || (stride == 2 && kernel.size_out(64) == 32),
            "{kernel:?} in a plan"
        );
        assert_eq!(
            weights.len(),
            from.channels * c_out * kernel.side * kernel.side,
            "weights of a layer"
        );
        assert!(
            bias.is_none_or(|bias| bias.len() == c_out),
            "bias of a layer"
        );
        let level = match (stride, doubling) {
            (1, _) => from.level,
            (_, false) => from.level + 1,
            (_, true) => from
                .level
                .checked_sub(1)
                .expect("doubling needs maps that were halved"),
        };
        let to = self.node(c_out, level);
        self.steps.push(Draft::Conv(ConvDraft {
            from: x.0,
            add: add.map(|maps| maps.0),
            to: vec![(to, activation)],
            kernel,
            doubling,
            c_out,
            weights: weights.into(),
            bias: bias.map_or_else(|| vec![0.0; c_out], <[f32]>::to_vec),
        }));
        Maps(to)
    }

    /// Where each node lies, and the buffers. A buffer is used again once nothing reads it.
    fn places(&self, outputs: &[Maps], lanes: usize) -> (Vec<Place>, Vec<Kind>) {
        let root = |node: usize| self.nodes[node].home.map_or(node, |(concat, _)| concat);
        let mut last_use = vec![0; self.nodes.len()];
        for (step, draft) in self.steps.iter().enumerate() {
            let (read, written) = draft.nodes();
            for node in read.into_iter().chain(written) {
                last_use[root(node)] = step;
            }
        }
        for output in outputs {
            last_use[root(output.0)] = self.steps.len();
        }
        let mut kinds: Vec<Kind> = Vec::new();
        let mut busy_until: Vec<usize> = Vec::new();
        let mut buffers = vec![None; self.nodes.len()];
        for (step, draft) in self.steps.iter().enumerate() {
            for node in draft.nodes().1.into_iter().map(root) {
                if buffers[node].is_some() {
                    continue;
                }
                let kind = Kind {
                    level: self.nodes[node].level,
                    pitch: self.parts(node, lanes).1,
                };
                let free = (0..kinds.len()).find(|i| kinds[*i] == kind && busy_until[*i] < step);
                let buffer = free.unwrap_or(kinds.len());
                if free.is_none() {
                    kinds.push(kind);
                    busy_until.push(0);
                }
                busy_until[buffer] = last_use[node];
                buffers[node] = Some(buffer);
            }
        }
        let place = |node: usize| {
            let buffer = buffers[root(node)].expect("all maps are computed by a step");
            let offset = self.nodes[node].home.map_or(0, |(concat, position)| {
                self.parts(concat, lanes).0[position].0
            });
            let (parts, _) = self.parts(node, lanes);
            Place {
                buffer,
                offset,
                extent: parts.last().map_or(0, |(start, channels)| start + channels),
                parts,
                level: self.nodes[node].level,
            }
        };
        ((0..self.nodes.len()).map(place).collect(), kinds)
    }

    /// First numbers and channels of the parts, and the numbers of them all.
    fn parts(&self, node: usize, lanes: usize) -> (Vec<(usize, usize)>, usize) {
        let node = &self.nodes[node];
        let single = [node.channels];
        let channels: Vec<usize> = match node.parts.is_empty() {
            true => single.to_vec(),
            false => node
                .parts
                .iter()
                .map(|part| self.nodes[*part].channels)
                .collect(),
        };
        let mut end = 0;
        let parts = channels
            .into_iter()
            .map(|channels| {
                let start = end;
                end = (start + channels).next_multiple_of(lanes);
                (start, channels)
            })
            .collect();
        (parts, end)
    }
}

impl Draft {
    /// What is read, and what is written.
    fn nodes(&self) -> (Vec<usize>, Vec<usize>) {
        match self {
            Self::Enter { to, .. } => (vec![], vec![*to]),
            Self::Conv(conv) => (
                std::iter::once(conv.from).chain(conv.add).collect(),
                conv.to.iter().map(|(node, _)| *node).collect(),
            ),
            Self::Copy { from, to } => (vec![*from], vec![*to]),
            Self::Couple {
                state, update, to, ..
            } => (vec![*state, *update], vec![*to]),
        }
    }
}

fn lanes<S: crate::simd::Simd>(_: S) -> usize {
    S::LANES
}

impl ConvDraft {
    /// The convolution (for a doubling, the one that it transposes) over `extent` channels on the
    /// source's side, and its weights, zero where a channel is a gap.
    pub(super) fn spread(&self, from: &Place) -> (Conv, Vec<f32>) {
        let taps = self.kernel.side * self.kernel.side;
        let channels = from.channels();
        let (c_in, c_out) = match self.doubling {
            false => (from.extent, self.c_out),
            true => (self.c_out, from.extent),
        };
        let mut weights = vec![0.0; from.extent * self.c_out * taps];
        let mut source = 0;
        for (start, count) in &from.parts {
            for channel in *start..start + count {
                for o in 0..self.c_out {
                    let (old, new) = match self.doubling {
                        false => (o * channels + source, o * from.extent + channel),
                        true => (source * self.c_out + o, channel * self.c_out + o),
                    };
                    weights[new * taps..][..taps]
                        .copy_from_slice(&self.weights[old * taps..][..taps]);
                }
                source += 1;
            }
        }
        let conv = Conv {
            n: 1,
            c_in,
            c_out,
            height: 0,
            width: 0,
            kernel: self.kernel,
        };
        (conv, weights)
    }
}
