//! Seals: byte strings that only their key opens, and only unchanged.

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key as AeadKey, Nonce};

use super::Key;

/// Bytes that a seal adds.
pub(crate) const TAG_BYTES: usize = 16;

/// Seals byte strings that are told apart by number.
pub(crate) struct Sealer(ChaCha20Poly1305);

impl Sealer {
    /// The key must seal each number once: it belongs to one salt, and so to one payload.
    pub(crate) fn new(key: &Key) -> Self {
        Self(ChaCha20Poly1305::new(&AeadKey::from(**key)))
    }

    pub(crate) fn seal(&self, number: usize, plain: &[u8]) -> Vec<u8> {
        self.0
            .encrypt(&nonce(number), plain)
            .expect("a part is far below the cipher's limit of 256 GiB")
    }

    /// What was sealed as `number`; none when the key is another or the bytes were changed.
    pub(crate) fn open(&self, number: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(&nonce(number), sealed).ok()
    }
}

fn nonce(number: usize) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&(number as u64).to_le_bytes());
    nonce.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_its_key_and_number_and_unchanged() {
        let sealer = |byte| Sealer::new(&Key::new([byte; 32]));
        let sealed = sealer(1).seal(3, b"part");
        assert_eq!(sealed.len(), 4 + TAG_BYTES);
        assert_eq!(sealer(1).open(3, &sealed).as_deref(), Some(&b"part"[..]));
        assert_eq!(sealer(2).open(3, &sealed), None);
        assert_eq!(sealer(1).open(4, &sealed), None);
        for i in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[i] ^= 4;
            assert_eq!(sealer(1).open(3, &changed), None, "byte {i}");
        }
        assert_eq!(sealer(1).open(3, &sealed[..7]), None);
    }
}
