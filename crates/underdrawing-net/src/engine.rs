//! What runs and trains networks: the CPU here, graphics cards in crates of their own.

use std::rc::Rc;
use std::sync::Arc;

use crate::networks::Networks;
use crate::param::Param;
use crate::ranks::Ranks;
use crate::tensor::{Differentiable, Shape};

/// Runs the networks of a model on whole windows, `[n, 3, h, w]`, sRGB-encoded, `[0, 1]`.
pub trait Runner: Send + Sync {
    /// Container from cover and secret; not clamped.
    fn hide(&self, shape: Shape, cover: &[f32], secret: &[f32]) -> Vec<f32>;

    /// Revealed picture from a container; not clamped.
    fn reveal(&self, shape: Shape, container: &[f32]) -> Vec<f32>;
}

/// A place to train networks on: memory there, tensors that carry gradients, and the steps of
/// optimisers.
pub trait Engine {
    /// What losses are computed with.
    type Tensor: Differentiable;
    /// Values of a parameter, or of an optimiser's state for it.
    type Buffer;

    /// Brings the values of a parameter there, or of an optimiser's state for it; `shape` is the
    /// parameter's.
    fn upload(&self, shape: &[usize], values: Vec<f32>) -> Self::Buffer;

    /// Brings values back.
    fn download(&self, buffer: &Self::Buffer) -> Vec<f32>;

    /// The first tensor of a training pass. Its operations, and those of all tensors made from it,
    /// are recorded; `weights` are the values of `params`.
    fn begin(
        &self,
        params: &[Param],
        weights: &[Self::Buffer],
        shape: Shape,
        values: &[f32],
    ) -> Self::Tensor;

    /// Gradients of a loss of one value; none for what it does not depend on. Running statistics in
    /// `weights` follow those of the pass.
    fn finish(&self, loss: Self::Tensor, weights: &mut [Self::Buffer])
    -> Vec<Option<Self::Buffer>>;

    /// From here on passes are shares of batches, of which `ranks` have the rest, and batch
    /// normalisation goes by the statistics of the whole. False where it cannot.
    fn join(&mut self, _ranks: &Rc<dyn Ranks>) -> bool {
        false
    }

    /// What runs networks there.
    fn runner(&self, networks: &Networks) -> Arc<dyn Runner>;

    /// Values of a tensor, to be had when they are asked for. Work that is already under way need
    /// not wait for them.
    fn reading(&self, tensor: &Self::Tensor) -> Reading {
        Reading::known(tensor.to_vec())
    }

    /// A step of the optimiser, all parameters at once. Where all gradients together are longer than
    /// `longest`, they are shortened to that first (clipping).
    fn update(&self, steps: &mut [Step<'_, Self::Buffer>], longest: Option<f64>);
}

/// Values that are asked for later.
pub struct Reading {
    ready: Box<dyn Fn() -> bool>,
    values: Box<dyn FnOnce() -> Vec<f32>>,
}

impl Reading {
    /// Values that are there already.
    #[must_use]
    pub fn known(values: Vec<f32>) -> Self {
        Self::new(|| true, || values)
    }

    /// Values that `values` waits for; `ready` says whether it would have to.
    #[must_use]
    pub fn new(
        ready: impl Fn() -> bool + 'static,
        values: impl FnOnce() -> Vec<f32> + 'static,
    ) -> Self {
        Self {
            ready: Box::new(ready),
            values: Box::new(values),
        }
    }

    /// Whether [`Reading::values`] comes at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        (self.ready)()
    }

    /// The values.
    #[must_use]
    pub fn values(self) -> Vec<f32> {
        (self.values)()
    }
}

/// What a step of an optimiser does to a parameter. All buffers have the same length.
#[derive(Debug)]
pub struct Step<'a, B> {
    /// The parameter.
    pub value: &'a mut B,
    /// Its gradient.
    pub gradient: &'a B,
    /// How it moves.
    pub rule: Rule<'a, B>,
}

/// A rule by which parameters move, with the state that it keeps of one.
#[derive(Debug)]
pub enum Rule<'a, B> {
    /// Adam (Kingma and Ba 2015).
    Adam {
        /// Mean of the gradients.
        mean: &'a mut B,
        /// Mean of their squares.
        square: &'a mut B,
        /// Factors of this step.
        factors: AdamFactors,
    },
    /// Muon (Jordan et al. 2024).
    ///
    /// A convolution's weights are a matrix of its output channels by all that one of them sees.
    /// Adam steps each number on its own; Muon steps so that all directions of the matrix grow
    /// alike. Steps are as large as Adam's usually are (Liu et al. 2025: a root mean square of 0.2
    /// times the learning rate), so one rate serves both.
    Muon {
        /// Sum of the gradients, older ones decayed.
        momentum: &'a mut B,
        /// Factors of this step.
        factors: MuonFactors,
    },
}

/// What shortens gradients to `longest`, where the sum of their squares says that they are longer.
#[must_use]
pub fn clipping(sum_of_squares: f64, longest: f64) -> f64 {
    (longest / sum_of_squares.sqrt().max(1e-12)).min(1.0)
}

/// The factors of one step of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamFactors {
    /// Decay of the mean of the gradients.
    pub beta_1: f32,
    /// Decay of the mean of their squares.
    pub beta_2: f32,
    /// Multiplies the root of the mean square (bias correction).
    pub root: f32,
    /// Added to that.
    pub epsilon: f32,
    /// Learning rate over the mean's bias correction.
    pub rate: f32,
    /// Multiplies the parameters first (weight decay).
    pub keep: f32,
}

/// The factors of one step of Muon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonFactors {
    /// Rows of the parameter as a matrix.
    pub rows: usize,
    /// Learning rate.
    pub rate: f32,
    /// Multiplies the parameters first (weight decay).
    pub keep: f32,
}

impl MuonFactors {
    /// Decay of the sum of gradients.
    pub const MOMENTUM: f32 = 0.95;
    /// Root mean square of a step at learning rate 1.
    pub const STEP: f32 = 0.2;
    /// Iterations of Newton and Schulz towards an orthogonal matrix.
    pub const ITERATIONS: usize = 5;
    /// Their coefficients (Jordan et al. 2024): singular values end between 0.7 and 1.2.
    pub const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];
}
