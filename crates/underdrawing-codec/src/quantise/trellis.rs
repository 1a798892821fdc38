//! The state machine shared by encoder and decoder, and the encoder's search through its trellis.

use super::index;
use super::lanes::{LANES, Plain, Vectors};
#[cfg(target_arch = "x86_64")]
use crate::simd::avx2;
use crate::simd::with_simd;

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
    fn of(&self, class: usize, odd: bool, k: u32) -> i32 {
        let last = RATED as u32 - 1;
        let row = (class * 2 + usize::from(odd)) * RATED;
        let doublings = 31 - (k.max(last) - last + 1).leading_zeros();
        self.table[row + k.min(last) as usize] + 512 * doublings as i32
    }
}

/// Fraction bits of a coefficient in steps during the search.
pub(crate) const TARGET_BITS: u32 = 6;

/// Larger multiples cost as many bits as this one: among neighbours that is about right.
const PRICED: usize = 32;

/// Candidates of a coefficient: neighbouring multiples, one for each quantiser and parity of the
/// index. Which one of these a multiple belongs to follows from its remainder modulo 4.
const KINDS: usize = 4;

/// Costs are in 1/256 of a squared step, so that those of paths fit in 16 bits, and clamped to
/// this.
const MAX_COST: i16 = 4095;

/// A number for each kind of candidate.
type Kinds = [i16; KINDS];

/// What multiples cost in bits, in the unit of costs.
pub(crate) struct Prices {
    /// By class and the least of four neighbouring multiples.
    table: Box<[[Kinds; PRICED + KINDS]; N_CLASSES]>,
    /// Those of zero, and more than any cost for the two kinds without it.
    zeros: [Kinds; N_CLASSES],
}

impl Prices {
    /// From the price of a bit in squared 1/64 steps, times 16.
    pub(crate) fn new(rates: &Rates, lambda: i32) -> Self {
        let price = |class: usize, odd: bool, n: usize| {
            let k = index(n.min(PRICED) as i32, odd);
            let bits = i64::from(rates.of(class, odd, k));
            ((bits * i64::from(lambda)) >> 16).min(i64::from(MAX_COST)) as i16
        };
        let neighbours = |class: usize, base: usize| {
            std::array::from_fn(|kind| {
                let n = base + (kind.wrapping_sub(base) & 3);
                price(class, n % 2 == 1, n)
            })
        };
        let row = |class: usize| std::array::from_fn(|base| neighbours(class, base));
        let zeros = |class: usize| {
            let [even, odd] = [false, true].map(|odd| price(class, odd, 0));
            [even, 2 * MAX_COST, 2 * MAX_COST, odd]
        };
        Self {
            table: Box::new(std::array::from_fn(row)),
            zeros: std::array::from_fn(zeros),
        }
    }
}

/// How far the multiple of each kind lies from the least of four, in 1/32 steps; by that one modulo
/// 4.
const DISTANCES: [Kinds; KINDS] = [
    [0, 32, 64, 96],
    [96, 0, 32, 64],
    [64, 96, 0, 32],
    [32, 64, 96, 0],
];

/// The candidates of a block's coefficients.
#[derive(Default)]
struct Candidates {
    costs: Vec<Kinds>,
    /// The least of four neighbouring multiples.
    bases: Vec<i32>,
    /// All ones where zero takes the place of the neighbouring multiple.
    zeros: Vec<Kinds>,
    errors: Vec<Kinds>,
    /// From the least of four neighbouring multiples, and from zero, squared.
    distances: Vec<[i16; 2]>,
}

