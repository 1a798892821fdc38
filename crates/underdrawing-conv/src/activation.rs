//! Functions that the kernels apply to their results as they write them.

use crate::parallel;
use crate::path::vectorised;
use crate::simd::Simd;

/// Values that a thread processes at a time.
const CHUNK: usize = 1 << 14;

/// A function applied to each value of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `max(x, 0)`
    Relu,
    /// `x` if positive, otherwise `x` times the slope, which is between 0 and 1.
    LeakyRelu(f32),
    /// `1 / (1 + e^-x)`, with an error below 2e-7.
    Sigmoid,
    /// Hyperbolic tangent, with a relative error below 4e-7.
    Tanh,
}

impl Activation {
    /// Turns `dy`, the gradient with respect to the activation's output `y`, into the gradient with
    /// respect to its input.
    ///
    /// # Panics
    /// Panics if the lengths differ.
    pub fn backward_in_place(self, y: &[f32], dy: &mut [f32]) {
        assert_eq!(y.len(), dy.len(), "lengths of `y` and `dy`");
        if self == Self::None {
            return;
        }
        parallel::each_chunk(dy, CHUNK, &|idx, dy| {
            let y = &y[idx * CHUNK..][..dy.len()];
            vectorised(
                #[inline(always)]
                || self.backward_slice(y, dy),
            );
        });
    }

    #[inline(always)]
    fn backward_slice(self, y: &[f32], dy: &mut [f32]) {
        // One loop per activation, so that each is vectorised.
        match self {
            Self::None => {}
            Self::Relu => zip(y, dy, |y, dy| if y > 0.0 { dy } else { 0.0 }),
            Self::LeakyRelu(slope) => zip(y, dy, |y, dy| dy * if y > 0.0 { 1.0 } else { slope }),
            Self::Sigmoid => zip(y, dy, |y, dy| dy * (y * (1.0 - y))),
            Self::Tanh => zip(y, dy, |y, dy| dy * (1.0 - y * y)),
        }
    }

    /// The activation of a vector. The choice is the same throughout a loop, so the branch
    /// predictor hides it.
    #[inline(always)]
    pub(crate) fn apply<S: Simd>(self, simd: S, x: S::V) -> S::V {
        match self {
            Self::None => x,
            Self::Relu => simd.max(simd.zero(), x),
            Self::LeakyRelu(slope) => simd.max(simd.mul(simd.splat(slope), x), x),
            Self::Sigmoid => map_outlined(simd, x, sigmoid),
            Self::Tanh => map_outlined(simd, x, tanh),
        }
    }

    /// Applies the activation to each value of a slice.
    #[inline(always)]
    pub(crate) fn apply_slice(self, values: &mut [f32]) {
        // One loop each, so that each vectorises.
        match self {
            Self::None => {}
            Self::Relu => map(values, |x| x.max(0.0)),
            Self::LeakyRelu(slope) => map(values, |x| if x > 0.0 { x } else { x * slope }),
            Self::Sigmoid => map(values, sigmoid),
            Self::Tanh => map(values, tanh),
        }
    }
}

/// `f` of each lane, in a function of its own. Inlined, the compiler computes expensive functions
/// ahead of the choice of the activation, and so for every activation.
#[cold]
#[inline(never)]
fn map_outlined<S: Simd>(simd: S, x: S::V, f: impl Fn(f32) -> f32) -> S::V {
    simd.run(
        #[inline(always)]
        || simd.map(x, f),
    )
}

#[inline(always)]
fn map(values: &mut [f32], f: impl Fn(f32) -> f32) {
    for x in values {
        *x = f(*x);
    }
}

#[inline(always)]
fn zip(y: &[f32], dy: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    for (dy, y) in dy.iter_mut().zip(y) {
        *dy = f(*y, *dy);
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// Computed from `e^2x`. Near zero, where that loses digits, the first terms of the series are used
/// instead (error 3e-8 below 0.3).
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let square = x * x;
    let series = 1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0)));
    let series = x * (series + square * square * square * square * (62.0 / 2835.0));
    let whole = 1.0 - 2.0 / (1.0 + exp(2.0 * x));
    if square < 0.09 { series } else { whole }
}

/// `e^x` without branches: an integer power of 2, made by setting the exponent bits, times `e^r`
/// with `|r|` at most half of ln 2, from the series (whose ninth term is below 2e-9).
#[inline(always)]
fn exp(x: f32) -> f32 {
    // ln 2 in two parts, the first with few digits, so that its multiples are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    // Adding it leaves the rounded integer in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0; // 1.5 * 2^23
    // Outside this range the result saturates near the limits of `f32`.
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let power = shifted - ROUND;
    let r = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    let mut sum = 1.0 / 40320.0;
    for term in [5040.0, 720.0, 120.0, 24.0, 6.0, 2.0, 1.0, 1.0] {
        sum = sum * r + 1.0 / term;
    }
    let bits = shifted.to_bits().wrapping_sub(ROUND.to_bits() - 127) << 23;
    sum * f32::from_bits(bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_functions_of_the_standard_library() {
        for i in -4000..=4000 {
            let x = i as f32 * 0.025;
            let exact = f64::from(x);
            let expected = 1.0 / (1.0 + (-exact).exp());
            assert!(
                (f64::from(sigmoid(x)) - expected).abs() < 2e-7,
                "sigmoid({x})"
            );
            let small = x * 0.01;
            for x in [x, small] {
                let expected = f64::from(x).tanh();
                let error = (f64::from(tanh(x)) - expected).abs();
                assert!(error <= 4e-7 * expected.abs(), "tanh({x}): {error}");
            }
        }
    }

    #[test]
    fn passes_gradients_by_the_sign_and_the_value_of_the_output() {
        let y = [-0.5, 0.5];
        for (activation, expected) in [
            (Activation::None, [2.0, 2.0]),
            (Activation::Relu, [0.0, 2.0]),
            (Activation::LeakyRelu(0.25), [0.5, 2.0]),
            (Activation::Sigmoid, [-1.5, 0.5]),
            (Activation::Tanh, [1.5, 1.5]),
        ] {
            // More than a thread processes at a time.
            let mut dy = [2.0; 2].repeat(CHUNK);
            activation.backward_in_place(&y.repeat(CHUNK), &mut dy);
            assert_eq!(dy, expected.repeat(CHUNK), "{activation:?}");
        }
    }
}
