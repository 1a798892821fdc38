//! Bytes that cannot be told from noise without their key.

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Key;

/// The `ChaCha20` key stream of a key.
pub(crate) struct Uniform(ChaCha20Rng);

impl Uniform {
    pub(crate) fn new(key: &Key) -> Self {
        Self(ChaCha20Rng::from_seed(**key))
    }

    /// The stream from a word of 4 bytes on.
    pub(crate) fn from_word(key: &Key, word: usize) -> Self {
        let mut stream = Self::new(key);
        stream.0.set_word_pos(word as u128);
        stream
    }

    /// Takes the stream's next bytes.
    pub(crate) fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_can_be_entered_anywhere() {
        let key = Key::new([5; 32]);
        let mut whole = [0; 40];
        Uniform::new(&key).fill(&mut whole);
        let mut part = [0; 16];
        Uniform::from_word(&key, 6).fill(&mut part);
        assert_eq!(part, whole[24..]);
    }
}
