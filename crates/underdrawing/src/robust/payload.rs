//! The payload: bytes <-> digits that survive errors, spread over the picture (`docs/format.md`,
//! section 5.4).

use rayon::prelude::*;

use super::lattice::Soft;
use super::ldpc::Code;
use super::ternary::{bytes_of, capacity, digits_of};

/// Digits of one codeword at most: longer ones correct hardly more.
const LONGEST: usize = 65_536;

/// How a payload's digits are coded: codewords of one length, then digits that hold nothing.
pub(super) struct Coding {
    n_digits: usize,
    n_words: usize,
    word: usize,
    code: Code,
}

impl Coding {
    /// For so many digits, of which `parity`/256 are parity; none where that leaves no room.
    pub(super) fn new(n_digits: usize, parity: u8) -> Option<Self> {
        let n_words = n_digits.div_ceil(LONGEST).max(1);
        let word = n_digits / n_words;
        let n_parity = (word * usize::from(parity)).div_ceil(256).max(3);
        if word < n_parity + 8 {
            return None;
        }
        Some(Self {
            n_digits,
            n_words,
            word,
            code: Code::new(word, n_parity),
        })
    }

    pub(super) fn n_digits(&self) -> usize {
        self.n_digits
    }

    /// Bytes that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        capacity(self.n_words * self.code.n_information())
    }

    /// Codes bytes, [`Coding::n_bytes`] of them, and turns digits by `mask`.
    pub(super) fn encode(&self, bytes: &[u8], mask: &[u8]) -> Vec<u8> {
        debug_assert_eq!(bytes.len(), self.n_bytes());
        let information = digits_of(bytes, self.n_words * self.code.n_information());
        let mut coded: Vec<u8> = information
            .par_chunks_exact(self.code.n_information())
            .flat_map_iter(|information| {
                let mut word = information.to_vec();
                self.code.encode(&mut word);
                word
            })
            .collect();
        coded.resize(self.n_digits, 0);
        let mut placed = vec![0; self.n_digits];
        for ((digit, mask), place) in coded.iter().zip(mask).zip(places(self.n_digits)) {
            placed[place] = (digit + mask) % 3;
        }
        placed
    }

    /// Undoes [`Coding::encode`] from how likely each digit is; none where a codeword is lost.
    pub(super) fn decode(&self, soft: &[Soft], mask: &[u8]) -> Option<Vec<u8>> {
        let coded: Vec<Soft> = places(self.n_digits)
            .zip(mask)
            .map(|(place, &mask)| turned_back(soft[place], mask))
            .collect();
        let words: Option<Vec<Vec<u8>>> = coded
            .par_chunks_exact(self.word)
            .take(self.n_words)
            .map(|soft| self.code.decode(soft))
            .collect();
        Some(bytes_of(&words?.concat(), self.n_bytes()))
    }

    /// Whether digits that are as likely as `soft`, where 0 is right, come back; the code is linear,
    /// so all zeros stand for any digits.
    pub(super) fn corrects(&self, soft: &[Soft]) -> bool {
        let all = || {
            let decoded = self.decode(soft, &vec![0; self.n_digits]);
            decoded.is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
        };
        self.corrects_a_word(soft) && (self.n_words == 1 || all())
    }

    /// [`Coding::corrects`] for one codeword, which is spread over the picture as the others are.
    pub(super) fn corrects_a_word(&self, soft: &[Soft]) -> bool {
        let word: Vec<Soft> = places(self.n_digits)
            .take(self.word)
            .map(|place| soft[place])
            .collect();
        let decoded = self.code.decode(&word);
        decoded.is_some_and(|digits| digits.iter().all(|&digit| digit == 0))
    }
}

/// What is seen of a digit before `mask` was added to it.
pub(super) fn turned_back(soft: Soft, mask: u8) -> Soft {
    std::array::from_fn(|digit| soft[(digit + usize::from(mask)) % 3])
}

/// Where the code's digits go: far apart, so that what a spot loses is spread over the codewords.
fn places(n: usize) -> impl Iterator<Item = usize> {
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
    fn places_are_all_different() {
        for n in [1, 2, 9, 64, 1000, 4097] {
            let mut places: Vec<usize> = places(n).collect();
            places.sort_unstable();
            assert!(places.into_iter().eq(0..n), "{n}");
        }
    }

    #[test]
    fn bytes_survive_wrong_digits() {
        for (n_digits, parity) in [(300, 100), (5000, 60), (140_001, 30)] {
            let coding = Coding::new(n_digits, parity).expect("there is room");
            let bytes: Vec<u8> = (0..coding.n_bytes()).map(|i| (i * i) as u8).collect();
            let mask: Vec<u8> = (0..n_digits).map(|i| (i % 7 % 3) as u8).collect();
            let placed = coding.encode(&bytes, &mask);
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
