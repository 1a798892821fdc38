//! Whole networks for inference: a run of layers in the kernels' own layout from first to last.
//!
//! A [`Plan`] is built once: the weights are brought into the form that the kernels read, and
//! memory that a later layer can have again is. Between layers the maps stay as they are inside of
//! the kernels: channels last, padded to whole vectors, with a border of zeros that is written
//! once, so that a layer reads what the one before wrote without a copy. Concatenated maps lie
//! beside one another from the beginning. Only inputs and outputs are NCHW.
//!
//! ```
//! use underdrawing_conv::{Activation, Kernel, Layer, PlanBuilder};
//!
//! let mut builder = PlanBuilder::default();
//! let picture = builder.input(3);
//! let (weights, bias) = (vec![0.1; 8 * 3 * 9], vec![0.5; 8]);
//! let features = builder.conv(
//!     picture,
//!     Layer {
//!         c_out: 8,
//!         kernel: Kernel::same(3),
//!         weights: &weights,
//!         bias: Some(&bias),
//!         activation: Activation::Relu,
//!     },
//! );
//! let mut plan = builder.build(&[features], [16, 16]);
//! let mut y = vec![0.0; 8 * 16 * 16];
//! plan.run(1, [16, 16], &[&vec![0.0; 3 * 16 * 16]], &mut [&mut y]);
//! assert_eq!(y, vec![0.5; 8 * 16 * 16]);
//! ```

mod builder;
mod conv_step;
mod graph;
mod memory;
mod parts;
mod rows;
mod simple;
mod sink;
mod tiles;

pub use builder::{Layer, Maps, PlanBuilder};

use conv_step::ConvStep;
use memory::{Buffers, Place};
use parts::{Part, parts};

use crate::path::{Isa, dispatch};

/// A network, ready to run. See the module's documentation.
pub struct Plan {
    isa: Isa,
    steps: Vec<Step>,
    /// Channels of the inputs.
    inputs: Vec<usize>,
    outputs: Vec<Place>,
    buffers: Buffers,
    /// How far a result looks, at most.
    radius: usize,
}

/// One thing to do.
enum Step {
    /// Brings an input into the layout.
    Enter { input: usize, to: Place },
    /// A convolution.
    Conv(ConvStep),
    /// Copies maps.
    Copy { from: Place, to: Place },
}

impl Step {
    /// How far a result looks.
    fn radius(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.radius(),
            _ => 0,
        }
    }
}

impl Plan {
    /// Computes the outputs, `[n, channels, height, width]` each, from the inputs, given in the
    /// order in which the builder got them. `size` is height and width of the inputs.
    ///
    /// # Panics
    /// Panics if a slice has another length, or a size can't be halved as often as the plan does.
    pub fn run(
        &mut self,
        n: usize,
        size: [usize; 2],
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
    ) {
        assert!(inputs.len() == self.inputs.len() && outputs.len() == self.outputs.len());
        for (input, channels) in inputs.iter().zip(&self.inputs) {
            assert_eq!(
                input.len(),
                n * channels * size[0] * size[1],
                "length of an input"
            );
        }
        if n * size[0] * size[1] == 0 {
            return;
        }
        for part in parts(&self.buffers, self.radius, n, size) {
            self.run_part(n, size, &part, inputs, outputs);
        }
    }

    /// Steps, and numbers of a pixel in all buffers.
    #[cfg(test)]
    pub(crate) fn cost(&self) -> [usize; 2] {
        [self.steps.len(), self.buffers.numbers_of_pixel()]
    }

    fn run_part(
        &mut self,
        n: usize,
        size: [usize; 2],
        part: &Part,
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
    ) {
        self.buffers.resize(n, [part.to - part.from, size[1]]);
        let buffers = &mut self.buffers;
        for step in &self.steps {
            dispatch!(self.isa, simd => match step {
                Step::Enter { input, to } => {
                    simple::enter(simd, buffers, inputs[*input], size[0], part, to);
                }
                Step::Conv(conv) => conv.run(simd, buffers),
                Step::Copy { from, to } => simple::copy(buffers, from, to),
            });
        }
        for (from, output) in self.outputs.iter().zip(outputs) {
            let whole = part.from == 0 && part.to == size[0];
            let height = if whole {
                size[0] >> from.level
            } else {
                size[0]
            };
            let part = &Part {
                keep: if whole { 0..height } else { part.keep.clone() },
                ..part.clone()
            };
            dispatch!(self.isa, simd => simple::leave(simd, buffers, from, height, part, output));
        }
    }
}
