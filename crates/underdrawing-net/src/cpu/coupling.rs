//! One branch of a coupling scaled and shifted by the other.

use rayon::prelude::*;
use underdrawing_conv::vectorised;

/// See [`Tensor::couple`](crate::Tensor::couple).
#[inline(always)]
pub(super) fn couple_value(x: f32, t: f32, b: f32) -> f32 {
    x * exp(tanh(t)) + b
}

/// See [`Tensor::uncouple`](crate::Tensor::uncouple).
#[inline(always)]
pub(super) fn uncouple_value(x: f32, t: f32, b: f32) -> f32 {
    (x - b) * exp(-tanh(t))
}

/// Each value `x` `[n, c, h, w]` becomes `f(x, t, b)`, with `update` `[n, 2c, h, w]` of `t` and
/// then
/// `b`.
pub(super) fn each(
    x: &mut [f32],
    update: &[f32],
    [_, c, h, w]: [usize; 4],
    f: impl Fn(f32, f32, f32) -> f32 + Sync,
) {
    let plane = (h * w).max(1);
    let planes = x.par_chunks_exact_mut(plane).enumerate();
    planes.for_each(|(i, x)| {
        let (picture, channel) = (i / c, i % c);
        let half = |which: usize| &update[((2 * picture + which) * c + channel) * plane..][..plane];
        let (t, b) = (half(0), half(1));
        vectorised(
            #[inline(always)]
            || {
                for ((x, t), b) in x.iter_mut().zip(t).zip(b) {
                    *x = f(*x, *t, *b);
                }
            },
        );
    });
}

/// Overwrites `dy` with the gradient of `x`, and `d_update` with that of the update: `f(x, t, dy)`
/// gives those of `x`, `t` and `b`.
pub(super) fn backward(
    x: &[f32],
    update: &[f32],
    [_, c, h, w]: [usize; 4],
    dy: &mut [f32],
    d_update: &mut [f32],
    f: impl Fn(f32, f32, f32) -> [f32; 3] + Sync,
) {
    let len = (c * h * w).max(1);
    let pictures = dy.par_chunks_exact_mut(len).enumerate();
    pictures
        .zip(d_update.par_chunks_exact_mut(2 * len))
        .for_each(|((i, dx), d_update)| {
            let (dt, db) = d_update.split_at_mut(len);
            let x = &x[i * len..][..len];
            let t = &update[2 * i * len..][..len];
            vectorised(
                #[inline(always)]
                || {
                    for ((((dx, dt), db), x), t) in
                        dx.iter_mut().zip(&mut *dt).zip(&mut *db).zip(x).zip(t)
                    {
                        [*dx, *dt, *db] = f(*x, *t, *dx);
                    }
                },
            );
        });
}

/// Gradients of [`couple_value`]'s arguments, from `x`.
#[inline(always)]
pub(super) fn couple_backward(x: f32, t: f32, dy: f32) -> [f32; 3] {
    let t = tanh(t);
    let dx = dy * exp(t);
    [dx, dx * x * (1.0 - t * t), dy]
}

/// Gradients of [`uncouple_value`]'s arguments, from its result.
#[inline(always)]
pub(super) fn uncouple_backward(y: f32, t: f32, dy: f32) -> [f32; 3] {
    let t = tanh(t);
    let dx = dy * exp(-t);
    [dx, dy * y * (t * t - 1.0), -dx]
}

/// `e^x`, to 1e-7 of it; for `x` from -80 to 80. Only arithmetic, so that loops vectorise and every
/// machine gives the same bits.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// 1.5 * 2^23: adding it rounds to an integer, which the last bits of the sum then hold.
    const ROUND: f32 = 12_582_912.0;
    /// The logarithm of 2 in two parts; the first has few digits, so its multiples are exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    // Taylor's series: from -ln(2)/2 to ln(2)/2 the next term is below a tenth of a last digit.
    let series = [
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
        1.0,
        1.0,
    ];
    let mut power = 1.0 / 5040.0;
    for factor in series {
        power = power * r + factor;
    }
    f32::from_bits(power.to_bits().wrapping_add(rounded.to_bits() << 23))
}

/// Hyperbolic tangent, to 2e-7.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    // Beyond 10 it is 1 to the last digit. Written so that what is not a number stays it.
    let size = if x.abs() > 10.0 { 10.0 } else { x.abs() };
    let e = exp(-2.0 * size);
    ((1.0 - e) / (1.0 + e)).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::{exp, tanh};

    #[test]
    fn exponential_and_tangent_are_as_exact_as_single_precision() {
        for i in -40_000..=40_000 {
            let x = i as f32 / 2000.0;
            let right = f64::from(x).exp();
            assert!((f64::from(exp(x)) / right - 1.0).abs() < 2e-7, "exp({x})");
            let right = f64::from(x).tanh();
            assert!((f64::from(tanh(x)) - right).abs() < 2e-7, "tanh({x})");
        }
        for x in [1e3, 1e30, f32::INFINITY] {
            assert_eq!(tanh(x), 1.0);
            assert_eq!(tanh(-x), -1.0);
        }
        assert!(tanh(f32::NAN).is_nan());
    }
}
