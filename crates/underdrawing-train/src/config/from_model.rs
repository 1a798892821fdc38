//! Settings of a run that begins with a model, whose networks need not be said.

use std::fmt::Display;

use underdrawing_net::Architecture;

use super::{ConfigError, NetworkKind, Preset, TrainConfig, TrainSettings};

impl TrainSettings {
    /// As [`TrainSettings::resolve`], to train a model further: its networks are the model's and
    /// need not be said, and without a preset it is the one for them.
    ///
    /// # Errors
    /// When a value makes no sense, or says something else of the networks than the model.
    pub fn resolve_from(&self, model: &Architecture) -> Result<TrainConfig, ConfigError> {
        let model = Self::of_model(model);
        agree("network", self.network, model.network)?;
        agree("width", self.width, model.width)?;
        agree("reveal_width", self.reveal_width, model.reveal_width)?;
        agree("depth", self.depth, model.depth)?;
        self.clone().over(model).resolve()
    }

    /// What a model's networks are called in settings.
    fn of_model(model: &Architecture) -> Self {
        let nothing = Self::default();
        match *model {
            Architecture::Lifting(config) => Self {
                network: Some(NetworkKind::Lifting),
                width: Some(config.width),
                depth: Some(config.blocks),
                ..nothing
            },
            Architecture::Unet2018(config) => Self {
                preset: Some(Preset::Recipe2018),
                network: Some(NetworkKind::Unet2018),
                width: Some(config.hiding.width),
                reveal_width: Some(config.reveal.width),
                depth: Some(config.hiding.depth),
                ..nothing
            },
            Architecture::Dense2017(config) => Self {
                network: Some(NetworkKind::Dense2017),
                width: Some(config.width),
                ..nothing
            },
            _ => nothing,
        }
    }
}

/// Refuses a setting that contradicts the model to begin with.
fn agree<T: Display + PartialEq>(
    setting: &'static str,
    given: Option<T>,
    model: Option<T>,
) -> Result<(), ConfigError> {
    match (given, model) {
        (Some(found), Some(model)) if found != model => Err(ConfigError {
            setting,
            expected: format!("{model} as in the model to begin with"),
            found: found.to_string(),
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use underdrawing_net::{
        HidingNetConfig, LiftingNetConfig, Pair2018Config, RevealNetConfig, Triple2017Config,
    };

    use super::*;
    use crate::config::LossKind;

    #[test]
    fn networks_are_those_of_the_model_to_begin_with() {
        let pair = Pair2018Config {
            hiding: HidingNetConfig { width: 8, depth: 5 },
            reveal: RevealNetConfig { width: 12 },
        };
        let lifting = LiftingNetConfig {
            blocks: 3,
            width: 16,
            shaping: true,
        };
        for model in [
            Architecture::Lifting(lifting),
            Architecture::Unet2018(pair),
            Architecture::Dense2017(Triple2017Config { width: 7 }),
        ] {
            let config = TrainSettings::default().resolve_from(&model).unwrap();
            assert_eq!(config.architecture(), model);
            // The settings of a run of the same networks may be given, too.
            let text = toml::to_string(&config).unwrap();
            let settings: TrainSettings = toml::from_str(&text).unwrap();
            assert_eq!(settings.resolve_from(&model).unwrap(), config);
        }
        let of_2018 = TrainSettings::default().resolve_from(&Architecture::Unet2018(pair));
        assert_eq!(of_2018.unwrap().loss, LossKind::Sum);
    }

    #[test]
    fn a_setting_that_contradicts_the_model_is_named() {
        let model = Architecture::Lifting(LiftingNetConfig::default());
        let with = |change: &dyn Fn(&mut TrainSettings)| {
            let mut settings = TrainSettings::default();
            change(&mut settings);
            settings.resolve_from(&model).unwrap_err().to_string()
        };
        assert_eq!(
            with(&|s| s.depth = Some(4)),
            "depth: expected 6 as in the model to begin with, found 4"
        );
        assert_eq!(
            with(&|s| (s.network, s.depth) = (Some(NetworkKind::Unet2018), Some(7))),
            "network: expected lifting as in the model to begin with, found 2018"
        );
    }
}
