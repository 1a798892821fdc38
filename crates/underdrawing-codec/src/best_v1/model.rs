//! The model of coefficients: its state, and how a row is coded.

use super::local::{Chosen, Local};
use super::tables::{MIXING, REGRESSIONS};
use crate::bands::{Band, Orientation};
use crate::best::RowModel;
use crate::best::grid::{Grid, MARGIN};
use crate::best::regressors::{BITS, N_LEFT, Regressors};
use crate::entropy::scale::{
    CLASSES, MAX_SIZE, MIN_SIZE, Mean, SIZE_BITS, class, inverse, size_between,
};
use crate::entropy::{
    Cells, GUESSES, INPUTS, Logistic, MAIN_NODES, RangeCoder, Regression, ValueCoder, ValueContext,
};
use crate::quantise::{MAX_MULTIPLE, Machine, index, multiple};

/// Cells of the quantiser of even multiples of the step, which are one cell apart.
const EVEN: Cells = Cells {
    first: 128,
    back: 128,
};

/// Cells of the quantiser of odd multiples and zero, whose cell is narrower.
const ODD: Cells = Cells {
    first: 64,
    back: 256,
};

/// Learning rate of the mixing weights.
const RATE: i32 = 6;

/// Coefficients that a regression remembers.
const MEMORY: i64 = 10_000;

/// What ratios and local magnitudes remember.
const RATIO_MEMORY: i32 = 250;
const LOCAL_MEMORY: i32 = 120;

/// Bands of all planes: 16 places for each plane.
const BANDS: usize = 48;

/// Columns of the table of local magnitudes.
const HALF_CLASSES: usize = CLASSES / 2;

/// Added to the expected size before regressors are divided by it; in steps, with 12 fraction bits.
/// Without it, regressors would be huge where almost nothing is expected, and dominate the fit.
const WEIGHT_FLOOR: i32 = 2048;

/// State of one part's model.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) coder: ValueCoder,
    /// For a coefficient's magnitude and its value, by plane and orientation.
    pub(super) regressions: Vec<[Regression; 2]>,
    /// Magnitude of a residual over the expected size, by plane and class of the size.
    ratios: Vec<Mean>,
    /// Magnitude of a residual by the class of its neighbours' and half the class of the size.
    local_sizes: Vec<Mean>,
    /// Magnitudes of residuals in the row above and in this one, 4 fraction bits, with margins.
    residuals: [Vec<i32>; 2],
    /// A regression over the close neighbourhood, on top of those of whole bands.
    close: Local,
    /// Sums of a row's weighted regressors but for the neighbours to the left, of sizes and values.
    bases: [Vec<i64>; 2],
    /// What each coefficient of a row counts for when regressions learn, 12 fraction bits.
    weights: Vec<i32>,
    targets: Vec<i32>,
    plane: usize,
    orientation: Orientation,
    band: usize,
}

/// The expectation of one coefficient, with 12 fraction bits.
struct Expected {
    size: i32,
    mean: i32,
    /// The mean corrected by the close neighbourhood.
    close: i32,
    /// The magnitude to expect from the residuals nearby.
    near: i32,
}

impl Model {
    pub(super) fn new(n_planes: usize, whole: bool) -> Self {
        let kind = usize::from(!whole);
        let regressions = REGRESSIONS[kind][..n_planes].iter().flatten();
        Self {
            coder: ValueCoder::new([2 * CLASSES, BANDS], RATE, &start_weights),
            regressions: regressions
                .map(|[size, value]| [Regression::new(size), Regression::new(value)])
                .collect(),
            ratios: vec![Mean::new(1 << SIZE_BITS); CLASSES * n_planes],
            local_sizes: (0..CLASSES * HALF_CLASSES)
                .map(|i| Mean::new(size_between(i / HALF_CLASSES, 2 * (i % HALF_CLASSES))))
                .collect(),
            residuals: [Vec::new(), Vec::new()],
            close: Local::default(),
            bases: [Vec::new(), Vec::new()],
            weights: Vec::new(),
            targets: Vec::new(),
            plane: 0,
            orientation: Orientation::Ll,
            band: 0,
        }
    }

    fn regression(&self) -> usize {
        4 * self.plane + self.orientation as usize
    }

    /// Before a row: what its coefficients' regressors predict but for the neighbours to the left.
    #[inline(always)]
    fn begin_row(&mut self, regressors: &Regressors) {
        self.close.begin_row();
        let [size, value] = &self.regressions[self.regression()];
        let [sizes, values] = &mut self.bases;
        size.predict_row(&regressors.sizes, N_LEFT, sizes);
        value.predict_row(&regressors.values, N_LEFT, values);
        self.weights.clear();
    }

