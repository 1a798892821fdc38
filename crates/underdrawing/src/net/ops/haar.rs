//! Orthonormal two-dimensional Haar transform of pictures (one level).

use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, backend_extension};
use burn::prelude::*;
use rayon::prelude::*;

use super::flex::{contiguous, dims, floats, tensor};
use super::ours;

/// `[n, c, h, w]` with even sides to `[n, 4c, h/2, w/2]`: all channels of the mean band, then of
/// the horizontal, vertical and diagonal differences. Keeps the sum of squares.
pub(crate) fn haar(x: Tensor<4>) -> Tensor<4> {
    if !ours(&x) {
        let [n, c, h, w] = x.dims();
        let corners = x
            .reshape([n, c, h / 2, 2, w / 2, 2])
            .permute([0, 3, 5, 1, 2, 4]) // [n, 2, 2, c, h/2, w/2]
            .reshape([n, 4 * c, h / 2, w / 2]);
        return butterfly(corners, c);
    }
    Tensor::from_dispatch(<Dispatch as HaarBackend>::haar(x.into_dispatch()))
}

/// Undoes [`haar`].
pub(crate) fn inverse_haar(bands: Tensor<4>) -> Tensor<4> {
    if !ours(&bands) {
        let [n, c4, h, w] = bands.dims();
        let c = c4 / 4;
        return butterfly(bands, c)
            .reshape([n, 2, 2, c, h, w])
            .permute([0, 3, 4, 1, 5, 2]) // [n, c, h, 2, w, 2]
            .reshape([n, c, 2 * h, 2 * w]);
    }
    Tensor::from_dispatch(<Dispatch as HaarBackend>::inverse_haar(
        bands.into_dispatch(),
    ))
}

/// Pixels of the corners of 2x2 blocks, `[n, 4c, h, w]` (top left, top right, bottom left, bottom
/// right, all channels each), put where they belong: `[n, c, 2h, 2w]`.
pub(crate) fn from_corners(corners: Tensor<4>) -> Tensor<4> {
    let c = corners.dims()[1] / 4;
    inverse_haar(butterfly(corners, c))
}

/// The 4x4 Hadamard matrix over 2 across groups of `c` channels; it is its own inverse.
fn butterfly(x: Tensor<4>, c: usize) -> Tensor<4> {
    let part = |i: usize| x.clone().narrow(1, i * c, c);
    let (top_sum, top_difference) = (part(0) + part(1), part(0) - part(1));
    let (bottom_sum, bottom_difference) = (part(2) + part(3), part(2) - part(3));
    Tensor::cat(
        vec![
            top_sum.clone() + bottom_sum.clone(),
            top_difference.clone() + bottom_difference.clone(),
            top_sum - bottom_sum,
            top_difference - bottom_difference,
        ],
        1,
    ) * 0.5
}

