//! The state machine shared by encoder and decoder, and the encoder's search through its trellis.

use super::index;
use crate::simd::with_simd;
use std::ops::Range;

/// A state machine. Its state is the last few input bits, the newest lowest.
///
/// The codes are Ungerboeck's. With `h0` and `h1` the parity checks of his tables, the quantiser is
/// the parity of the state under `h1`, and an index's parity is the input bit plus the parity of
/// the state under `h0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// States less one; 256 states at most.
    mask: u32,
    /// Bit `s`: whether state `s` quantises to odd multiples.
    odd: [u64; 4],
    /// Bit `s`: parity of the index when state `s` takes in a zero.
    parity: [u64; 4],
}

impl Machine {
    /// Eight states (13, 04 octal).
    pub(crate) const EIGHT: Self = Self::new(3, 0o13, 0o04);

    /// Sixty-four states (103, 024 octal).
    pub(crate) const SIXTY_FOUR: Self = Self::new(6, 0o103, 0o024);

    /// Two hundred and fifty-six states (515, 362 octal).
    pub(crate) const TWO_FIFTY_SIX: Self = Self::new(8, 0o515, 0o362);

    const fn new(bits: u32, h0: u32, h1: u32) -> Self {
        let (mut odd, mut parity) = ([0; 4], [0; 4]);
        let mut s = 0u32;
        while s < 1 << bits {
            let at = s as usize / 64;
            odd[at] |= (((s & (h1 >> 1)).count_ones() & 1) as u64) << (s % 64);
            parity[at] |= (((s & (h0 >> 1)).count_ones() & 1) as u64) << (s % 64);
            s += 1;
        }
        Self {
            mask: (1 << bits) - 1,
            odd,
            parity,
        }
    }

    /// Whether `state` quantises to odd multiples.
    #[inline(always)]
    pub(crate) fn is_odd(&self, state: u32) -> bool {
        bit(&self.odd, state)
    }

    /// The state after index `k`.
    #[inline(always)]
    pub(crate) fn next(&self, state: u32, k: u32) -> u32 {
        let bit = (k ^ u32::from(bit(&self.parity, state))) & 1;
        (state << 1 | bit) & self.mask
    }
}

/// Bit `state` of a set of states.
#[inline(always)]
fn bit(set: &[u64; 4], state: u32) -> bool {
    set[state as usize / 64 % 4] >> (state % 64) & 1 == 1
}

/// Indices in [`Rates`] for each class and quantiser.
pub(crate) const RATED: usize = 16;

/// Classes of coefficients in [`Rates`].
const N_CLASSES: usize = 64;

/// Costs of indices by class of the coefficient and quantiser, sign included.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// `[class][odd][k]` in 1/256 bit; `k` up to `RATED - 1`.
    table: Box<[i32; 2 * RATED * N_CLASSES]>,
}

impl Rates {
    /// From costs in 1/256 bit: of a class, a quantiser and an index below [`RATED`].
    pub(crate) fn new(cost: impl Fn(usize, bool, usize) -> i32) -> Self {
        let at = |i: usize| cost(i / (2 * RATED), i / RATED % 2 == 1, i % RATED);
        Self {
            table: Box::new(std::array::from_fn(at)),
        }
    }

    /// Cost of index `k` in 1/256 bit. Large ones take two more bits for each doubling.
    #[inline(always)]
    fn of(&self, class: u8, odd: bool, k: u32) -> i32 {
        let last = RATED as u32 - 1;
        let row = (usize::from(class) % N_CLASSES * 2 + usize::from(odd)) * RATED;
        let doublings = 31 - (k.max(last) - last + 1).leading_zeros();
        self.table[row + k.min(last) as usize] + 512 * doublings as i32
    }

    /// Cost of index 0.
    #[inline(always)]
    fn of_zero(&self, class: u8, odd: bool) -> i32 {
        self.table[(usize::from(class) % N_CLASSES * 2 + usize::from(odd)) * RATED]
    }
}

/// Fraction bits of a coefficient in steps during the search.
pub(crate) const TARGET_BITS: u32 = 6;

/// Kinds of candidates of a coefficient: one for each quantiser (even, odd) and parity of the
/// index, at `2 * odd + parity`.
const KINDS: usize = 4;

/// Costs are clamped to this, so that sums of a few thousand fit in 32 bits.
const MAX_COST: i32 = 1 << 18;

/// Largest price of a bit.
const MAX_LAMBDA: i32 = 1 << 19;

