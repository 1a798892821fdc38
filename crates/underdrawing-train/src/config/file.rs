//! Settings from a file of TOML.

use super::TrainSettings;

/// Rust's names of types, which serde says, and what they are to people.
const TYPES: [(&str, &str); 4] = [
    ("expected usize", "expected a whole number from 0 up"),
    ("expected u64", "expected a whole number from 0 up"),
    (
        "expected u32",
        "expected a whole number from 0 to 4294967295",
    ),
    ("expected f64", "expected a number"),
];

/// Why a file of settings cannot be read; shows the line.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{0}")]
pub struct SettingsFileError(String);

impl TrainSettings {
    /// The settings that a file of TOML says.
    ///
    /// # Errors
    /// What is wrong in which line, and what was expected.
    pub fn from_toml(text: &str) -> Result<Self, SettingsFileError> {
        toml::from_str(text).map_err(|error| {
            let mut message = error.to_string();
            for (name, words) in TYPES {
                message = message.replace(name, words);
            }
            SettingsFileError(message.trim_end().to_owned())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_is_said_in_words() {
        for (text, expected) in [
            (
                "width = -1",
                "integer `-1`, expected a whole number from 0 up",
            ),
            (
                "seed = \"a\"",
                "string \"a\", expected a whole number from 0 up",
            ),
            (
                "hiding_patience = 1.5",
                "expected a whole number from 0 to 4294967295",
            ),
            ("noise = \"a\"", "string \"a\", expected a number"),
        ] {
            let error = TrainSettings::from_toml(text).unwrap_err().to_string();
            assert!(error.contains(text) && error.ends_with(expected), "{error}");
        }
        assert_eq!(
            TrainSettings::from_toml("width = 8").unwrap().width,
            Some(8)
        );
    }
}
