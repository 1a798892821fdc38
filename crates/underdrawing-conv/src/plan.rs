//! Whole networks for inference, in the kernels' own layout from the first layer to the last.
//!
//! A [`Plan`] is built once: weights are converted to the form that the kernels read, and layers
//! share buffers where possible, which are in a [`Workspace`]. Between layers, maps keep the layout
//! of the kernels: channels last, padded to whole vectors, with a border of zeros that is written
//! once. A layer therefore reads what the previous one wrote without a copy. Concatenated maps are
//! written next to each other in the first place. Only inputs and outputs are NCHW.
//!
//! ```
//! use underdrawing_conv::{Activation, Kernel, Layer, PlanBuilder, Workspace};
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
//! let plan = builder.build(&[features], [16, 16]);
//! let mut y = vec![0.0; 8 * 16 * 16];
//! let workspace = &mut Workspace::default();
//! plan.run(workspace, 1, [16, 16], &[&vec![0.0; 3 * 16 * 16]], &mut [&mut y]);
//! assert_eq!(y, vec![0.5; 8 * 16 * 16]);
//! ```

mod buffers;
mod builder;
mod conv_step;
mod direct;
mod graph;
mod parts;
mod sink;
mod transfer;
mod winograd;

pub use buffers::Workspace;
pub use builder::{Layer, Maps, PlanBuilder};

use buffers::{Buffers, Layout, Memory, Place};
use conv_step::ConvStep;
use parts::{Part, parts};

use crate::parallel;
use crate::path::{Isa, dispatch};
use crate::shared::Shared;

/// A network, ready to run. [`PlanBuilder`] makes it.
pub struct Plan {
    isa: Isa,
    steps: Vec<Step>,
    /// Channels of the inputs.
    inputs: Vec<usize>,
    outputs: Vec<Place>,
    layout: Layout,
    /// How many pixels away from its own position an output depends on inputs.
    radius: usize,
}

impl std::fmt::Debug for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan").finish_non_exhaustive()
    }
}

/// A step of a plan.
enum Step {
    /// Converts an input to the layout.
    Input { input: usize, to: Place },
    /// A convolution.
    Conv(ConvStep),
    /// Copies maps.
    Copy { from: Place, to: Place },
}

impl Step {
    /// How many pixels away from its own position a result depends on what the step reads.
    fn radius(&self) -> usize {
        match self {
            Self::Conv(conv) => conv.radius(),
            _ => 0,
        }
    }
}

impl Plan {
    /// Computes the outputs, `[n, channels, height, width]` each, from the inputs, given in the
    /// order in which they were added to the builder. `size` is the height and width of the inputs.
    /// Large pictures are computed in parts that stay in the cache; the sizes alone decide on them.
    ///
    /// # Panics
    /// Panics if a slice has the wrong length, or if `size` cannot be halved as often as the plan
    /// does.
    pub fn run(
        &self,
        workspace: &mut Workspace,
        n: usize,
        size: [usize; 2],
        inputs: &[&[f32]],
        outputs: &mut [&mut [f32]],
    ) {
        let workspace = &*workspace;
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
        for (output, place) in outputs.iter().zip(&self.outputs) {
            let [height, width] = size.map(|side| side >> place.level);
            let len = n * place.channels() * height * width;
            assert_eq!(output.len(), len, "length of an output");
        }
        let outputs: Vec<Shared<'_>> = outputs.iter_mut().map(|y| Shared::new(y)).collect();
        let parts = parts(&self.layout, self.radius, n, size);
        parallel::each(parts.len(), &|item| {
            workspace.with(|memory| {
                // SAFETY: the parts keep different pixels.
                unsafe { self.run_part(memory, n, size, &parts[item], inputs, &outputs) };
            });
        });
    }

    /// Number of steps, and of values per pixel in all buffers.
    #[cfg(test)]
    pub(crate) fn cost(&self) -> [usize; 2] {
        [self.steps.len(), self.layout.numbers_of_pixel()]
    }

    /// Computes a part.
    ///
    /// # Safety
    /// No other thread may access what the part keeps of the outputs meanwhile.
    unsafe fn run_part(
        &self,
        memory: &mut Vec<Memory>,
        n: usize,
        size: [usize; 2],
        part: &Part,
        inputs: &[&[f32]],
        outputs: &[Shared<'_>],
    ) {
        let sides = [part.rows, part.cols].map(|side| side.len_with_margins());
        let buffers = &mut Buffers::new(&self.layout, memory, n, sides);
        for step in &self.steps {
            dispatch!(self.isa, simd => match step {
                Step::Input { input, to } => {
                    transfer::read_input(simd, buffers, inputs[*input], size, part, to);
                }
                Step::Conv(conv) => conv.run(simd, buffers),
                Step::Copy { from, to } => transfer::copy(simd, buffers, from, to),
            });
        }
        for (from, output) in self.outputs.iter().zip(outputs) {
            dispatch!(self.isa, simd => {
                // SAFETY: the caller vouches for the part.
                unsafe { transfer::write_output(simd, buffers, from, size, part, *output) };
            });
        }
    }
}