/// Errors are clamped to this, in 1/64 steps.
const MAX_ERROR: i32 = 500;

/// The input of a search.
struct Task<'a> {
    /// Coefficients in 1/64 steps.
    targets: &'a [i32],
    classes: &'a [u8],
    rates: &'a Rates,
    /// Price of a bit in squared 1/64 steps, times 16.
    lambda: i32,
}

/// Candidates of one kind for each coefficient of a block.
#[derive(Default)]
struct Candidates {
    costs: Vec<i32>,
    multiples: Vec<i32>,
    /// Rate of the nearest multiple above zero, and of zero; used only while costs are computed.
    rates: Vec<i32>,
    zero_rates: Vec<i32>,
}

impl Candidates {
    /// Finds the cheapest multiples of one quantiser and parity, in three passes. The first and the
    /// last are vectorised; the second looks rates up.
    #[inline(always)]
    fn fill<const ODD: bool, const PARITY: u32>(&mut self, task: &Task, block: Range<usize>) {
        let (targets, classes) = (&task.targets[block.clone()], &task.classes[block]);
        // Smallest multiple above zero of this kind; the others lie 4 apart.
        let first = if ODD { 3 - 2 * PARITY } else { 4 - 2 * PARITY } as i32;
        self.multiples.clear();
        self.multiples.extend(targets.iter().map(|&target| {
            let past = size(target) + ((2 - first) << TARGET_BITS);
            first + 4 * (past.max(0) >> (TARGET_BITS + 2))
        }));
        self.rates.clear();
        let nearest = classes.iter().zip(&self.multiples);
        let rate = |(&class, &n): (&u8, &i32)| task.rates.of(class, ODD, index(n, ODD));
        self.rates.extend(nearest.map(rate));
        let lambda = task.lambda >> 4;
        // Both factors are at most 2^15; larger rates are clamped.
        let price = |rate: i32| (rate.min(1 << 15) * lambda) >> 8;
        let cost = |target: i32, n: i32, rate: i32| {
            let error = (size(target) - (n << TARGET_BITS)).clamp(-MAX_ERROR, MAX_ERROR);
            (error * error + price(rate)).min(MAX_COST)
        };
        let inputs = targets.iter().zip(&self.multiples).zip(&self.rates);
        self.costs.clear();
        self.costs
            .extend(inputs.map(|((&target, &n), &rate)| cost(target, n, rate)));
        if PARITY == 1 {
            return;
        }
        // Zero is another multiple of this kind, and often the cheaper one.
        self.zero_rates.clear();
        let zero_rate = |&class| task.rates.of_zero(class, ODD);
        self.zero_rates.extend(classes.iter().map(zero_rate));
        let outputs = self.costs.iter_mut().zip(&mut self.multiples);
        let inputs = targets.iter().zip(&self.zero_rates);
        for ((cost_there, n), (&target, &rate)) in outputs.zip(inputs) {
            let zero = cost(target, 0, rate);
            let stays = (*n > first) | (*cost_there < zero);
            *cost_there = if stays { *cost_there } else { zero };
            *n = if stays { *n } else { 0 };
        }
    }
}

/// A target's magnitude, clamped.
#[inline(always)]
fn size(target: i32) -> i32 {
    target
        .unsigned_abs()
        .min(super::MAX_MULTIPLE << TARGET_BITS) as i32
}

/// Coefficients that are decided at a time. The next block starts from the state that they lead to.
const BLOCK: usize = 4096;

/// How far the search looks beyond a block. Nearly all survivors agree on what lies so far back.
const DELAY: usize = 128;

/// Quantises a sequence to the multiples of the step that cost least, by Viterbi's algorithm, and
/// writes them to `out`. The state starts at 0.
///
/// `targets` are in 1/64 steps, `classes` select from `rates`, and `lambda` is the price of a bit
/// in squared 1/64 steps, times 16.
pub(crate) fn search(
    machine: Machine,
    targets: &[i32],
    classes: &[u8],
    rates: &Rates,
    lambda: i32,
    out: &mut [i32],
) {
    let task = Task {
        targets,
        classes,
        rates,
        lambda: lambda.min(MAX_LAMBDA),
    };
    match machine.mask {
        7 => Search::<8, 4>::new(machine).run(&task, out),
        255 => Search::<256, 128>::new(machine).run(&task, out),
        _ => Search::<64, 32>::new(machine).run(&task, out),
    }
}

