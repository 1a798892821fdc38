//! Error correction: a ternary low-density parity-check code, decoded by how likely each digit is
//! (`docs/format.md`, section 5.4).
//!
//! Repeat-accumulate codes: each parity digit is the one before it less the sum of some information
//! digits, so that encoding is one pass. Which digits follows from the code's two lengths alone.

mod construct;
mod decode;

use construct::rows;
use decode::Decoder;

pub(super) use construct::{Random, Weights};

use super::lattice::Soft;

/// A code of so many ternary digits.
pub(super) struct Code {
    /// Information digits; the parity digits follow them.
    n_information: usize,
    n_parity: usize,
    /// Where each check's information digits begin in `members`, and where the last one's end.
    starts: Vec<u32>,
    /// Information digits of the checks: twice the number, and 1 more where the digit counts
    /// negative.
    members: Vec<u32>,
}

impl Code {
    /// The code of `n` digits, of which `n_parity` (at least 3) are parity.
    pub(super) fn new(n: usize, n_parity: usize, weights: Weights) -> Self {
        let n_information = n - n_parity;
        let (starts, members) = rows(n_information, n_parity, weights);
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

    /// Information digits of a check, and whether each counts negative.
    fn check(&self, number: usize) -> impl ExactSizeIterator<Item = (usize, bool)> {
        let range = self.starts[number] as usize..self.starts[number + 1] as usize;
        let members = self.members[range].iter();
        members.map(|&member| ((member >> 1) as usize, member & 1 == 1))
    }

    /// Appends the parity digits to the information digits, each 0, 1 or 2.
    pub(super) fn encode(&self, digits: &mut Vec<u8>) {
        debug_assert_eq!(digits.len(), self.n_information);
        let mut parity = 0;
        for check in 0..self.n_parity {
            let sum = self
                .check(check)
                .map(|(i, negative)| signed(digits[i], negative));
            parity = (parity + 2 * (sum.map(u32::from).sum::<u32>() % 3) as u8) % 3;
            digits.push(parity);
        }
    }

    /// The information digits of the nearest codeword, if one is found.
    pub(super) fn decode(&self, soft: &[Soft]) -> Option<Vec<u8>> {
        debug_assert_eq!(soft.len(), self.n_information + self.n_parity);
        Decoder::new(self, soft).run()
    }

    /// Whether all checks hold.
    fn holds(&self, digits: &[u8]) -> bool {
        self.sums(digits).all(|sum| sum == 0)
    }

    /// How much likelier what is seen is where there is a codeword than by chance, by each check
    /// alone: a natural logarithm. Digits that are not known say nothing.
    pub(super) fn evidence(&self, soft: &[Soft]) -> f64 {
        /// That a check fails is never sure: beliefs are none too exact.
        const LEAST: f32 = 0.05;
        let transforms = decode::transforms(self, soft);
        let ratio = |check: usize| {
            let before = check.checked_sub(1).map(|before| (before, true));
            let parity = [(check, false)].into_iter().chain(before);
            let parity = parity.map(|(i, negative)| (self.n_information + i, negative));
            let [re, _] = self.check(check).chain(parity).fold(
                [1.0, 0.0],
                |[re, im]: [f32; 2], (i, negative)| {
                    let [a, b] = transforms[i];
                    let b = if negative { -b } else { b };
                    [re * a - im * b, re * b + im * a]
                },
            );
            f64::from((1.0 + 2.0 * re).max(LEAST))
        };
        // Products of 200 factors, each from 0.05 to 3, stay within the range of f64.
        let firsts = (0..self.n_parity).step_by(200);
        let checks = firsts.map(|first| first..self.n_parity.min(first + 200));
        let products = checks.map(|checks| checks.map(ratio).product::<f64>());
        products.map(f64::ln).sum()
    }

    /// How many checks hold.
    fn n_holding(&self, digits: &[u8]) -> usize {
        self.sums(digits).filter(|&sum| sum == 0).count()
    }

    /// The sum of each check.
    fn sums(&self, digits: &[u8]) -> impl Iterator<Item = u32> {
        let mut before = 0;
        (0..self.n_parity).map(move |check| {
            let members = self.check(check);
            let sum: u32 = members
                .map(|(i, negative)| u32::from(signed(digits[i], negative)))
                .sum();
            let parity = u32::from(digits[self.n_information + check]);
            let sum = (sum + parity + 2 * before) % 3;
            before = parity;
            sum
        })
    }
}

fn signed(digit: u8, negative: bool) -> u8 {
    if negative { (3 - digit) % 3 } else { digit }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(n: usize) -> Vec<u8> {
        let mut random = Random::new(7);
        (0..n).map(|_| (random.next() % 3) as u8).collect()
    }

    /// Digits as they are seen, of which `wrong` in a thousand are others.
    fn seen(digits: &[u8], wrong: u64) -> Vec<Soft> {
        let mut random = Random::new(digits.len() as u64);
        digits
            .iter()
            .map(|&digit| {
                let shift = if random.next() % 1000 < wrong {
                    1 + random.next() % 2
                } else {
                    0
                };
                let mut soft = [-36; 3];
                soft[(usize::from(digit) + shift as usize) % 3] = 0;
                soft
            })
            .collect()
    }

    #[test]
    fn corrects_wrong_digits() {
        // Length, parity, wrong ones in a thousand.
        for (n, n_parity, wrong, weights) in [
            (288, 193, 120, Weights::First),
            (3000, 1500, 100, Weights::Second),
            (20_000, 2600, 8, Weights::First),
            (20_000, 2600, 19, Weights::Second),
        ] {
            let code = Code::new(n, n_parity, weights);
            let information = message(n - n_parity);
            let mut digits = information.clone();
            code.encode(&mut digits);
            assert!(
                code.decode(&seen(&digits, wrong)) == Some(information),
                "{n}"
            );
        }
    }

    #[test]
    fn a_codeword_with_gaps_stands_out_from_chance() {
        let code = Code::new(288, 193, Weights::First);
        let evidence = |digits: &[u8]| {
            let mut soft = seen(digits, 60);
            let mut random = Random::new(5);
            for seen in &mut soft {
                if random.next().is_multiple_of(7) {
                    *seen = [0; 3];
                }
            }
            code.evidence(&soft)
        };
        let mut digits = message(95);
        code.encode(&mut digits);
        let mut random = Random::new(11);
        let by_chance = (0..1000).map(|_| {
            let digits: Vec<u8> = (0..288).map(|_| (random.next() % 3) as u8).collect();
            evidence(&digits)
        });
        let most = by_chance.fold(f64::MIN, f64::max);
        let word = evidence(&digits);
        assert!(word > most + 5.0, "{word} {most}");
    }

    /// Wrong digits that are as sure as any, side by side among the parity digits, which only two
    /// checks know.
    #[test]
    fn half_parity_corrects_a_few_sure_wrong_digits() {
        let code = Code::new(6000, 3000, Weights::Second);
        let information = message(code.n_information());
        let mut digits = information.clone();
        code.encode(&mut digits);
        for (i, digit) in digits.iter_mut().enumerate().skip(code.n_information()) {
            *digit = (*digit + u8::from(i % 100 < 3)) % 3;
        }
        let sure = |soft: Soft| soft.map(|soft| soft * 83 / 36);
        let soft: Vec<Soft> = seen(&digits, 0).into_iter().map(sure).collect();
        assert!(code.decode(&soft) == Some(information));
    }

    #[test]
    fn noise_is_no_codeword() {
        let code = Code::new(288, 193, Weights::First);
        let mut random = Random::new(3);
        for _ in 0..200 {
            let mut draw = || -((random.next() % 60) as i16);
            let soft: Vec<Soft> = (0..288).map(|_| [draw(), draw(), draw()]).collect();
            assert_eq!(code.decode(&soft), None);
        }
        assert_eq!(code.decode(&[[0; 3]; 288]), None);
    }

    #[test]
    fn any_lengths_make_a_code() {
        for (n, n_parity) in [(4, 3), (10, 3), (100, 3), (100, 97), (1000, 8)] {
            let code = Code::new(n, n_parity, Weights::Second);
            let information = message(n - n_parity);
            let mut digits = information.clone();
            code.encode(&mut digits);
            assert_eq!(code.decode(&seen(&digits, 0)), Some(information));
        }
    }
}
