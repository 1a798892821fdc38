//! The channel: bytes into residues of a cover's samples, and back (`docs/format.md`, section 3.3).
//!
//! (cover samples, bytes, mix, key) -> container samples, and (container samples, mix, key) ->
//! bytes. Another embedding, such as a trellis code, would take the place of this module behind the
//! same functions.

use rayon::prelude::*;

use crate::secrecy::{Key, Uniform};

use super::digits;
use super::mix::{Mix, difference, nearest_of};

/// Samples of a block. Blocks are independent of each other, so that damage stays where it is.
const BLOCK: usize = 16_384;

/// A stretch of samples that holds bytes under one mix and key.
pub(super) struct Channel {
    mix: Mix,
    /// Key of what each sample holds.
    key: Key,
    /// For each block, where its bytes start; then where they end.
    starts: Vec<usize>,
}

/// What the samples of a block hold: radices, and the masks that are added to the digits.
struct Content {
    radices: Vec<u8>,
    masks: Vec<u8>,
}

impl Channel {
    /// The channel of `n_samples` samples.
    pub(super) fn new(n_samples: usize, mix: Mix, key: Key) -> Self {
        let n_blocks = n_samples.div_ceil(BLOCK);
        let length = |block: usize| BLOCK.min(n_samples - block * BLOCK);
        let capacities: Vec<usize> = if mix.share == 0 {
            (0..n_blocks)
                .map(|block| digits::uniform_capacity(mix.low, length(block)))
                .collect()
        } else {
            (0..n_blocks)
                .into_par_iter()
                .map(|block| digits::capacity(&content_of(mix, &key, block, length(block)).radices))
                .collect()
        };
        let mut starts = vec![0];
        let mut end = 0;
        for capacity in capacities {
            end += capacity;
            starts.push(end);
        }
        Self { mix, key, starts }
    }