/// Fills the candidates of a block, which do not depend on the number of states.
fn fill(candidates: &mut [Candidates; KINDS], task: &Task, block: &Range<usize>) {
    with_simd(
        #[inline(always)]
        || {
            let [a, b, c, d] = candidates;
            a.fill::<false, 0>(task, block.clone());
            b.fill::<false, 1>(task, block.clone());
            c.fill::<true, 0>(task, block.clone());
            d.fill::<true, 1>(task, block.clone());
        },
    );
}

/// Survivors of `N` states; `HALF` is half of `N`.
struct Search<const N: usize, const HALF: usize> {
    machine: Machine,
    costs: [i32; N],
    /// All ones where states `i` and `i + HALF` quantise to odd multiples.
    odd: [i32; HALF],
    /// All ones where state `i` takes in a zero by an odd index; for `i + HALF` it is the reverse.
    parity: [i32; HALF],
    /// For each undecided coefficient and pair of new states 2i, 2i + 1: whether they came from
    /// `i + HALF`.
    from: Vec<[[u8; HALF]; 2]>,
    /// Costs and multiples of the block's candidates.
    candidates: [Candidates; KINDS],
}

impl<const N: usize, const HALF: usize> Search<N, HALF> {
    fn new(machine: Machine) -> Self {
        let mask = |set: &[u64; 4], s: usize| -i32::from(bit(set, s as u32));
        Self {
            machine,
            costs: [0; N],
            odd: std::array::from_fn(|s| mask(&machine.odd, s)),
            parity: std::array::from_fn(|s| mask(&machine.parity, s)),
            from: Vec::with_capacity(BLOCK + DELAY),
            candidates: Default::default(),
        }
    }

    fn run(mut self, task: &Task, out: &mut [i32]) {
        let n = task.targets.len();
        let (mut start, mut state) = (0, 0);
        while start < n {
            let end = (start + BLOCK + DELAY).min(n);
            fill(&mut self.candidates, task, &(start..end));
            let decided = start..if end == n { end } else { start + BLOCK };
            let (signs, out) = (&task.targets[decided.clone()], &mut out[decided.clone()]);
            with_simd(
                #[inline(always)]
                || {
                    self.extend(state);
                    state = self.decide(signs, out);
                },
            );
            start = decided.end;
        }
    }

    /// Extends all survivors of `state` by the block's coefficients.
    #[inline(always)]
    fn extend(&mut self, state: usize) {
        let mut costs = [MAX_COST << 4; N];
        costs[state] = 0;
        let mut others = [0; N];
        let (odd, parity) = (self.odd, self.parity);
        let [a, b, c, d] = &self.candidates;
        let n = a.costs.len();
        self.from.resize(n, [[0; HALF]; 2]);
        let cost = |t: usize| [a.costs[t], b.costs[t], c.costs[t], d.costs[t]];
        // Two coefficients at a time, back and forth, so that costs are not copied.
        let mut pairs = self.from.chunks_exact_mut(2);
        for (t, from) in pairs.by_ref().enumerate() {
            advance(
                &costs,
                &mut others,
                cost(2 * t),
                (&odd, &parity),
                &mut from[0],
            );
            advance(
                &others,
                &mut costs,
                cost(2 * t + 1),
                (&odd, &parity),
                &mut from[1],
            );
        }
        if let [from] = pairs.into_remainder() {
            advance(&costs, &mut others, cost(n - 1), (&odd, &parity), from);
            costs = others;
        }
        self.costs = costs;
    }

    /// Follows the best survivor back, writes the oldest `out.len()` decisions and returns the
    /// state after them.
    #[inline(always)]
    fn decide(&self, signs: &[i32], out: &mut [i32]) -> usize {
        let least = self.costs.iter().copied().min().unwrap_or(0);
        let mut state = self.costs.iter().position(|&c| c == least).unwrap_or(0);
        let mut after = state;
        for t in (0..self.from.len()).rev() {
            if t + 1 == out.len() {
                after = state;
            }
            let input = state & 1;
            let high = self.from[t][input][state >> 1];
            state = (state >> 1) + usize::from(high) * HALF;
            let odd = usize::from(bit(&self.machine.odd, state as u32));
            let parity = input ^ usize::from(bit(&self.machine.parity, state as u32));
            if let Some(out) = out.get_mut(t) {
                let n = self.candidates[2 * odd + parity].multiples[t];
                *out = if signs[t] < 0 { -n } else { n };
            }
        }
        after
    }
}

