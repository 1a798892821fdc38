//! What a plan is built from.

use super::buffers::Layout;
use super::conv_step::ConvStep;
use super::graph::{ConvDraft, Draft, Graph};
use super::{Plan, Step};
use crate::activation::Activation;
use crate::path::{Isa, dispatch};
use crate::shape::Kernel;
use crate::simd::Simd;

/// A convolution of a plan.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Channels of the result.
    pub c_out: usize,
    /// [`Kernel::same`], or a kernel with stride 2 that halves every even size.
    pub kernel: Kernel,
    /// `[c_out, c_in, side, side]`, or `[c_in, c_out, side, side]` if transposed.
    pub weights: &'a [f32],
    /// `[c_out]`
    pub bias: Option<&'a [f32]>,
    /// Applied to the result.
    pub activation: Activation,
}

/// Some channels that a plan computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maps(usize);

/// Collects the layers of a [`Plan`], in the order in which they run.
#[derive(Default)]
pub struct PlanBuilder {
    graph: Graph,
    inputs: Vec<usize>,
}

impl PlanBuilder {
    /// Adds an input.
    pub fn input(&mut self, channels: usize) -> Maps {
        let to = self.graph.node(channels, 0);
        let input = self.inputs.len();
        self.inputs.push(channels);
        self.graph.steps.push(Draft::Input { input, to });
        Maps(to)
    }

    /// Adds a convolution.
    ///
    /// # Panics
    /// Panics if weights or bias have the wrong length.
    pub fn conv(&mut self, x: Maps, layer: Layer<'_>) -> Maps {
        self.conv_step(x, layer, /* transposed */ false, None)
    }

    /// Adds a convolution to whose activated result `term` is added.
    ///
    /// # Panics
    /// Panics if weights or bias have the wrong length, or if `term` differs from the result in
    /// channels or size or is a concatenation.
    pub fn conv_plus(&mut self, x: Maps, layer: Layer<'_>, term: Maps) -> Maps {
        self.conv_step(x, layer, /* transposed */ false, Some(term))
    }

    /// Adds a transposed convolution that doubles the size of the pictures: see
    /// [`crate::ConvTranspose`], or the transpose of any other kernel that halves it.
    ///
    /// # Panics
    /// Panics if weights or bias have the wrong length, or if the size of `x` is that of the
    /// inputs.
    pub fn conv_transpose(&mut self, x: Maps, layer: Layer<'_>) -> Maps {
        self.conv_step(x, layer, /* transposed */ true, None)
    }

    /// The result of an earlier convolution, with `activation` instead of the activation that
    /// `maps` has. The same step computes both, and a result that nothing uses costs nothing.
    ///
    /// # Panics
    /// Panics if `maps` is not the result of a convolution.
    pub fn again(&mut self, maps: Maps, activation: Activation) -> Maps {
        Maps(self.graph.again(maps.0, activation))
    }

    /// Concatenates the channels of all parts. A part is computed directly into the concatenation,
    /// unless it already belongs to another one, is given twice, or is computed from another part:
    /// then it is copied.
    ///
    /// # Panics
    /// Panics if a part is itself a concatenation, or if the parts differ in size.
    pub fn concat(&mut self, parts: &[Maps]) -> Maps {
        let parts: Vec<usize> = parts.iter().map(|part| part.0).collect();
        Maps(self.graph.concat(&parts))
    }

    /// Builds the plan. It runs at any size, and is fastest if the height and width of the inputs
    /// are `size`.
    #[must_use]
    pub fn build(self, outputs: &[Maps], size: [usize; 2]) -> Plan {
        self.build_with(Isa::chosen(), outputs, size)
    }

    pub(crate) fn build_with(mut self, isa: Isa, outputs: &[Maps], size: [usize; 2]) -> Plan {
        let outputs: Vec<usize> = outputs.iter().map(|maps| maps.0).collect();
        self.graph.drop_unused(&outputs);
        let lanes = dispatch!(isa, simd => lanes(simd));
        let (places, kinds) = self.graph.places(&outputs, lanes);
        let place = |node: usize| places[node].clone().expect("what is used is computed");
        let outputs = outputs.into_iter().map(place).collect();
        let steps: Vec<Step> = self
            .graph
            .steps
            .into_iter()
            .map(|draft| match draft {
                Draft::Input { input, to } => Step::Input {
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
            layout: Layout::new(kinds, reads.collect()),
            steps,
        }
    }

    fn conv_step(
        &mut self,
        x: Maps,
        layer: Layer<'_>,
        transposed: bool,
        term: Option<Maps>,
    ) -> Maps {
        let Layer {
            c_out,
            kernel,
            weights,
            bias,
            activation,
        } = layer;
        let from = &self.graph.nodes[x.0];
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
        if let Some(term) = term {
            let term = &self.graph.nodes[term.0];
            assert!(term.parts.is_empty(), "a term that is a concatenation");
            let found = (term.channels, term.level);
            assert_eq!(found, (c_out, level), "channels and level of a term");
        }
        let to = self.graph.node(c_out, level);
        self.graph.steps.push(Draft::Conv(ConvDraft {
            from: x.0,
            to: vec![(to, activation)],
            kernel,
            transposed,
            c_out,
            weights: weights.into(),
            bias: bias.map_or_else(|| vec![0.0; c_out], <[f32]>::to_vec),
            term: term.map(|term| term.0),
        }));
        Maps(to)
    }
}

fn lanes<S: Simd>(_: S) -> usize {
    S::LANES
}
