//! From a picture to its parts of coefficients, and back.

use crate::Picture;
use crate::bands::LEVELS;
use crate::colour::{ColourBasis, forward_grey, inverse_grey};
use crate::parallel;
use crate::part::{Cut, Part};
use crate::simd::with_simd;
use crate::step;
use crate::wavelet;

/// The basis fitted to a picture; none if it is grey, with one channel or with three.
pub(crate) fn colour_of(picture: &Picture) -> Option<ColourBasis> {
    let grey = picture.channels() == 1
        || picture
            .samples()
            .chunks_exact(3)
            .all(|p| p[0] == p[1] && p[1] == p[2]);
    (!grey).then(|| ColourBasis::of(picture))
}

/// Transforms a picture to coefficients with 6 fraction bits, the whole-picture part first.
pub(crate) fn transform(picture: &Picture, colour: Option<&ColourBasis>, cut: &Cut) -> Vec<Part> {
    let (width, channels) = (picture.width(), picture.channels());
    let stride = channels * width;
    let n_planes = if colour.is_some() { 3 } else { 1 };
    let planes = parallel::map(0..n_planes, |p| {
        let fill = |y: usize, row: &mut [i32]| {
            let samples = &picture.samples()[y * stride..][..stride];
            with_simd(
                #[inline(always)]
                || match colour {
                    Some(colour) => colour.forward_row(p, samples, row),
                    None => forward_grey(samples, channels, row),
                },
            );
        };
        let plane = wavelet::forward(width, picture.height(), LEVELS, &fill);
        cut.split(&plane)
    });
    let mut parts: Vec<Part> = std::iter::once(cut.whole())
        .chain((0..cut.n_stripes()).map(|i| cut.stripe(i)))
        .map(|shape| Part {
            width: shape.width,
            height: shape.height,
            whole: shape.whole,
            planes: Vec::new(),
        })
        .collect();
    for plane in planes {
        for (part, plane) in parts.iter_mut().zip(plane) {
            part.planes.push(plane);
        }
    }
    parts
}

/// Turns multiples of the step into coefficients, in planes as large as the picture.
fn dequantised(parts: &[Part], cut: &Cut, step: u32) -> Vec<Vec<i32>> {
    parallel::map(0..parts[0].planes.len(), |p| {
        let stripes: Vec<&[i32]> = parts[1..].iter().map(|s| s.planes[p].as_slice()).collect();
        cut.join(&parts[0].planes[p], &stripes, &|band, from, to| {
            step::reconstruct(step::of_band(step, band), from, to);
        })
    })
}

/// Computes rows of samples from rows of planes.
fn finish_rows(
    planes: &[Vec<i32>],
    colour: Option<&ColourBasis>,
    width: usize,
    channels: usize,
    out: &mut [u8],
) {
    for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
        let row = |p: usize| &planes[p][y * width..][..width];
        match colour {
            Some(colour) => colour.inverse_row([row(0), row(1), row(2)], out),
            None => inverse_grey(row(0), channels, out),
        }
    }
}

/// The samples that multiples of the step decode to.
pub(crate) fn samples(
    parts: &[Part],
    cut: &Cut,
    (width, height, channels): (usize, usize, usize),
    colour: Option<&ColourBasis>,
    step: u32,
) -> Vec<u8> {
    let planes = dequantised(parts, cut, step);
    let mut samples = vec![0; width * height * channels];
    wavelet::inverse(
        (width, height),
        LEVELS,
        &planes,
        &mut samples,
        width * channels,
        &|_, rows, out| finish_rows(rows, colour, width, channels, out),
    );
    samples
}

/// Mean squared error of the samples that multiples of the step decode to, in squared grey levels.
pub(crate) fn mean_squared_error(
    picture: &Picture,
    parts: &[Part],
    cut: &Cut,
    colour: Option<&ColourBasis>,
    step: u32,
) -> f64 {
    let (width, height, channels) = (picture.width(), picture.height(), picture.channels());
    let stride = width * channels;
    let planes = dequantised(parts, cut, step);
    let sums = wavelet::inverse(
        (width, height),
        LEVELS,
        &planes,
        &mut vec![(); height],
        1,
        &|first, rows, out: &mut [()]| {
            let mut decoded = vec![0; out.len() * stride];
            finish_rows(rows, colour, width, channels, &mut decoded);
            let original = &picture.samples()[first * stride..][..decoded.len()];
            squared_error(original, &decoded)
        },
    );
    sums.iter().sum::<u64>() as f64 / picture.samples().len() as f64
}

/// Sum of squared differences.
fn squared_error(a: &[u8], b: &[u8]) -> u64 {
    a.chunks(1024)
        .zip(b.chunks(1024))
        .map(|(a, b)| {
            let squares = a.iter().zip(b).map(|(&a, &b)| {
                let difference = i32::from(a) - i32::from(b);
                (difference * difference) as u32
            });
            u64::from(squares.sum::<u32>())
        })
        .sum()
}
