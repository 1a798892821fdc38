//! Passwords in memory.

use std::fmt;

use zeroize::Zeroizing;

/// A password: any bytes. Its memory is wiped when it is dropped.
///
/// Text, which is UTF-8, hides in Unicode's form NFC, so that it does not matter whether a keyboard
/// composes its letters. Revealing tries it as it was given, too: so older versions took it.
#[derive(Clone)]
pub struct Password {
    /// What hides, and is tried first.
    bytes: Zeroizing<Vec<u8>>,
    /// What is tried after it.
    others: Vec<Zeroizing<Vec<u8>>>,
}

impl Password {
    /// Takes the password's bytes. Without the feature `unicode` they stay as they are: who builds
    /// without gives text in NFC, and [the same](Self::or) as it was given.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        let given = Zeroizing::new(bytes.into());
        match composed(&given).filter(|composed| *composed != given) {
            Some(bytes) => Self {
                bytes,
                others: vec![given],
            },
            None => Self {
                bytes: given,
                others: Vec::new(),
            },
        }
    }

    /// The same that also opens what `older` opens: the bytes that an older version made of the
    /// same input.
    #[must_use]
    pub fn or(mut self, older: impl Into<Vec<u8>>) -> Self {
        let older = Zeroizing::new(older.into());
        if self.bytes != older && !self.others.contains(&older) {
            self.others.push(older);
        }
        self
    }

    /// What to open with, one after the other.
    pub(crate) fn forms(&self) -> impl Iterator<Item = Self> {
        let form = |bytes: &Zeroizing<Vec<u8>>| Self {
            bytes: bytes.clone(),
            others: Vec::new(),
        };
        std::iter::once(&self.bytes).chain(&self.others).map(form)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Text in NFC; as it is written, no copy of it stays behind.
#[cfg(feature = "unicode")]
fn composed(given: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    use unicode_normalization::UnicodeNormalization;

    let text = std::str::from_utf8(given).ok()?;
    // Composing at most triples the length, so that the buffer does not move.
    let mut bytes = Zeroizing::new(Vec::with_capacity(3 * text.len()));
    for letter in text.nfc() {
        bytes.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(bytes)
}

/// The caller composes.
#[cfg(not(feature = "unicode"))]
fn composed(_: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    None
}

/// Whether both hide alike.
impl PartialEq for Password {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for Password {}

impl fmt::Debug for Password {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_the_password() {
        let shown = format!("{:?}", Password::new("hunter2"));
        assert_eq!(shown, "Password(..)");
    }

    #[test]
    fn text_hides_composed_and_opens_as_given_too() {
        let forms = |password: Password| -> Vec<Vec<u8>> {
            password.forms().map(|form| form.bytes().to_vec()).collect()
        };
        let composed = "M\u{fc}ller".as_bytes().to_vec();
        let apart = "Mu\u{308}ller".as_bytes().to_vec();
        let of_composed = forms(Password::new(composed.clone()));
        assert_eq!(of_composed, std::slice::from_ref(&composed));
        assert_eq!(forms(Password::new(apart.clone())), [composed, apart]);
        assert_eq!(forms(Password::new(*b"\xff\xfe")), [b"\xff\xfe"]);
        assert_eq!(Password::new("M\u{fc}ller"), Password::new("Mu\u{308}ller"));
        assert_ne!(Password::new("Muller"), Password::new("Mu\u{308}ller"));
        let older = Password::new("word").or(*b"word").or(*b"\xef\xbb\xbfword");
        assert_eq!(forms(older), [&b"word"[..], b"\xef\xbb\xbfword"]);
    }
}
