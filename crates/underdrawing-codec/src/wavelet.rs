//! The wavelet transform of planes of any size, in parallel. The result does not depend on the
//! number of threads.
//!
//! A transformed plane has the usual layout and the picture's size. The low band (LL) is at the top
//! left, horizontal detail (HL) to its right, vertical detail (LH) below it, and diagonal detail
//! (HH) at the bottom right. The low band is split again, level by level. Nothing has to hold a
//! large plane in this layout: the forward transform goes by rows of a level, and the inverse asks
//! for rows of bands.
//!
//! Work is cut into groups of row pairs. Each group is transformed in its own buffer, together with
//! two more pairs above and below, which is as far as the filters reach.

pub(crate) mod lift;

use crate::parallel;
use crate::simd::with_simd;
use lift::{FORWARD, INVERSE, LiftingStep, forward_line, inverse_line, step_lines};
use std::ops::Range;

/// Row pairs in a group. At common widths, a window of them fits in the caches.
const PAIRS: usize = 32;

/// Pairs that a group needs above and below itself.
const REACH: usize = 2;

/// Writes row `y` of a plane to be transformed.
pub(crate) type Fill<'a> = dyn Fn(usize, &mut [i32]) + Sync + 'a;

/// A group of row pairs (the core), with as many more around it as the filters reach.
struct Window {
    /// Pairs in the window.
    pairs: Range<usize>,
    /// Pairs of the group itself, which come out right.
    core: Range<usize>,
    width: usize,
    n_odd: usize,
    even: Vec<i32>,
    odd: Vec<i32>,
}

impl Window {
    fn new(width: usize, height: usize, core: Range<usize>) -> Self {
        let n_pairs = height.div_ceil(2);
        let pairs = core.start.saturating_sub(REACH)..(core.end + REACH).min(n_pairs);
        let n_odd = pairs.end.min(height / 2).saturating_sub(pairs.start);
        Self {
            width,
            n_odd,
            even: vec![0; pairs.len() * width],
            odd: vec![0; n_odd * width],
            pairs,
            core,
        }
    }

    /// Row `i` of the window.
    #[inline(always)]
    fn row(&mut self, i: usize) -> &mut [i32] {
        let half = if i.is_multiple_of(2) {
            &mut self.even
        } else {
            &mut self.odd
        };
        &mut half[i / 2 * self.width..][..self.width]
    }

    /// One lifting step on all rows, mirrored at the window's ends.
    #[inline(always)]
    fn step_rows<const SUBTRACT: bool>(&mut self, step: LiftingStep) {
        let w = self.width;
        if self.n_odd == 0 {
            return;
        }
        if step.on_odd() {
            for (i, target) in self.odd.chunks_exact_mut(w).enumerate() {
                let before = &self.even[i * w..][..w];
                let after = self.even[i * w..].get(w..2 * w).unwrap_or(before);
                step_lines::<SUBTRACT>(step, target, before, after);
            }
        } else {
            for (i, target) in self.even.chunks_exact_mut(w).enumerate() {
                let (above, below) = (i.saturating_sub(1), i.min(self.n_odd - 1));
                let before = &self.odd[above * w..][..w];
                step_lines::<SUBTRACT>(step, target, before, &self.odd[below * w..][..w]);
            }
        }
    }

    /// Transforms the window; `fill` writes row `y` of the input.
    fn forward(&mut self, fill: &Fill) {
        let mut line = vec![0; self.width];
        with_simd(
            #[inline(always)]
            || {
                for i in 0..self.pairs.len() + self.n_odd {
                    fill(2 * self.pairs.start + i, &mut line);
                    forward_line(&line, self.row(i));
                }
                for step in FORWARD {
                    self.step_rows::<false>(step);
                }
            },
        );
    }

    /// The inverse, from rows of the low bands in `even` and of the high bands in `odd`. Writes the
    /// rows of the core to `out`.
    fn inverse(&mut self, out: &mut [i32]) {
        let first = 2 * (self.core.start - self.pairs.start);
        with_simd(
            #[inline(always)]
            || {
                for step in INVERSE {
                    self.step_rows::<true>(step);
                }
                for (i, row) in (first..).zip(out.chunks_exact_mut(self.width)) {
                    inverse_line(self.row(i), row);
                }
            },
        );
    }
}

/// Cuts rows of `stride` samples into `n` groups of `PAIRS`. Where the rows run out, the last
/// groups are empty.
fn groups<T>(mut rows: &mut [T], stride: usize, n: usize) -> Vec<&mut [T]> {
    (0..n)
        .map(|_| {
            let length = (PAIRS * stride).min(rows.len());
            let (group, rest) = std::mem::take(&mut rows).split_at_mut(length);
            rows = rest;
            group
        })
        .collect()
}

