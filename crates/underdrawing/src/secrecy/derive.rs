//! From a password, or from none, to keys.

use argon2::{Algorithm, Argon2, Params, Version};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::Password;

/// A secret key. Its memory is wiped when it is dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Work of the password hash, part of a format's version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
}

#[cfg(test)]
impl Cost {
    /// Next to no work.
    pub(crate) const TEST: Self = Self {
        memory_kib: 8,
        passes: 1,
    };
}

/// Keys with a common root, told apart by what they are for.
pub(crate) struct KeyTree(Hkdf<Sha256>);

impl KeyTree {
    /// The keys of `password` under `salt`, or of `public` where there is none: a root that
    /// everybody knows. `context` is what else they depend on.
    ///
    /// The root of a password is Argon2id of password and salt, which takes `cost`.
    pub(crate) fn new(
        password: Option<&Password>,
        public: &[u8; 32],
        salt: &[u8],
        cost: Cost,
        context: &[u8],
    ) -> Self {
        let mut root = Zeroizing::new(*public);
        if let Some(password) = password {
            let params = Params::new(cost.memory_kib, cost.passes, 1, Some(32))
                .expect("the formats' costs are within Argon2's bounds");
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
                .hash_password_into(password.bytes(), salt, &mut *root)
                .expect("any password below 4 GiB and a salt of 8 bytes or more can be hashed");
        }
        Self(Hkdf::new(Some(context), &*root))
    }

    /// The key for a purpose.
    pub(crate) fn key(&self, purpose: &str) -> Key {
        let mut key = Zeroizing::new([0; 32]);
        self.0
            .expand(purpose.as_bytes(), &mut *key)
            .expect("HKDF gives up to 8160 bytes");
        key
    }
}

/// SHA-256 of byte strings, each with its length before it, so that none runs into the next.
pub(crate) fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(password: Option<&str>, salt: u8, context: &[u8], purpose: &str) -> Key {
        let password = password.map(Password::new);
        KeyTree::new(
            password.as_ref(),
            &[7; 32],
            &[salt; 17],
            Cost::TEST,
            context,
        )
        .key(purpose)
    }

    #[test]
    fn keys_depend_on_all_that_leads_to_them() {
        let one = key(Some("a"), 1, b"context", "seal");
        assert_eq!(one, key(Some("a"), 1, b"context", "seal"));
        for other in [
            key(Some("b"), 1, b"context", "seal"),
            key(Some(""), 1, b"context", "seal"),
            key(None, 1, b"context", "seal"),
            key(Some("a"), 2, b"context", "seal"),
            key(Some("a"), 1, b"text", "seal"),
            key(Some("a"), 1, b"context", "padding"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_digest_tells_where_parts_end() {
        let of = |parts: &[&'static [u8]]| digest(parts.iter().copied());
        assert_eq!(of(&[b"pay", b"load"]), of(&[b"pay", b"load"]));
        assert_ne!(of(&[b"pay", b"load"]), of(&[b"payl", b"oad"]));
        assert_ne!(of(&[b"pay", b"load"]), of(&[b"payload"]));
    }
}