impl Candidates {
    #[inline(always)]
    fn fill(&mut self, targets: &[i32], classes: &[u8], prices: &Prices) {
        let n = targets.len();
        self.bases.resize(n, 0);
        self.distances.resize(n, [0; 2]);
        for numbers in [&mut self.costs, &mut self.zeros, &mut self.errors] {
            numbers.resize(n, [0; KINDS]);
        }
        let outputs = self.bases.iter_mut().zip(&mut self.distances);
        for (&target, (base, [error, square])) in targets.iter().zip(outputs) {
            let size = size(target);
            *base = (size >> TARGET_BITS).max(2) - 1;
            // Errors in 1/32 steps: at most 4 steps, where the square has 14 bits.
            *error = ((size - (*base << TARGET_BITS)).min(2 << TARGET_BITS) >> 1) as i16;
            // The square of 181 is more than the largest cost.
            let whole = (size >> 1).min(181);
            *square = ((whole * whole) >> 2) as i16;
        }
        let inputs = classes.iter().zip(&self.bases).zip(&self.distances);
        let outputs = self.costs.iter_mut().zip(&mut self.zeros);
        let outputs = outputs.zip(&mut self.errors);
        for (((&class, &base), distances), ((costs, zeros), errors)) in inputs.zip(outputs) {
            let class = usize::from(class) % N_CLASSES;
            let rest = base as usize % KINDS;
            let row = &prices.table[class];
            *costs = row[(base as usize).min(PRICED + rest) % row.len()];
            let (far, free) = (&DISTANCES[rest], &prices.zeros[class]);
            let &[error, square] = distances;
            for kind in 0..KINDS {
                errors[kind] = error - far[kind];
                zeros[kind] = square + free[kind];
            }
        }
        let costs = self.costs.as_flattened_mut().iter_mut();
        let outputs = costs.zip(self.zeros.as_flattened_mut());
        for ((cost, zero), &error) in outputs.zip(self.errors.as_flattened()) {
            let near = (((error * error) >> 2) + *cost).min(MAX_COST);
            *cost = near.min(*zero);
            *zero = -i16::from(*zero < near);
        }
    }

    /// A candidate of coefficient `t`, without its sign.
    #[inline(always)]
    fn multiple(&self, t: usize, kind: u8) -> i32 {
        let base = self.bases[t];
        let n = base + ((i32::from(kind) - base) & 3);
        n & !i32::from(self.zeros[t][usize::from(kind)])
    }
}

/// The kind of candidate for a quantiser and a parity of the index: the multiple modulo 4.
const fn kind(odd: bool, parity: bool) -> u8 {
    match (odd, parity) {
        (false, false) => 0,
        (true, true) => 1,
        (false, true) => 2,
        (true, false) => 3,
    }
}

/// A target's magnitude, clamped.
#[inline(always)]
fn size(target: i32) -> i32 {
    target
        .unsigned_abs()
        .min((super::MAX_MULTIPLE - KINDS as u32) << TARGET_BITS) as i32
}

/// Coefficients that are decided at a time. The next block starts from the state that they lead to.
const BLOCK: usize = 2048;

/// How far the search looks beyond a block. Nearly all survivors agree on what lies so far back.
const DELAY: usize = 128;

/// Coefficients after which the costs of all paths are lowered by the least one. A path reaches any
/// state in eight steps, so costs differ by at most eight times the largest one; with these they
/// fit in 16 bits.
const LOWERED: usize = 6;

/// The least cost of a path at a block's start. Others start with more than they could make up for.
const LEAST: i16 = i16::MIN + 256;
const UNREACHED: i16 = LEAST + (8 * MAX_COST as i32 + 1) as i16;
const _: () = assert!(LEAST as i32 + (8 + LOWERED as i32) * MAX_COST as i32 + 1 < 1 << 15);

/// Quantises a sequence to the multiples of the step that cost least, by Viterbi's algorithm, and
/// writes them to `out`. The state starts at 0.
///
/// `targets` are in 1/64 steps, `classes` select from `prices`.
pub(crate) fn search(
    machine: Machine,
    targets: &[i32],
    classes: &[u8],
    prices: &Prices,
    out: &mut [i32],
) {
    match machine.mask {
        7 => Search::<8>::new(machine).run(targets, classes, prices, out),
        255 => Search::<256>::new(machine).run(targets, classes, prices, out),
        _ => Search::<64>::new(machine).run(targets, classes, prices, out),
    }
}

