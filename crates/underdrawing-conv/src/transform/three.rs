//! F(4x4, 3x3) at the points 0, +-1/sqrt(2), +-sqrt(2) and infinity:
//! `m(x) = x (x^2 - 1/2) (x^2 - 2)`.

use std::f32::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use super::{Transforms, Transposes, both_sides, by_both_sides};
use crate::simd::Simd;

/// For kernels of 3x3: 36 products.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Three;

/// `1 / m'(p)` at the points +-1/sqrt(2) and +-sqrt(2).
const SCALE_A: f32 = -2.0 / 3.0;
const SCALE_B: f32 = 1.0 / 6.0;

impl Transforms for Three {
    const TILE: usize = 4;
    const TAPS: usize = 3;

    /// Half of the columns at a time, because there are fewer than 36 registers.
    #[inline(always)]
    fn input<S: Simd>(
        simd: S,
        load: impl Fn(usize, usize) -> S::V,
        mut store: impl FnMut(usize, usize, S::V),
    ) {
        for part in 0..2 {
            let mut half = [[simd.zero(); 6]; 3];
            for row in 0..6 {
                let mut x = [simd.zero(); 6];
                for col in 0..6 {
                    x[col] = load(row, col);
                }
                let x = if part == 0 {
                    input_1d_start(simd, x)
                } else {
                    input_1d_end(simd, x)
                };
                for col in 0..3 {
                    half[col][row] = x[col];
                }
            }
            for col in 0..3 {
                let start = input_1d_start(simd, half[col]);
                let end = input_1d_end(simd, half[col]);
                for row in 0..3 {
                    store(row, 3 * part + col, start[row]);
                    store(row + 3, 3 * part + col, end[row]);
                }
            }
        }
    }

    by_both_sides! {
        output: output_1d,
        weight: weight_1d,
    }
}

impl Transposes for Three {
    by_both_sides! {
        output_transposed: output_transposed_1d,
        weight_transposed: weight_transposed_1d,
    }
}

/// -(1/2 + 2)
const OUTER: f32 = -2.5;

/// The first three rows of `input`: the points 0 and +-1/sqrt(2).
#[inline(always)]
fn input_1d_start<S: Simd>(s: S, x: [S::V; 6]) -> [S::V; 3] {
    let (even, odd) = (
        s.fma(s.splat(-2.0), x[2], x[4]),
        s.fma(s.splat(-2.0), x[1], x[3]),
    );
    [
        s.fma(s.splat(OUTER), x[2], s.add(x[0], x[4])),
        s.fma(s.splat(A), odd, even),
        s.fma(s.splat(-A), odd, even),
    ]
}

/// The last three rows of `input`: the points +-sqrt(2) and infinity.
#[inline(always)]
fn input_1d_end<S: Simd>(s: S, x: [S::V; 6]) -> [S::V; 3] {
    let (even, odd) = (
        s.fma(s.splat(-0.5), x[2], x[4]),
        s.fma(s.splat(-0.5), x[1], x[3]),
    );
    [
        s.fma(s.splat(B), odd, even),
        s.fma(s.splat(-B), odd, even),
        s.fma(s.splat(OUTER), x[3], s.add(x[1], x[5])),
    ]
}

#[inline(always)]
fn output_1d<S: Simd>(s: S, m: [S::V; 6]) -> [S::V; 4] {
    let (sum_a, sum_b) = (s.add(m[1], m[2]), s.add(m[3], m[4]));
    let (diff_a, diff_b) = (s.sub(m[1], m[2]), s.sub(m[3], m[4]));
    // At the two pairs of points, x^3 is x / 2 and 2 x.
    let (diff_a, diff_b) = (s.mul(s.splat(A), diff_a), s.mul(s.splat(B), diff_b));
    [
        s.add(m[0], s.add(sum_a, sum_b)),
        s.add(diff_a, diff_b),
        s.fma(s.splat(0.5), sum_a, s.add(sum_b, sum_b)),
        s.fma(s.splat(0.5), diff_a, s.fma(s.splat(2.0), diff_b, m[5])),
    ]
}

#[inline(always)]
fn output_transposed_1d<S: Simd>(s: S, y: [S::V; 4]) -> [S::V; 6] {
    let (half, two) = (s.splat(0.5), s.splat(2.0));
    let (even_a, odd_a) = (s.fma(half, y[2], y[0]), s.fma(half, y[3], y[1]));
    let (even_b, odd_b) = (s.fma(two, y[2], y[0]), s.fma(two, y[3], y[1]));
    [
        y[0],
        s.fma(s.splat(A), odd_a, even_a),
        s.fma(s.splat(-A), odd_a, even_a),
        s.fma(s.splat(B), odd_b, even_b),
        s.fma(s.splat(-B), odd_b, even_b),
        y[3],
    ]
}

#[inline(always)]
fn weight_1d<S: Simd>(s: S, w: [S::V; 3]) -> [S::V; 6] {
    let even_a = s.mul(s.splat(SCALE_A), s.fma(s.splat(0.5), w[2], w[0]));
    let even_b = s.mul(s.splat(SCALE_B), s.fma(s.splat(2.0), w[2], w[0]));
    [
        w[0],
        s.fma(s.splat(A * SCALE_A), w[1], even_a),
        s.fma(s.splat(-A * SCALE_A), w[1], even_a),
        s.fma(s.splat(B * SCALE_B), w[1], even_b),
        s.fma(s.splat(-B * SCALE_B), w[1], even_b),
        w[2],
    ]
}

#[inline(always)]
fn weight_transposed_1d<S: Simd>(s: S, u: [S::V; 6]) -> [S::V; 3] {
    let sum_a = s.mul(s.splat(SCALE_A), s.add(u[1], u[2]));
    let sum_b = s.mul(s.splat(SCALE_B), s.add(u[3], u[4]));
    let (diff_a, diff_b) = (s.sub(u[1], u[2]), s.sub(u[3], u[4]));
    [
        s.add(u[0], s.add(sum_a, sum_b)),
        s.fma(
            s.splat(A * SCALE_A),
            diff_a,
            s.mul(s.splat(B * SCALE_B), diff_b),
        ),
        s.fma(s.splat(0.5), sum_a, s.fma(s.splat(2.0), sum_b, u[5])),
    ]
}
