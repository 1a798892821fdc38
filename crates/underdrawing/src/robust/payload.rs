//! The payload: bytes <-> digits that survive errors, spread over the picture (`docs/format.md`,
//! section 5.4).

use rayon::prelude::*;

use super::lattice::Soft;
use super::ldpc::{Code, Weights};
use super::shaping::{self, Costs};
use super::ternary::Packing;

/// Digits of one codeword at most: longer ones correct hardly more.
const LONGEST: usize = 65_536;

/// How a payload's digits are coded: codewords of one length, then digits that hold nothing.
pub(super) struct Coding {
    n_words: usize,
    word: usize,
    code: Code,
    shaped: bool,
    /// Where each digit of the code goes, and where digits that hold nothing.
    places: Vec<u32>,
}

impl Coding {
    /// For digits of which `parity`/256 are parity, and the others may be shaped; none where that
    /// leaves no room. `ranks` are those of the digits' coefficients in the order of use.
    pub(super) fn new(ranks: &[u8], parity: u8, shaped: bool) -> Option<Self> {
        Self::of_words(ranks, parity, shaped, LONGEST)
    }

    /// [`Coding::new`] in words that are not longer than `longest`.
    pub(super) fn of_words(ranks: &[u8], parity: u8, shaped: bool, longest: usize) -> Option<Self> {
        let n_digits = ranks.len();
        let n_words = n_digits.div_ceil(longest).max(1);
        let word = n_digits / n_words;
        let n_parity = (word * usize::from(parity)).div_ceil(256).max(3);
        if word < n_parity + 8 {
            return None;
        }
        let (weights, places) = if shaped {
            (Weights::Second, apart(ranks, n_words, word, n_parity))
        } else {
            let places = spread(n_digits).map(|place| place as u32);
            (Weights::First, places.collect())
        };
        Some(Self {
            n_words,
            word,
            code: Code::new(word, n_parity, weights),
            shaped,
            places,
        })
    }

    pub(super) fn n_digits(&self) -> usize {
        self.places.len()
    }

    /// Where the code's digits go, then where those that hold nothing.
    fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().map(|&place| place as usize)
    }

    /// Digits of message in a word.
    fn n_message(&self) -> usize {
        if self.shaped {
            shaping::n_message(self.code.n_information())
        } else {
            self.code.n_information()
        }
    }

    fn packing(&self) -> Packing {
        if self.shaped {
            Packing::Second
        } else {
            Packing::First
        }
    }

    /// Bytes that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        self.packing().capacity(self.n_words * self.n_message())
    }

    /// Codes bytes, [`Coding::n_bytes`] of them, and turns digits by `mask`. `costs` are those of the
    /// turned digits, where they go.
    pub(super) fn encode(&self, bytes: &[u8], mask: &[u8], costs: &[Costs]) -> Vec<u8> {
        debug_assert_eq!(bytes.len(), self.n_bytes());
        let message = (self.packing()).digits_of(bytes, self.n_words * self.n_message());
        let costs: Vec<Costs> = (self.places())
            .zip(mask)
            .map(|(place, &mask)| turned_back(costs[place], mask))
            .collect();
        let mut coded: Vec<u8> = message
            .par_chunks_exact(self.n_message())
            .zip(costs.par_chunks_exact(self.word))
            .flat_map_iter(|(message, costs)| {
                let mut word = if self.shaped {
                    shaping::shaped(message, &costs[..self.code.n_information()])
                } else {
                    message.to_vec()
                };
                self.code.encode(&mut word);
                word
            })
            .collect();
        coded.resize(self.n_digits(), 0);
        let mut placed = vec![0; self.n_digits()];
        for ((digit, mask), place) in coded.iter().zip(mask).zip(self.places()) {
            placed[place] = (digit + mask) % 3;
        }
        placed
    }

    /// Undoes [`Coding::encode`] from how likely each digit is; none where a codeword is lost.
    pub(super) fn decode(&self, soft: &[Soft], mask: &[u8]) -> Option<Vec<u8>> {
        let coded: Vec<Soft> = (self.places())
            .zip(mask)
            .map(|(place, &mask)| turned_back(soft[place], mask))
            .collect();
        let words: Option<Vec<Vec<u8>>> = coded
            .par_chunks_exact(self.word)
            .take(self.n_words)
            .map(|soft| self.code.decode(soft))
            .map(|word| {
                Some(if self.shaped {
                    shaping::message(&word?)
                } else {
                    word?
                })
            })
            .collect();
        Some((self.packing()).bytes_of(&words?.concat(), self.n_bytes()))
    }

    /// Whether digits that are as likely as `soft`, where 0 is right, come back; the code is linear,
    /// so all zeros stand for any digits.
    pub(super) fn corrects(&self, soft: &[Soft]) -> bool {
        let decoded = self.decode(soft, &vec![0; self.n_digits()]);
        decoded.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
    }
}