#[backend_extension(Flex, Autodiff: cfg(feature = "autodiff"))]
pub(crate) trait HaarBackend: Backend {
    fn haar(x: FloatTensor<Self>) -> FloatTensor<Self>;
    fn inverse_haar(bands: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl HaarBackend for Flex {
    fn haar(x: FlexTensor) -> FlexTensor {
        forward(x)
    }

    fn inverse_haar(bands: FlexTensor) -> FlexTensor {
        inverse(bands)
    }
}

// The transform is orthogonal, so the gradient of each direction is the other one.
#[cfg(feature = "autodiff")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> HaarBackend
    for burn::backend::Autodiff<Flex, C>
{
    fn haar(x: FloatTensor<Self>) -> FloatTensor<Self> {
        super::record::record::<C, _, 1>(
            [x],
            |[x]| (forward(x), ()),
            |(), dy, _| [Some(inverse(dy))],
        )
    }

    fn inverse_haar(bands: FloatTensor<Self>) -> FloatTensor<Self> {
        super::record::record::<C, _, 1>(
            [bands],
            |[bands]| (inverse(bands), ()),
            |(), dy, _| [Some(forward(dy))],
        )
    }
}

/// Half of the 4x4 Hadamard matrix times four numbers.
#[inline(always)]
fn hadamard([a, b, c, d]: [f32; 4]) -> [f32; 4] {
    let (top_sum, top_difference) = (a + b, a - b);
    let (bottom_sum, bottom_difference) = (c + d, c - d);
    [
        0.5 * (top_sum + bottom_sum),
        0.5 * (top_difference + bottom_difference),
        0.5 * (top_sum - bottom_sum),
        0.5 * (top_difference - bottom_difference),
    ]
}

fn forward(x: FlexTensor) -> FlexTensor {
    let x = contiguous(x);
    let [n, c, height, width] = dims(&x);
    let (h, w) = (height / 2, width / 2);
    let mut y = vec![0.0; n * 4 * c * h * w];
    if !y.is_empty() {
        // One job for each channel and strip of rows: all four bands of it.
        let strip = w * h.div_ceil(4);
        let jobs = y.chunks_exact_mut(4 * c * h * w).flat_map(|picture| {
            let mut bands = picture.chunks_exact_mut(c * h * w);
            let bands = [(); 4].map(|()| bands.next().expect("four bands a picture"));
            let [s, x, y, d] = bands.map(|band| band.chunks_exact_mut(h * w));
            s.zip(x).zip(y).zip(d).map(|(((s, x), y), d)| [s, x, y, d])
        });
        let jobs = jobs.zip(floats(&x).chunks_exact(height * width));
        let jobs: Vec<_> = jobs
            .flat_map(|(bands, x)| {
                let [s, h, v, d] = bands.map(|band| band.chunks_mut(strip));
                let bands = s.zip(h).zip(v).zip(d).map(|(((s, h), v), d)| [s, h, v, d]);
                bands.zip(x.chunks(4 * strip))
            })
            .collect();
        jobs.into_par_iter()
            .for_each(|(bands, x)| split(bands, x, w));
    }
    tensor(y, [n, 4 * c, h, w])
}

/// Rows of a channel, two by two, to rows of its four bands, each `w` wide.
fn split([s, h, v, d]: [&mut [f32]; 4], x: &[f32], w: usize) {
    let bands = s.chunks_exact_mut(w).zip(h.chunks_exact_mut(w));
    let bands = bands.zip(v.chunks_exact_mut(w).zip(d.chunks_exact_mut(w)));
    for (((s, h), (v, d)), rows) in bands.zip(x.chunks_exact(4 * w)) {
        let (top, bottom) = rows.split_at(2 * w);
        let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
        for i in 0..w {
            let corners = [top[i][0], top[i][1], bottom[i][0], bottom[i][1]];
            [s[i], h[i], v[i], d[i]] = hadamard(corners);
        }
    }
}

fn inverse(bands: FlexTensor) -> FlexTensor {
    let bands = contiguous(bands);
    let [n, c4, h, w] = dims(&bands);
    let c = c4 / 4;
    let mut x = vec![0.0; n * c4 * h * w];
    if !x.is_empty() {
        let bands = floats(&bands);
        let pairs = x.par_chunks_exact_mut(4 * w).enumerate();
        pairs.for_each(|(i, rows)| {
            let (picture, channel, row) = (i / (c * h), i / h % c, i % h);
            let band = |b: usize| &bands[((picture * c4 + b * c + channel) * h + row) * w..][..w];
            let [s, h, v, d] = [band(0), band(1), band(2), band(3)];
            let (top, bottom) = rows.split_at_mut(2 * w);
            let (top, bottom) = (top.as_chunks_mut::<2>().0, bottom.as_chunks_mut::<2>().0);
            for i in 0..w {
                let corners = hadamard([s[i], h[i], v[i], d[i]]);
                (top[i], bottom[i]) = ([corners[0], corners[1]], [corners[2], corners[3]]);
            }
        });
    }
    tensor(x, [n, c, 2 * h, 2 * w])
}
