//! What a plan is built from.

use super::conv_step::ConvStep;
use super::memory::{Buffers, Kind, Place};
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
    /// `[c_out, c_in, side, side]`; `[c_in, c_out, side, side]` for [`PlanBuilder::conv_transpose`].
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
    Enter { input: usize, to: usize },
    Conv(ConvDraft),
    Copy { from: usize, to: usize },
}

pub(super) struct ConvDraft {
    pub(super) from: usize,
    pub(super) to: Vec<(usize, Activation)>,
    pub(super) kernel: Kernel,
    pub(super) transposed: bool,
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
        self.conv_step(x, layer, /* transposed */ false)
    }

    /// A transposed convolution that doubles the pictures, see [`crate::ConvTranspose`]; also the
    /// transpose of any other kernel that halves them.
    ///
    /// # Panics
    /// Panics if weights or bias have another length than the layer needs, or the maps have not
    /// been halved before.
    pub fn conv_transpose(&mut self, x: Maps, layer: Layer<'_>) -> Maps {
        self.conv_step(x, layer, /* transposed */ true)
    }

    /// The result of an earlier convolution with another activation in place of its own. Both
    /// are written by the same step, and neither costs anything unless it is used.
    ///
    /// # Panics
    /// Panics if `maps` is not the result of a convolution.
    pub fn again(&mut self, maps: Maps, activation: Activation) -> Maps {
        let Node {
            channels, level, ..
        } = self.nodes[maps.0];
        let to = self.nodes.len();
        let mut convs = self.steps.iter_mut().filter_map(|step| match step {
            Draft::Conv(conv) => Some(conv),
            _ => None,
        });
        let conv = convs.find(|conv| conv.to.iter().any(|(node, _)| *node == maps.0));
        let conv = conv.expect("only the result of a convolution has another activation");
        if let Some((node, _)) = conv.to.iter().find(|(_, other)| *other == activation) {
            return Maps(*node);
        }
        conv.to.push((to, activation));
        Maps(self.node(channels, level))
    }

    /// The channels of all parts, one after the other. None may be a concatenation itself. A part
    /// is written where it belongs from the start, unless it lies in another concatenation
    /// already or is computed from another part: then it is copied.
    ///
    /// # Panics
    /// Panics if a part is a concatenation, or the parts differ in size.
    pub fn concat(&mut self, parts: &[Maps]) -> Maps {
        let level = self.nodes[parts[0].0].level;
        let channels = parts.iter().map(|part| self.nodes[part.0].channels).sum();
        let concat = self.node(channels, level);
        let mut own = Vec::with_capacity(parts.len());
        for (position, Maps(part)) in parts.iter().enumerate() {
            let Node {
                level: level_of_part,
                channels,
                home,
                ..
            } = self.nodes[*part];
            assert_eq!(level_of_part, level, "sizes of concatenated maps");
            assert!(
                self.nodes[*part].parts.is_empty(),
                "a concatenation of a concatenation"
            );
            // A step can't write to the buffer that it reads.
            let writer = self.steps.iter().find(|step| step.written().contains(part));
            let depends = |other: &Maps| writer.is_some_and(|step| step.read() == Some(other.0));
            let given_again = parts.iter().filter(|other| other.0 == *part).count() > 1;
            let part = if home.is_some() || given_again || parts.iter().any(depends) {
                let copy = self.node(channels, level);
                self.steps.push(Draft::Copy {
                    from: *part,
                    to: copy,
                });
                copy
            } else {
                *part
            };
            self.nodes[part].home = Some((concat, position));
            own.push(part);
        }
        self.nodes[concat].parts = own;
        Maps(concat)
    }

    /// Prepares the plan. It runs at any size, and is fastest at `size`, height and width of the
    /// inputs.
    #[must_use]
    pub fn build(self, outputs: &[Maps], size: [usize; 2]) -> Plan {
        self.build_with(Isa::chosen(), outputs, size)
    }

    pub(crate) fn build_with(mut self, isa: Isa, outputs: &[Maps], size: [usize; 2]) -> Plan {
        self.drop_unused(outputs);
        let lanes = dispatch!(isa, simd => lanes(simd));
        let (places, kinds) = self.places(outputs, lanes);
        let place = |node: usize| places[node].clone().expect("what is used is computed");
        let outputs = outputs.iter().map(|maps| place(maps.0)).collect();
        let steps: Vec<Step> = self
            .steps
            .into_iter()
            .map(|draft| match draft {
                Draft::Enter { input, to } => Step::Enter {
                    input,
                    to: place(to),
                },
                Draft::Conv(draft) => {
                    dispatch!(isa, simd => Step::Conv(ConvStep::new(simd, draft, &place, size)))
                }
                Draft::Copy { from, to } => Step::Copy {
                    from: place(from),
                    to: place(to),
                },
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
            outputs,
            buffers: Buffers::new(kinds, reads.collect()),
            steps,
        }
    }

    /// Drops the results and concatenations that neither another step nor an output needs, and
    /// the steps that have no other result.
    fn drop_unused(&mut self, outputs: &[Maps]) {
        let mut used = vec![false; self.nodes.len()];
        let mark = |used: &mut [bool], node: usize| {
            used[node] = true;
            for part in &self.nodes[node].parts {
                used[*part] = true;
            }
        };
        for output in outputs {
            mark(&mut used, output.0);
        }
        for step in self.steps.iter_mut().rev() {
            if let Draft::Conv(conv) = step {
                conv.to.retain(|(node, _)| used[*node]);
            }
            if step.written().iter().any(|node| used[*node])
                && let Some(node) = step.read()
            {
                mark(&mut used, node);
            }
        }
        self.steps
            .retain(|step| step.written().iter().any(|node| used[*node]));
        for node in &mut self.nodes {
            node.home = node.home.filter(|(concat, _)| used[*concat]);
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

    fn conv_step(&mut self, x: Maps, layer: Layer<'_>, transposed: bool) -> Maps {
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
            (stride == 1 && !transposed && kernel.size_out(64) == 64)
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
        let level = match (stride, transposed) {
            (1, _) => from.level,
            (_, false) => from.level + 1,
            (_, true) => from
                .level
                .checked_sub(1)
                .expect("a transposed convolution needs maps that were halved"),
        };
        let to = self.node(c_out, level);
        self.steps.push(Draft::Conv(ConvDraft {
            from: x.0,
            to: vec![(to, activation)],
            kernel,
            transposed,
            c_out,
            weights: weights.into(),
            bias: bias.map_or_else(|| vec![0.0; c_out], <[f32]>::to_vec),
        }));
        Maps(to)
    }

    /// Where each node that is computed lies, and the buffers. A buffer is used again once
    /// nothing reads it.
    fn places(&self, outputs: &[Maps], lanes: usize) -> (Vec<Option<Place>>, Vec<Kind>) {
        let root = |node: usize| self.nodes[node].home.map_or(node, |(concat, _)| concat);
        let mut last_use = vec![0; self.nodes.len()];
        for (step, draft) in self.steps.iter().enumerate() {
            for node in draft.read().into_iter().chain(draft.written()) {
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
            for node in draft.written().into_iter().map(root) {
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
            let buffer = buffers[root(node)]?;
            let offset = self.nodes[node].home.map_or(0, |(concat, position)| {
                self.parts(concat, lanes).0[position].0
            });
            let (parts, _) = self.parts(node, lanes);
            Some(Place {
                buffer,
                offset,
                extent: parts.last().map_or(0, |(start, channels)| start + channels),
                parts,
                level: self.nodes[node].level,
            })
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
    /// What it reads.
    fn read(&self) -> Option<usize> {
        match self {
            Self::Enter { .. } => None,
            Self::Conv(conv) => Some(conv.from),
            Self::Copy { from, .. } => Some(*from),
        }
    }

    /// What it writes.
    fn written(&self) -> Vec<usize> {
        match self {
            Self::Enter { to, .. } | Self::Copy { to, .. } => vec![*to],
            Self::Conv(conv) => conv.to.iter().map(|(node, _)| *node).collect(),
        }
    }
}

fn lanes<S: crate::simd::Simd>(_: S) -> usize {
    S::LANES
}

impl ConvDraft {
    /// The convolution (for a transposed one, what it transposes) over `extent` channels on the
    /// source's side, and its weights, zero where a channel is a gap.
    pub(super) fn spread(&self, from: &Place) -> (Conv, Vec<f32>) {
        let taps = self.kernel.side * self.kernel.side;
        let channels = from.channels();
        let (c_in, c_out) = match self.transposed {
            false => (from.extent, self.c_out),
            true => (self.c_out, from.extent),
        };
        let mut weights = vec![0.0; from.extent * self.c_out * taps];
        let mut source = 0;
        for (start, count) in &from.parts {
            for channel in *start..start + count {
                for o in 0..self.c_out {
                    let (old, new) = match self.transposed {
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
