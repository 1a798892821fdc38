//! Passwords: from a prompt, a file or the environment, never from the command line, where other
//! users of the machine could read them.

use std::env;

use anyhow::Context;
use underdrawing::Password;
use zeroize::Zeroizing;

use crate::args::PasswordArgs;
use crate::files::{self, display_name};
use crate::output::error_with_hint;

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
    pub(crate) fn read(&self, confirm: Confirm) -> anyhow::Result<Option<Password>> {
        let password = if self.password {
            Some(ask(confirm)?)
        } else if let Some(path) = &self.password_file {
            let bytes = files::read(path, MAX_BYTES).with_context(|| {
                format!("failed to read the password file {}", display_name(path))
            })?;
            Some(without_line_break(Zeroizing::new(bytes)))
        } else {
            env::var_os(VARIABLE).map(|value| Zeroizing::new(value.into_encoded_bytes()))
        };
        match password {
            Some(password) if password.is_empty() => {
                anyhow::bail!("the password is empty: expected at least one character")
            }
            password => Ok(password.map(|mut bytes| Password::new(std::mem::take(&mut *bytes)))),
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
                    format!("no terminal to ask for the password at: {error}"),
                    format!("--password-file or the variable {VARIABLE} work without one"),
                )
            })
    };
    let password = prompt("Password: ")?;
    if confirm == Confirm::Yes && prompt("Password again: ")? != password {
        anyhow::bail!("the two passwords differ");
    }
    Ok(password)
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
}
