//! What a plan computes, before buffers are assigned.

use super::buffers::{Kind, Place};
use crate::activation::Activation;
use crate::shape::{Conv, Kernel};

/// Maps (nodes) and the steps that compute them, both identified by index.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) nodes: Vec<Node>,
    pub(super) steps: Vec<Draft>,
}

/// Maps that a step computes, or a concatenation.
pub(super) struct Node {
    pub(super) channels: usize,
    /// How often the size of the inputs has been halved.
    pub(super) level: usize,
    /// The parts of a concatenation.
    pub(super) parts: Vec<usize>,
    /// The concatenation that it belongs to, and its position there.
    pub(super) home: Option<(usize, usize)>,
}

/// A step, without buffers.
pub(super) enum Draft {
    Input { input: usize, to: usize },
    Conv(ConvDraft),
    Copy { from: usize, to: usize },
}

/// A convolution, or if `transposed`, the transpose of one.
pub(super) struct ConvDraft {
    pub(super) from: usize,
    /// Its results: one for each activation.
    pub(super) to: Vec<(usize, Activation)>,
    pub(super) kernel: Kernel,
    pub(super) transposed: bool,
    pub(super) c_out: usize,
    pub(super) weights: Vec<f32>,
    pub(super) bias: Vec<f32>,
    /// What is added to its results, after the activation.
    pub(super) term: Option<usize>,
}

impl Graph {
    pub(super) fn node(&mut self, channels: usize, level: usize) -> usize {
        self.nodes.push(Node {
            channels,
            level,
            parts: Vec::new(),
            home: None,
        });
        self.nodes.len() - 1
    }

    /// See [`super::PlanBuilder::again`].
    pub(super) fn again(&mut self, of: usize, activation: Activation) -> usize {
        let mut convs = self.steps.iter_mut().filter_map(|step| match step {
            Draft::Conv(conv) => Some(conv),
            _ => None,
        });
        let conv = convs.find(|conv| conv.to.iter().any(|(node, _)| *node == of));
        let conv = conv.expect("only the result of a convolution has another activation");
        assert!(conv.term.is_none(), "another activation of a sum");
        if let Some((node, _)) = conv.to.iter().find(|(_, other)| *other == activation) {
            return *node;
        }
        conv.to.push((self.nodes.len(), activation));
        self.node(self.nodes[of].channels, self.nodes[of].level)
    }

    /// See [`super::PlanBuilder::concat`].
    pub(super) fn concat(&mut self, parts: &[usize]) -> usize {
        let level = self.nodes[parts[0]].level;
        let channels = parts.iter().map(|part| self.nodes[*part].channels).sum();
        let concat = self.node(channels, level);
        for (position, part) in parts.iter().enumerate() {
            let Node {
                channels,
                level: level_of_part,
                parts: of_part,
                ..
            } = &self.nodes[*part];
            assert_eq!(*level_of_part, level, "sizes of concatenated maps");
            assert!(of_part.is_empty(), "a concatenation of a concatenation");
            let own = if self.must_copy(*part, parts) {
                let copy = self.node(*channels, level);
                let from = *part;
                self.steps.push(Draft::Copy { from, to: copy });
                copy
            } else {
                *part
            };
            self.nodes[own].home = Some((concat, position));
            self.nodes[concat].parts.push(own);
        }
        concat
    }

    /// Whether a part of a concatenation cannot be computed in place: it already belongs to another
    /// one, is given twice, or its step reads another part and so would read and write one buffer.
    fn must_copy(&self, part: usize, parts: &[usize]) -> bool {
        let mut writers = self
            .steps
            .iter()
            .filter(|step| step.written().contains(&part));
        self.nodes[part].home.is_some()
            || parts.iter().filter(|other| **other == part).count() > 1
            || writers.any(|step| step.read().any(|read| parts.contains(&read)))
    }

    /// Drops results and concatenations that neither a step nor an output needs, and steps that are
    /// left without results.
    pub(super) fn drop_unused(&mut self, outputs: &[usize]) {
        let mut used = vec![false; self.nodes.len()];
        let mark = |used: &mut [bool], node: usize| {
            used[node] = true;
            for part in &self.nodes[node].parts {
                used[*part] = true;
            }
        };
        for output in outputs {
            mark(&mut used, *output);
        }
        for step in self.steps.iter_mut().rev() {
            if let Draft::Conv(conv) = step {
                conv.to.retain(|(node, _)| used[*node]);
            }
            if step.written().iter().any(|node| used[*node]) {
                step.read().for_each(|node| mark(&mut used, node));
            }
        }
        self.steps
            .retain(|step| step.written().iter().any(|node| used[*node]));
        for node in &mut self.nodes {
            node.home = node.home.filter(|(concat, _)| used[*concat]);
        }
    }

    /// Assigns buffers: the place of each node that is computed, and the kind of each buffer. A
    /// buffer is reused once nothing reads it any more.
    pub(super) fn places(
        &self,
        outputs: &[usize],
        lanes: usize,
    ) -> (Vec<Option<Place>>, Vec<Kind>) {
        let root = |node: usize| self.nodes[node].home.map_or(node, |(concat, _)| concat);
        let mut last_use = vec![0; self.nodes.len()];
        for (step, draft) in self.steps.iter().enumerate() {
            for node in draft.read().chain(draft.written()) {
                last_use[root(node)] = step;
            }
        }
        for output in outputs {
            last_use[root(*output)] = self.steps.len();
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

    /// First channel and number of channels of each part, and the size of all together.
    fn parts(&self, node: usize, lanes: usize) -> (Vec<(usize, usize)>, usize) {
        let parts = match &self.nodes[node].parts[..] {
            [] => &[node],
            parts => parts,
        };
        let mut end = 0;
        let parts = parts
            .iter()
            .map(|part| {
                let (start, channels) = (end, self.nodes[*part].channels);
                end = (start + channels).next_multiple_of(lanes);
                (start, channels)
            })
            .collect();
        (parts, end)
    }
}

impl Draft {
    /// The nodes that it reads.
    pub(super) fn read(&self) -> impl Iterator<Item = usize> {
        let (from, term) = match self {
            Self::Input { .. } => (None, None),
            Self::Conv(conv) => (Some(conv.from), conv.term),
            Self::Copy { from, .. } => (Some(*from), None),
        };
        from.into_iter().chain(term)
    }

    /// The nodes that it computes.
    pub(super) fn written(&self) -> Vec<usize> {
        match self {
            Self::Input { to, .. } | Self::Copy { to, .. } => vec![*to],
            Self::Conv(conv) => conv.to.iter().map(|(node, _)| *node).collect(),
        }
    }
}

impl ConvDraft {
    /// The convolution (if `transposed`, the one that this is the transpose of) with `extent`
    /// channels on the side of the source, and its weights, with zeros for the channels in gaps.
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
