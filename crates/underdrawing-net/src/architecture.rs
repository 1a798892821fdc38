//! What a model is built of: which networks, how large.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::dense2017::Triple2017Config;
use crate::lifting::LiftingNetConfig;
use crate::pair2018::Pair2018Config;

/// Most channels that the width of a network may be, four times those of the 2018 system.
const MOST_WIDTH: usize = 256;

/// What a model is built of. A model file holds it as JSON.
///
/// The JSON is part of the model's id. So a field that is added later must be left out of it
/// wherever it has the meaning of old files, or old containers are no longer recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
#[non_exhaustive]
pub enum Architecture {
    /// The invertible network of this project.
    #[serde(rename = "lifting")]
    Lifting(LiftingNetConfig),
    /// The 2018 system: a U-Net hides, six convolutions reveal.
    #[serde(rename = "2018")]
    Unet2018(Pair2018Config),
    /// The 2017 design of three networks.
    #[serde(rename = "2017")]
    Dense2017(Triple2017Config),
}

/// A number in an architecture that is out of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("architecture: expected {name} from {least} to {most}, found {found}")]
pub struct ArchitectureError {
    /// Which number.
    pub name: &'static str,
    /// Its value.
    pub found: usize,
    /// The smallest allowed.
    pub least: usize,
    /// The largest allowed.
    pub most: usize,
}

impl Architecture {
    /// Refuses sizes that no sensible model has, before anything is built from them.
    ///
    /// # Errors
    /// Which number is out of bounds.
    pub fn check(&self) -> Result<(), ArchitectureError> {
        match self {
            Self::Lifting(config) => {
                within("blocks", config.blocks, 1..=64)?;
                within("width", config.width, 1..=MOST_WIDTH)
            }
            Self::Unet2018(Pair2018Config { hiding, reveal }) => {
                within("hiding.width", hiding.width, 1..=MOST_WIDTH)?;
                within("hiding.depth", hiding.depth, 2..=10)?;
                within("reveal.width", reveal.width, 1..=MOST_WIDTH)
            }
            Self::Dense2017(config) => within("width", config.width, 1..=MOST_WIDTH),
        }
    }

    /// Both sides of what the networks take must be multiples of this.
    #[must_use]
    pub fn size_multiple(&self) -> usize {
        match self {
            Self::Lifting(_) => 2,
            Self::Unet2018(config) => config.hiding.size_multiple(),
            Self::Dense2017(_) => 1,
        }
    }

    /// As a model file holds it.
    #[must_use]
    pub fn to_json(self) -> String {
        serde_json::to_string(&self).expect("a configuration of numbers becomes JSON")
    }
}

/// Refuses a number out of bounds.
fn within(
    name: &'static str,
    found: usize,
    bounds: RangeInclusive<usize>,
) -> Result<(), ArchitectureError> {
    if bounds.contains(&found) {
        return Ok(());
    }
    Err(ArchitectureError {
        name,
        found,
        least: *bounds.start(),
        most: *bounds.end(),
    })
}

impl fmt::Display for Architecture {
    /// As a model file holds it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The JSON goes into every id: it must not change.
    #[test]
    fn architectures_are_written_as_the_format_says() {
        for (architecture, json) in [
            (
                Architecture::Lifting(LiftingNetConfig::default()),
                r#"{"kind":"lifting","blocks":6,"width":32,"shaping":true}"#,
            ),
            (
                Architecture::Lifting(LiftingNetConfig {
                    shaping: false,
                    ..LiftingNetConfig::default()
                }),
                r#"{"kind":"lifting","blocks":6,"width":32}"#,
            ),
            (
                Architecture::Unet2018(Pair2018Config::default()),
                r#"{"kind":"2018","hiding":{"width":64,"depth":7},"reveal":{"width":64}}"#,
            ),
            (
                Architecture::Dense2017(Triple2017Config::default()),
                r#"{"kind":"2017","width":50}"#,
            ),
        ] {
            assert_eq!(architecture.to_json(), json);
            assert_eq!(
                serde_json::from_str::<Architecture>(json).unwrap(),
                architecture
            );
            architecture.check().unwrap();
        }
    }
}
