//! Who takes which pairs of a batch: ranks side by side, and the parts of a rank one after the
//! other.

use std::iter::StepBy;
use std::ops::Range;

/// Every so many-th pair of a batch, from one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    first: usize,
    every: usize,
}

impl Share {
    /// All pairs.
    pub(crate) const WHOLE: Self = Self { first: 0, every: 1 };

    /// The parts that a rank takes: of rank `r` of `n` all together the pairs r, r + n, ...
    pub(crate) fn of_rank(rank: usize, ranks: usize, parts: usize) -> Vec<Self> {
        let part = |part| Self {
            first: rank + part * ranks,
            every: ranks * parts,
        };
        (0..parts).map(part).collect()
    }

    /// Its pairs, of so many.
    pub(crate) fn pairs(self, of: usize) -> StepBy<Range<usize>> {
        (self.first..of.max(self.first)).step_by(self.every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_taken_once() {
        for (ranks, parts, pairs) in [(1, 1, 6), (3, 1, 6), (2, 2, 7), (1, 4, 4)] {
            let of_rank = |rank| Share::of_rank(rank, ranks, parts);
            let taken = (0..ranks).flat_map(|rank| {
                let pairs = of_rank(rank).into_iter().flat_map(|s| s.pairs(pairs));
                pairs.map(move |pair| (pair, rank))
            });
            let mut taken: Vec<_> = taken.collect();
            taken.sort_unstable();
            let expected: Vec<_> = (0..pairs).map(|pair| (pair, pair % ranks)).collect();
            assert_eq!(taken, expected, "{ranks} ranks, {parts} parts");
        }
    }
}
