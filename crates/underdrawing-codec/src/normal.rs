//! The normal models: the fast model's counters mixed with counters in other contexts, and signs
//! predicted from those of the neighbours.

mod model;
mod row_contexts;

use crate::entropy::{BitCoder, RangeCoder, Reading, Writing};
use crate::fast::context::{BandContext, MAX_MAGNITUDE, RowSums, class, weight, weights};
use crate::fast::outside_magnitudes;
use crate::part::Part;
use crate::quantise::{Machine, index, multiple};
use crate::simd::with_simd;
use model::{Context, Model};
use row_contexts::RowContexts;

/// Codes all coefficients of a part: takes them from `part` when writing, puts them there when
/// reading. A stripe's level 3 is there already.
pub(crate) fn code_part(coder: &mut RangeCoder, machine: Machine, part: &mut Part) {
    if coder.reads() {
        code_with(&mut Reading(coder), machine, part);
    } else {
        code_with(&mut Writing(coder), machine, part);
    }
}

fn code_with<C: BitCoder>(coder: &mut C, machine: Machine, part: &mut Part) {
    let contexts = BandContext::of(&part.shape());
    let mut magnitudes = outside_magnitudes(part, &contexts);
    let mut model = Model::new();
    let (mut sums, mut row_contexts) = (RowSums::new(), RowContexts::default());
    for context in &contexts {
        let band = &context.band;
        for plane in 0..part.planes.len() {
            let weights = weights(plane, band);
            let mut state = 0;
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                sums.fill(context, weights, &magnitudes, plane, y);
                row_contexts.fill(context, part, &magnitudes, plane, y);
                let row = band.row(y)..band.row(y) + band.width;
                let mut coding = Row {
                    coder,
                    model: &mut model,
                    machine,
                    state: &mut state,
                    sums: &sums.sums,
                    near: [weights[weight::LEFT], weights[weight::LEFT_2]],
                    row_contexts: &row_contexts,
                };
                let multiples = &mut part.planes[plane][row.clone()];
                let magnitudes = &mut magnitudes[plane][row];
                // For the mixer, whose products of 32 bits the oldest x86-64 lacks.
                with_simd(
                    #[inline(always)]
                    || coding.code(multiples, magnitudes),
                );
            }
        }
    }
}

/// What coding a row needs.
struct Row<'a, C> {
    coder: &'a mut C,
    model: &'a mut Model,
    machine: Machine,
    state: &'a mut u32,
    sums: &'a [i32],
    /// Weights of the two coefficients to the left.
    near: [i32; 2],
    row_contexts: &'a RowContexts,
}

impl<C: BitCoder> Row<'_, C> {
    #[inline(always)]
    fn code(&mut self, row: &mut [i32], magnitudes: &mut [i32]) {
        let (mut left, mut left_2, mut left_sign) = (0, 0, 0);
        for x in 0..row.len() {
            let class = class(self.sums[x] + self.near[0] * left + self.near[1] * left_2);
            let odd = self.machine.is_odd(*self.state);
            let context = Context {
                class,
                odd,
                band: self.row_contexts.band,
                near: self.row_contexts.near(x, left, left_2),
                elsewhere: self.row_contexts.elsewhere(x),
            };
            let k = self.model.index(self.coder, &context, index(row[x], odd));
            *self.state = self.machine.next(*self.state, k);
            let size = multiple(k, odd) as i32;
            row[x] = if k == 0 {
                0
            } else {
                let signs = self.row_contexts.signs(x, left_sign);
                if self.model.sign(self.coder, signs, row[x] < 0) {
                    -size
                } else {
                    size
                }
            };
            magnitudes[x] = size.min(MAX_MAGNITUDE);
            (left_2, left, left_sign) = (left, magnitudes[x], row[x].signum());
        }
    }
}
