//! Pictures to quarters of their size and back: four values of each block of 2x2 pixels.

use rayon::prelude::*;

/// Half of the 4x4 Hadamard matrix times four numbers. It is its own inverse; applied to the
/// corners of a block it gives the mean and the horizontal, vertical and diagonal differences of
/// Haar's transform.
#[inline(always)]
pub(super) fn hadamard([a, b, c, d]: [f32; 4]) -> [f32; 4] {
    let (top_sum, top_difference) = (a + b, a - b);
    let (bottom_sum, bottom_difference) = (c + d, c - d);
    [
        0.5 * (top_sum + bottom_sum),
        0.5 * (top_difference + bottom_difference),
        0.5 * (top_sum - bottom_sum),
        0.5 * (top_difference - bottom_difference),
    ]
}

/// `x` `[n, c, 2h, 2w]` to bands `[n, 4c, h, w]`: band by band all channels. `f` makes the four values
/// of a block from its corners: top left, top right, bottom left, bottom right.
pub(super) fn split(
    x: &[f32],
    [n, c, height, width]: [usize; 4],
    bands: &mut [f32],
    f: impl Fn([f32; 4]) -> [f32; 4] + Sync,
) {
    let (h, w) = (height / 2, width / 2);
    if n * c * h * w == 0 {
        return;
    }
    // One job for each channel and strip of rows: all four bands of it.
    let strip = w * h.div_ceil(4);
    let jobs = bands.chunks_exact_mut(4 * c * h * w).flat_map(|picture| {
        let mut bands = picture.chunks_exact_mut(c * h * w);
        let bands = [(); 4].map(|()| bands.next().expect("four bands a picture"));
        let [s, x, y, d] = bands.map(|band| band.chunks_exact_mut(h * w));
        s.zip(x).zip(y).zip(d).map(|(((s, x), y), d)| [s, x, y, d])
    });
    let jobs = jobs.zip(x.chunks_exact(height * width));
    let jobs: Vec<_> = jobs
        .flat_map(|(bands, x)| {
            let [s, h, v, d] = bands.map(|band| band.chunks_mut(strip));
            let bands = s.zip(h).zip(v).zip(d).map(|(((s, h), v), d)| [s, h, v, d]);
            bands.zip(x.chunks(4 * strip))
        })
        .collect();
    jobs.into_par_iter()
        .for_each(|(bands, x)| split_rows(bands, x, w, &f));
}

/// Rows of a channel, two by two, to rows of its four bands, each `w` wide.
fn split_rows(
    [s, h, v, d]: [&mut [f32]; 4],
    x: &[f32],
    w: usize,
    f: &impl Fn([f32; 4]) -> [f32; 4],
) {
    let bands = s.chunks_exact_mut(w).zip(h.chunks_exact_mut(w));
    let bands = bands.zip(v.chunks_exact_mut(w).zip(d.chunks_exact_mut(w)));
    for (((s, h), (v, d)), rows) in bands.zip(x.chunks_exact(4 * w)) {
        let (top, bottom) = rows.split_at(2 * w);
        let (top, bottom) = (top.as_chunks::<2>().0, bottom.as_chunks::<2>().0);
        for i in 0..w {
            let corners = [top[i][0], top[i][1], bottom[i][0], bottom[i][1]];
            [s[i], h[i], v[i], d[i]] = f(corners);
        }
    }
}

/// Undoes [`split`]: `bands` `[n, 4c, h, w]` to `x` `[n, c, 2h, 2w]`; `f` makes a block's corners.
pub(super) fn join(
    bands: &[f32],
    [_, c4, h, w]: [usize; 4],
    x: &mut [f32],
    f: impl Fn([f32; 4]) -> [f32; 4] + Sync,
) {
    let c = c4 / 4;
    if x.is_empty() {
        return;
    }
    let pairs = x.par_chunks_exact_mut(4 * w).enumerate();
    pairs.for_each(|(i, rows)| {
        let (picture, channel, row) = (i / (c * h), i / h % c, i % h);
        let band = |b: usize| &bands[((picture * c4 + b * c + channel) * h + row) * w..][..w];
        let [s, h, v, d] = [band(0), band(1), band(2), band(3)];
        let (top, bottom) = rows.split_at_mut(2 * w);
        let (top, bottom) = (top.as_chunks_mut::<2>().0, bottom.as_chunks_mut::<2>().0);
        for i in 0..w {
            let corners = f([s[i], h[i], v[i], d[i]]);
            (top[i], bottom[i]) = ([corners[0], corners[1]], [corners[2], corners[3]]);
        }
    });
}