/// What is known of each value of a digit before `mask` was added to it.
pub(super) fn turned_back<T: Copy>(of_digits: [T; 3], mask: u8) -> [T; 3] {
    std::array::from_fn(|digit| of_digits[(digit + usize::from(mask)) % 3])
}

/// Where words go whose parity, which cannot be shaped, has the coefficients that come first in the
/// order of use: they cost least.
fn apart(ranks: &[u8], n_words: usize, word: usize, n_parity: usize) -> Vec<u32> {
    let mut by_rank: Vec<u32> = (0..ranks.len() as u32).collect();
    by_rank.sort_by_key(|&place| ranks[place as usize]);
    let (first, rest) = by_rank.split_at_mut(n_words * n_parity);
    first.sort_unstable();
    rest.sort_unstable();
    let mut parity = spread(first.len()).map(|at| first[at]);
    let mut information = spread(rest.len()).map(|at| rest[at]);
    let mut places = Vec::with_capacity(ranks.len());
    for _ in 0..n_words {
        places.extend(information.by_ref().take(word - n_parity));
        places.extend(parity.by_ref().take(n_parity));
    }
    places.extend(information);
    places
}

/// All numbers below `n`, each far from the one before, so that what a spot loses is spread over the
/// codewords.
pub(super) fn spread(n: usize) -> impl Iterator<Item = usize> {
    // Near the golden section, whose multiples keep apart best, and without a common divisor.
    let mut stride = (n as u64 * 40_503 / 65_536).max(1) as usize;
    while gcd(stride, n) != 1 {
        stride += 1;
    }
    let mut place = 0;
    std::iter::repeat_with(move || {
        let this = place;
        place = (place + stride) % n;
        this
    })
    .take(n)
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_all_different() {
        for n in [1, 2, 9, 64, 1000, 4097] {
            let mut places: Vec<usize> = spread(n).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..n), "{n}");
        }
    }

    #[test]
    fn bytes_survive_wrong_digits() {
        for (n_digits, parity, shaped) in [
            (300, 100, true),
            (5000, 60, false),
            (5000, 60, true),
            (140_001, 30, true),
        ] {
            let ranks: Vec<u8> = (0..n_digits).map(|i| (i * i % 13) as u8).collect();
            let coding = Coding::new(&ranks, parity, shaped).expect("there is room");
            let costs: Vec<Costs> = (0..n_digits as u32)
                .map(|i| [i % 7, i % 5, i % 3])
                .collect();
            let bytes: Vec<u8> = (0..coding.n_bytes()).map(|i| (i * i) as u8).collect();
            let mask: Vec<u8> = (0..n_digits).map(|i| (i % 7 % 3) as u8).collect();
            let placed = coding.encode(&bytes, &mask, &costs);
            let soft: Vec<Soft> = placed
                .iter()
                .enumerate()
                .map(|(i, &digit)| {
                    let mut soft = [-30; 3];
                    soft[(usize::from(digit) + usize::from(i % 200 == 3)) % 3] = 0;
                    soft
                })
                .collect();
            assert!(coding.decode(&soft, &mask) == Some(bytes), "{n_digits}");
            assert_eq!(coding.decode(&vec![[0; 3]; n_digits], &mask), None);
        }
    }
}
