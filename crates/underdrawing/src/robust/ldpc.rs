//! Error correction: a ternary low-density parity-check code, decoded by how likely each digit is
//! (`docs/format.md`, section 5.4).
//!
//! Repeat-accumulate codes: each parity digit is the one before it less the sum of some information
//! digits, so that encoding is one pass. Which digits follows from the code's two lengths alone.

mod construct;

use construct::rows;

pub(super) use construct::Random;

use super::lattice::Soft;

/// Passes over all checks at most.
const ROUNDS: usize = 50;

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

/// How likely a digit is to be 0, 1, 2; the sum is 1.
type Belief = [f32; 3];

/// No message is surer than that.
const LEAST: f32 = 1e-6;

impl Code {
    /// The code of `n` digits, of which `n_parity` (at least 3) are parity.
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
    ///
    /// Belief propagation, check by check, in additions, products and quotients: no machine rounds
    /// them otherwise.
    pub(super) fn decode(&self, soft: &[Soft]) -> Option<Vec<u8>> {
        debug_assert_eq!(soft.len(), self.n_information + self.n_parity);
        let surest = self.surest();
        let mut beliefs: Vec<Belief> = soft.iter().map(|soft| belief(soft, surest)).collect();
        let mut messages = vec![[1.0; 3]; self.members.len() + 2 * self.n_parity];
        let mut scratch = Scratch::default();
        for _ in 0..ROUNDS {
            let digits: Option<Vec<u8>> = beliefs.iter().map(likeliest).collect();
            if let Some(mut digits) = digits
                && self.holds(&digits)
            {
                digits.truncate(self.n_information);
                return Some(digits);
            }
            self.round(&mut beliefs, &mut messages, &mut scratch);
        }
        None
    }

    /// How sure a digit may be, in 1/8 of a natural logarithm.
    ///
    /// Wrong digits that are as sure as can be hold each other up where their checks touch, whatever
    /// the others say; then more parity corrects less. The bound is far below the share of wrong
    /// digits that a code with so much parity corrects. On the ways of a photograph nothing was lost
    /// by it that came back without.
    fn surest(&self) -> i16 {
        const WRONG_OF_PARITY: f32 = 1.0 / 80.0;
        let parity = self.n_parity as f32 / (self.n_information + self.n_parity) as f32;
        let surest = LIKELIHOODS
            .iter()
            .position(|&p| p < parity * WRONG_OF_PARITY);
        surest.unwrap_or(LIKELIHOODS.len() - 1) as i16
    }

    fn round(&self, beliefs: &mut [Belief], messages: &mut [Belief], scratch: &mut Scratch) {
        let Scratch {
            members,
            heard,
            after,
        } = scratch;
        let mut start = 0;
        for check in 0..self.n_parity {
            members.clear();
            members.extend(self.check(check));
            members.push((self.n_information + check, false));
            if check > 0 {
                members.push((self.n_information + check - 1, true));
            }
            let n = members.len();
            let messages = &mut messages[start..start + n];
            start += n;
            heard.clear();
            for (&(digit, negative), message) in members.iter().zip(&*messages) {
                let [a, b, c] = beliefs[digit];
                let heard_of = scaled([a / message[0], b / message[1], c / message[2]]);
                heard.push(turned(heard_of, negative));
            }
            // Each digit hears the sum of all others: of those before it and those after it.
            after.clear();
            after.resize(n, ZERO);
            for i in (1..n).rev() {
                after[i - 1] = sum(after[i], heard[i]);
            }
            let mut before = ZERO;
            for (i, &(digit, negative)) in members.iter().enumerate() {
                let others = sum(before, after[i]);
                before = sum(before, heard[i]);
                let message = turned(others, !negative).map(|p| p.max(LEAST));
                let own = turned(heard[i], negative);
                messages[i] = message;
                beliefs[digit] = scaled(std::array::from_fn(|k| own[k] * message[k]));
            }
        }
    }

    /// Whether all checks hold.
    fn holds(&self, digits: &[u8]) -> bool {
        self.sums(digits).all(|sum| sum == 0)
    }

    /// How many checks hold.
    pub(super) fn n_holding(&self, digits: &[u8]) -> usize {
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

/// Vectors of [`Code::round`].
#[derive(Default)]
struct Scratch {
    members: Vec<(usize, bool)>,
    heard: Vec<Belief>,
    after: Vec<Belief>,
}

/// The sum of no digits.
const ZERO: Belief = [1.0, 0.0, 0.0];

/// What is believed of a sum.
fn sum(a: Belief, b: Belief) -> Belief {
    [
        a[0] * b[0] + a[1] * b[2] + a[2] * b[1],
        a[0] * b[1] + a[1] * b[0] + a[2] * b[2],
        a[0] * b[2] + a[1] * b[1] + a[2] * b[0],
    ]
}

/// What is believed of a digit's negative, if it counts negative.
fn turned([zero, one, two]: Belief, negative: bool) -> Belief {
    if negative {
        [zero, two, one]
    } else {
        [zero, one, two]
    }
}

fn signed(digit: u8, negative: bool) -> u8 {
    if negative { (3 - digit) % 3 } else { digit }
}

fn scaled(belief: Belief) -> Belief {
    let scale = 1.0 / (belief[0] + belief[1] + belief[2]);
    belief.map(|p| p * scale)
}

fn belief(soft: &Soft, surest: i16) -> Belief {
    let most = soft.iter().copied().max().unwrap_or(0);
    scaled(soft.map(|soft| LIKELIHOODS[usize::from((most - soft).min(surest) as u16)]))
}

/// Powers of e^(-1/8).
const LIKELIHOODS: [f32; 101] = {
    const EIGHTH: f32 = 0.882_496_9;
    let mut powers = [1.0; 101];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = powers[i - 1] * EIGHTH;
        i += 1;
    }
    powers
};

/// The likeliest digit; none where two are equally likely.
fn likeliest(belief: &Belief) -> Option<u8> {
    let [zero, one, two] = *belief;
    if zero > one && zero > two {
        Some(0)
    } else if one > zero && one > two {
        Some(1)
    } else if two > zero && two > one {
        Some(2)
    } else {
        None
    }
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
        for (n, n_parity, wrong) in [(288, 193, 120), (3000, 1500, 100), (20_000, 2600, 8)] {
            let code = Code::new(n, n_parity);
            let information = message(n - n_parity);
            let mut digits = information.clone();
            code.encode(&mut digits);
            assert!(
                code.decode(&seen(&digits, wrong)) == Some(information),
                "{n}"
            );
        }
    }

    /// Wrong digits that are as sure as any, side by side among the parity digits, which only two
    /// checks know.
    #[test]
    fn half_parity_corrects_a_few_sure_wrong_digits() {
        let code = Code::new(6000, 3000);
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
        let code = Code::new(288, 193);
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
            let code = Code::new(n, n_parity);
            let information = message(n - n_parity);
            let mut digits = information.clone();
            code.encode(&mut digits);
            assert_eq!(code.decode(&seen(&digits, 0)), Some(information));
        }
    }
}
