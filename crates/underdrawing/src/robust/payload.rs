//! The payload: bytes <-> bits that survive errors, spread over the picture (`docs/format.md`,
//! section 5.4).

use rayon::prelude::*;

use super::header::{bits_of, bytes_of};
use super::ldpc::Code;

/// Bits of one codeword at most: longer ones correct hardly more.
const LONGEST: usize = 65_536;

/// How a payload's bits are coded: codewords of one length, then bits that hold nothing.
pub(super) struct Coding {
    n_bits: usize,
    n_words: usize,
    word: usize,
    code: Code,
}

impl Coding {
    /// For so many bits, of which `parity`/256 are parity; none where that leaves no room.
    pub(super) fn new(n_bits: usize, parity: u8) -> Option<Self> {
        let n_words = n_bits.div_ceil(LONGEST).max(1);
        let word = n_bits / n_words;
        let n_parity = (word * usize::from(parity)).div_ceil(256).max(3);
        if word < n_parity + 8 {
            return None;
        }
        Some(Self {
            n_bits,
            n_words,
            word,
            code: Code::new(word, n_parity),
        })
    }

    pub(super) fn n_bits(&self) -> usize {
        self.n_bits
    }

    /// Bytes that it holds.
    pub(super) fn n_bytes(&self) -> usize {
        self.n_words * self.code.n_information() / 8
    }

    /// Codes bytes, [`Coding::n_bytes`] of them, and turns bits by `mask`.
    pub(super) fn encode(&self, bytes: &[u8], mask: &[u8]) -> Vec<u8> {
        debug_assert_eq!(bytes.len(), self.n_bytes());
        let mut information = bits_of(bytes);
        information.resize(self.n_words * self.code.n_information(), 0);
        let mut coded: Vec<u8> = information
            .par_chunks_exact(self.code.n_information())
            .flat_map_iter(|information| {
                let mut word = information.to_vec();
                self.code.encode(&mut word);
                word
            })
            .collect();
        coded.resize(self.n_bits, 0);
        let mut placed = vec![0; self.n_bits];
        for ((bit, mask), place) in coded.iter().zip(mask).zip(places(self.n_bits)) {
            placed[place] = bit ^ mask;
        }
        placed
    }

    /// Undoes [`Coding::encode`] from how sure each bit is; none where a codeword is lost.
    pub(super) fn decode(&self, soft: &[i16], mask: &[u8]) -> Option<Vec<u8>> {
        let coded: Vec<i16> = places(self.n_bits)
            .zip(mask)
            .map(|(place, &mask)| if mask == 1 { -soft[place] } else { soft[place] })
            .collect();
        let words: Option<Vec<Vec<u8>>> = coded
            .par_chunks_exact(self.word)
            .take(self.n_words)
            .map(|soft| self.code.decode(soft))
            .collect();
        let mut bytes = bytes_of(&words?.concat());
        bytes.truncate(self.n_bytes());
        Some(bytes)
    }

    /// Whether bits that are as sure as `soft`, where above 0 is right, come back; the code is
    /// linear, so all zeros stand for any bits.
    pub(super) fn corrects(&self, soft: &[i16]) -> bool {
        let mask = vec![0; self.n_bits];
        self.decode(soft, &mask)
            .is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
    }
}

/// Where the code's bits go: far apart, so that what a spot loses is spread over the codewords.
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
    fn bytes_survive_wrong_bits() {
        for (n_bits, parity) in [(300, 100), (5000, 60), (140_001, 30)] {
            let coding = Coding::new(n_bits, parity).expect("there is room");
            let bytes: Vec<u8> = (0..coding.n_bytes()).map(|i| (i * i) as u8).collect();
            let mask: Vec<u8> = (0..n_bits).map(|i| (i % 3 == 1).into()).collect();
            let placed = coding.encode(&bytes, &mask);
            let soft: Vec<i16> = placed
                .iter()
                .enumerate()
                .map(|(i, &bit)| if (i % 200 == 3) ^ (bit == 1) { -30 } else { 30 })
                .collect();
            assert!(coding.decode(&soft, &mask) == Some(bytes), "{n_bits}");
            assert!(coding.decode(&vec![0; n_bits], &mask) != coding.decode(&soft, &mask));
        }
    }
}
