//! The model of coefficients: what it remembers, and how a row is coded.

use super::grid::{Grid, MARGIN, MAX_SEEN};
use super::known::{BITS, Known, LEFT, LEFT_2};
use super::scale::{CLASSES, MAX_SIZE, MIN_SIZE, Mean, SIZE_BITS, class, inverse};
use crate::bands::{Band, Orientation};
use crate::entropy::{
    BitCoder, Cells, Logistic, REGRESSORS, Rates, Regression, Situation, ValueCoder,
};
use crate::quantise::{MAX_MULTIPLE, Machine, index, multiple};

/// Guesses at each coefficient.
const GUESSES: usize = 5;

/// Cells of the quantiser of even multiples, in halves of its step.
const EVEN: Cells = Cells {
    first: 128,
    back: 128,
};

/// Cells of the quantiser of odd multiples and zero: -3 -1 0 1 3 steps.
const ODD: Cells = Cells {
    first: 64,
    back: 256,
};

fn rates() -> Rates {
    Rates {
        mixer: par(0, 6),
        limit: par(1, 250) as u8,
        shift: par(2, 5) as u32,
    }
}
use super::measure::par;

/// Observations that a regression remembers.
const MEMORY: i64 = 6000;

/// State of one part's model.
#[derive(Clone)]
pub(super) struct Model {
    coder: ValueCoder<GUESSES>,
    /// By plane and orientation.
    sizes: Vec<Regression>,
    values: Vec<Regression>,
    /// Ratio of the residual's magnitude to the expected size, by plane and class.
    ratios: Vec<Mean>,
    /// Residual's magnitude by class of the neighbours' residuals and of the expected size.
    locals: Vec<Mean>,
    /// Residuals of this row and the one above, 4 fraction bits, with margins.
    residuals: [Vec<i32>; 2],
    plane: usize,
    orientation: usize,
    band: usize,
}

impl Model {
    pub(super) fn new(n_planes: usize) -> Self {
        let mut sizes = [0; REGRESSORS];
        for (i, w) in [12, 4, 12, 6, 6, 4, 8, 4, 6, 4, 6, 4, 8, 4, 8, 1]
            .into_iter()
            .enumerate()
        {
            sizes[i] = w * 65536 / 100;
        }
        Self {
            coder: ValueCoder::new(
                [2 * CLASSES * 3, 2 * 36, 2 * 48 * 16, 2 * 7 * 32],
                [2 * CLASSES, 48],
                rates(),
            ),
            sizes: vec![Regression::new(sizes, 2000); 4 * n_planes],
            values: vec![Regression::new([0; REGRESSORS], 2000); 4 * n_planes],
            ratios: vec![Mean::new(1 << SIZE_BITS); CLASSES * n_planes],
            locals: (0..CLASSES * 32)
                .map(|i| Mean::new(((MIN_SIZE as f64) * 2f64.powf((i / 32) as f64 / 4.0)) as i32))
                .collect(),
            residuals: [Vec::new(), Vec::new()],
            plane: 0,
            orientation: 0,
            band: 0,
        }
    }

    pub(super) fn show(&self) {
        for i in [1, 2, 3, 5, 7] {
            eprintln!("== {i}");
            self.sizes[i].show();
            self.values[i].show();
        }
    }

    pub(super) fn doubt(&mut self) {
        self.coder.simple(par(10, 0) > 0, par(11, 0) > 0);
        self.coder.doubt(par(4, 20) as u8);
        let fresh = Model::new(3);
        if par(13, 0) & 1 > 0 { self.ratios = fresh.ratios; }
        if par(13, 0) & 2 > 0 { self.locals = fresh.locals; }
        for mean in self.ratios.iter_mut().chain(&mut self.locals) {
            mean.doubt(par(5, 20));
        }
        for r in self.sizes.iter_mut().chain(&mut self.values) {
            if par(6, 3000) > 0 {
                *r = Regression::from_start(&r.to_start());
                r.scale(par(6, 3000));
            }
        }
    }

    /// Starts a band of a plane.
    pub(super) fn begin_band(&mut self, plane: usize, band: &Band) {
        self.plane = plane;
        self.orientation = match band.orientation {
            Orientation::Ll => 0,
            Orientation::Hl => 1,
            Orientation::Lh => 2,
            Orientation::Hh => 3,
        };
        self.band = plane * 16
            + if band.orientation == Orientation::Ll {
                15
            } else {
                3 * (band.level as usize - 1) + self.orientation - 1
            };
        for row in &mut self.residuals {
            row.clear();
            row.resize(band.width + 2 * MARGIN, 0);
        }
    }

