//! How pictures are cut into bands of rows for the direct convolution, and how a band lies in
//! scratch.

use crate::layout::{Run, gather};
use crate::pass::Pass;
use crate::simd::Simd;

use crate::gemm::VECS;

/// Bytes of the scratch for a band: half of a small level-2 cache.
const BAND_BYTES: usize = 192 << 10;

/// The cut. Rows and positions are those of the common grid.
#[derive(Clone, Copy)]
pub(crate) struct Bands {
    pub(crate) per_picture: usize,
    /// Rows of a picture.
    height: usize,
    /// Most rows of a band.
    rows: usize,
    /// From a row to the next in scratch.
    pub(crate) pitch: usize,
    /// Positions in a band that are computed: a multiple of what a register tile takes.
    pub(crate) line: usize,
    /// From a phase or channel to the next in scratch.
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
    /// For a pass with rows and columns.
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
        // The last position's last tap is inside. A cache line more than a whole number of them
        // keeps the channels of pictures with a power of two as width apart in the cache.
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

    /// Numbers of a band in scratch.
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

    /// Where what is summed for position 0 lies in scratch: for each channel, phase and tap.
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

    /// Copies what a band reads to `line[channel][phase][row][column]`.
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

    /// Copies a band of the result to `slopes[line][width]`, the channels last.
    #[inline(always)]
    pub(crate) fn interleave<S: Simd>(
        &self,
        simd: S,
        pass: &Pass,
        dy: &[f32],
        band: Band,
        slopes: &mut [f32],
        width: usize,
    ) {
        let to = pass.to;
        let area = to.height * to.width;
        let picture = &dy[band.picture * to.channels * area..][..to.channels * area];
        for row in 0..band.rows {
            let slopes = &mut slopes[row * self.pitch * width..][..self.pitch * width];
            let run = Run {
                start: (band.top + row) * to.width,
                count: to.width,
                plane: area,
                channels: to.channels,
            };
            gather(simd, picture, run, slopes, width);
            // Positions in vain.
            slopes[to.width * width..].fill(0.0);
        }
        slopes[band.rows * self.pitch * width..].fill(0.0);
    }
}

/// Copies `row[first + step * i]` to `to[i]`, zeros where that doesn't exist.
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
