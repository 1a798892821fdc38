//! From a password to the keys of one container (`docs/format.md`, section 3.4).

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{ChaCha20Poly1305, Key as AeadKey, Nonce};
use hkdf::Hkdf;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::channel::ChannelKey;

/// What opens a container of the coded method.
#[derive(Clone, Copy)]
pub enum CodedKey<'a> {
    /// A key that everybody knows: anybody with this program can reveal.
    Public,
    /// A password, any bytes. Nothing is revealed without it.
    Password(&'a [u8]),
}

impl std::fmt::Debug for CodedKey<'_> {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Public => "Public",
            Self::Password(_) => "Password(..)",
        })
    }
}

/// Bytes that a seal adds.
pub(super) const TAG_BYTES: usize = 16;

/// Bytes of a salt, each below [`SALT_BYTE_END`].
pub(super) const SALT_BYTES: usize = 17;

/// A salt's bytes are five ternary digits each.
pub(super) const SALT_BYTE_END: u8 = 243;

/// Stands in the clear at a container's start: uniform, and different for any two payloads.
pub(super) type Salt = [u8; SALT_BYTES];

/// Work of the password hash, part of the format's version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) memory_kib: u32,
    pub(super) passes: u32,
}

impl Cost {
    /// About half a second and 128 MiB.
    pub(super) const VERSION_1: Self = Self {
        memory_kib: 131_072,
        passes: 4,
    };

    /// Next to no work, for tests.
    #[cfg(test)]
    pub(super) const TEST: Self = Self {
        memory_kib: 8,
        passes: 1,
    };
}

const PUBLIC: &[u8] = b"underdrawing coded 1: public key";
const SALT_OF_SALTS: &[u8] = b"underdrawing coded 1: salt";

/// The keys of one container.
pub(super) struct Keys {
    /// Masks the header's digits.
    pub(super) header_channel: ChannelKey,
    /// Places and masks the payload's digits.
    pub(super) payload_channel: ChannelKey,
    header: Sealer,
    payload: Sealer,
    padding: Zeroizing<[u8; 32]>,
}

/// Seals byte strings that are told apart by number.
struct Sealer(ChaCha20Poly1305);

impl Keys {
    /// The keys that `key` and a container's salt lead to.
    pub(super) fn derive(key: CodedKey<'_>, salt: &Salt, cost: Cost) -> Self {
        let root = root(key, salt, cost);
        let hkdf = Hkdf::<Sha256>::new(Some(salt), &*root);
        let subkey = |purpose: &str| {
            let mut subkey = Zeroizing::new([0; 32]);
            hkdf.expand(purpose.as_bytes(), &mut *subkey)
                .expect("32 bytes are within what HKDF gives");
            subkey
        };
        Self {
            header_channel: subkey("header channel"),
            payload_channel: subkey("payload channel"),
            header: Sealer::new(&subkey("header seal")),
            payload: Sealer::new(&subkey("payload seal")),
            padding: subkey("padding"),
        }
    }

    pub(super) fn seal_header(&self, header: &[u8]) -> Vec<u8> {
        self.header.seal(0, header)
    }

    /// The header, when key and salt are those that sealed it and it was not changed.
    pub(super) fn open_header(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        self.header.open(0, sealed)
    }

    /// Seals part `number` of the payload.
    pub(super) fn seal(&self, number: usize, part: &[u8]) -> Vec<u8> {
        self.payload.seal(number as u64, part)
    }

    /// Part `number` of the payload, when it was not changed.
    pub(super) fn open(&self, number: usize, sealed: &[u8]) -> Option<Vec<u8>> {
        self.payload.open(number as u64, sealed)
    }

    /// Fills `rest` so that it cannot be told from sealed bytes.
    pub(super) fn pad(&self, rest: &mut [u8]) {
        ChaCha20Rng::from_seed(*self.padding).fill_bytes(rest);
    }
}

impl Sealer {
    fn new(key: &[u8; 32]) -> Self {
        Self(ChaCha20Poly1305::new(&AeadKey::from(*key)))
    }

