//! The keys of one container, and its salt (`docs/format.md`, section 3.4).

use crate::secrecy::{Cost, Key, KeyTree, Password, Sealer, Uniform, digest};

/// Bytes of a salt, each below [`SALT_BYTE_END`].
pub(super) const SALT_BYTES: usize = 17;

/// A salt's bytes are five ternary digits each.
pub(super) const SALT_BYTE_END: u8 = 243;

/// Stands in the clear at a container's start: uniform, and different for any two payloads.
pub(super) type Salt = [u8; SALT_BYTES];

/// About half a second and 128 MiB.
pub(super) const COST: Cost = Cost {
    memory_kib: 131_072,
    passes: 4,
};

const PUBLIC: &[u8; 32] = b"underdrawing coded 1: public key";
const SALT_OF_SALTS: &[u8] = b"underdrawing coded 1: salt";

/// The keys of one container.
pub(super) struct Keys {
    /// Masks the header's digits.
    pub(super) header_channel: Key,
    /// Places and masks the payload's digits.
    pub(super) payload_channel: Key,
    /// Seals the header, as number 0.
    pub(super) header: Sealer,
    /// Seals the parts of the payload by their numbers.
    pub(super) payload: Sealer,
    padding: Key,
}

impl Keys {
    /// The keys of a container with this salt; without a password, those that everybody knows.
    pub(super) fn derive(password: Option<&Password>, salt: &Salt, cost: Cost) -> Self {
        let tree = KeyTree::new(password, PUBLIC, salt, cost, salt);
        Self {
            header_channel: tree.key("header channel"),
            payload_channel: tree.key("payload channel"),
            header: Sealer::new(&tree.key("header seal")),
            payload: Sealer::new(&tree.key("payload seal")),
            padding: tree.key("padding"),
        }
    }

    /// Fills `rest` so that it cannot be told from sealed bytes.
    pub(super) fn pad(&self, rest: &mut [u8]) {
        Uniform::new(&self.padding).fill(rest);
    }
}

/// The salt of a container: a keyed hash of everything that it will be made of, so that the same
/// command gives the same bytes and no two payloads share a key.
///
/// The hash's own key is a slow hash of the password, so that an attacker who has the cover and
/// guesses the secret cannot test passwords cheaply.
pub(super) fn salt(
    password: Option<&Password>,
    cover: &[u8],
    mix: &[u8],
    payload: &[&[u8]],
    cost: Cost,
) -> Salt {
    let content = digest([cover, mix].into_iter().chain(payload.iter().copied()));
    let tree = KeyTree::new(password, PUBLIC, SALT_OF_SALTS, cost, &content);
    let mut stream = Uniform::new(&tree.key("salt"));
    let mut salt = [0; SALT_BYTES];
    for byte in &mut salt {
        // Rejection keeps each of the five digits uniform.
        *byte = loop {
            let mut candidate = [0];
            stream.fill(&mut candidate);
            if candidate[0] < SALT_BYTE_END {
                break candidate[0];
            }
        };
    }
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_or_salt_opens_nothing() {
        let keys = |password: Option<&str>, salt| {
            Keys::derive(
                password.map(Password::new).as_ref(),
                &[salt; 17],
                Cost::TEST,
            )
        };
        let sealed = keys(Some("right"), 1).payload.seal(3, b"part");
        let open = |password, salt, number| keys(password, salt).payload.open(number, &sealed);
        assert_eq!(open(Some("right"), 1, 3).as_deref(), Some(&b"part"[..]));
        assert_eq!(open(Some("right"), 2, 3), None);
        assert_eq!(open(Some("right"), 1, 4), None);
        assert_eq!(open(Some("Right"), 1, 3), None);
        assert_eq!(open(Some(""), 1, 3), None);
        assert_eq!(open(None, 1, 3), None);
        assert_eq!(keys(Some("right"), 1).header.open(3, &sealed), None);
    }

    #[test]
    fn salts_depend_on_password_cover_and_payload() {
        let of = |password: Option<&str>, cover: &[u8], payload: &[&[u8]]| {
            let password = password.map(Password::new);
            salt(password.as_ref(), cover, b"mix", payload, Cost::TEST)
        };
        let one = of(Some("a"), b"cover", &[b"pay", b"load"]);
        assert_eq!(one, of(Some("a"), b"cover", &[b"pay", b"load"]));
        assert!(one.iter().all(|&byte| byte < SALT_BYTE_END));
        for other in [
            of(Some("b"), b"cover", &[b"pay", b"load"]),
            of(None, b"cover", &[b"pay", b"load"]),
            of(Some("a"), b"covers", &[b"pay", b"load"]),
            of(Some("a"), b"cover", &[b"payl", b"oad"]),
        ] {
            assert_ne!(one, other);
        }
    }
}
