//! Prediction of a sample: by least squares from the neighbours and from the known samples of the
//! same pixel, and by the median of gradients.

use super::{MARGIN, Neighbours, Pixel};
use crate::entropy::scale::{CLASSES, MAX_SIZE, MIN_SIZE, Mean, SIZE_BITS, class, size_between};
use crate::entropy::{
    Cells, INPUTS, Logistic, REGRESSORS, RangeCoder, Regression, ValueCoder, ValueContext,
};

/// Fraction bits of regressors.
const BITS: u32 = 4;

/// Samples between two fits of the weights, and samples that a fit remembers.
const REFIT: usize = 128;
const MEMORY: i64 = 4000;

/// Added to the expected error before regressors are divided by it, so that flat areas do not
/// dominate the fit; 12 fraction bits.
const WEIGHT_FLOOR: i32 = 1024;

/// Learning rate of the mixing weights.
const RATE: i32 = 10;

/// Errors that mean magnitudes remember.
const SIZE_MEMORY: i32 = 100;

/// Columns of the table of sizes by two classes.
const COARSE: usize = CLASSES / 4;

/// Initial weights of the regressions, in per cent: of differences in the same channel, in the
/// channel before, and in the one before that.
const START: [[i32; 14]; 3] = [
    [80, -60, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    [80, -60, 20, 0, 0, 0, 100, -80, 60, -20, 0, 0, 0, 0],
    [80, -60, 20, 0, 0, 0, 50, -40, 30, -10, 50, -40, 30, -10],
];

/// The state of one channel.
struct Channel {
    regression: Regression,
    n_learned: usize,
    /// Mean error magnitudes of the fit and of the median, by the class of the neighbours' errors.
    sizes: [Vec<Mean>; 2],
    /// The same of the fit, by the classes of the neighbours' errors and of those in the same
    /// pixel.
    crossed: Vec<Mean>,
    /// Magnitudes of errors in the row above and in this one, 4 fraction bits, with margins.
    errors: [Vec<i32>; 2],
}

/// Codes the pixels that are not repetitions.
pub(super) struct Predictor {
    coder: ValueCoder,
    channels: Vec<Channel>,
}

impl Channel {
    fn new(width: usize, c: usize) -> Self {
        let mut start = [[0; REGRESSORS], [100; REGRESSORS]];
        for i in 0..14 {
            start[0][i] = START[c][i] * 4096 / 100;
        }
        let sizes: Vec<Mean> = (0..CLASSES)
            .map(|i| Mean::new(size_between(i, i)))
            .collect();
        Self {
            regression: Regression::new(&start),
            n_learned: 0,
            sizes: [sizes.clone(), sizes],
            crossed: (0..CLASSES * COARSE)
                .map(|i| Mean::new(size_between(i / COARSE, i / COARSE)))
                .collect(),
            errors: std::array::from_fn(|_| vec![8 << BITS; width + 2 * MARGIN]),
        }
    }

    /// Mean of the neighbours' errors, 12 fraction bits.
    #[inline(always)]
    fn near(&self, x: usize) -> i32 {
        let [above, here] = &self.errors;
        let (above, here) = (&above[x..x + 2 * MARGIN], &here[x..x + MARGIN]);
        let close = here[MARGIN - 1] + above[MARGIN];
        let far = here[MARGIN - 2] + above[MARGIN - 1] + 2 * above[MARGIN + 1];
        (2 * close + far) << (SIZE_BITS - BITS - 3)
    }
}

/// The reciprocal of a logistic distribution's scale, with 16 fraction bits, given its mean
/// magnitude.
#[inline(always)]
fn inverse(size: i32) -> i32 {
    // The mean magnitude is 2 ln 2 times the scale: 65536 * 1.386 * 4096.
    372_130_559 / size.clamp(MIN_SIZE, MAX_SIZE)
}

impl Predictor {
    pub(super) fn new(width: usize, channels: usize) -> Self {
        let mut start = [0; INPUTS];
        start[..INPUTS - 1].fill((1 << 20) / 7);
        Self {
            coder: ValueCoder::new([3 * CLASSES, 3 * COARSE], RATE, &|_, _| start),
            channels: (0..channels).map(|c| Channel::new(width, c)).collect(),
        }
    }

    pub(super) fn begin_row(&mut self) {
        for channel in &mut self.channels {
            channel.errors.swap(0, 1);
        }
    }

    /// Skips a pixel that was a repetition, as one without errors.
    #[inline(always)]
    pub(super) fn pass(&mut self, x: usize) {
        for channel in &mut self.channels {
            channel.errors[1][x + MARGIN] = 0;
        }
    }

    #[inline(always)]
    pub(super) fn code(
        &mut self,
        coder: &mut RangeCoder,
        neighbours: &Neighbours,
        x: usize,
        pixel: Pixel,
    ) -> Pixel {
        let mut known = [0; 3];
        for c in 0..self.channels.len() {
            known[c] = self.sample(coder, neighbours, x, c, &known, pixel[c]);
        }
        known
    }

    #[inline(always)]
    fn sample(
        &mut self,
        coder: &mut RangeCoder,
        neighbours: &Neighbours,
        x: usize,
        c: usize,
        known: &Pixel,
        value: i32,
    ) -> i32 {
        let cross = match c {
            0 => 0,
            1 => self.channels[0].errors[1][x + MARGIN],
            _ => {
                (self.channels[0].errors[1][x + MARGIN] + self.channels[1].errors[1][x + MARGIN])
                    / 2
            }
        } << (SIZE_BITS - BITS);
        let channel = &mut self.channels[c];
        let regressors = regressors(neighbours, c, known);
        let west = neighbours.west[c];
        // From here on, values have 8 fraction bits.
        let change =
            (channel.regression.predict(&regressors) >> (16 + BITS - 8)).clamp(-(1 << 17), 1 << 17);
        let fitted = ((west << 8) + change as i32).clamp(0, 255 << 8);
        let median = median(neighbours, c, known) << 8;
        let near = channel.near(x);
        let level = class(near);
        let at = level * COARSE + class(cross) / 4;
        let size = channel.sizes[0][level].value();
        let size_median = channel.sizes[1][level].value();
        let size_crossed = channel.crossed[at].value();
        let centre = (fitted + 128) >> 8;
        let guess = |mean: i32, size: i32| Logistic {
            mean: mean - (centre << 8),
            inverse: inverse(size),
        };
        let context = ValueContext {
            guesses: [
                guess(fitted, size_crossed),
                guess(fitted, size_crossed / 2),
                guess(fitted, size),
                guess(fitted, size * 2),
                guess(median, size_median),
                guess(median, size_median / 2),
                guess((fitted + median) / 2, size_crossed),
            ],
            cells: Cells::UNIFORM,
            contexts: [c * CLASSES + class(size_crossed), c * COARSE + level / 4],
        };
        let v = self.coder.code(coder, value - centre, &context);
        let value = v.saturating_add(centre).clamp(0, 255);
        let error = |mean: i32| ((value << 8) - mean).abs() << (SIZE_BITS - 8);
        channel.errors[1][x + MARGIN] = error(fitted) >> (SIZE_BITS - BITS);
        channel.sizes[0][level].update(error(fitted), SIZE_MEMORY);
        channel.sizes[1][level].update(error(median), SIZE_MEMORY);
        channel.crossed[at].update(error(fitted), SIZE_MEMORY);
        let weight = (1 << (SIZE_BITS + 12)) / (size_crossed + WEIGHT_FLOOR);
        let target = (value - west) << BITS;
        channel
            .regression
            .learn(&regressors, target, weight, SIZE_BITS);
        channel.n_learned += 1;
        if channel.n_learned == REFIT {
            channel.n_learned = 0;
            channel.regression.refit(REFIT as i64 * 65536 / MEMORY);
        }
        value
    }
}

/// Differences from the pixel to the left, in this channel and in the known ones.
#[inline(always)]
fn regressors(neighbours: &Neighbours, c: usize, known: &Pixel) -> [i32; REGRESSORS] {
    let mut out = [0; REGRESSORS];
    let own = [
        neighbours.north,
        neighbours.north_west,
        neighbours.north_east,
        neighbours.west_2,
        neighbours.north_2,
        neighbours.north_2_east,
    ];
    for (out, pixel) in out.iter_mut().zip(own) {
        *out = (pixel[c] - neighbours.west[c]) << BITS;
    }
    for before in 0..c {
        let others = [
            *known,
            neighbours.north,
            neighbours.north_west,
            neighbours.north_east,
        ];
        // The previous channel comes first.
        let first = 6 + 4 * (c - 1 - before);
        for (i, pixel) in others.into_iter().enumerate() {
            out[first + i] = (pixel[before] - neighbours.west[before]) << BITS;
        }
    }
    out
}

/// The median of the left and the upper neighbour and of the plane through the neighbours, in terms
/// of the difference from the channel before.
#[inline(always)]
fn median(neighbours: &Neighbours, c: usize, known: &Pixel) -> i32 {
    let of = |p: &Pixel| if c == 0 { p[0] } else { p[c] - p[c - 1] };
    let (w, n, nw) = (
        of(&neighbours.west),
        of(&neighbours.north),
        of(&neighbours.north_west),
    );
    let median = (w + n - nw).clamp(w.min(n), w.max(n));
    let base = if c == 0 { 0 } else { known[c - 1] };
    (median + base).clamp(0, 255)
}