    /// Bytes that it holds.
    pub(super) fn capacity(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Changes `samples` to the nearest values that hold `bytes`, of which there are
    /// [`Channel::capacity`].
    pub(super) fn embed(&self, samples: &mut [u8], bytes: &[u8]) {
        samples
            .par_chunks_mut(BLOCK)
            .enumerate()
            .for_each(|(block, samples)| {
                let content = content_of(self.mix, &self.key, block, samples.len());
                let mut digits = vec![0; samples.len()];
                let bytes = &bytes[self.starts[block]..self.starts[block + 1]];
                digits::digits_from_bytes(bytes, &content.radices, &mut digits);
                let rest = self.mix.rest();
                let contents = content.radices.iter().zip(&content.masks);
                for ((sample, digit), (&radix, &mask)) in
                    samples.iter_mut().zip(digits).zip(contents)
                {
                    // Digit and mask together.
                    let residue = difference(digit, difference(0, mask, radix), radix);
                    *sample = nearest_of(*sample, rest(*sample, radix), residue, radix);
                }
            });
    }

    /// The bytes that `samples` hold.
    pub(super) fn extract(&self, samples: &[u8]) -> Vec<u8> {
        let blocks: Vec<Vec<u8>> = samples
            .par_chunks(BLOCK)
            .enumerate()
            .map(|(block, samples)| {
                let content = content_of(self.mix, &self.key, block, samples.len());
                let mut digits = vec![0; samples.len()];
                let rest = self.mix.rest();
                let contents = content.radices.iter().zip(&content.masks);
                for ((digit, &sample), (&radix, &mask)) in
                    digits.iter_mut().zip(samples).zip(contents)
                {
                    *digit = difference(rest(sample, radix), mask, radix);
                }
                let mut bytes = vec![0; self.starts[block + 1] - self.starts[block]];
                digits::bytes_from_digits(&digits, &content.radices, &mut bytes);
                bytes
            })
            .collect();
        blocks.concat()
    }
}

#[cfg(test)]
impl Channel {
    /// The radices of `n` samples.
    pub(super) fn radices(&self, n: usize) -> Vec<u8> {
        (0..n.div_ceil(BLOCK))
            .flat_map(|block| {
                content_of(self.mix, &self.key, block, BLOCK.min(n - block * BLOCK)).radices
            })
            .collect()
    }
}

/// Bytes that a channel of `n_samples` holds under any key, but for one in millions: what the mix
/// gives on average, less six standard deviations and what blocks lose at their ends.
pub(super) fn assured_capacity(n_samples: usize, mix: Mix) -> usize {
    let lengths = (0..n_samples.div_ceil(BLOCK)).map(|block| BLOCK.min(n_samples - block * BLOCK));
    if mix.share == 0 {
        return lengths.map(|n| digits::uniform_capacity(mix.low, n)).sum();
    }
    let deviation = mix.deviation() * (n_samples as f64).sqrt();
    let ends = digits::MOST_LOST_BITS * lengths.count() as u64;
    let bits = mix.bits() * n_samples as f64 - 6.0 * deviation - ends as f64;
    (bits / 8.0).max(0.0) as usize
}

/// Radices and masks of a block of `n` samples: sample `i` of the channel has word `i` of the
/// `ChaCha20` key stream, the high half for its radix, the low half for its mask.
///
/// The masks make the few digits uniform that the number system alone would not, at each block's
/// end, and those of damaged or forged bytes.
fn content_of(mix: Mix, key: &Key, block: usize, n: usize) -> Content {
    let mut words = vec![0; 4 * n];
    Uniform::from_word(key, block * BLOCK).fill(&mut words);
    let (words, _) = words.as_chunks::<4>();
    let radix = |word: &[u8; 4]| mix.radix(u16::from_le_bytes([word[2], word[3]]));
    let radices: Vec<u8> = words.iter().map(radix).collect();
    let mask = |(word, radix): (&[u8; 4], &u8)| {
        let low = u32::from(u16::from_le_bytes([word[0], word[1]]));
        ((low * u32::from(*radix)) >> 16) as u8
    };
    let masks = words.iter().zip(&radices).map(mask).collect();
    Content { radices, masks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Key {
        Key::new([byte; 32])
    }

    fn bytes(n: usize) -> Vec<u8> {
        (0..n).map(|i| (i * i / 7) as u8).collect()
    }

    #[test]
    fn bytes_come_back_from_any_samples() {
        for mix in [
            Mix::TERNARY,
            Mix {
                low: 1,
                share: 2000,
            },
            Mix {
                low: 3,
                share: 30_000,
            },
            Mix { low: 15, share: 0 },
        ] {
            for n in [0, 1, 100, BLOCK, BLOCK + 1, 3 * BLOCK + 777] {
                let channel = Channel::new(n, mix, key(1));
                let bytes = bytes(channel.capacity());
                let cover: Vec<u8> = (0..n).map(|i| (i / 3) as u8).collect();
                let mut samples = cover.clone();
                channel.embed(&mut samples, &bytes);
                assert_eq!(channel.extract(&samples), bytes, "{mix:?} {n}");
                let largest = cover
                    .iter()
                    .zip(&samples)
                    .map(|(a, b)| a.abs_diff(*b))
                    .max();
                assert!(largest <= Some(mix.low + 1), "{mix:?} {n}");
            }
        }
    }

    #[test]
    fn another_key_gives_other_bytes() {
        let channel = Channel::new(5000, Mix::TERNARY, key(1));
        let mut samples = vec![100; 5000];
        channel.embed(&mut samples, &bytes(channel.capacity()));
        let other = Channel::new(5000, Mix::TERNARY, key(2)).extract(&samples);
        let equal = other
            .iter()
            .zip(bytes(other.len()))
            .filter(|(a, b)| *a == b);
        assert!(equal.count() < other.len() / 20);
    }

    #[test]
    fn damage_stays_in_its_block() {
        let channel = Channel::new(4 * BLOCK, Mix { low: 3, share: 9 }, key(3));
        let bytes = bytes(channel.capacity());
        let mut samples = vec![77; 4 * BLOCK];
        channel.embed(&mut samples, &bytes);
        samples[BLOCK + 50] ^= 1;
        let read = channel.extract(&samples);
        let block = channel.starts[1]..channel.starts[2];
        assert_ne!(read[block.clone()], bytes[block.clone()]);
        assert_eq!(read[..block.start], bytes[..block.start]);
        assert_eq!(read[block.end..], bytes[block.end..]);
    }

    #[test]
    fn residues_are_uniform_even_of_constant_bytes() {
        let n = 40 * BLOCK;
        for (mix, radix) in [(Mix::TERNARY, 3_u8), (Mix { low: 5, share: 0 }, 5)] {
            let channel = Channel::new(n, mix, key(5));
            let mut samples = vec![128; n];
            channel.embed(&mut samples, &vec![0; channel.capacity()]);
            let mut counts = [0_u32; 5];
            for sample in samples {
                counts[usize::from(sample % radix)] += 1;
            }
            let expected = n as f64 / f64::from(radix);
            let chi_square: f64 = counts[..usize::from(radix)]
                .iter()
                .map(|&count| (f64::from(count) - expected).powi(2) / expected)
                .sum();
            // p = 0.001 at two and at four degrees of freedom.
            let bound = if radix == 3 { 13.8 } else { 18.5 };
            assert!(chi_square < bound, "{chi_square}");
        }
    }
}
