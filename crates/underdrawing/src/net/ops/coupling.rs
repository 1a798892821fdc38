//! One branch of a coupling scaled and shifted by the other.

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;
use underdrawing_conv::vectorised;

use super::flex::{contiguous, dims, floats, tensor, unshared};
use super::ours;

/// `x * exp(tanh(t)) + b`, where `update` `[n, 2c, h, w]` holds `t` and then `b`, and `x` is
/// `[n, c, h, w]`. So the logarithm of the scale is held within -1 and 1.
pub(crate) fn couple(x: Tensor<4>, update: Tensor<4>) -> Tensor<4> {
    if !ours(&x) {
        let (log_scale, shift) = log_scale_and_shift(update);
        return x * log_scale.exp() + shift;
    }
    Tensor::from_dispatch(<Dispatch as CouplingBackend>::couple(
        x.into_dispatch(),
        update.into_dispatch(),
    ))
}

/// Undoes [`couple`]: `(x - b) * exp(-tanh(t))`.
pub(crate) fn uncouple(x: Tensor<4>, update: Tensor<4>) -> Tensor<4> {
    if !ours(&x) {
        let (log_scale, shift) = log_scale_and_shift(update);
        return (x - shift) * log_scale.neg().exp();
    }
    Tensor::from_dispatch(<Dispatch as CouplingBackend>::uncouple(
        x.into_dispatch(),
        update.into_dispatch(),
    ))
}

fn log_scale_and_shift(update: Tensor<4>) -> (Tensor<4>, Tensor<4>) {
    let [_, c2, _, _] = update.dims();
    let log_scale = update.clone().narrow(1, 0, c2 / 2).tanh();
    (log_scale, update.narrow(1, c2 / 2, c2 / 2))
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait CouplingBackend: Backend {
    fn couple(x: FloatTensor<Self>, update: FloatTensor<Self>) -> FloatTensor<Self>;
    fn uncouple(x: FloatTensor<Self>, update: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl CouplingBackend for Flex {
    fn couple(x: FlexTensor, update: FlexTensor) -> FlexTensor {
        each(x, &contiguous(update), couple_value)
    }

    fn uncouple(x: FlexTensor, update: FlexTensor) -> FlexTensor {
        each(x, &contiguous(update), uncouple_value)
    }
}

#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> CouplingBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn couple(x: FloatTensor<Self>, update: FloatTensor<Self>) -> FloatTensor<Self> {
        super::record::record::<C, _, 2>(
            [x, update],
            |inputs| {
                let [x, update] = inputs.map(contiguous);
                let y = Flex::couple(x.clone(), update.clone());
                (y, (x, update))
            },
            |(x, update), dy, _| {
                slopes(
                    &x,
                    &update,
                    dy,
                    #[inline(always)]
                    |x, t, dy| {
                        let t = tanh(t);
                        let dx = dy * exp(t);
                        [dx, dx * x * (1.0 - t * t), dy]
                    },
                )
            },
        )
    }

    fn uncouple(x: FloatTensor<Self>, update: FloatTensor<Self>) -> FloatTensor<Self> {
        super::record::record::<C, _, 2>(
            [x, update],
            |inputs| {
                let [x, update] = inputs.map(contiguous);
                let y = Flex::uncouple(x, update.clone());
                (y.clone(), (y, update))
            },
            |(y, update), dy, _| {
                slopes(
                    &y,
                    &update,
                    dy,
                    #[inline(always)]
                    |y, t, dy| {
                        let t = tanh(t);
                        let dx = dy * exp(-t);
                        [dx, dy * y * (t * t - 1.0), -dx]
                    },
                )
            },
        )
    }
}

/// See [`couple`].
#[inline(always)]
pub(super) fn couple_value(x: f32, t: f32, b: f32) -> f32 {
    x * exp(tanh(t)) + b
}

/// See [`uncouple`].
#[inline(always)]
pub(super) fn uncouple_value(x: f32, t: f32, b: f32) -> f32 {
    (x - b) * exp(-tanh(t))
}

/// `f(x, t, b)` everywhere.
fn each(x: FlexTensor, update: &FlexTensor, f: impl Fn(f32, f32, f32) -> f32 + Sync) -> FlexTensor {
    let mut x = contiguous(x);
    let [n, c, h, w] = dims(&x);
    if unshared(&mut x).is_none() {
        x = tensor(floats(&x).to_vec(), [n, c, h, w]);
    }
    let update = Update::of(update);
    let values = unshared(&mut x).expect("nobody else holds a tensor made here");
    let planes = values.par_chunks_exact_mut(h * w).enumerate();
    planes.for_each(|(i, x)| {
        let (t, b) = update.planes(i);
        vectorised(
            #[inline(always)]
            || {
                for ((x, t), b) in x.iter_mut().zip(t).zip(b) {
                    *x = f(*x, *t, *b);
                }
            },
        );
    });
    x
}

/// Gradients of `x` and `update` from `f(x, t, dy)`, which gives those of `x`, `t` and `b`.
#[cfg(feature = "autodiff")]
fn slopes(
    x: &FlexTensor,
    update: &FlexTensor,
    dy: FlexTensor,
    f: impl Fn(f32, f32, f32) -> [f32; 3] + Sync,
) -> [Option<FlexTensor>; 2] {
    let mut dy = contiguous(dy);
    let [n, c, h, w] = dims(&dy);
    if unshared(&mut dy).is_none() {
        dy = tensor(floats(&dy).to_vec(), [n, c, h, w]);
    }
    let (x, update) = (floats(x), Update::of(update));
    let mut d_update = vec![0.0; 2 * x.len()];
    let dx = unshared(&mut dy).expect("nobody else holds a tensor made here");
    let pictures = dx.par_chunks_exact_mut(c * h * w).enumerate();
    pictures
        .zip(d_update.par_chunks_exact_mut(2 * c * h * w))
        .for_each(|((i, dx), d_update)| {
            let (dt, db) = d_update.split_at_mut(c * h * w);
            let x = &x[i * c * h * w..][..c * h * w];
            let (t, _) = update.picture(i);
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
    [Some(dy), Some(tensor(d_update, [n, 2 * c, h, w]))]
}

/// The two halves of an update.
struct Update<'a> {
    values: &'a [f32],
    /// Channels of each half.
    channels: usize,
    plane: usize,
}

impl<'a> Update<'a> {
    fn of(update: &'a FlexTensor) -> Self {
        let [_, c2, h, w] = dims(update);
        Self {
            values: floats(update),
            channels: c2 / 2,
            plane: h * w,
        }
    }

    /// Both halves of a picture.
    fn picture(&self, i: usize) -> (&'a [f32], &'a [f32]) {
        let half = self.channels * self.plane;
        self.values[2 * i * half..][..2 * half].split_at(half)
    }

    /// Both halves' planes for the plane `i` of the other branch.
    fn planes(&self, i: usize) -> (&'a [f32], &'a [f32]) {
        let (t, b) = self.picture(i / self.channels);
        let start = i % self.channels * self.plane;
        (&t[start..][..self.plane], &b[start..][..self.plane])
    }
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