/// Advances by one coefficient: from states `i` and `i + HALF` to `2 i` and `2 i + 1`. `cost` holds
/// that of each kind of candidate.
#[inline(always)]
fn advance<const N: usize, const HALF: usize>(
    old: &[i32; N],
    new: &mut [i32; N],
    cost: [i32; KINDS],
    (odd, parity): (&[i32; HALF], &[i32; HALF]),
    from: &mut [[u8; HALF]; 2],
) {
    let pick = |a: i32, b: i32, mask: i32| a ^ ((a ^ b) & mask);
    let [from_0, from_1] = from;
    for i in 0..HALF {
        let even_index = pick(cost[0], cost[2], odd[i]);
        let odd_index = pick(cost[1], cost[3], odd[i]);
        let same = pick(even_index, odd_index, parity[i]);
        let other = even_index ^ odd_index ^ same;
        let (a, b) = (old[i] + same, old[i + HALF] + other);
        new[2 * i] = a.min(b);
        from_0[i] = u8::from(b < a);
        let (a, b) = (old[i] + other, old[i + HALF] + same);
        new[2 * i + 1] = a.min(b);
        from_1[i] = u8::from(b < a);
    }
}

#[cfg(test)]
mod tests {
    use super::super::multiple;
    use super::*;

    fn rates() -> Rates {
        Rates::new(|_, _, k| if k == 0 { 200 } else { 600 + 256 * k as i32 })
    }

    fn noise(n: usize, spread: i32) -> Vec<i32> {
        let mut state = 5u32;
        (0..n)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as i32 % (2 * spread + 1) - spread
            })
            .collect()
    }

    /// Mean squared error in squared steps, after checking that a decoder can follow.
    fn followed(machine: Machine, targets: &[i32], found: &[i32]) -> f64 {
        let mut state = 0;
        let mut sum = 0.0;
        for (t, (&target, &n)) in targets.iter().zip(found).enumerate() {
            let odd = machine.is_odd(state);
            let k = index(n, odd);
            assert_eq!(
                multiple(k, odd),
                n.unsigned_abs(),
                "no point of the quantiser {machine:?} {t}"
            );
            state = machine.next(state, k);
            sum += (f64::from(target) / 64.0 - f64::from(n)).powi(2);
        }
        sum / targets.len() as f64
    }

    #[test]
    fn a_decoder_can_follow_and_more_states_are_closer() {
        let targets = noise(20_000, 1000);
        let mut errors = Vec::new();
        for machine in [Machine::EIGHT, Machine::SIXTY_FOUR, Machine::TWO_FIFTY_SIX] {
            let mut out = vec![0; targets.len()];
            search(
                machine,
                &targets,
                &vec![0; targets.len()],
                &rates(),
                0,
                &mut out,
            );
            errors.push(followed(machine, &targets, &out));
        }
        // One quantiser of every second multiple would leave 4/12 = 0.333.
        assert!(errors[0] < 0.252, "{errors:?}");
        assert!(errors[1] < 0.240, "{errors:?}");
        assert!(errors[2] < 0.236, "{errors:?}");
    }

    #[test]
    fn blocks_hardly_show() {
        // A longer sequence is quantised alike: looking further ahead changes little.
        let targets = noise(5 * BLOCK, 300);
        let classes = vec![0; targets.len()];
        let mut long = vec![0; targets.len()];
        search(
            Machine::SIXTY_FOUR,
            &targets,
            &classes,
            &rates(),
            9000,
            &mut long,
        );
        let n = 3 * BLOCK + 700;
        let mut short = vec![0; n];
        search(
            Machine::SIXTY_FOUR,
            &targets[..n],
            &classes[..n],
            &rates(),
            9000,
            &mut short,
        );
        let same = short.iter().zip(&long).take_while(|(a, b)| a == b).count();
        assert!(same > n - 2 * DELAY, "{same}");
    }

    #[test]
    fn a_high_price_makes_zeros() {
        let targets = noise(3000, 60);
        let mut out = vec![9; 3000];
        search(
            Machine::EIGHT,
            &targets,
            &vec![0; 3000],
            &rates(),
            1 << 20,
            &mut out,
        );
        assert!(out.iter().all(|&n| n == 0));
    }

    #[test]
    fn extreme_targets_are_capped() {
        let targets = [i32::MAX, i32::MIN, 0, 1 << 28, -(1 << 28)];
        let mut out = [0; 5];
        search(
            Machine::SIXTY_FOUR,
            &targets,
            &[0; 5],
            &rates(),
            17_000,
            &mut out,
        );
        assert!(out[0] > 1 << 21 && out[1] < -(1 << 21), "{out:?}");
    }
}