    /// After a row: lets the regressions learn from it. Each learns from every second coefficient:
    /// 22 % less time for 0.09 % more bytes.
    #[inline(always)]
    fn refit(&mut self, regressors: &Regressors, seen: &[i32]) {
        let fade = (seen.len() as i64 * 65536 / MEMORY).min(1 << 14);
        let which = self.regression();
        let [size, value] = &mut self.regressions[which];
        let weights = (&self.weights[..], SIZE_BITS);
        self.targets.clear();
        self.targets.extend(seen.iter().map(|n| n.abs() << BITS));
        size.learn_row(&regressors.sizes, &self.targets, weights, 0);
        self.targets.clear();
        self.targets.extend(seen.iter().map(|n| n << BITS));
        value.learn_row(&regressors.values, &self.targets, weights, 1);
        size.refit(fade);
        value.refit(fade);
    }

    #[inline(always)]
    fn near(&self, x: usize) -> i32 {
        let [above, here] = &self.residuals;
        let (above, here) = (&above[x..x + 2 * MARGIN], &here[x..x + MARGIN]);
        let near = here[MARGIN - 1] + above[MARGIN];
        let far = here[MARGIN - 2] + above[MARGIN - 1] + above[MARGIN + 1] + above[MARGIN + 2];
        (2 * near + far) << (SIZE_BITS - BITS - 3)
    }

    #[inline(always)]
    fn expect(&mut self, near: [i32; N_LEFT], values: &Chosen, x: usize) -> Expected {
        let [size, value] = &self.regressions[self.regression()];
        let [sizes, bases] = &self.bases;
        let size = sizes[x] + size.predict_first(near.map(i32::abs));
        let mean = bases[x] + value.predict_first(near);
        let size = (size >> (16 + BITS - SIZE_BITS))
            .clamp(i64::from(MIN_SIZE), i64::from(MAX_SIZE - 1)) as i32;
        let limit = i64::from(MAX_SIZE);
        let mean = (mean >> (16 + BITS - SIZE_BITS)).clamp(-limit, limit) as i32;
        Expected {
            size,
            mean,
            close: mean + self.close.predict(values, x),
            near: self.near(x),
        }
    }

    /// LL looks like a small picture: its mean is the median of the left and the upper neighbour
    /// and of the plane through the neighbours.
    #[inline(always)]
    fn expect_low(&self, grid: &Grid, x: usize, y: usize) -> Expected {
        let (above, here) = (grid.wide(y as i32 - 1), grid.wide(y as i32));
        let at = x + MARGIN;
        let (west, north, corner) = (here[at - 1], above[at], above[at - 1]);
        let mean = match (x, y) {
            (0, _) => north,
            (_, 0) => west,
            _ => (west + north - corner).clamp(west.min(north), west.max(north)),
        };
        let near = self.near(x);
        Expected {
            size: near.clamp(1 << (SIZE_BITS + 2), MAX_SIZE - 1),
            mean: mean << SIZE_BITS,
            close: mean << SIZE_BITS,
            near,
        }
    }

    #[inline(always)]
    fn code_index(
        &mut self,
        coder: &mut RangeCoder,
        v: i32,
        odd: bool,
        expected: &Expected,
    ) -> i32 {
        let &Expected {
            size,
            mean,
            close,
            near,
        } = expected;
        let level = class(size);
        let ratio = self.ratios[self.plane * CLASSES + level].value();
        let calibrated = ((i64::from(size) * i64::from(ratio)) >> SIZE_BITS) as i32;
        let local = self.local_sizes[class(near) * HALF_CLASSES + level / 2].value();
        // A cell is two steps wide; guesses are in 1/256 of a cell.
        let mean = mean >> (SIZE_BITS - 8 + 1);
        let close = close >> (SIZE_BITS - 8 + 1);
        let guess = |mean: i32, size: i32| Logistic {
            mean,
            inverse: inverse(size),
        };
        let context = ValueContext {
            guesses: [
                guess(close, calibrated),
                guess(close, calibrated / 2),
                guess(mean, calibrated),
                guess(0, size),
                guess(close, local),
                guess(close, local * 2),
                guess(mean, local),
            ],
            cells: if odd { ODD } else { EVEN },
            contexts: [2 * level + usize::from(odd), self.band],
        };
        self.coder.code(coder, v, &context)
    }

