//! The keys of one container, its salt, and the seal of its header (`docs/format.md`, section 5.5).

use crate::secrecy::{Cost, Key, KeyTree, Password, Sealer, Uniform, digest};

/// Bytes of a salt.
pub(super) const SALT_BYTES: usize = 8;

/// Bytes of a header's sealed fields, and of their seal.
pub(super) const FIELD_BYTES: usize = 6;
pub(super) const TAG_BYTES: usize = 4;

/// Stands in the clear in the header: uniform, and different for different payloads.
pub(super) type Salt = [u8; SALT_BYTES];

/// As the coded method: about half a second and 128 MiB.
pub(super) const COST: Cost = Cost {
    memory_kib: 131_072,
    passes: 4,
};

const PUBLIC: &[u8; 32] = b"underdrawing robust 1:public key";
const SALT_OF_SALTS: &[u8] = b"underdrawing robust 1: salt";

/// The keys of one container.
pub(super) struct Keys {
    /// Seals the payload, as number 0.
    pub(super) payload: Sealer,
    header: Key,
    header_tag: Key,
    mask: Key,
}

impl Keys {
    /// The keys of a container with this salt; without a password, those that everybody knows.
    pub(super) fn derive(password: Option<&Password>, salt: &Salt, cost: Cost) -> Self {
        let tree = KeyTree::new(password, PUBLIC, salt, cost, salt);
        Self {
            payload: Sealer::new(&tree.key("payload seal")),
            header: tree.key("header"),
            header_tag: tree.key("header tag"),
            mask: tree.key("mask"),
        }
    }

    /// The header's fields so that they look like noise, and what proves them.
    pub(super) fn seal_header(
        &self,
        fields: [u8; FIELD_BYTES],
    ) -> ([u8; FIELD_BYTES], [u8; TAG_BYTES]) {
        (self.masked_fields(fields), self.tag(&fields))
    }

    /// Undoes [`Keys::seal_header`]; none when the keys are others.
    pub(super) fn open_header(
        &self,
        sealed: [u8; FIELD_BYTES],
        tag: [u8; TAG_BYTES],
    ) -> Option<[u8; FIELD_BYTES]> {
        let fields = self.masked_fields(sealed);
        (self.tag(&fields) == tag).then_some(fields)
    }

    fn masked_fields(&self, mut fields: [u8; FIELD_BYTES]) -> [u8; FIELD_BYTES] {
        let mut mask = [0; FIELD_BYTES];
        Uniform::new(&self.header).fill(&mut mask);
        for (field, mask) in fields.iter_mut().zip(mask) {
            *field ^= mask;
        }
        fields
    }

    fn tag(&self, fields: &[u8]) -> [u8; TAG_BYTES] {
        let digest = digest([&self.header_tag[..], fields]);
        std::array::from_fn(|i| digest[i])
    }

    /// What is added to the payload's digits, so that they look like noise.
    pub(super) fn mask(&self, n_digits: usize) -> Vec<u8> {
        const FIVE_DIGITS: u8 = 243;
        let mut stream = Uniform::new(&self.mask);
        let mut digits = Vec::with_capacity(n_digits + 4);
        while digits.len() < n_digits {
            let mut bytes = [0; 64];
            stream.fill(&mut bytes);
            for mut byte in bytes {
                // Rejection keeps each of the five digits uniform.
                if byte < FIVE_DIGITS {
                    for _ in 0..5 {
                        digits.push(byte % 3);
                        byte /= 3;
                    }
                }
            }
        }
        digits.truncate(n_digits);
        digits
    }
}

/// The salt of a container: a keyed hash of everything that it will be made of, so that the same
/// command gives the same bytes. The hash's own key is a slow hash of the password, so that an
/// attacker who has the cover and guesses the secret cannot test passwords cheaply.
pub(super) fn salt(
    password: Option<&Password>,
    cover: &[u8],
    fields: &[u8],
    payload: &[u8],
    cost: Cost,
) -> Salt {
    let content = digest([cover, fields, payload]);
    let tree = KeyTree::new(password, PUBLIC, SALT_OF_SALTS, cost, &content);
    let mut salt = Salt::default();
    Uniform::new(&tree.key("salt")).fill(&mut salt);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_password_or_salt_opens_no_header() {
        let keys = |password: Option<&str>, salt| {
            let password = password.map(Password::new);
            Keys::derive(password.as_ref(), &[salt; SALT_BYTES], Cost::TEST)
        };
        let fields = [1, 2, 3, 4, 5, 6];
        let (sealed, tag) = keys(Some("right"), 1).seal_header(fields);
        assert_ne!(sealed, fields);
        let open = |password, salt| keys(password, salt).open_header(sealed, tag);
        assert_eq!(open(Some("right"), 1), Some(fields));
        for (password, salt) in [(Some("right"), 2), (Some("wrong"), 1), (None, 1)] {
            assert_eq!(open(password, salt), None);
        }
    }
}