    /// A key seals each number once: it belongs to one salt, and so to one payload.
    fn nonce(number: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..8].copy_from_slice(&number.to_le_bytes());
        nonce.into()
    }

    fn seal(&self, number: u64, plain: &[u8]) -> Vec<u8> {
        self.0
            .encrypt(&Self::nonce(number), plain)
            .expect("a part is far below the cipher's limit of 256 GiB")
    }

    fn open(&self, number: u64, sealed: &[u8]) -> Option<Vec<u8>> {
        self.0.decrypt(&Self::nonce(number), sealed).ok()
    }
}

/// The salt of a container: a keyed hash of everything that it will be made of, so that the same
/// command gives the same bytes and no two payloads share a key.
///
/// The hash's own key is a slow hash of the password, lest somebody who has the cover and guesses
/// the secret could try passwords at full speed.
pub(super) fn salt(
    key: CodedKey<'_>,
    cover: &[u8],
    mix: &[u8],
    payload: &[&[u8]],
    cost: Cost,
) -> Salt {
    let root = root(key, SALT_OF_SALTS, cost);
    let mut hash = Sha256::new();
    for part in [cover, mix].iter().chain(payload) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut seed = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(&hash.finalize()), &*root)
        .expand(b"salt", &mut *seed)
        .expect("32 bytes are within what HKDF gives");
    let mut stream = ChaCha20Rng::from_seed(*seed);
    let mut salt = [0; SALT_BYTES];
    for byte in &mut salt {
        // Rejection keeps each of the five digits uniform.
        *byte = loop {
            let mut candidate = [0];
            stream.fill_bytes(&mut candidate);
            if candidate[0] < SALT_BYTE_END {
                break candidate[0];
            }
        };
    }
    salt
}

fn root(key: CodedKey<'_>, salt: &[u8], cost: Cost) -> Zeroizing<[u8; 32]> {
    let mut root = Zeroizing::new([0; 32]);
    match key {
        CodedKey::Public => root.copy_from_slice(PUBLIC),
        CodedKey::Password(password) => {
            let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32))
                .expect("the format's costs are within Argon2's bounds");
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(password, salt, &mut *root)
                .expect("a salt of 17 bytes or more and any password below 4 GiB will do");
        }
    }
    root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_or_salt_opens_nothing() {
        let sealed =
            Keys::derive(CodedKey::Password(b"right"), &[1; 17], Cost::TEST).seal(3, b"part");
        let open =
            |key, salt, number| Keys::derive(key, &[salt; 17], Cost::TEST).open(number, &sealed);
        let right = CodedKey::Password(b"right");
        assert_eq!(open(right, 1, 3).as_deref(), Some(&b"part"[..]));
        assert_eq!(open(right, 2, 3), None);
        assert_eq!(open(right, 1, 4), None);
        assert_eq!(open(CodedKey::Password(b"Right"), 1, 3), None);
        assert_eq!(open(CodedKey::Password(b""), 1, 3), None);
        assert_eq!(open(CodedKey::Public, 1, 3), None);
    }

    #[test]
    fn salts_depend_on_password_cover_and_payload() {
        let of =
            |key, cover: &[u8], payload: &[&[u8]]| salt(key, cover, b"mix", payload, Cost::TEST);
        let key = CodedKey::Password(b"a");
        let one = of(key, b"cover", &[b"pay", b"load"]);
        assert_eq!(one, of(key, b"cover", &[b"pay", b"load"]));
        assert!(one.iter().all(|&byte| byte < SALT_BYTE_END));
        for other in [
            of(CodedKey::Password(b"b"), b"cover", &[b"pay", b"load"]),
            of(CodedKey::Public, b"cover", &[b"pay", b"load"]),
            of(key, b"covers", &[b"pay", b"load"]),
            of(key, b"cover", &[b"payl", b"oad"]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_changed_part_does_not_open() {
        let keys = Keys::derive(CodedKey::Public, &[0; 17], Cost::TEST);
        let mut sealed = keys.seal_header(b"header");
        assert_eq!(sealed.len(), 6 + TAG_BYTES);
        assert_eq!(keys.open_header(&sealed).as_deref(), Some(&b"header"[..]));
        sealed[2] ^= 4;
        assert_eq!(keys.open_header(&sealed), None);
    }

    #[test]
    fn debug_output_hides_the_password() {
        let shown = format!("{:?}", CodedKey::Password(b"hunter2"));
        assert_eq!(shown, "Password(..)");
    }
}
