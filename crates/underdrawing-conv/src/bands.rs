//! How the direct convolution divides pictures into bands of rows, and the layout of a band in
//! scratch.

use crate::layout::{Run, gather};
use crate::pass::Pass;
use crate::simd::Simd;

use crate::gemm::VECS;

/// Bytes of scratch for a band: half of a small level-2 cache.
const BAND_BYTES: usize = 192 << 10;

/// The division into bands. Rows and positions are those of the common grid.
#[derive(Clone, Copy)]
pub(crate) struct Bands {
    pub(crate) per_picture: usize,
    /// Rows of a picture.
    height: usize,
    /// Rows of the largest band.
    rows: usize,
    /// Distance between rows in scratch.
    pub(crate) pitch: usize,
    /// Positions of a band that are computed: a multiple of the width of a register tile.
    pub(crate) line: usize,
    /// Distance between phases or channels in scratch.
    plane: usize,
    planes: usize,
}

/// Rows `top .. top + rows` of a picture.
#[derive(Clone, Copy)]
pub(crate) struct Band {
    pub(crate) picture: usize,
    pub(crate) top: usize,
    pub(crate) rows: usize,
}

impl Bands {
    /// For a pass that is not empty.
    pub(crate) fn new<S: Simd>(pass: &Pass) -> Self {
        let border = pass.reach(0).div_ceil(pass.from.step);
        let pitch = pass.cols() + border;
        let planes = pass.from.channels * pass.from.step * pass.from.step;
        let height = pass.rows();
        let limit = (BAND_BYTES / (4 * pitch * planes.max(1)))
            .saturating_sub(border)
            .clamp(1, height);
        let per_picture = height.div_ceil(limit);
        let rows = height.div_ceil(per_picture);
        let line = (rows * pitch).next_multiple_of(VECS * S::LANES);
        // Room for the last tap of the last position. Rounding up to whole cache lines plus one
        // keeps the channels of pictures whose width is a power of two in different cache sets.
        let plane = (line + border * pitch + border).next_multiple_of(16) + 16;
        Self {
            per_picture,
            height,
            rows,
            pitch,
            line,
            plane,
            planes,
        }
    }

    /// Values per band in scratch.
    pub(crate) fn len(&self) -> usize {
        self.planes * self.plane
    }

    /// The band of an index below pictures times `per_picture`.
    pub(crate) fn get(&self, item: usize) -> Band {
        let (picture, part) = (item / self.per_picture, item % self.per_picture);
        let top = part * self.height / self.per_picture;
        let end = (part + 1) * self.height / self.per_picture;
        debug_assert!(end - top <= self.rows);
        Band {
            picture,
            top,
            rows: end - top,
        }
    }

    /// Where the inputs of position 0 are in scratch, for each channel, phase and tap.
    pub(crate) fn offsets(&self, pass: &Pass, to_phase: [usize; 2]) -> Vec<u32> {
        let [down, right] = to_phase.map(|phase| pass.delay(phase));
        let taps = pass.taps;
        (0..self.planes)
            .flat_map(|plane| {
                (0..taps * taps).map(move |tap| {
                    let (row, col) = (tap / taps + down, tap % taps + right);
                    (plane * self.plane + row * self.pitch + col) as u32
                })
            })
            .collect()
    }

    /// Copies the inputs of a band to `line[channel][phase][row][column]`.
    #[inline(always)]
    pub(crate) fn pad(&self, pass: &Pass, x: &[f32], band: Band, line: &mut [f32]) {
        let from = pass.from;
        let area = from.height * from.width;
        let phases = from.step * from.step;
        let inside = |position: isize, size: usize| {
            usize::try_from(position)
                .ok()
                .filter(|position| *position < size)
        };
        for (plane, line) in line.chunks_exact_mut(self.plane).enumerate() {
            let channel = band.picture * from.channels + plane / phases;
            let channel = &x[channel * area..][..area];
            let phase = plane % phases;
            let [down, right] = [phase / from.step, phase % from.step];
            let first_col = pass.start() + right as isize;
            for (row, to) in line.chunks_exact_mut(self.pitch).enumerate() {
                let row = ((band.top + row) * from.step + down) as isize + pass.start();
                match inside(row, from.height) {
                    Some(row) => {
                        let row = &channel[row * from.width..][..from.width];
                        copy_row(row, first_col, from.step, to);
                    }
                    None => to.fill(0.0),
                }
            }
            let rest = line.chunks_exact_mut(self.pitch).into_remainder();
            rest.fill(0.0);
        }
    }

    /// Copies a band of `dy` to `dy_line[position][width]`, channels last.
    #[inline(always)]
    pub(crate) fn interleave<S: Simd>(
        &self,
        simd: S,
        pass: &Pass,
        dy: &[f32],
        band: Band,
        dy_line: &mut [f32],
        width: usize,
    ) {
        let to = pass.to;
        let area = to.height * to.width;
        let picture = &dy[band.picture * to.channels * area..][..to.channels * area];
        for row in 0..band.rows {
            let dy_line = &mut dy_line[row * self.pitch * width..][..self.pitch * width];
            let run = Run {
                start: (band.top + row) * to.width,
                count: to.width,
                plane: area,
                channels: to.channels,
            };
            gather(simd, picture, run, dy_line, width);
            // Padding positions.
            dy_line[to.width * width..].fill(0.0);
        }
        dy_line[band.rows * self.pitch * width..].fill(0.0);
    }
}

/// Copies `row[first + step * i]` to `to[i]`, or zero where there is no such value.
#[inline(always)]
fn copy_row(row: &[f32], first: isize, step: usize, to: &mut [f32]) {
    let before = (-first).max(0) as usize;
    let before = before.div_ceil(step).min(to.len());
    let start = first.wrapping_add_unsigned(before * step) as usize;
    let count = row
        .len()
        .saturating_sub(start)
        .div_ceil(step)
        .min(to.len() - before);
    to[..before].fill(0.0);
    if step == 1 {
        to[before..before + count].copy_from_slice(&row[start..start + count]);
    } else {
        for (to, from) in to[before..]
            .iter_mut()
            .zip(row.iter().skip(start).step_by(step))
        {
            *to = *from;
        }
    }
    to[before + count..].fill(0.0);
}
