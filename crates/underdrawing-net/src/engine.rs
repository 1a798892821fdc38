//! What runs and trains networks: the CPU here, graphics cards in crates of their own.

use std::sync::Arc;

use crate::networks::Networks;
use crate::param::Param;
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

    /// Brings values there.
    fn upload(&self, values: Vec<f32>) -> Self::Buffer;

    /// Brings values back.
    fn download(&self, buffer: &Self::Buffer) -> Vec<f32>;

    /// The first tensor of a training pass. Its operations, and those of all tensors made from it,
    /// are recorded; `weights` are the values of `params`.
    fn begin(
        &self,
        params: &[Param],
        weights: &[Self::Buffer],
        shape: Shape,
        values: Vec<f32>,
    ) -> Self::Tensor;

    /// Gradients of a loss of one value; none for what it does not depend on. Running statistics in
    /// `weights` follow those of the pass.
    fn finish(&self, loss: Self::Tensor, weights: &mut [Self::Buffer])
    -> Vec<Option<Self::Buffer>>;

    /// What runs networks there.
    fn runner(&self, networks: &Networks) -> Arc<dyn Runner>;

    /// Sum of squares.
    fn sum_of_squares(&self, buffer: &Self::Buffer) -> f64;

    /// A step of Adam (Kingma and Ba 2015); all have the same length.
    fn adam(
        &self,
        state: AdamState<'_, Self::Buffer>,
        gradient: &Self::Buffer,
        factors: AdamFactors,
    );

    /// A step of Muon (Jordan et al. 2024); all have the same length.
    ///
    /// A convolution's weights are a matrix of its output channels by all that one of them sees.
    /// Adam steps each number on its own; Muon steps so that all directions of the matrix grow
    /// alike. Steps are as large as Adam's usually are (Liu et al. 2025: a root mean square of 0.2
    /// times the learning rate), so one rate serves both.
    fn muon(
        &self,
        state: MuonState<'_, Self::Buffer>,
        gradient: &Self::Buffer,
        factors: MuonFactors,
    );
}

/// A parameter and Adam's running means for it.
#[derive(Debug)]
pub struct AdamState<'a, B> {
    /// The parameter.
    pub value: &'a mut B,
    /// Mean of the gradients.
    pub mean: &'a mut B,
    /// Mean of their squares.
    pub square: &'a mut B,
}

/// The factors of one step of Adam.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamFactors {
    /// Multiplies the gradient first (clipping).
    pub gradient: f32,
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

/// A parameter and Muon's running sum for it.
#[derive(Debug)]
pub struct MuonState<'a, B> {
    /// The parameter.
    pub value: &'a mut B,
    /// Sum of the gradients, older ones decayed.
    pub momentum: &'a mut B,
}

/// The factors of one step of Muon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MuonFactors {
    /// Rows of the parameter as a matrix.
    pub rows: usize,
    /// Multiplies the gradient first (clipping).
    pub gradient: f32,
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