/// Transforms one level, or some row pairs of it: takes rows of `fill` by their numbers, and writes
/// these pairs' rows of the low band to `low`, those of the three others to their places in
/// `plane`, whose rows are `stride` apart.
pub(crate) fn forward_level(
    (width, height): (usize, usize),
    pairs: Range<usize>,
    fill: &Fill,
    low: &mut [i32],
    plane: &mut [i32],
    stride: usize,
) {
    let w2 = width.div_ceil(2);
    let n = pairs.len().div_ceil(PAIRS);
    let n_odd = pairs.end.min(height / 2) - pairs.start;
    let (top, bottom) = plane.split_at_mut(pairs.len() * stride);
    let bottom = &mut bottom[..n_odd * stride];
    let outputs = groups(low, w2, n)
        .into_iter()
        .zip(groups(top, stride, n))
        .zip(groups(bottom, stride, n));
    parallel::map(outputs.enumerate(), |(i, ((low, top), bottom))| {
        let start = pairs.start + i * PAIRS;
        let core = start..(start + PAIRS).min(pairs.end);
        let mut window = Window::new(width, height, core);
        window.forward(fill);
        let skip = (window.core.start - window.pairs.start) * width;
        let even = window.even[skip..].chunks_exact(width);
        for ((row, low), top) in even
            .zip(low.chunks_exact_mut(w2))
            .zip(top.chunks_exact_mut(stride))
        {
            low.copy_from_slice(&row[..w2]);
            top[w2..width].copy_from_slice(&row[w2..]);
        }
        let odd = window.odd.get(skip..).unwrap_or(&[]).chunks_exact(width);
        for (row, bottom) in odd.zip(bottom.chunks_exact_mut(stride)) {
            bottom[..width].copy_from_slice(row);
        }
    });
}

/// Transforms a plane, whose rows `fill` writes, by `levels` levels. Returns it in the usual
/// layout.
pub(crate) fn forward(width: usize, height: usize, levels: u32, fill: &Fill) -> Vec<i32> {
    let mut plane = vec![0; width * height];
    let (mut w, mut h) = (width, height);
    let mut low: Vec<i32> = Vec::new();
    for level in 0..levels {
        let (w2, h2) = (w.div_ceil(2), h.div_ceil(2));
        let mut next = vec![0; w2 * h2];
        if level == 0 {
            forward_level((w, h), 0..h2, fill, &mut next, &mut plane, width);
        } else {
            let copy = |y: usize, row: &mut [i32]| row.copy_from_slice(&low[y * w..][..w]);
            forward_level((w, h), 0..h2, &copy, &mut next, &mut plane, width);
        }
        (w, h, low) = (w2, h2, next);
    }
    for (row, low) in plane.chunks_exact_mut(width).zip(low.chunks_exact(w)) {
        row[..w].copy_from_slice(low);
    }
    plane
}

/// Rows of a transformed plane's bands, by level: 1 is the finest.
pub(crate) trait Bands: Sync {
    /// Row `y` of the coarsest low band.
    fn low(&self, y: usize, row: &mut [i32]);
    /// Row `y` of HL.
    fn beside(&self, level: u32, y: usize, row: &mut [i32]);
    /// Row `y` of LH, and after it that of HH.
    fn below(&self, level: u32, y: usize, row: &mut [i32]);
}

/// Levels that are undone group by group, and not for the whole plane first.
const BY_GROUPS: usize = 2;

/// A plane whose coarse levels are undone.
struct Inverse<'b, B> {
    bands: &'b B,
    /// Sizes of what each level was made of, level 1 first.
    sizes: Vec<(usize, usize)>,
    /// Levels that are left.
    left: usize,
    /// The low band of the last of these.
    low: Vec<i32>,
}

impl<'b, B: Bands> Inverse<'b, B> {
    fn new((width, height): (usize, usize), levels: u32, bands: &'b B) -> Self {
        let half = |&(w, h): &(usize, usize)| Some((w.div_ceil(2), h.div_ceil(2)));
        let sizes: Vec<_> = std::iter::successors(Some((width, height)), half)
            .take(levels as usize + 1)
            .collect();
        let (w, h) = sizes[levels as usize];
        let mut low = vec![0; w * h];
        for (y, row) in low.chunks_exact_mut(w).enumerate() {
            bands.low(y, row);
        }
        let mut inverse = Self {
            bands,
            sizes,
            left: levels as usize,
            low,
        };
        while inverse.left > BY_GROUPS {
            let level = inverse.left - 1;
            let (w, h) = inverse.sizes[level];
            let mut out = vec![0; w * h];
            let groups = out.chunks_mut(2 * PAIRS * w).enumerate();
            parallel::map(groups, |(i, rows)| {
                inverse.undo(level, i * PAIRS..((i + 1) * PAIRS).min(h.div_ceil(2)), rows);
            });
            (inverse.left, inverse.low) = (level, out);
        }
        inverse
    }

