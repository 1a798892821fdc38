//! The model of coefficients: its state, and how a row is coded.

use super::RowModel;
use super::grid::{Grid, MARGIN, MAX_SEEN};
use super::local::{BLOCK, Local};
use super::mix::Mixer;
use super::odds::{Cells, GUESSES, Guesses, Lanes, each, larger, smaller};
use super::regression::Regression;
use super::regressors::{BITS, N_LEFT, Regressors};
use super::tables::{MIXING, REGRESSIONS};
use crate::bands::{Band, Orientation};
use crate::entropy::{MAIN_NODES, RangeCoder};
use crate::quantise::{MAX_MULTIPLE, Machine, index, multiple};

/// Cells of the quantiser of even multiples of the step, which are one cell apart.
const EVEN: Cells = Cells {
    first: 0.5,
    back: 0.5,
};

/// Cells of the quantiser of odd multiples and zero, whose cell is narrower.
const ODD: Cells = Cells {
    first: 0.25,
    back: 1.0,
};

/// Coefficients that a regression remembers.
const MEMORY: f32 = 7_000.0;

/// The most that a regression forgets at a time.
const MAX_FADE: f32 = 0.25;

/// What ratios and local magnitudes remember.
const RATIO_MEMORY: u8 = 120;
const LOCAL_MEMORY: u8 = 120;

/// Classes of sizes: quarter octaves from 1/16 on.
pub(super) const CLASSES: usize = 64;

/// Smallest and largest size, in steps.
const MIN_SIZE: f32 = 0.0625;
const MAX_SIZE: f32 = 4095.0;

/// Largest magnitude of a mean.
const MAX_MEAN: f32 = 4096.0;

/// Contexts of mixing weights: for each octave of sizes whether the neighbourhood is busy, whether
/// the plane is a later one, and the quantiser.
pub(super) const CONTEXTS: usize = 2 * CLASSES;

/// A neighbourhood is busy where its residuals are above this share of the expected size.
const BUSY: f32 = 0.9;

/// Columns of the table of local magnitudes.
const HALF_CLASSES: usize = CLASSES / 2;

/// Added to the expected size before regressors are divided by it, in steps. Without it, regressors
/// would be huge where almost nothing is expected, and dominate the fit.
const WEIGHT_FLOOR: f32 = 0.5;

/// The reciprocal of a logistic distribution's scale in cells, which are two steps wide, times its
/// mean magnitude in steps: 4 ln 2.
const SCALES: f32 = 2.772_588_7;

/// A regressor's unit, in steps.
const UNIT: f32 = 1.0 / (1 << BITS) as f32;

/// `2^(i / 8) / 16`.
const EIGHTHS: [f32; 8] = [
    0.0625,
    0.068_156_73,
    0.074_325_44,
    0.081_052_47,
    0.088_388_35,
    0.096_388_18,
    0.105_112_06,
    0.114_625_51,
];

/// A running mean: of all values at first, later mostly of recent ones.
#[derive(Clone, Copy, Debug)]
struct Mean {
    value: f32,
    seen: u8,
}

/// `1 / (n + 1)`.
static SHARES: [f32; 256] = shares();

const fn shares() -> [f32; 256] {
    let mut table = [0.0; 256];
    let mut n = 0;
    while n < 256 {
        table[n] = 1.0 / (n + 1) as f32;
        n += 1;
    }
    table
}

impl Mean {
    fn new(value: f32) -> Self {
        Self { value, seen: 0 }
    }

    /// Takes a value in. About `limit` of them are remembered.
    #[inline(always)]
    fn update(&mut self, value: f32, limit: u8) {
        self.seen += u8::from(self.seen < limit);
        self.value += (value - self.value) * SHARES[usize::from(self.seen)];
    }
}

/// State of one part's model.
#[derive(Clone, Debug)]
pub(super) struct Model {
    pub(super) mixer: Mixer,
    /// For a coefficient's magnitude and its value, by plane and orientation.
    pub(super) regressions: Vec<[Regression; 2]>,
    /// Magnitude of a residual over the expected size, by plane and class of the size.
    ratios: Vec<Mean>,
    /// Magnitude of a residual by the class of its neighbours' and half the class of the size.
    local_sizes: Vec<Mean>,
    /// Magnitudes of residuals in the row above and in this one, with margins.
    residuals: [Vec<f32>; 2],
    /// A regression over the close neighbourhood, on top of those of whole bands.
    close: Local,
    row: Row,
    plane: usize,
    /// The regressions before the last level of the part.
    #[cfg(feature = "fit")]
    pub(super) early: Vec<[Regression; 2]>,
    orientation: Orientation,
}

/// What is known of a row before it is coded, and what the regressions learn from after it.
#[derive(Clone, Debug, Default)]
struct Row {
    /// Expected sizes and values, at first without the neighbours to the left.
    sizes: Vec<f32>,
    means: Vec<f32>,
    /// Corrections by the close neighbourhood, without the neighbours to the left.
    corrections: Vec<f32>,
    weights: Vec<f32>,
    targets: Vec<i32>,
}

