//! The search for bytes: the M-algorithm (Anderson and Mohan 1984), as sigma-delta modulators that
//! look ahead use it.
//!
//! Each sample may become the byte on either side of its value. What is chosen moves the values of
//! later samples, so the nearer byte is not always the better one. Several ways through a segment
//! of a row of blocks are followed side by side; after each sample those go on whose errors have
//! the least sum of squares so far. Taps that are well trained make an error as harmful at one
//! sample as at another, whence the plain sum.

use super::{BLOCK, LANES, NEIGHBOURS, Taps};

/// Ways that are followed side by side.
const WAYS: usize = 4;
/// What they may do at a sample: two bytes each.
const CHOICES: usize = 2 * WAYS;

/// Neighbours whose errors are known before a segment begins: the three blocks above.
const ABOVE: usize = 3;
/// The left block's place among the neighbours, and the block's own.
const LEFT: usize = ABOVE;
const OWN: usize = NEIGHBOURS - 1;

/// Values or errors of the samples of a block.
pub(super) type Samples = [f32; BLOCK];

/// Blocks side by side whose bytes are searched.
#[derive(Debug)]
pub(super) struct Segment<'a> {
    /// Errors of the row above, from the block above left of the first to that above right of the
    /// last.
    pub(super) above: &'a [Samples],
    /// Errors of the block to the left.
    pub(super) left: Samples,
    /// Values of the samples of each block, black 0 and white 255.
    pub(super) values: Vec<Samples>,
}

/// A block's bytes, and their errors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) bytes: [u8; BLOCK],
    pub(super) errors: Samples,
}

/// The bytes of segments that do not depend on each other. Two take hardly longer than one, since
/// a search mostly waits for its own last step.
#[inline(always)]
pub(super) fn search(taps: &Taps, segments: &[Segment<'_>]) -> Vec<Vec<Found>> {
    let mut searches: Vec<Search> = segments.iter().map(Search::new).collect();
    let longest = segments.iter().map(|s| s.values.len()).max().unwrap_or(0);
    for block in 0..longest {
        let goes_on = |segment: &Segment<'_>| block < segment.values.len();
        for (search, segment) in searches.iter_mut().zip(segments) {
            if goes_on(segment) {
                search.begin(taps, &segment.above[block..block + ABOVE]);
            }
        }
        for i in 0..BLOCK {
            for (search, segment) in searches.iter_mut().zip(segments) {
                if goes_on(segment) {
                    search.sample(i, segment.values[block][i], &taps[OWN][i]);
                }
            }
        }
        for (search, segment) in searches.iter_mut().zip(segments) {
            if goes_on(segment) {
                search.end();
            }
        }
    }
    searches.iter().map(Search::found).collect()
}

/// What each way may do at a sample: the byte nearest to its value, or the one on the other side.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    bytes: [f32; WAYS],
    errors: [f32; WAYS],
    /// What each way costs then.
    costs: [f32; WAYS],
}

/// What could be done at a sample, and what the ways did.
#[derive(Clone, Copy, Debug)]
struct Decision {
    bytes: [[f32; WAYS]; 2],
    errors: [[f32; WAYS]; 2],
    /// The choices of the ways after the sample, an index into `bytes` and `errors`; their last
    /// bits only. Choice `c` goes on from the way `c % WAYS`.
    taken: [u32; WAYS],
}

impl Decision {
    /// The byte and error of a way, and the way before that it goes on from.
    #[inline(always)]
    fn follow(&self, way: usize) -> (u8, f32, usize) {
        let choice = self.taken[way] as usize % CHOICES;
        let (side, way) = (choice / WAYS, choice % WAYS);
        (self.bytes[side][way] as u8, self.errors[side][way], way)
    }
}

/// A search on its way through a segment.
#[derive(Debug)]
struct Search {
    /// Sums of squared errors of the ways, less that of the best a block ago.
    costs: [f32; WAYS],
    /// What the errors of each way add to the samples of the block. Even samples read the first
    /// and write the second, odd ones the other way round.
    sums: [[[f32; LANES]; WAYS]; 2],
    /// Errors of each way in the block before.
    left: [Samples; WAYS],
    decisions: Vec<Decision>,
}

impl Search {
    #[inline(always)]
    fn new(segment: &Segment<'_>) -> Self {
        // At first there is one way.
        let mut costs = [f32::INFINITY; WAYS];
        costs[0] = 0.0;
        Self {
            costs,
            sums: [[[0.0; LANES]; WAYS]; 2],
            left: [segment.left; WAYS],
            decisions: Vec::with_capacity(BLOCK * segment.values.len()),
        }
    }

    /// Begins a block below those whose errors are `above`.
    #[inline(always)]
    fn begin(&mut self, taps: &Taps, above: &[Samples]) {
        // A sum for each neighbour, so that none waits for another.
        let left = with([0.0; LANES], &taps[0], &above[0]);
        let middle = with([0.0; LANES], &taps[1], &above[1]);
        let mut known = with([0.0; LANES], &taps[2], &above[2]);
        for o in 0..LANES {
            known[o] += left[o] + middle[o];
        }
        for (sums, left) in self.sums[0].iter_mut().zip(&self.left) {
            *sums = with(known, &taps[LEFT], left);
        }
    }