/// Survivors of `N` states.
struct Search<const N: usize> {
    costs: [i16; N],
    steps: Steps<N>,
    /// For each undecided coefficient and new state `c LANES + i`: a bit of number `i`, the lowest
    /// for the largest `c`, says whether it came from the upper half of the states.
    from: Vec<[i16; LANES]>,
    /// Of the block's coefficients.
    candidates: Candidates,
}

/// The steps to new states. State `s` is reached from `s / 2` and from `s / 2 + N / 2`. Both take in
/// the same bit, with the same quantiser, by indices of different parity.
struct Steps<const N: usize> {
    /// The kinds of candidate that lead to each state from the lower and from the upper half.
    kinds: [[u8; 2]; N],
    /// All ones where the step from the lower half to one of the first states has an odd quantiser,
    /// and where its index is odd.
    odd: [i16; LANES],
    parity: [i16; LANES],
    /// For each [`LANES`] states, whether they differ from the first ones in the quantiser (2) and
    /// in the parity (1).
    other: [u8; LANES],
}

impl<const N: usize> Steps<N> {
    fn new(machine: Machine) -> Self {
        let odd = |s: usize| bit(&machine.odd, (s % N) as u32 / 2);
        let parity = |s: usize| bit(&machine.parity, (s % N) as u32 / 2) ^ (s % 2 == 1);
        Self {
            kinds: std::array::from_fn(|s| [false, true].map(|p| kind(odd(s), parity(s) ^ p))),
            odd: std::array::from_fn(|s| -i16::from(odd(s))),
            parity: std::array::from_fn(|s| -i16::from(parity(s))),
            // Both are parities of some of a state's bits.
            other: std::array::from_fn(|c| {
                2 * u8::from(odd(c * LANES)) + u8::from(parity(c * LANES))
            }),
        }
    }
}

impl<const N: usize> Search<N> {
    fn new(machine: Machine) -> Self {
        Self {
            costs: [0; N],
            steps: Steps::new(machine),
            from: Vec::new(),
            candidates: Candidates::default(),
        }
    }

    fn run(mut self, targets: &[i32], classes: &[u8], prices: &Prices, out: &mut [i32]) {
        let n = targets.len();
        let (mut start, mut state) = (0, 0);
        while start < n {
            let end = (start + BLOCK + DELAY).min(n);
            let decided = start..if end == n { end } else { start + BLOCK };
            let (block, classes) = (&targets[start..end], &classes[start..end]);
            let (signs, out) = (&targets[decided.clone()], &mut out[decided.clone()]);
            with_simd(
                #[inline(always)]
                || self.candidates.fill(block, classes, prices),
            );
            self.extend_by_widest(state);
            state = self.decide(signs, out);
            start = decided.end;
        }
    }

    fn extend_by_widest(&mut self, state: usize) {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) = avx2() {
            return avx2.vectorize(
                #[inline(always)]
                || self.extend(state, avx2),
            );
        }
        self.extend(state, Plain);
    }

    /// Extends all survivors of `state` by the block's coefficients.
    #[inline(always)]
    fn extend<V: Vectors>(&mut self, state: usize, vectors: V) {
        let mut costs = [UNREACHED; N];
        costs[state] = LEAST;
        let mut others = [0; N];
        self.from.resize(self.candidates.costs.len(), [0; LANES]);
        let blocks = self.candidates.costs.chunks(LOWERED);
        for (block, from) in blocks.zip(self.from.chunks_mut(LOWERED)) {
            // Two coefficients at a time, back and forth, so that costs are not copied.
            for (pair, from) in block.chunks(2).zip(from.chunks_mut(2)) {
                from[0] = advance(vectors, &costs, &mut others, pair[0], &self.steps);
                if let (&[_, second], [_, from]) = (pair, from) {
                    *from = advance(vectors, &others, &mut costs, second, &self.steps);
                } else {
                    costs = others;
                }
            }
            let least = costs.iter().copied().min().unwrap_or(0);
            let excess = least - LEAST;
            for cost in &mut costs {
                *cost -= excess;
            }
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
            let high = self.from[t][state % LANES] >> ((N - 1) / LANES - state / LANES) & 1;
            let high = high as usize;
            let kind = self.steps.kinds[state][high];
            state = state / 2 + high * (N / 2);
            if let Some(out) = out.get_mut(t) {
                let n = self.candidates.multiple(t, kind);
                *out = if signs[t] < 0 { -n } else { n };
            }
        }
        after
    }
}

