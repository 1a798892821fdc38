//! Passwords: from a prompt, a file or the environment, never from the command line, where other
//! users of the machine could read them.

use std::env;

use anyhow::{Context, bail};
use underdrawing::Password;
use zeroize::Zeroizing;

use crate::args::PasswordArgs;
use crate::files::{self, display_name};
use crate::output::{Ui, error_with_hint};

/// Holds a password where neither of the flags is given.
const VARIABLE: &str = "UNDERDRAWING_PASSWORD";

/// Longest password file in bytes.
const MAX_BYTES: u64 = 65_536;

/// A password's bytes: UTF-8 from a prompt, anything from a file.
type Bytes = Zeroizing<Vec<u8>>;

/// Whether a prompt asks once more, since a slip would lock the secret away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Confirm {
    Yes,
    No,
}

impl PasswordArgs {
    /// The password, if there is one.
    pub(crate) fn read(&self, confirm: Confirm, ui: &Ui) -> anyhow::Result<Option<Password>> {
        let (bytes, older) = if self.password {
            (ask(confirm)?, None)
        } else if let Some(path) = &self.password_file {
            let bytes = files::read(path, MAX_BYTES).with_context(|| {
                format!("failed to read the password file {}", display_name(path))
            })?;
            let (bytes, older) = of_file(Zeroizing::new(bytes));
            if std::str::from_utf8(&bytes).is_err() {
                ui.note(format_args!(
                    "{}: not UTF-8, so that the bytes themselves are the password; the same \
                     letters typed at a terminal are another one",
                    display_name(path)
                ));
            }
            (bytes, older)
        } else if let Some(value) = env::var_os(VARIABLE) {
            if value.is_empty() {
                bail!(
                    "the variable {VARIABLE} is empty: expected a password in it, or that it is not set"
                );
            }
            (Zeroizing::new(value.into_encoded_bytes()), None)
        } else {
            return Ok(None);
        };
        if bytes.is_empty() {
            bail!("the password is empty: expected at least one character");
        }
        let take = |mut bytes: Bytes| std::mem::take(&mut *bytes);
        let password = Password::new(take(bytes));
        Ok(Some(match older {
            Some(older) => password.or(take(older)),
            None => password,
        }))
    }

    /// The variable, where there are no flags for a password.
    pub(crate) fn variable() -> Self {
        Self {
            password: false,
            password_file: None,
        }
    }

    /// What gives a password, for messages.
    pub(crate) fn source(&self) -> Option<&'static str> {
        if self.password {
            Some("--password")
        } else if self.password_file.is_some() {
            Some("--password-file")
        } else {
            env::var_os(VARIABLE).map(|_| VARIABLE)
        }
    }
}

fn ask(confirm: Confirm) -> anyhow::Result<Bytes> {
    let prompt = |text: &str| {
        rpassword::prompt_password(text)
            .map(|password| Zeroizing::new(password.into_bytes()))
            .map_err(|error| {
                error_with_hint(
                    format!("cannot ask for a password: no terminal ({error})"),
                    format!("--password-file or the variable {VARIABLE} work without one"),
                )
            })
    };
    let password = prompt("Password: ")?;
    if confirm == Confirm::Yes {
        let again = prompt("Password again: ")?;
        if !alike(&password, &again) {
            bail!("the two passwords differ");
        }
    }
    Ok(password)
}

/// Whether both hide alike: the same letters, composed or not.
fn alike(a: &Bytes, b: &Bytes) -> bool {
    Password::new(a.to_vec()) == Password::new(b.to_vec())
}

/// A file's password, without the mark that editors put before text, and from UTF-16, which has
/// one; and what older versions took for it where that is something else.
fn of_file(bytes: Bytes) -> (Bytes, Option<Bytes>) {
    let text = match &bytes[..] {
        [0xef, 0xbb, 0xbf, text @ ..] => Some(Zeroizing::new(text.to_vec())),
        [0xff, 0xfe, text @ ..] => utf_16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf_16(text, u16::from_be_bytes),
        _ => None,
    };
    let older = without_line_break(bytes);
    match text {
        Some(text) => (without_line_break(text), Some(older)),
        None => (older, None),
    }
}

/// UTF-16 as UTF-8; none where it is not.
fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<Bytes> {
    let (units, []) = bytes.as_chunks::<2>() else {
        return None;
    };
    // Three bytes a unit at most, so that the buffer does not move.
    let mut text = Zeroizing::new(Vec::with_capacity(3 * units.len()));
    for letter in char::decode_utf16(units.iter().map(|&bytes| unit(bytes))) {
        text.extend_from_slice(letter.ok()?.encode_utf8(&mut [0; 4]).as_bytes());
    }
    Some(text)
}

fn without_line_break(mut bytes: Bytes) -> Bytes {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_is_not_part_of_a_password() {
        for (file, password) in [
            ("word", "word"),
            ("word\n", "word"),
            ("word\r\n", "word"),
            ("word\n\n", "word\n"),
            (" two words ", " two words "),
            ("\n", ""),
        ] {
            let read = without_line_break(Zeroizing::new(file.as_bytes().to_vec()));
            assert_eq!(*read, password.as_bytes(), "{file:?}");
        }
    }

    #[test]
    fn letters_may_be_composed_at_one_prompt_and_not_at_the_other() {
        let bytes = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
        assert!(alike(&bytes("M\u{fc}ller"), &bytes("Mu\u{308}ller")));
        assert!(!alike(&bytes("M\u{fc}ller"), &bytes("Muller")));
    }

    #[test]
    fn editors_marks_are_not_part_of_a_password() {
        let utf_16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        for file in [
            "\u{feff}w\u{f6}rd\r\n".as_bytes().to_vec(),
            utf_16("\u{feff}w\u{f6}rd\n", u16::to_le_bytes),
            utf_16("\u{feff}w\u{f6}rd\r\n", u16::to_be_bytes),
        ] {
            let (read, older) = of_file(Zeroizing::new(file.clone()));
            assert_eq!(*read, "w\u{f6}rd".as_bytes());
            assert_eq!(older, Some(without_line_break(Zeroizing::new(file))));
        }
        for plain in [&b"word"[..], b"\xff\xfe\x00", b"\xff\xfe\x00\xd8"] {
            let (read, older) = of_file(Zeroizing::new(plain.to_vec()));
            assert_eq!((&read[..], older), (plain, None));
        }
    }
}
