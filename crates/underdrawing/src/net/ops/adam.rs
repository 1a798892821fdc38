//! A step of Adam in one pass over parameters, gradients and moments.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use super::flex::{CHUNK, contiguous, floats, tensor, unshared};
use super::ours;

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

/// A parameter and Adam's running means for it, flattened.
#[derive(Clone, Debug)]
pub struct AdamState {
    /// The parameter.
    pub value: Tensor<1>,
    /// Mean of the gradients.
    pub mean: Tensor<1>,
    /// Mean of their squares.
    pub square: Tensor<1>,
}

/// One step; all tensors have the same length and none carries gradients.
#[must_use]
pub fn adam_step(state: AdamState, gradient: Tensor<1>, factors: AdamFactors) -> AdamState {
    let AdamState {
        value,
        mean,
        square,
    } = state;
    if !ours(&value) {
        let gradient = gradient * factors.gradient;
        let mean = mean * factors.beta_1 + gradient.clone() * (1.0 - factors.beta_1);
        let square = square * factors.beta_2 + gradient.square() * (1.0 - factors.beta_2);
        let root = square.clone().sqrt() * factors.root + factors.epsilon;
        let value = value * factors.keep - mean.clone() / root * factors.rate;
        return AdamState {
            value,
            mean,
            square,
        };
    }
    let (value, mean, square) = <Dispatch as AdamBackend>::adam(
        value.into_dispatch(),
        gradient.into_dispatch(),
        mean.into_dispatch(),
        square.into_dispatch(),
        factors,
    );
    AdamState {
        value: Tensor::from_dispatch(value),
        mean: Tensor::from_dispatch(mean),
        square: Tensor::from_dispatch(square),
    }
}

#[backend_extension(Flex)]
pub(crate) trait AdamBackend: Backend {
    fn adam(
        value: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        mean: FloatTensor<Self>,
        square: FloatTensor<Self>,
        factors: AdamFactors,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

impl AdamBackend for Flex {
    fn adam(
        value: FlexTensor,
        gradient: FlexTensor,
        mean: FlexTensor,
        square: FlexTensor,
        factors: AdamFactors,
    ) -> (FlexTensor, FlexTensor, FlexTensor) {
        let gradient = contiguous(gradient);
        let mut states = [value, mean, square].map(own);
        let [value, mean, square] = states
            .each_mut()
            .map(|state| unshared(state).expect("nobody else holds a tensor made here"));
        let f = factors;
        let chunks = value.par_chunks_mut(CHUNK).zip(mean.par_chunks_mut(CHUNK));
        let chunks = chunks.zip(square.par_chunks_mut(CHUNK));
        let chunks = chunks.zip(floats(&gradient).par_chunks(CHUNK));
        chunks.for_each(|(((value, mean), square), gradient)| {
            for (((value, mean), square), gradient) in
                value.iter_mut().zip(mean).zip(square).zip(gradient)
            {
                let gradient = gradient * f.gradient;
                *mean = *mean * f.beta_1 + gradient * (1.0 - f.beta_1);
                *square = *square * f.beta_2 + gradient * gradient * (1.0 - f.beta_2);
                let root = square.sqrt() * f.root + f.epsilon;
                *value = *value * f.keep - *mean / root * f.rate;
            }
        });
        states.into()
    }
}

/// The tensor where nobody else holds it, otherwise a copy.
fn own(t: FlexTensor) -> FlexTensor {
    let mut t = contiguous(t);
    if unshared(&mut t).is_some() {
        return t;
    }
    let values = floats(&t);
    let mut copy = vec![0.0; values.len()];
    let chunks = copy.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK));
    chunks.for_each(|(to, from)| to.copy_from_slice(from));
    let n = copy.len();
    tensor(copy, [n])
}