/// The expectation of one coefficient, in steps.
struct Expected {
    size: f32,
    mean: f32,
    /// The mean corrected by the close neighbourhood.
    close: f32,
    /// The magnitude to expect from the residuals nearby.
    near: f32,
}

/// The class of a size, in quarter octaves: 0 at 1/16, 16 at 1, 63 at 3584.
#[inline(always)]
fn class(size: f32) -> usize {
    let size = smaller(larger(size, MIN_SIZE), MAX_SIZE);
    // The exponent and two bits of the mantissa.
    ((size.to_bits() - MIN_SIZE.to_bits()) >> 21) as usize & (CLASSES - 1)
}

impl Model {
    pub(super) fn new(n_planes: usize, whole: bool) -> Self {
        let kind = usize::from(!whole);
        let regressions = REGRESSIONS[kind][..n_planes].iter().flatten();
        let between = |e: usize| EIGHTHS[e % 8] * (1u32 << (e / 8)) as f32;
        Self {
            mixer: Mixer::new(CONTEXTS, &start_weights),
            regressions: regressions
                .map(|[size, value]| [Regression::new(size), Regression::new(value)])
                .collect(),
            ratios: vec![Mean::new(1.0); CLASSES * n_planes],
            local_sizes: (0..CLASSES * HALF_CLASSES)
                .map(|i| Mean::new(between(i / HALF_CLASSES + 2 * (i % HALF_CLASSES))))
                .collect(),
            residuals: [Vec::new(), Vec::new()],
            close: Local::default(),
            row: Row::default(),
            plane: 0,
            #[cfg(feature = "fit")]
            early: Vec::new(),
            orientation: Orientation::Ll,
        }
    }

    fn regression(&self) -> usize {
        4 * self.plane + self.orientation as usize
    }

    /// Before a row: what is expected of its coefficients but for the neighbours to the left.
    #[inline(always)]
    fn begin_row(&mut self, regressors: &Regressors) {
        let [size, value] = &self.regressions[4 * self.plane + self.orientation as usize];
        size.predict_row(&regressors.sizes, N_LEFT, UNIT, &mut self.row.sizes);
        value.predict_row(&regressors.values, N_LEFT, UNIT, &mut self.row.means);
        self.close
            .begin_row(&regressors.values, UNIT, &mut self.row.corrections);
        self.row.weights.resize(self.row.sizes.len(), 0.0);
    }

    /// After a row: lets the regressions learn from it. Those of the band learn from every second
    /// row each.
    #[inline(always)]
    fn refit(&mut self, regressors: &Regressors, y: usize, seen: &[i32]) {
        let which = self.regression();
        let row = &mut self.row;
        for (mean, &seen) in row.means.iter_mut().zip(seen) {
            *mean = (seen as f32 - *mean) * 16.0;
        }
        self.close
            .learn_row(&regressors.values, &row.means, &row.weights);
        let keep = 1.0 - smaller(seen.len() as f32 / MEMORY, MAX_FADE);
        let [size, value] = &mut self.regressions[which];
        row.targets.clear();
        if y.is_multiple_of(2) {
            row.targets.extend(seen.iter().map(|n| n.abs() << BITS));
            size.learn_row(&regressors.sizes, &row.targets, &row.weights);
            size.refit(keep);
        } else {
            row.targets.extend(seen.iter().map(|n| n << BITS));
            value.learn_row(&regressors.values, &row.targets, &row.weights);
            value.refit(keep);
        }
    }

