//! What tells one model from another.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};
use thiserror::Error;

use underdrawing_net::Networks;

/// What tells one model from another: the first 8 bytes of the SHA-256 of its architecture and all
/// its parameters. Printed as 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId([u8; 8]);

/// Why a text is no model id.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("`{found}` is not a model id: expected 16 hexadecimal digits")]
pub struct ModelIdError {
    /// The text.
    pub found: String,
}

impl ModelId {
    /// `docs/format.md`, section 1.4.
    pub(crate) fn of(networks: &Networks) -> Self {
        let mut params: Vec<_> = networks.params().iter().collect();
        params.sort_by(|a, b| a.name.cmp(&b.name));
        let mut hash = Sha256::new();
        hash.update(networks.architecture().to_json());
        for param in params {
            hash.update(&param.name);
            for value in &param.values {
                hash.update(value.to_le_bytes());
            }
        }
        let mut id = [0; 8];
        id.copy_from_slice(&hash.finalize()[..8]);
        Self(id)
    }

    /// The id of these 8 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// Its 8 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ModelId({self})")
    }
}

impl FromStr for ModelId {
    type Err = ModelIdError;

    fn from_str(text: &str) -> Result<Self, ModelIdError> {
        let digits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u64::from_str_radix(text, 16).ok().filter(|_| digits);
        value
            .map(|value| Self(value.to_be_bytes()))
            .ok_or_else(|| ModelIdError {
                found: text.to_owned(),
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_written_and_read_as_text() {
        let id = ModelId::from_bytes([0, 1, 2, 3, 0xfc, 0xfd, 0xfe, 0xff]);
        assert_eq!(id.to_string(), "00010203fcfdfeff");
        assert_eq!("00010203fcfdfeff".parse(), Ok(id));
        for text in ["", "0001", "+0010203fcfdfeff", "00010203fcfdfefg"] {
            assert!(text.parse::<ModelId>().is_err(), "{text}");
        }
    }
}
