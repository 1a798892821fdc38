//! Error correction: a low-density parity-check code, decoded by how sure each bit is
//! (`docs/format.md`, section 5.4).
//!
//! Repeat-accumulate codes: each parity bit is the one before it plus the sum of some information
//! bits, so that encoding is one pass. Which bits follows from the code's two lengths alone.

mod construct;

use construct::rows;

pub(super) use construct::Random;

/// Passes over all checks at most.
const ROUNDS: usize = 60;

/// A bit is no surer than this at first, in 1/8 of a natural logarithm.
const MOST_SURE: i16 = 511;

/// Beliefs are kept in 1/32 of a natural logarithm.
const FINE: i32 = 4;

/// A code of so many bits.
pub(super) struct Code {
    /// Information bits; the parity bits follow them.
    n_information: usize,
    n_parity: usize,
    /// Where each check's information bits begin in `members`, and where the last one's end.
    starts: Vec<u32>,
    /// Information bits of the checks.
    members: Vec<u32>,
}

impl Code {
    /// The code of `n` bits, of which `n_parity` (at least 3) are parity.
    pub(super) fn new(n: usize, n_parity: usize) -> Self {
        let n_information = n - n_parity;
        let (starts, members) = rows(n_information, n_parity);
        Self {
            n_information,
            n_parity,
            starts,
            members,
        }
    }

    pub(super) fn n_information(&self) -> usize {
        self.n_information
    }

    fn check(&self, number: usize) -> std::ops::Range<usize> {
        self.starts[number] as usize..self.starts[number + 1] as usize
    }

    /// Appends the parity bits to the information bits, each 0 or 1.
    pub(super) fn encode(&self, bits: &mut Vec<u8>) {
        debug_assert_eq!(bits.len(), self.n_information);
        let mut parity = 0;
        for check in 0..self.n_parity {
            for &member in &self.members[self.check(check)] {
                parity ^= bits[member as usize];
            }
            bits.push(parity);
        }
    }

    /// The information bits of the nearest codeword, if one is found; `soft` says for each bit how
    /// sure it is to be 0 (below 0: to be 1), in 1/8 of a natural logarithm.
    ///
    /// Belief propagation, check by check.
    pub(super) fn decode(&self, soft: &[i16]) -> Option<Vec<u8>> {
        debug_assert_eq!(soft.len(), self.n_information + self.n_parity);
        let fine = |&soft: &i16| i32::from(soft.clamp(-MOST_SURE, MOST_SURE)) * FINE;
        let mut beliefs: Vec<i32> = soft.iter().map(fine).collect();
        let mut messages = vec![0; self.members.len() + 2 * self.n_parity];
        let mut scratch = Scratch::default();
        for _ in 0..ROUNDS {
            if self.holds(&beliefs) {
                let bits = beliefs[..self.n_information].iter();
                return Some(bits.map(|&belief| u8::from(belief < 0)).collect());
            }
            self.round(&mut beliefs, &mut messages, &mut scratch);
        }
        None
    }

    fn round(&self, beliefs: &mut [i32], messages: &mut [i32], scratch: &mut Scratch) {
        let Scratch {
            bits,
            from_bits,
            after,
        } = scratch;
        for check in 0..self.n_parity {
            let members = self.check(check);
            bits.clear();
            bits.extend(&self.members[members.clone()]);
            bits.push((self.n_information + check) as u32);
            if check > 0 {
                bits.push((self.n_information + check - 1) as u32);
            }
            let n = bits.len();
            let messages = &mut messages[members.start + 2 * check..][..n];
            from_bits.clear();
            from_bits.extend(
                bits.iter()
                    .zip(&*messages)
                    .map(|(&bit, message)| beliefs[bit as usize] - message),
            );
            // Each bit hears the sum of all others: of those before it and those after it.
            after.clear();
            after.resize(n, CERTAIN);
            for i in (1..n).rev() {
                after[i - 1] = sum(after[i], from_bits[i]);
            }
            let mut before = CERTAIN;
            for i in 0..n {
                let message = sum(before, after[i]);
                before = sum(before, from_bits[i]);
                messages[i] = message;
                beliefs[bits[i] as usize] = from_bits[i] + message;
            }
        }
    }

    /// Whether all checks hold, and nothing is left undecided.
    fn holds(&self, beliefs: &[i32]) -> bool {
        if beliefs.contains(&0) {
            return false;
        }
        let bit = |i: usize| beliefs[i] < 0;
        let mut before = false;
        (0..self.n_parity).all(|check| {
            let members = &self.members[self.check(check)];
            let sum = members
                .iter()
                .fold(before, |sum, &member| sum ^ bit(member as usize));
            before = bit(self.n_information + check);
            sum == before
        })
    }
}

/// Vectors of [`Code::round`].
#[derive(Default)]
struct Scratch {
    bits: Vec<u32>,
    from_bits: Vec<i32>,
    after: Vec<i32>,
}

/// What is believed of the sum of no bits: that it is 0.
const CERTAIN: i32 = 1 << 20;

/// What is believed of the sum of two bits: the less sure of both, and a correction.
fn sum(a: i32, b: i32) -> i32 {
    let magnitude = a.abs().min(b.abs()) + softening((a.abs() + b.abs()) / 4)
        - softening((a.abs() - b.abs()).abs() / 4);
    if a ^ b < 0 { -magnitude } else { magnitude }
}

/// `ln(1 + exp(-x / 8))` in 1/32.
fn softening(x: i32) -> i32 {
    /// At the middle of each step.
    const TABLE: [u8; 34] = [
        21, 20, 18, 16, 15, 13, 12, 11, 10, 9, 8, 7, 6, 6, 5, 4, 4, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1,
        1, 1, 1, 1, 1, 1, 0,
    ];
    TABLE.get(x as usize).map_or(0, |&y| y.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64) -> impl FnMut() -> u64 {
        let mut random = Random::new(seed);
        move || random.next()
    }

    fn message(n: usize) -> Vec<u8> {
        let mut draw = noise(7);
        (0..n).map(|_| (draw() & 1) as u8).collect()
    }

    #[test]
    fn corrects_flipped_bits() {
        // Length, parity, flips in a thousand.
        for (n, n_parity, flips) in [(432, 288, 90), (3000, 1500, 75), (20_000, 2600, 7)] {
            let code = Code::new(n, n_parity);
            let information = message(n - n_parity);
            let mut bits = information.clone();
            code.encode(&mut bits);
            let mut draw = noise(n as u64);
            let soft: Vec<i16> = bits
                .iter()
                .map(|&bit| {
                    if (draw() % 1000 < flips) ^ (bit == 1) {
                        -24
                    } else {
                        24
                    }
                })
                .collect();
            assert!(code.decode(&soft) == Some(information), "{n}");
        }
    }

    #[test]
    fn noise_is_no_codeword() {
        let code = Code::new(432, 288);
        let mut draw = noise(3);
        for _ in 0..200 {
            let soft: Vec<i16> = (0..432).map(|_| (draw() % 101) as i16 - 50).collect();
            assert_eq!(code.decode(&soft), None);
        }
    }

    #[test]
    fn any_lengths_make_a_code() {
        for (n, n_parity) in [(4, 3), (10, 3), (100, 3), (100, 97), (1000, 8)] {
            let code = Code::new(n, n_parity);
            let information = message(n - n_parity);
            let mut bits = information.clone();
            code.encode(&mut bits);
            let soft: Vec<i16> = bits.iter().map(|&bit| 40 - 80 * i16::from(bit)).collect();
            assert_eq!(code.decode(&soft), Some(information));
        }
    }
}