/// Advances by one coefficient. `cost` holds that of each candidate. Returns what [`Search::from`]
/// holds.
#[inline(always)]
fn advance<V: Vectors, const N: usize>(
    vectors: V,
    old: &[i16; N],
    new: &mut [i16; N],
    cost: Kinds,
    steps: &Steps<N>,
) -> [i16; LANES] {
    if N > LANES {
        return advance_by_vectors(vectors, old, new, cost, steps);
    }
    let pick = |a: i16, b: i16, mask: i16| a ^ ((a ^ b) & mask);
    let mut from = [0; LANES];
    for i in 0..N {
        let even_index = pick(cost[0], cost[3], steps.odd[i]);
        let odd_index = pick(cost[2], cost[1], steps.odd[i]);
        let low = old[i / 2] + pick(even_index, odd_index, steps.parity[i]);
        let high = old[(N + i) / 2] + pick(odd_index, even_index, steps.parity[i]);
        new[i] = low.min(high);
        from[i] = i16::from(high < low);
    }
    from
}

#[inline(always)]
fn advance_by_vectors<V: Vectors, const N: usize>(
    v: V,
    old: &[i16; N],
    new: &mut [i16; N],
    cost: Kinds,
    steps: &Steps<N>,
) -> [i16; LANES] {
    let (odd, parity) = (v.load(steps.odd), v.load(steps.parity));
    // The costs of steps to the first states, with the same and with other quantisers and parities.
    let [a, b, c, d] = cost;
    let (a, b, c, d) = (v.splat(a), v.splat(b), v.splat(c), v.splat(d));
    let (even_0, odd_0) = (v.pick(a, d, odd), v.pick(c, b, odd));
    let (even_1, odd_1) = (v.pick(d, a, odd), v.pick(b, c, odd));
    let costs = [
        v.pick(even_0, odd_0, parity),
        v.pick(odd_0, even_0, parity),
        v.pick(even_1, odd_1, parity),
        v.pick(odd_1, even_1, parity),
    ];
    let mut from = v.splat(0);
    let (lower, upper) = old.split_at(N / 2);
    let (lower, _) = lower.as_chunks::<{ LANES / 2 }>();
    let (upper, _) = upper.as_chunks::<{ LANES / 2 }>();
    let (new, _) = new.as_chunks_mut::<LANES>();
    // Four vectors at a time, which the compiler unrolls.
    let inputs = lower
        .as_chunks::<4>()
        .0
        .iter()
        .zip(upper.as_chunks::<4>().0);
    let outputs = new.as_chunks_mut::<4>().0.iter_mut();
    for ((new, (lower, upper)), other) in outputs.zip(inputs).zip(steps.other.as_chunks::<4>().0) {
        for c in 0..4 {
            let other = usize::from(other[c]) & 3;
            let low = v.add(v.twice(lower[c]), costs[other]);
            let high = v.add(v.twice(upper[c]), costs[other ^ 1]);
            new[c] = v.store(v.min(low, high));
            from = v.sub(v.add(from, from), v.less(high, low));
        }
    }
    v.store(from)
}

#[cfg(test)]
mod tests {
    use super::super::multiple;
    use super::*;

    fn prices(lambda: i32) -> Prices {
        let rates = Rates::new(|_, _, k| if k == 0 { 200 } else { 600 + 256 * k as i32 });
        Prices::new(&rates, lambda)
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
                &prices(0),
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
            &prices(9000),
            &mut long,
        );
        let n = 3 * BLOCK + 700;
        let mut short = vec![0; n];
        search(
            Machine::SIXTY_FOUR,
            &targets[..n],
            &classes[..n],
            &prices(9000),
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
            &prices(1 << 19),
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
            &prices(17_000),
            &mut out,
        );
        assert!(out[0] > 1 << 21 && out[1] < -(1 << 21), "{out:?}");
    }
}