    /// Each way goes on with the bytes on both sides of its value of sample `i`; the best stay.
    #[inline(always)]
    fn sample(&mut self, i: usize, value: f32, taps: &[f32; LANES]) {
        let [even, odd] = &mut self.sums;
        let (before, after) = if i.is_multiple_of(2) {
            (even, odd)
        } else {
            (odd, even)
        };
        let [mut near, mut far] = [Side::default(); 2];
        for way in 0..WAYS {
            // Where black or white cuts off more than half a step, the rest is lost: nothing could
            // make up for it. What is not a number is black.
            let value = (value + before[way][i]).max(-0.5);
            let value = value.min(255.5);
            near.bytes[way] = value.round_ties_even().clamp(0.0, 255.0);
            near.errors[way] = near.bytes[way] - value;
        }
        for way in 0..WAYS {
            let step = if near.errors[way] > 0.0 { -1.0 } else { 1.0 };
            far.bytes[way] = near.bytes[way] + step;
            far.errors[way] = near.errors[way] + step;
        }
        for side in [&mut near, &mut far] {
            for way in 0..WAYS {
                side.costs[way] = self.costs[way] + side.errors[way] * side.errors[way];
            }
        }
        for way in 0..WAYS {
            let outside = (far.bytes[way] - 127.5).abs() > 127.5;
            far.costs[way] += if outside { f32::INFINITY } else { 0.0 };
        }
        let taken = best([near.costs, far.costs]);
        let errors = [near.errors, far.errors];
        let costs = [near.costs, far.costs];
        for way in 0..WAYS {
            let choice = taken[way] as usize % CHOICES;
            let error = errors.as_flattened()[choice];
            after[way] = plus(&before[choice % WAYS], error, taps);
            self.costs[way] = costs.as_flattened()[choice];
        }
        self.decisions.push(Decision {
            bytes: [near.bytes, far.bytes],
            errors,
            taken,
        });
    }

    /// Ends a block.
    #[inline(always)]
    fn end(&mut self) {
        let block = &self.decisions[self.decisions.len().saturating_sub(BLOCK)..];
        for (way, left) in self.left.iter_mut().enumerate() {
            let mut way = way;
            for (decision, left) in block.iter().zip(left).rev() {
                (_, *left, way) = decision.follow(way);
            }
        }
        // What all have in common is taken off, so that costs stay small.
        let least = self.costs.iter().copied().fold(f32::INFINITY, f32::min);
        for cost in &mut self.costs {
            *cost -= least;
        }
    }

    /// The blocks of the best way.
    #[inline(always)]
    fn found(&self) -> Vec<Found> {
        let (mut way, mut least) = (0, f32::INFINITY);
        for (i, cost) in self.costs.iter().enumerate() {
            if *cost < least {
                (way, least) = (i, *cost);
            }
        }
        let nothing = Found {
            bytes: [0; BLOCK],
            errors: [0.0; BLOCK],
        };
        let mut found = vec![nothing; self.decisions.len() / BLOCK];
        for (place, decision) in self.decisions.iter().enumerate().rev() {
            let block = &mut found[place / BLOCK];
            let i = place % BLOCK;
            (block.bytes[i], block.errors[i], way) = decision.follow(way);
        }
        found
    }
}

/// `sums` with what the errors of a neighbour add to a block's samples.
#[inline(always)]
fn with(mut sums: [f32; LANES], taps: &[[f32; LANES]; BLOCK], errors: &Samples) -> [f32; LANES] {
    for (error, taps) in errors.iter().zip(taps) {
        for (sum, tap) in sums.iter_mut().zip(taps) {
            *sum += error * tap;
        }
    }
    sums
}

/// `sums` with what an error adds to them.
#[inline(always)]
fn plus(sums: &[f32; LANES], error: f32, taps: &[f32; LANES]) -> [f32; LANES] {
    let mut all = [0.0; LANES];
    for o in 0..LANES {
        all[o] = sums[o] + error * taps[o];
    }
    all
}

/// The choices that cost least, in no order. Costs are not negative.
#[inline(always)]
fn best(costs: [[f32; WAYS]; 2]) -> [u32; WAYS] {
    // Such floats are ordered as their bits are. The last bits become the choice.
    let mut keys = [[0; WAYS]; 2];
    for side in 0..2 {
        for way in 0..WAYS {
            let choice = (WAYS * side + way) as u32;
            keys[side][way] = (costs[side][way].to_bits() & !(CHOICES as u32 - 1)) | choice;
        }
    }
    // A sorting network for each side; then the smaller one of each pair from opposite ends.
    for (a, b) in [(0, 1), (2, 3), (0, 2), (1, 3), (1, 2)] {
        for keys in &mut keys {
            (keys[a], keys[b]) = (keys[a].min(keys[b]), keys[a].max(keys[b]));
        }
    }
    let mut best = [0; WAYS];
    for way in 0..WAYS {
        best[way] = keys[0][way].min(keys[1][WAYS - 1 - way]);
    }
    best
}
