//! The fast model: the chance of each bit from counters chosen by the expected magnitude.

pub(crate) mod context;
mod tables;

use crate::entropy::{BitCoder, CostEstimator, Counter, RangeCoder, Reading, Writing, cost};
use crate::part::Part;
use crate::quantise::{MAX_MULTIPLE, Machine, RATED, Rates, index, multiple};
use crate::simd::with_simd;
use context::{BandContext, MAX_MAGNITUDE, N_CLASSES, RowSums, class, weight, weights};
use std::sync::OnceLock;
use tables::CHANCES;

/// Unary bits of an index, each of which has its own counter: "is it larger than i?"
pub(crate) const UNARY: usize = 15;

/// The most bits of the rest beyond the unary ones.
const MAX_REST_BITS: usize = 22;

/// How counters adapt: bits that the slow chance remembers, and the quick one's rate.
const LIMIT: u8 = 250;
const RATE: u32 = 5;

/// The counters of one part.
struct Counters {
    unary: Vec<[[Counter; UNARY]; 2]>,
    rest: [Counter; MAX_REST_BITS],
}

impl Counters {
    fn new() -> Self {
        Self {
            unary: CHANCES
                .iter()
                .map(|class| class.map(|chances| chances.map(Counter::new)))
                .collect(),
            rest: [Counter::new(32768); MAX_REST_BITS],
        }
    }

    /// Codes an index; `k` is what to write.
    #[inline(always)]
    fn index<C: BitCoder>(&mut self, coder: &mut C, class: usize, odd: bool, k: u32) -> u32 {
        let counters = &mut self.unary[class][usize::from(odd)];
        for (i, counter) in counters.iter_mut().enumerate() {
            let more = coder.code(k > i as u32, counter.chance());
            counter.update(more, LIMIT, RATE);
            if !more {
                return i as u32;
            }
        }
        UNARY as u32 + self.rest(coder, k.wrapping_sub(UNARY as u32))
    }

    /// Exp-Golomb code: the number of binary digits of `rest + 1` after the first, then these
    /// digits.
    #[inline(never)]
    fn rest<C: BitCoder>(&mut self, coder: &mut C, rest: u32) -> u32 {
        let n_digits = rest.wrapping_add(1).max(1).ilog2();
        let mut n = 0;
        while (n as usize) < MAX_REST_BITS - 1 {
            let counter = &mut self.rest[n as usize];
            let more = coder.code(n_digits > n, counter.chance());
            counter.update(more, LIMIT, RATE);
            if !more {
                break;
            }
            n += 1;
        }
        let mut value = 1u32;
        for digit in (0..n).rev() {
            let bit = coder.code((rest.wrapping_add(1)) >> digit & 1 == 1, 32768);
            value = value << 1 | u32::from(bit);
        }
        (value - 1).min(MAX_MULTIPLE / 2 - UNARY as u32)
    }
}

/// Codes all coefficients of a part: takes them from `part` when writing, puts them there when
/// reading. A stripe's level 3 is there already.
pub(crate) fn code_part(coder: &mut RangeCoder, machine: Machine, part: &mut Part) {
    if coder.reads() {
        code_with(&mut Reading(coder), machine, part);
    } else {
        code_with(&mut Writing(coder), machine, part);
    }
}

/// Bits that a part's coefficients would take, by these models. They also write to the part.
pub(crate) fn cost_in_bits(machine: Machine, part: &mut Part) -> f64 {
    let mut counter = CostEstimator::default();
    code_with(&mut counter, machine, part);
    counter.bits()
}

fn code_with<C: BitCoder>(coder: &mut C, machine: Machine, part: &mut Part) {
    let contexts = BandContext::of(&part.shape());
    let mut magnitudes = outside_magnitudes(part, &contexts);
    let mut counters = Counters::new();
    let mut sums = RowSums::new();
    for context in &contexts {
        for plane in 0..part.planes.len() {
            let weights = weights(plane, &context.band);
            let mut state = 0;
            for y in 0..context.band.height {
                if context.band.width == 0 {
                    break;
                }
                sums.fill(context, weights, &magnitudes, plane, y);
                let row = context.band.row(y)..context.band.row(y) + context.band.width;
                code_row(
                    (coder, &mut counters, &mut state),
                    machine,
                    (&sums.sums, weights[weight::LEFT], weights[weight::LEFT_2]),
                    &mut part.planes[plane][row.clone()],
                    &mut magnitudes[plane][row],
                );
            }
        }
    }
}

