//! Which information digits each check sums, and with which sign.

/// Tries to find a check that closes no short cycle.
const TRIES: usize = 40;

/// In how many checks information digits take part. A few of high weight begin the decoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::robust) enum Weights {
    /// Close to DVB-S2's codes of the same rates (ETSI EN 302 307, tables 5a and b).
    First,
    /// More of high weight at high rates: 16,000 digits of which 0.53 % were wrong, which ask for 8.6
    /// parts of 256 of parity by their information, came back with 12 in place of 16; with 2.15 %
    /// wrong, 36 in place of 40, where 27.7 are asked for.
    Second,
}

/// The checks' members, and where each check's begin.
pub(super) fn rows(
    n_information: usize,
    n_parity: usize,
    weights: Weights,
) -> (Vec<u32>, Vec<u32>) {
    let mut edges = Edges::new(n_information, n_parity, weights);
    for bit in 0..n_information {
        edges.connect(weights.of(bit, n_information, n_parity));
    }
    edges.into_rows(n_parity)
}

impl Weights {
    /// Checks that an information digit takes part in.
    fn of(self, digit: usize, n_information: usize, n_parity: usize) -> usize {
        let rate = 100 * n_information / (n_information + n_parity);
        // The share of heavy digits, and their weight.
        let (share, heavy) = match (rate, self) {
            (..46, _) => ((1, 3), 12),
            (46..56, _) => ((2, 5), 8),
            (56..64, _) => ((1, 3), 12),
            (_, Self::Second) => ((1, 3), 8),
            (64..87, Self::First) => ((1, 9), 12),
            (_, Self::First) => ((1, 8), 4),
        };
        let weight = if digit * share.1 < n_information * share.0 {
            heavy
        } else {
            3
        };
        weight.min(n_parity)
    }
}

/// Digits and the checks they were connected to so far.
struct Edges {
    random: Random,
    n_checks: usize,
    /// Checks that are to get one more digit before any gets two.
    pool: Vec<u32>,
    /// For each digit, in turn: the checks, and where they end.
    checks: Vec<u32>,
    ends: Vec<u32>,
    pairs: Pairs,
}

impl Edges {
    fn new(n_information: usize, n_parity: usize, weights: Weights) -> Self {
        let n_pairs = (0..n_information)
            .map(|bit| weights.of(bit, n_information, n_parity))
            .map(|weight| weight * (weight - 1) / 2)
            .sum();
        Self {
            random: Random::new((n_information as u64) << 32 | n_parity as u64),
            n_checks: n_parity,
            pool: Vec::new(),
            checks: Vec::new(),
            ends: Vec::with_capacity(n_information),
            pairs: Pairs::new(n_pairs),
        }
    }

    /// Connects the next digit to so many checks.
    fn connect(&mut self, weight: usize) {
        let mut chosen: Vec<u32> = Vec::with_capacity(weight);
        while chosen.len() < weight {
            let check = self.draw(&chosen);
            for &other in &chosen {
                self.pairs.insert(check, other);
            }
            chosen.push(check);
        }
        self.checks.extend(&chosen);
        self.ends.push(self.checks.len() as u32);
    }

    /// A check that is not among those chosen, and if one is found soon neither their neighbour,
    /// which the parity digits connect, nor connected to them by another digit.
    fn draw(&mut self, chosen: &[u32]) -> u32 {
        if self.pool.is_empty() {
            self.pool.extend(0..self.n_checks as u32);
        }
        let mut spare = None;
        for _ in 0..TRIES {
            let at = self.random.below(self.pool.len());
            let check = self.pool[at];
            if chosen.contains(&check) {
                continue;
            }
            let short = chosen
                .iter()
                .any(|&other| check.abs_diff(other) < 2 || self.pairs.contains(check, other));
            if !short {
                return self.pool.swap_remove(at);
            }
            spare = Some(at);
        }
        if let Some(at) = spare {
            return self.pool.swap_remove(at);
        }
        // All that are left were chosen already.
        let free = (0..self.n_checks as u32).filter(|check| !chosen.contains(check));
        let free: Vec<u32> = free.collect();
        free[self.random.below(free.len())]
    }

    fn into_rows(self, n_checks: usize) -> (Vec<u32>, Vec<u32>) {
        let mut starts = vec![0; n_checks + 1];
        for &check in &self.checks {
            starts[check as usize + 1] += 1;
        }
        for i in 0..n_checks {
            starts[i + 1] += starts[i];
        }
        let mut next = starts.clone();
        let mut members = vec![0; self.checks.len()];
        let mut start = 0;
        for (bit, &end) in self.ends.iter().enumerate() {
            for &check in &self.checks[start as usize..end as usize] {
                let at = &mut next[check as usize];
                // Half of them count negative.
                members[*at as usize] = 2 * bit as u32 + (check ^ bit as u32) % 2;
                *at += 1;
            }
            start = end;
        }
        (starts, members)
    }
}

/// A set of pairs of checks that a digit connects.
struct Pairs {
    /// Zero where a slot is free.
    slots: Vec<u32>,
}

impl Pairs {
    fn new(n: usize) -> Self {
        Self {
            slots: vec![0; (2 * n + 2).next_power_of_two()],
        }
    }

    /// The slot that holds the pair, or would.
    fn find(&self, a: u32, b: u32) -> (usize, u32) {
        // There are fewer checks than 2^16.
        let pair = a.min(b) << 16 | a.max(b);
        let hash = u64::from(pair).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut slot = (hash >> 32) as usize;
        loop {
            slot &= self.slots.len() - 1;
            if self.slots[slot] == 0 || self.slots[slot] == pair {
                return (slot, pair);
            }
            slot += 1;
        }
    }

    fn contains(&self, a: u32, b: u32) -> bool {
        self.slots[self.find(a, b).0] != 0
    }

    fn insert(&mut self, a: u32, b: u32) {
        let (slot, pair) = self.find(a, b);
        self.slots[slot] = pair;
    }
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
pub(in crate::robust) struct Random(u64);

impl Random {
    pub(in crate::robust) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(in crate::robust) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub(in crate::robust) fn below(&mut self, n: usize) -> usize {
        (((self.next() >> 32) * n as u64) >> 32) as usize
    }
}
