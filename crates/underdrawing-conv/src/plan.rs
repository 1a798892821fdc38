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
mod memory;
mod rows;
mod simple;
mod tiles;

pub use builder::{Layer, Maps, PlanBuilder};

use conv_step::ConvStep;
use memory::{Buffers, Place};

use crate::simd::{Isa, dispatch};
use crate::transform::TILE;

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

/// Most numbers in the buffers of a plan at a time, if there is a way: 512 MiB. Few in tests, so
/// that there is something to divide.
const MOST_NUMBERS: usize = if cfg!(test) { 1 << 17 } else { 1 << 27 };
/// Rows computed at a time, at least, over those of the border that is computed again: else that
/// takes most of the time.
const MIN_STRIP: usize = 8;

/// Rows of the pictures that are computed at a time.
#[derive(Clone, Debug)]
struct Part {
    from: usize,
    to: usize,
    /// Those of them that are right.
    keep: std::ops::Range<usize>,
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
        for part in self.parts(n, size) {
            self.run_part(n, size, &part, inputs, outputs);
        }
    }

    /// Steps, and numbers of a pixel in all buffers.
    #[cfg(test)]
    pub(crate) fn cost(&self) -> [usize; 2] {
        [self.steps.len(), self.buffers.numbers_of_pixel()]
    }

    /// The parts that the pictures are computed in: whole, or where that takes too much memory,
    /// in strips. A strip is computed with as many rows around it as the result depends on. These
    /// are whole tiles, so that the result is the same, to the bit, as that of whole pictures.
    fn parts(&self, n: usize, [height, width]: [usize; 2]) -> Vec<Part> {
        let whole = Part {
            from: 0,
            to: height,
            keep: 0..height,
        };
        let halo = self.radius.next_multiple_of(TILE);
        let numbers_of_row = n * width * self.buffers.numbers_of_pixel();
        let rows = MOST_NUMBERS / numbers_of_row.max(1);
        if self.buffers.changes_size() || height <= rows.max(MIN_STRIP * halo) {
            return vec![whole];
        }
        let strip = (rows.max(MIN_STRIP * halo) - 2 * halo) / TILE * TILE;
        let strips = (0..height).step_by(strip.max(TILE));
        strips
            .map(|top| {
                let end = height.min(top + strip.max(TILE));
                Part {
                    from: top.saturating_sub(halo),
                    to: height.min(end + halo),
                    keep: top..end,
                }
            })
            .collect()
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
