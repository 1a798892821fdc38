//! The state machine that decoder and encoder share, and the encoder's search through it.

use super::index;
use crate::simd::with_simd;

/// A state machine: its state is the last few bits that went in, newest lowest.
///
/// Ungerboeck's codes: with `h0` and `h1` the parity checks of his tables, the quantiser is the
/// parity of the state under `h1`, and an index's parity is the bit that goes in plus the parity of
/// the state under `h0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// States less one.
    mask: u32,
    /// Bit `s`: whether state `s` quantises to odd multiples.
    odd: u64,
    /// Bit `s`: parity of the index when a zero goes into state `s`.
    parity: u64,
}

impl Machine {
    /// Eight states (13, 04 octal).
    pub(crate) const EIGHT: Self = Self::new(3, 0o13, 0o04);

    /// Sixty-four states (103, 024 octal).
    pub(crate) const SIXTY_FOUR: Self = Self::new(6, 0o103, 0o024);

    const fn new(bits: u32, h0: u32, h1: u32) -> Self {
        let (mut odd, mut parity) = (0, 0);
        let mut s = 0u32;
        while s < 1 << bits {
            odd |= (((s & (h1 >> 1)).count_ones() & 1) as u64) << s;
            parity |= (((s & (h0 >> 1)).count_ones() & 1) as u64) << s;
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
        self.odd >> state & 1 == 1
    }

    /// The state after index `k`.
    #[inline(always)]
    pub(crate) fn next(&self, state: u32, k: u32) -> u32 {
        let bit = (k ^ (self.parity >> state) as u32) & 1;
        (state << 1 | bit) & self.mask
    }
}

/// Entries of [`Rates`] for one class and quantiser.
pub(crate) const RATED: usize = 16;

/// What indices cost the encoder, by class of the coefficient and quantiser; sign included.
#[derive(Clone, Debug)]
pub(crate) struct Rates {
    /// `[class][odd][k]` in 1/256 bit; `k` up to `RATED - 1`.
    table: Vec<[[i32; RATED]; 2]>,
}

impl Rates {
    /// From costs in 1/256 bit.
    pub(crate) fn new(table: Vec<[[i32; RATED]; 2]>) -> Self {
        Self { table }
    }

    /// Cost in 1/256 bit. Large indices: two more bits for each doubling.
    #[inline(always)]
    pub(crate) fn of(&self, class: usize, odd: bool, k: u32) -> i32 {
        let row = &self.table[class][usize::from(odd)];
        let last = RATED as u32 - 1;
        if k <= last {
            row[k as usize]
        } else {
            row[last as usize] + 512 * (k - last + 1).ilog2() as i32
        }
    }
}

/// Fraction bits of a coefficient in steps during the search.
pub(crate) const TARGET_BITS: u32 = 6;

/// Candidates of one coefficient: cost and multiple for each quantiser and parity of the index.
#[derive(Clone, Copy, Default)]
struct Candidates {
    cost: [[i32; 2]; 2],
    multiple: [[i32; 2]; 2],
}

/// Costs are capped here, so that a few thousand of them fit in 32 bits.
const MAX_COST: i32 = 1 << 18;

impl Candidates {
    /// For `target` in 1/64 steps. `lambda` is what one bit is worth in squared 1/64 steps, times
    /// 16.
    #[inline(always)]
    fn new(target: i32, class: usize, rates: &Rates, lambda: i32) -> Self {
        let size = target
            .unsigned_abs()
            .min(super::MAX_MULTIPLE << TARGET_BITS);
        let mut candidates = Self::default();
        for odd in [false, true] {
            for parity in [0, 1] {
                // Smallest multiple above zero of this kind; the others lie 4 apart.
                let first = match (odd, parity) {
                    (false, 0) => 4,
                    (false, _) => 2,
                    (true, 1) => 1,
                    (true, _) => 3,
                };
                let base = size as i32 - (first << TARGET_BITS) as i32 + (2 << TARGET_BITS);
                let n = first + 4 * (base.max(0) as u32 >> (TARGET_BITS + 2));
                let cost = |n: u32| {
                    let error = size as i32 - (n << TARGET_BITS) as i32;
                    let rate = rates.of(class, odd, index(n as i32, odd));
                    let error = error.clamp(-500, 500);
                    (error * error + ((i64::from(rate) * i64::from(lambda)) >> 12) as i32)
                        .min(MAX_COST)
                };
                let mut best = (cost(n), n);
                if parity == 0 && n == first {
                    let zero = cost(0);
                    if zero <= best.0 {
                        best = (zero, 0);
                    }
                }
                candidates.cost[usize::from(odd)][parity] = best.0;
                let n = best.1 as i32;
                candidates.multiple[usize::from(odd)][parity] = if target < 0 { -n } else { n };
            }
        }
        candidates
    }
}

/// Coefficients that are decided at a time; the next ones start from the state they lead to.
const BLOCK: usize = 4096;

/// Coefficients looked at after those of a block: nearly all survivors agree that far back.
const DELAY: usize = 128;

/// Quantises a sequence: the multiples of the step that cost least, by Viterbi's algorithm.
///
/// `targets` in 1/64 steps, `classes` into `rates`, `lambda` as in [`Candidates::new`]; writes the
/// multiples to `out`. The state starts at 0.
pub(crate) fn search(
    machine: Machine,
    targets: &[i32],
    classes: &[u8],
    rates: &Rates,
    lambda: i32,
    out: &mut [i32],
) {
    with_simd(
        #[inline(always)]
        || match machine.mask {
            7 => Search::<8, 4>::new(machine).run(targets, classes, rates, lambda, out),
            _ => Search::<64, 32>::new(machine).run(targets, classes, rates, lambda, out),
        },
    );
}

/// Survivors of `N` states; `HALF` is half of `N`.
struct Search<const N: usize, const HALF: usize> {
    machine: Machine,
    costs: [i32; N],
    /// All ones where states `i` and `i + HALF` quantise to odd multiples.
    odd: [i32; HALF],
    /// All ones where a zero into state `i` means an odd index; into `i + HALF` it is the reverse.
    parity: [i32; HALF],
    /// For each undecided coefficient and pair of new states 2i, 2i + 1: whether they came from
    /// `i + HALF`.
    from: Vec<[[u8; HALF]; 2]>,
    candidates: Vec<[[i32; 2]; 2]>,
}

impl<const N: usize, const HALF: usize> Search<N, HALF> {
    #[inline(always)]
    fn new(machine: Machine) -> Self {
        let mask = |bits: u64, s: usize| -((bits >> s & 1) as i32);
        Self {
            machine,
            costs: [0; N],
            odd: std::array::from_fn(|s| mask(machine.odd, s)),
            parity: std::array::from_fn(|s| mask(machine.parity, s)),
            from: Vec::with_capacity(BLOCK + DELAY),
            candidates: Vec::with_capacity(BLOCK + DELAY),
        }
    }