    #[inline(always)]
    fn near(&self, x: usize) -> f32 {
        let [above, here] = &self.residuals;
        let (above, here) = (&above[x..x + 2 * MARGIN], &here[x..x + MARGIN]);
        let near = here[MARGIN - 1] + above[MARGIN];
        let far = (here[MARGIN - 2] + above[MARGIN - 1]) + (above[MARGIN + 1] + above[MARGIN + 2]);
        (near + near + far) * 0.125
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
        } as f32;
        let near = self.near(x);
        Expected {
            size: smaller(larger(near, 4.0), MAX_SIZE),
            mean,
            close: mean,
            near,
        }
    }

    /// Codes an index and learns from it. Returns the multiple.
    #[inline(always)]
    fn code_index(
        &mut self,
        coder: &mut RangeCoder,
        n: i32,
        odd: bool,
        expected: &Expected,
        x: usize,
        limit: i32,
    ) -> (i32, u32) {
        let &Expected {
            size,
            mean,
            close,
            near,
        } = expected;
        let level = class(size);
        let ratio = self.plane * CLASSES + level;
        let local = class(near) * HALF_CLASSES + level / 2;
        let calibrated = size * self.ratios[ratio].value;
        let sizes = [
            0.35 * calibrated,
            calibrated,
            size,
            3.0 * self.local_sizes[local].value,
        ];
        let guesses = Guesses {
            means: [0.5 * close, 0.5 * mean, 0.0, 0.5 * close],
            inverses: each(|i| SCALES / smaller(larger(sizes[i], MIN_SIZE), MAX_SIZE)),
        };
        let cells = if odd { ODD } else { EVEN };
        let kind = [near > BUSY * size, self.plane > 0, odd].map(usize::from);
        let context = 8 * (level / 4) + 4 * kind[0] + 2 * kind[1] + kind[2];
        let v = index_of(n, odd);
        let v = self.mixer.code(coder, v, &guesses, cells, context);
        let size_coded = multiple(v.unsigned_abs().min(MAX_MULTIPLE / 2), odd) as i32;
        let n = if v < 0 { -size_coded } else { size_coded };
        let seen = n.clamp(-limit, limit) as f32;
        let residual = smaller((seen - close).abs(), MAX_MEAN);
        self.residuals[1][x + MARGIN] = residual;
        self.ratios[ratio].update(smaller(residual / size, 16.0), RATIO_MEMORY);
        self.local_sizes[local].update(residual, LOCAL_MEMORY);
        (n, v.unsigned_abs())
    }
}

impl RowModel for Model {
    fn begin_band(&mut self, plane: usize, band: &Band) {
        self.plane = plane;
        self.orientation = band.orientation;
        #[cfg(feature = "fit")]
        if band.orientation == Orientation::Hl && plane == 0 {
            self.early.clone_from(&self.regressions);
        }
        // The first values of LL can be anything.
        let start = if band.orientation == Orientation::Ll {
            256.0
        } else {
            0.0
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
        if self.orientation == Orientation::Ll {
            for x in 0..row.len() {
                let expected = self.expect_low(grid, x, y);
                let odd = machine.is_odd(*state);
                let (n, k) = self.code_index(coder, row[x], odd, &expected, x, i32::MAX);
                *state = machine.next(*state, k);
                row[x] = n;
                grid.put(x, y, n);
            }
            return;
        }
        self.begin_row(regressors);
        let [size, value] = &self.regressions[self.regression()];
        let (size, value) = (size.first::<N_LEFT>(), value.first::<N_LEFT>());
        let (mut left, mut left_2) = (0.0f32, 0.0f32);
        for x in 0..row.len() {
            let sum = |base: f32, w: [f32; N_LEFT], a: f32, b: f32| base + (w[0] * a + w[1] * b);
            let near = Local::near(&regressors.values, x, [left * 16.0, left_2 * 16.0]);
            let expected = {
                let size = sum(self.row.sizes[x], size, left.abs(), left_2.abs());
                let mean = sum(self.row.means[x], value, left, left_2);
                let mean = smaller(larger(mean, -MAX_MEAN), MAX_MEAN);
                let weights = [0, 1].map(|i: usize| self.close.weights[i][x / BLOCK]);
                let correction = sum(self.row.corrections[x], weights, left, left_2)
                    + self.close.along(&near) * UNIT;
                let correction = smaller(larger(correction, -MAX_MEAN), MAX_MEAN);
                Expected {
                    size: smaller(larger(size, MIN_SIZE), MAX_SIZE),
                    mean,
                    close: mean + correction,
                    near: self.near(x),
                }
            };
            // Sums expect magnitudes near 16.
            let weight = 1.0 / (expected.size + WEIGHT_FLOOR);
            self.row.weights[x] = weight;
            self.row.means[x] = expected.mean;
            let odd = machine.is_odd(*state);
            let (n, k) = self.code_index(coder, row[x], odd, &expected, x, MAX_SEEN);
            *state = machine.next(*state, k);
            row[x] = n;
            let seen = grid.put(x, y, n);
            (left_2, left) = (left, seen as f32);
            self.close
                .follow(&near, (left - expected.close) * 16.0, weight);
        }
        regressors.fill_left(grid.row_mut(y));
        self.refit(regressors, y, grid.row_mut(y));
    }
}

/// Initial mixing weights of a node.
fn start_weights(context: usize, node: usize) -> Lanes {
    match MIXING.get(node) {
        Some(table) => table[context].map(|w| w as f32 / 16384.0),
        // Few bits get here, and the guesses are about right.
        None => [1.0 / GUESSES as f32; GUESSES],
    }
}

/// The table covers the main nodes in all contexts.
const _: () = assert!(MIXING.len() == MAIN_NODES && MIXING[0].len() == CONTEXTS);

/// The signed index of a multiple of the step.
#[inline(always)]
fn index_of(n: i32, odd: bool) -> i32 {
    let n = n.clamp(-(MAX_MULTIPLE as i32), MAX_MULTIPLE as i32);
    let k = index(n, odd) as i32;
    if n < 0 { -k } else { k }
}
