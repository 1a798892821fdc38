//! The best models: regressions on the neighbourhood predict each coefficient's mean and scale, and
//! mixing turns them into the chance of each bit.

#[cfg(feature = "fit")]
pub(crate) mod fit;
pub(crate) mod grid;
mod local;
mod low_band;
mod mix;
mod model;
mod odds;
mod regression;
pub(crate) mod regressors;
mod tables;

use crate::bands::{Band, Orientation};
use crate::entropy::RangeCoder;
use crate::part::{Cut, Part};
use crate::quantise::Machine;
use crate::simd::with_simd;
use grid::{Grid, MAX_LOW_SEEN, MAX_SEEN};
pub(crate) use low_band::LowBand;
use model::Model;
use regressors::{Regressors, Sources};

/// The low bands that each part refines, one per plane: none for the whole-picture part, rows of
/// level 2 for the stripes.
pub(crate) fn low_bands(whole: &Part, cut: &Cut) -> Vec<Vec<LowBand>> {
    let coded = whole.shape().coded();
    let mut low_bands: Vec<LowBand> = Vec::new();
    for (i, band) in coded.iter().enumerate() {
        refine(&mut low_bands, whole, &coded, i, band);
    }
    let rows = |i: usize| {
        let rows = cut.rows(i);
        rows.start / 4..rows.end.div_ceil(4)
    };
    let stripe = |i: usize| low_bands.iter().map(|low| low.rows(rows(i))).collect();
    std::iter::once(Vec::new())
        .chain((0..cut.n_stripes()).map(stripe))
        .collect()
}

/// Starts or refines the low bands once band `i` of a part is coded.
fn refine(low_bands: &mut Vec<LowBand>, part: &Part, coded: &[Band], i: usize, band: &Band) {
    match band.orientation {
        Orientation::Ll => low_bands.extend(part.planes.iter().map(|p| LowBand::coarsest(p, band))),
        Orientation::Hh => {
            for (low, plane) in low_bands.iter_mut().zip(&part.planes) {
                *low = low.refined(plane, [&coded[i - 2], &coded[i - 1], band]);
            }
        }
        Orientation::Hl | Orientation::Lh => {}
    }
}

/// Codes all coefficients of a part: takes them from `part` when writing, puts them there when
/// reading. A stripe's level 3 is there already; `low` is what [`low_bands`] gives for it.
pub(crate) fn code_part(
    coder: &mut RangeCoder,
    machine: Machine,
    part: &mut Part,
    low: &[LowBand],
) {
    let mut model = Model::new(part.planes.len(), part.whole);
    code_with(&mut model, coder, machine, part, low);
}

/// A model that codes coefficients row by row.
pub(crate) trait RowModel {
    /// Starts a band of a plane.
    fn begin_band(&mut self, plane: usize, band: &Band);

    /// Codes row `y` of the band: takes multiples from `row` when writing, puts them there when
    /// reading.
    fn code_row(
        &mut self,
        coder: &mut RangeCoder,
        machine: Machine,
        state: &mut u32,
        regressors: &mut Regressors,
        grid: &mut Grid,
        y: usize,
        row: &mut [i32],
    );
}

/// Codes all coefficients of a part with a model.
pub(crate) fn code_with(
    model: &mut impl RowModel,
    coder: &mut RangeCoder,
    machine: Machine,
    part: &mut Part,
    low: &[LowBand],
) {
    let shape = part.shape();
    let coded = shape.coded();
    let n_planes = part.planes.len();
    // The bands coded so far, which later ones look at. A stripe's level 3 is given.
    let mut grids: Vec<(Band, Vec<Grid>)> = Vec::new();
    if let Some(first) = coded.first().filter(|b| b.orientation != Orientation::Ll) {
        for band in coded.iter().filter(|b| b.level == first.level) {
            if let Some(parent) = shape.parent(band) {
                let planes = part.planes.iter().map(|p| Grid::of(p, &parent)).collect();
                grids.push((parent, planes));
            }
        }
    }
    let mut regressors = Regressors::default();
    let mut low_bands = low.to_vec();
    for (i, band) in coded.iter().enumerate() {
        let mut planes: Vec<Grid> = Vec::with_capacity(n_planes);
        for plane in 0..n_planes {
            let limit = if band.orientation == Orientation::Ll {
                MAX_LOW_SEEN
            } else {
                MAX_SEEN
            };
            let mut grid = Grid::new(band.width, band.height, limit);
            let mut state = 0;
            model.begin_band(plane, band);
            let low = low_bands.get(plane).map(|low| low.grid(band));
            let sources = Sources::new(band, plane, &grids, &planes, low);
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                let row = &mut part.planes[plane][band.row(y)..][..band.width];
                with_simd(
                    #[inline(always)]
                    || {
                        regressors.fill(&sources, &grid, y);
                        model.code_row(
                            coder,
                            machine,
                            &mut state,
                            &mut regressors,
                            &mut grid,
                            y,
                            row,
                        );
                    },
                );
            }
            planes.push(grid);
        }
        grids.push((*band, planes));
        refine(&mut low_bands, part, &coded, i, band);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantise::{index, multiple};

    /// Multiples that the state machine allows, some of them as large as possible.
    fn parts(width: usize, height: usize, n_planes: usize, extreme: bool) -> (Cut, Vec<Part>) {
        let cut = Cut::new(width, height);
        let mut noise = 3u32;
        let mut parts: Vec<Part> = cut
            .shapes()
            .map(|shape| Part::zeros(shape, n_planes))
            .collect();
        for i in 0..parts.len() {
            let (whole, stripes) = parts.split_at_mut(1);
            let part = if i == 0 {
                &mut whole[0]
            } else {
                &mut stripes[i - 1]
            };
            for band in part.shape().coded() {
                for plane in &mut part.planes {
                    let mut state = 0;
                    for y in 0..if band.width == 0 { 0 } else { band.height } {
                        for n in &mut plane[band.row(y)..][..band.width] {
                            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                            let large = extreme && noise.is_multiple_of(5);
                            let k = if large { (1 << 21) - 1 } else { noise >> 30 };
                            let odd = Machine::EIGHT.is_odd(state);
                            state = Machine::EIGHT.next(state, k);
                            let size = multiple(k, odd) as i32;
                            *n = if noise >> 9 & 1 == 0 { size } else { -size };
                            assert_eq!(index(*n, odd), k);
                        }
                    }
                }
            }
        }
        (cut, parts)
    }

    #[test]
    fn coefficients_come_back() {
        let sizes = [(1, 1), (2, 1), (1, 9), (5, 3), (33, 40), (70, 21)];
        for (extreme, (width, height)) in [false, true]
            .into_iter()
            .flat_map(|e| sizes.map(|s| (e, s)))
        {
            let (cut, parts) = parts(width, height, if width % 2 == 0 { 1 } else { 3 }, extreme);
            let low_bands = low_bands(&parts[0], &cut);
            for code in [code_part, crate::best_v1::code_part] {
                for (part, low) in parts.iter().zip(&low_bands) {
                    let mut coder = RangeCoder::writer();
                    code(&mut coder, Machine::EIGHT, &mut part.clone(), low);
                    let bytes = coder.finish();
                    let mut back = Part::zeros(part.shape(), part.planes.len());
                    let mut coder = RangeCoder::reader(&bytes);
                    code(&mut coder, Machine::EIGHT, &mut back, low);
                    assert!(back == *part, "{width}x{height} {extreme}");
                }
            }
        }
    }
}
