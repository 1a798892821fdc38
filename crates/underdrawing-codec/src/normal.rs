//! The normal models: the fast model's chance, mixed with those of counters that look at other
//! things, and signs guessed from those of the neighbours.

mod model;
mod surroundings;

use crate::entropy::{BitCoder, RangeCoder, Reading, Writing};
use crate::fast::context::{Around, MAX_MAGNITUDE, RowSums, class, weight, weights};
use crate::fast::outside_magnitudes;
use crate::part::Part;
use crate::quantise::{Machine, index, multiple};
use model::{Model, Situation};
use surroundings::Surroundings;

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
    let around = Around::of(&part.shape());
    let mut magnitudes = outside_magnitudes(part, &around);
    let mut model = Model::new();
    let (mut sums, mut surroundings) = (RowSums::new(), Surroundings::default());
    for around in &around {
        let band = &around.band;
        for plane in 0..part.planes.len() {
            let weights = weights(plane, band);
            let mut state = 0;
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                sums.fill(around, weights, &magnitudes, plane, y);
                surroundings.fill(around, part, &magnitudes, plane, y);
                let row = band.row(y)..band.row(y) + band.width;
                let mut coding = Row {
                    coder,
                    model: &mut model,
                    machine,
                    state: &mut state,
                    sums: &sums.sums,
                    near: [weights[weight::LEFT], weights[weight::LEFT_2]],
                    surroundings: &surroundings,
                };
                coding.code(
                    &mut part.planes[plane][row.clone()],
                    &mut magnitudes[plane][row],
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
    surroundings: &'a Surroundings,
}

impl<C: BitCoder> Row<'_, C> {
    #[inline(always)]
    fn code(&mut self, row: &mut [i32], magnitudes: &mut [i32]) {
        let (mut left, mut left_2, mut left_sign) = (0, 0, 0);
        for x in 0..row.len() {
            let class = class(self.sums[x] + self.near[0] * left + self.near[1] * left_2);
            let odd = self.machine.is_odd(*self.state);
            let situation = Situation {
                class,
                odd,
                band: self.surroundings.band,
                near: self.surroundings.near(x, left, left_2),
                elsewhere: self.surroundings.elsewhere(x),
            };
            let k = self.model.index(self.coder, &situation, index(row[x], odd));
            *self.state = self.machine.next(*self.state, k);
            let size = multiple(k, odd) as i32;
            row[x] = if k == 0 {
                0
            } else {
                let context = self.surroundings.signs(x, left_sign);
                if self.model.sign(self.coder, context, row[x] < 0) {
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