    #[inline(always)]
    fn run(mut self, targets: &[i32], classes: &[u8], rates: &Rates, lambda: i32, out: &mut [i32]) {
        let (mut start, mut state) = (0, 0);
        while start < targets.len() {
            self.costs = [MAX_COST << 4; N];
            self.costs[state] = 0;
            self.from.clear();
            self.candidates.clear();
            let end = (start + BLOCK + DELAY).min(targets.len());
            for (&target, &class) in targets[start..end].iter().zip(&classes[start..end]) {
                let candidates = Candidates::new(target, class.into(), rates, lambda);
                self.step(&candidates.cost);
                self.candidates.push(candidates.multiple);
            }
            let decided = if end == targets.len() {
                end - start
            } else {
                BLOCK
            };
            state = self.decide(&mut out[start..start + decided]);
            start += decided;
        }
    }

    /// Extends all survivors by one coefficient.
    #[inline(always)]
    fn step(&mut self, cost: &[[i32; 2]; 2]) {
        let mut from = [[0u8; HALF]; 2];
        let mut new = [[0i32; HALF]; 2];
        let pick = |a: i32, b: i32, mask: i32| a ^ ((a ^ b) & mask);
        for i in 0..HALF {
            let even = pick(cost[0][0], cost[1][0], self.odd[i]);
            let odd = pick(cost[0][1], cost[1][1], self.odd[i]);
            let same = pick(even, odd, self.parity[i]);
            let other = even ^ odd ^ same;
            let (low, high) = (self.costs[i], self.costs[i + HALF]);
            let (a, b) = (low + same, high + other);
            new[0][i] = a.min(b);
            from[0][i] = u8::from(b < a);
            let (a, b) = (low + other, high + same);
            new[1][i] = a.min(b);
            from[1][i] = u8::from(b < a);
        }
        for i in 0..HALF {
            self.costs[2 * i] = new[0][i];
            self.costs[2 * i + 1] = new[1][i];
        }
        self.from.push(from);
    }

    /// Follows the best survivor back, writes the oldest `out.len()` decisions and returns the
    /// state after them.
    #[inline(always)]
    fn decide(&self, out: &mut [i32]) -> usize {
        let least = self.costs.iter().copied().min().unwrap_or(0);
        let mut state = self.costs.iter().position(|&c| c == least).unwrap_or(0);
        let mut after = state;
        for t in (0..self.from.len()).rev() {
            if t + 1 == out.len() {
                after = state;
            }
            let bit = state & 1;
            let high = self.from[t][bit][state >> 1];
            state = (state >> 1) + usize::from(high) * HALF;
            let odd = self.machine.odd >> state & 1;
            let parity = bit as u64 ^ (self.machine.parity >> state & 1);
            if let Some(out) = out.get_mut(t) {
                *out = self.candidates[t][odd as usize][parity as usize];
            }
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::super::multiple;
    use super::*;

    fn rates() -> Rates {
        let row = std::array::from_fn(|k| if k == 0 { 200 } else { 600 + 256 * k as i32 });
        Rates::new(vec![[row; 2]])
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
        for machine in [Machine::EIGHT, Machine::SIXTY_FOUR] {
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
        assert!(errors[0] < 0.272, "{errors:?}");
        assert!(errors[1] < 0.256, "{errors:?}");
    }

    #[test]
    fn blocks_hardly_show() {
        // A longer sequence starts the same: looking further ahead would decide alike.
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
