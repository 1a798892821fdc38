//! The low band of each level, reconstructed from what is decoded: the picture that the level's
//! details refine.
//!
//! It is reconstructed as if the step were one grey level, so that nothing depends on the step.

use super::grid::{Grid, MAX_SEEN};
use super::regressors::BITS;
use crate::bands::Band;
use crate::step;
use crate::wavelet::lift::{INVERSE, inverse_line, step_lines};

/// The step that values are relative to, in 1/1024 grey levels.
const NOMINAL: u32 = 1024;

/// A low band of one plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LowBand {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Coefficients with 6 fraction bits.
    pub(super) values: Vec<i32>,
}

impl LowBand {
    /// The coarsest low band, LL, which is itself coded.
    pub(super) fn coarsest(plane: &[i32], band: &Band) -> Self {
        let mut values = Vec::with_capacity(band.len());
        for y in 0..if band.width == 0 { 0 } else { band.height } {
            append(&mut values, plane, band, y);
        }
        Self {
            width: band.width,
            height: band.height,
            values,
        }
    }

    /// The rows `range` of it.
    pub(super) fn rows(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            width: self.width,
            height: range.len(),
            values: self.values[range.start * self.width..range.end * self.width].to_vec(),
        }
    }

    /// One level finer, with the bands HL, LH and HH of `plane`.
    pub(super) fn refined(&self, plane: &[i32], [hl, lh, hh]: [&Band; 3]) -> Self {
        let (width, height) = (self.width + hl.width, self.height + lh.height);
        // Rows first: two bands side by side make a line.
        let (mut line, mut halves) = (vec![0; width], Vec::with_capacity(width));
        let mut even = Vec::with_capacity(self.height * width);
        let mut odd = Vec::with_capacity(lh.height * width);
        for i in 0..height {
            let y = i / 2;
            halves.clear();
            let rows = if i.is_multiple_of(2) {
                halves.extend_from_slice(&self.values[y * self.width..][..self.width]);
                append(&mut halves, plane, hl, y);
                &mut even
            } else {
                append(&mut halves, plane, lh, y);
                append(&mut halves, plane, hh, y);
                &mut odd
            };
            inverse_line(&mut halves, &mut line);
            rows.extend_from_slice(&line);
        }
        columns(&mut even, &mut odd, width);
        let mut values = Vec::with_capacity(width * height);
        let mut odd = odd.chunks_exact(width);
        for even in even.chunks_exact(width) {
            values.extend_from_slice(even);
            values.extend_from_slice(odd.next().unwrap_or(&[]));
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// Its values in units of a detail band's step, with 4 fraction bits; margins repeat the edges.
    pub(super) fn grid(&self, band: &Band) -> Grid {
        let size = i64::from(step::of_band(NOMINAL, band)).max(1);
        let factor = (1i64 << (16 + 8 + BITS)) / size;
        let limit = i64::from(MAX_SEEN) << (BITS + 5);
        Grid::repeated(self.width, self.height, &|x, y| {
            let value = i64::from(self.values[y * self.width + x]);
            ((value * factor) >> 16).clamp(-limit, limit) as i32
        })
    }
}

/// Appends row `y` of a band, with its multiples of the step turned into coefficients.
fn append(out: &mut Vec<i32>, plane: &[i32], band: &Band, y: usize) {
    if band.width == 0 {
        return;
    }
    let start = out.len();
    out.extend_from_slice(&plane[band.row(y)..][..band.width]);
    step::reconstruct(step::of_band(NOMINAL, band), &mut out[start..]);
}

/// The inverse transform of columns, mirrored at both ends.
fn columns(even: &mut [i32], odd: &mut [i32], width: usize) {
    if odd.is_empty() || width == 0 {
        return;
    }
    let (n_even, n_odd) = (even.len() / width, odd.len() / width);
    for step in INVERSE {
        if step.on_odd() {
            for y in 0..n_odd {
                let below = (y + 1).min(n_even - 1);
                let (above, below) = (&even[y * width..][..width], &even[below * width..][..width]);
                step_lines::<true>(step, &mut odd[y * width..][..width], above, below);
            }
        } else {
            for y in 0..n_even {
                let (above, below) = (y.saturating_sub(1), y.min(n_odd - 1));
                let (above, below) = (
                    &odd[above * width..][..width],
                    &odd[below * width..][..width],
                );
                step_lines::<true>(step, &mut even[y * width..][..width], above, below);
            }
        }
    }
}