    #[inline(always)]
    fn learn(&mut self, values: &Chosen, expected: &Expected, x: usize, seen: i32) {
        let &Expected {
            size,
            mean,
            close,
            near,
        } = expected;
        let residual = ((seen << SIZE_BITS) - close).abs().min(MAX_SIZE);
        self.residuals[1][x + MARGIN] = residual >> (SIZE_BITS - BITS);
        let level = class(size);
        let ratio = ((i64::from(residual) << SIZE_BITS) / i64::from(size)).min(1 << 16);
        self.ratios[self.plane * CLASSES + level].update(ratio as i32, RATIO_MEMORY);
        self.local_sizes[class(near) * HALF_CLASSES + level / 2].update(residual, LOCAL_MEMORY);
        if self.orientation != Orientation::Ll {
            // The sums expect magnitudes near 16.
            let weight = (1 << (SIZE_BITS + 12)) / (size + WEIGHT_FLOOR);
            self.weights.push(weight);
            let error = (seen << BITS) - (mean >> (SIZE_BITS - BITS));
            let error = error.clamp(-(1 << 14), 1 << 14);
            self.close.learn(values, x, error, weight, SIZE_BITS);
        }
    }
}

impl RowModel for Model {
    fn begin_band(&mut self, plane: usize, band: &Band) {
        self.plane = plane;
        self.orientation = band.orientation;
        let in_plane = match band.orientation {
            Orientation::Ll => 15,
            Orientation::Hl => 3 * (band.level as usize - 1),
            Orientation::Lh => 3 * (band.level as usize - 1) + 1,
            Orientation::Hh => 3 * (band.level as usize - 1) + 2,
        };
        self.band = 16 * plane + in_plane;
        // The first values of LL can be anything.
        let start = if band.orientation == Orientation::Ll {
            256 << BITS
        } else {
            0
        };
        self.close.begin_band(band.width);
        for row in &mut self.residuals {
            row.clear();
            row.resize(band.width + 2 * MARGIN, start);
        }
    }

    #[inline(always)]
    fn code_row(
        &mut self,
        coder: &mut RangeCoder,
        machine: Machine,
        state: &mut u32,
        regressors: &mut Regressors,
        grid: &mut Grid,
        y: usize,
        row: &mut [i32],
    ) {
        self.residuals.swap(0, 1);
        let is_low = self.orientation == Orientation::Ll;
        if !is_low {
            self.begin_row(regressors);
        }
        let (mut left, mut left_2) = (0i32, 0i32);
        for x in 0..row.len() {
            let near = [left << BITS, left_2 << BITS];
            let values = Local::chosen(near, &regressors.values, x);
            let expected = if is_low {
                self.expect_low(grid, x, y)
            } else {
                self.expect(near, &values, x)
            };
            let odd = machine.is_odd(*state);
            let v = self.code_index(coder, index_of(row[x], odd), odd, &expected);
            *state = machine.next(*state, v.unsigned_abs());
            let size = multiple(v.unsigned_abs().min(MAX_MULTIPLE / 2), odd) as i32;
            row[x] = if v < 0 { -size } else { size };
            let seen = grid.put(x, y, row[x]);
            (left_2, left) = (left, seen);
            self.learn(&values, &expected, x, seen);
        }
        if !is_low {
            regressors.fill_left(grid.row_mut(y));
            self.refit(regressors, grid.row_mut(y));
        }
    }
}

/// Initial mixing weights of a node for size class `context / 2` and quantiser `context % 2`.
fn start_weights(context: usize, node: usize) -> [i32; INPUTS] {
    match MIXING.get(node) {
        Some(table) => table[context % 2][context / 8].map(|w| w << 6),
        // Few bits get here, and the guesses are about right.
        None => std::array::from_fn(|i| {
            if i < GUESSES {
                (1 << 20) / GUESSES as i32
            } else {
                0
            }
        }),
    }
}

/// The table covers the main nodes, with an entry for each four classes.
const _: () = assert!(MIXING.len() == MAIN_NODES && 4 * MIXING[0][0].len() == CLASSES);

/// The signed index of a multiple of the step.
#[inline(always)]
fn index_of(n: i32, odd: bool) -> i32 {
    let n = n.clamp(-(MAX_MULTIPLE as i32), MAX_MULTIPLE as i32);
    let k = index(n, odd) as i32;
    if n < 0 { -k } else { k }
}