    /// Undoes a level for some row pairs and writes their rows; 0 is the finest level.
    fn undo(&self, level: usize, core: Range<usize>, out: &mut [i32]) {
        let (width, height) = self.sizes[level];
        let w2 = width.div_ceil(2);
        let mut window = Window::new(width, height, core);
        let pairs = window.pairs.clone();
        let mut rows;
        let low = if level + 1 == self.left {
            &self.low[pairs.start * w2..]
        } else {
            // Rows of the low band, which begin with an even one.
            let coarse = pairs.start / 2..pairs.end.div_ceil(2);
            let n_rows = (2 * coarse.end).min(self.sizes[level + 1].1) - 2 * coarse.start;
            rows = vec![0; n_rows * w2];
            self.undo(level + 1, coarse, &mut rows);
            &rows[pairs.start % 2 * w2..]
        };
        let number = level as u32 + 1;
        let rows = window
            .even
            .chunks_exact_mut(width)
            .zip(low.chunks_exact(w2));
        for (y, (row, low)) in pairs.clone().zip(rows) {
            row[..w2].copy_from_slice(low);
            self.bands.beside(number, y, &mut row[w2..]);
        }
        for (y, row) in pairs.zip(window.odd.chunks_exact_mut(width)) {
            self.bands.below(number, y, row);
        }
        window.inverse(out);
    }
}

/// Transforms planes of equal size back, and passes them to `finish` by groups of rows, in
/// parallel: the number of the first row, the rows of each plane, and these rows of `outputs`.
///
/// Rows of `outputs` are `out_stride` long.
pub(crate) fn inverse<T: Send, R: Send>(
    (width, height): (usize, usize),
    levels: u32,
    planes: &[impl Bands],
    outputs: &mut [T],
    out_stride: usize,
    finish: &(impl Fn(usize, &[Vec<i32>], &mut [T]) -> R + Sync),
) -> Vec<R> {
    let planes = parallel::map(planes, |bands| Inverse::new((width, height), levels, bands));
    let groups = outputs.chunks_mut(2 * PAIRS * out_stride).enumerate();
    parallel::map(groups, |(i, out)| {
        let core = i * PAIRS..((i + 1) * PAIRS).min(height.div_ceil(2));
        let n_rows = (2 * core.end).min(height) - 2 * core.start;
        let rows: Vec<Vec<i32>> = planes
            .iter()
            .map(|plane| {
                let mut rows = vec![0; n_rows * width];
                plane.undo(0, core.clone(), &mut rows);
                rows
            })
            .collect();
        finish(2 * core.start, &rows, out)
    })
}

/// A plane in the usual layout.
#[cfg(test)]
pub(crate) struct Plane {
    pub(crate) size: (usize, usize),
    pub(crate) levels: u32,
    pub(crate) numbers: Vec<i32>,
}

#[cfg(test)]
impl Plane {
    fn copy(&self, (x, y): (usize, usize), row: &mut [i32]) {
        row.copy_from_slice(&self.numbers[y * self.size.0 + x..][..row.len()]);
    }
}

#[cfg(test)]
impl Bands for Plane {
    fn low(&self, y: usize, row: &mut [i32]) {
        assert_eq!(row.len(), self.size.0.div_ceil(1 << self.levels));
        self.copy((0, y), row);
    }

    fn beside(&self, level: u32, y: usize, row: &mut [i32]) {
        self.copy((self.size.0.div_ceil(1 << level), y), row);
    }

    fn below(&self, level: u32, y: usize, row: &mut [i32]) {
        self.copy((0, self.size.1.div_ceil(1 << level) + y), row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(n: usize) -> Vec<i32> {
        let mut state = 1u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 16) as i32 % 28_000 - 14_000
            })
            .collect()
    }

    fn there_and_back(width: usize, height: usize, levels: u32) {
        let input = noise(width * height);
        let plane = forward(width, height, levels, &|y, row| {
            row.copy_from_slice(&input[y * width..][..width]);
        });
        let plane = Plane {
            size: (width, height),
            levels,
            numbers: plane,
        };
        let mut output = vec![0i32; width * height];
        inverse(
            (width, height),
            levels,
            &[plane],
            &mut output,
            width,
            &|_, rows, out| out.copy_from_slice(&rows[0]),
        );
        assert!(output == input, "{width}x{height}");
    }

    #[test]
    fn planes_of_all_small_sizes_come_back() {
        for width in 1..=40 {
            for height in 1..=40 {
                there_and_back(width, height, 5);
            }
        }
    }

    #[test]
    fn planes_of_several_groups_come_back() {
        // Either side of a whole number of groups: rows 127 to 131.
        for height in [127, 128, 129, 130, 131, 700] {
            there_and_back(75, height, 5);
        }
    }

    #[test]
    fn groups_do_not_change_the_transform() {
        // In a tall plane of equal columns, each column becomes the transform of the column as a
        // line.
        let (width, height) = (3, 500);
        let input = noise(height);
        let plane = forward(width, height, 1, &|y, row| row.fill(input[y]));
        let mut halves = vec![0; height];
        forward_line(&input, &mut halves);
        let mut flat = vec![0; 3];
        for (y, &expected) in halves.iter().enumerate() {
            forward_line(&[expected; 3], &mut flat);
            // Rounding happens in another order.
            let diff = (plane[y * width] - flat[0]).abs();
            assert!(diff <= 8, "row {y}: {diff}");
        }
    }
}
