//! What a model is built of: which networks, how large.

use std::fmt;
use std::ops::RangeInclusive;

use burn::prelude::*;
use serde::{Deserialize, Serialize};

use crate::model_file::ModelError;
use crate::net::{Init, LiftingNetConfig, Networks, Pair2018Config, Triple2017Config};
use crate::tile::Context;

/// Most channels that the width of a network may be, four times those of the 2018 system.
const MOST_WIDTH: usize = 256;

/// Side of the U-Net's tiles, as of the pictures that it was trained on.
const UNET_TILE: usize = 256;

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

impl Architecture {
    /// Networks of this architecture with fresh parameters; equal seeds give equal ones.
    #[must_use]
    pub fn init(&self, seed: u64, device: &Device) -> Networks {
        self.build(&mut Init::new(seed, device))
    }

    pub(crate) fn build(&self, init: &mut Init) -> Networks {
        match self {
            Self::Lifting(config) => Networks::Lifting(config.init(init)),
            Self::Unet2018(config) => Networks::Unet2018(config.init(init)),
            Self::Dense2017(config) => Networks::Dense2017(config.init(init)),
        }
    }

    /// Refuses sizes that no sensible model has, before anything is built from them.
    pub(crate) fn check(&self) -> Result<(), ModelError> {
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

    /// What hiding and revealing see around a pixel.
    pub(crate) fn contexts(&self) -> (Context, Context) {
        let context = |radius, channels| Context::Radius { radius, channels };
        match self {
            Self::Lifting(config) => {
                // Both branches: features are never there for more than a part of a tile.
                let both = context(config.receptive_radius(), /* channels */ 6);
                (both, both)
            }
            Self::Unet2018(Pair2018Config { hiding, reveal }) => {
                let side = UNET_TILE.next_multiple_of(hiding.size_multiple());
                let revealing = context(reveal.receptive_radius(), 4 * reveal.width);
                (Context::Blended { side }, revealing)
            }
            Self::Dense2017(config) => (
                context(config.hide_radius(), 3 * config.width + 3),
                context(config.reveal_radius(), 3 * config.width),
            ),
        }
    }

    pub(crate) fn to_json(self) -> String {
        serde_json::to_string(&self).expect("a configuration of numbers becomes JSON")
    }
}

/// Refuses a number out of bounds.
fn within(
    name: &'static str,
    found: usize,
    bounds: RangeInclusive<usize>,
) -> Result<(), ModelError> {
    if bounds.contains(&found) {
        return Ok(());
    }
    Err(ModelError::Architecture {
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