    #[inline(always)]
    pub(super) fn code_row<C: BitCoder>(
        &mut self,
        coder: &mut C,
        machine: Machine,
        state: &mut u32,
        known: &[Known],
        grid: &mut Grid,
        y: usize,
        row: &mut [i32],
    ) {
        let width = row.len();
        let (mut left, mut left_2) = (0i32, 0i32);
        let which = 4 * self.plane + self.orientation;
        let [above, here] = &mut self.residuals;
        std::mem::swap(above, here);
        for x in 0..width {
            let mut k = known[x];
            k.sizes[LEFT] = left.abs() << BITS;
            k.sizes[LEFT_2] = left_2.abs() << BITS;
            k.values[LEFT] = left << BITS;
            k.values[LEFT_2] = left_2 << BITS;
            let size = (self.sizes[which].predict(&k.sizes) >> 8)
                .clamp(i64::from(MIN_SIZE), i64::from(MAX_SIZE)) as i32;
            let mean =
                (self.values[which].predict(&k.values) >> 8).clamp(-(1 << 24), 1 << 24) as i32;
            let odd = machine.is_odd(*state);

            let [above, here] = &mut self.residuals;
            let at = x + MARGIN;
            let local = (2 * (here[at - 1] + above[at])
                + above[at - 1]
                + above[at + 1]
                + here[at - 2]
                + above[at + 2])
                << (SIZE_BITS - BITS - 3);
            let level = class(size);
            let ratio = &mut self.ratios[self.plane * CLASSES + level];
            let calibrated = ((i64::from(size) * i64::from(ratio.value())) >> SIZE_BITS) as i32;
            let local_mean = &mut self.locals[class(local) * 32 + level / 2];
            let mean = if par(14, 0) == 1 { 0 } else { mean };
            let cell_mean = mean >> (SIZE_BITS - 8 + 1);
            let guess = |mean: i32, size: i32| Logistic {
                mean,
                inverse: inverse(size),
            };
            let guesses = [
                guess(cell_mean, calibrated),
                guess(cell_mean, calibrated / 2),
                guess(0, size),
                guess(cell_mean, local_mean.value()),
                guess(cell_mean, local_mean.value() * 2),
            ];
            let lean = {
                let q = (i64::from(mean) * 4 / i64::from(size)).clamp(-3, 3);
                (q + 3) as usize
            };
            let o = usize::from(odd);
            let quant = |v: i32| {
                [0usize, 1, 2, 3, 3, 4, 4][v.min(6) as usize].max(if v > 9 { 5 } else { 0 })
            };
            let situation = Situation {
                guesses,
                cells: if odd { ODD } else { EVEN },
                contexts: [
                    (level * 3 + self.plane) * 2 + o,
                    (quant(left.abs()) * 6 + quant(k.sizes[2] >> BITS)) * 2 + o,
                    (self.band * 16 + level / 4) * 2 + o,
                    (lean * 32 + level / 2) * 2 + o,
                ],
                selections: [level * 2 + o, self.band],
            };
            let v = index_of(row[x], odd);
            let v = self.coder.code(coder, v, &situation);
            let n = if v < 0 {
                -(multiple(v.unsigned_abs(), odd) as i32)
            } else {
                multiple(v.unsigned_abs(), odd) as i32
            };
            *state = machine.next(*state, v.unsigned_abs());
            row[x] = n;
            let seen = n.clamp(-MAX_SEEN, MAX_SEEN);
            left_2 = left;
            left = seen;
            grid.row_mut(y)[x] = seen;

            let residual = ((seen << SIZE_BITS) - mean).abs().min(MAX_SIZE);
            here[at] = residual >> (SIZE_BITS - BITS);
            let r = (i64::from(residual) << SIZE_BITS) / i64::from(size);
            ratio.update(r.min(1 << 16) as i32, 250);
            local_mean.update(residual, 120);
            let weight = (1 << 24) / (size + par(8, 2048));
            let vweight = (1 << 24) / (size + par(9, 2048));
            self.sizes[which].learn(&k.sizes, seen.abs() << BITS, weight, 12);
            self.values[which].learn(&k.values, seen << BITS, vweight, 12);
        }
        let fade = (width as i64 * 65536 / i64::from(par(3, 10000))).min(20000);
        self.sizes[which].refit(fade);
        self.values[which].refit(fade);
    }
}

/// The signed index of a multiple of the step.
#[inline(always)]
fn index_of(n: i32, odd: bool) -> i32 {
    let n = n.clamp(-(MAX_MULTIPLE as i32), MAX_MULTIPLE as i32);
    let k = index(n, odd) as i32;
    if n < 0 { -k } else { k }
}