#[inline(always)]
fn code_row<C: BitCoder>(
    (coder, counters, state): (&mut C, &mut Counters, &mut u32),
    machine: Machine,
    (sums, w1, w2): (&[i32], i32, i32),
    row: &mut [i32],
    magnitudes: &mut [i32],
) {
    let (mut left, mut left_2) = (0, 0);
    for ((n, magnitude), &sum) in row.iter_mut().zip(magnitudes).zip(sums) {
        let class = class(sum + w1 * left + w2 * left_2);
        let odd = machine.is_odd(*state);
        let k = counters.index(coder, class, odd, index(*n, odd));
        *state = machine.next(*state, k);
        let size = multiple(k, odd) as i32;
        if k > 0 {
            let negative = coder.code(*n < 0, 32768);
            *n = if negative { -size } else { size };
        } else {
            *n = 0;
        }
        *magnitude = size.min(MAX_MAGNITUDE);
        (left_2, left) = (left, *magnitude);
    }
}

/// Magnitudes of what a part holds besides the bands that it codes; zeros in those bands.
pub(crate) fn outside_magnitudes(part: &Part, contexts: &[BandContext]) -> Vec<Vec<i32>> {
    part.planes
        .iter()
        .map(|plane| {
            let mut magnitudes: Vec<i32> = plane.iter().map(|&n| magnitude(n)).collect();
            for context in contexts {
                let band = &context.band;
                for y in 0..band.height {
                    magnitudes[band.row(y)..][..band.width].fill(0);
                }
            }
            magnitudes
        })
        .collect()
}

/// The fitted chances of a class.
pub(crate) fn chances(class: usize) -> [[u16; UNARY]; 2] {
    CHANCES[class]
}

#[inline(always)]
pub(crate) fn magnitude(n: i32) -> i32 {
    n.unsigned_abs().min(MAX_MAGNITUDE as u32) as i32
}

/// Average costs of indices by class, for the encoder's search.
pub(crate) fn rates() -> &'static Rates {
    static RATES: OnceLock<Rates> = OnceLock::new();
    RATES.get_or_init(average_rates)
}

fn average_rates() -> Rates {
    let in_256ths = |chance: u32| (cost(chance.clamp(1, 65535)) >> 8) as i32;
    let mut table = [[[0; RATED]; 2]; N_CLASSES];
    for (rows, chances) in table.iter_mut().zip(&CHANCES) {
        for (row, chances) in rows.iter_mut().zip(chances) {
            let mut before = 0;
            for (k, cost) in row.iter_mut().enumerate() {
                let sign = if k > 0 { 256 } else { 0 };
                // After the unary bits comes the first bit of the rest.
                let more = chances.get(k).map_or(32768, |&more| u32::from(more));
                *cost = before + sign + in_256ths(65536 - more);
                before += in_256ths(more);
            }
        }
    }
    Rates::new(|class, odd, k| table[class][usize::from(odd)][k])
}

/// Classes of a band's coefficients, row by row, as the encoder guesses them before it quantises.
/// `magnitudes` are those of rounded coefficients.
pub(crate) fn classes(
    context: &BandContext,
    magnitudes: &[Vec<i32>],
    plane: usize,
    out: &mut Vec<u8>,
) {
    let band = &context.band;
    let weights = weights(plane, band);
    let mut sums = RowSums::new();
    out.clear();
    for y in 0..if band.width == 0 { 0 } else { band.height } {
        let row = &magnitudes[plane][band.row(y)..][..band.width];
        sums.fill(context, weights, magnitudes, plane, y);
        let sums = &mut sums.sums;
        with_simd(
            #[inline(always)]
            || {
                for (x, sum) in sums.iter_mut().enumerate().skip(1) {
                    *sum += weights[weight::LEFT] * row[x - 1];
                }
                for (x, sum) in sums.iter_mut().enumerate().skip(2) {
                    *sum += weights[weight::LEFT_2] * row[x - 2];
                }
                out.extend(sums.iter().map(|&sum| class(sum) as u8));
            },
        );
    }
}

const _: () = assert!(N_CLASSES == CHANCES.len());
