//! Settings of a training run: what a user says, and what the run decided from it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use underdrawing_net::{
    Architecture, HidingNetConfig, LiftingNetConfig, Pair2018Config, RevealNetConfig,
    Triple2017Config,
};

use crate::schedule::Schedule;

/// Which networks are trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// The invertible network, our default.
    Lifting,
    /// U-Net and reveal network of the 2018 system.
    #[serde(rename = "2018")]
    #[cfg_attr(feature = "clap", value(name = "2018"))]
    Unet2018,
    /// The three networks of 2017.
    #[serde(rename = "2017")]
    #[cfg_attr(feature = "clap", value(name = "2017"))]
    Dense2017,
}

/// How a picture of any size becomes a square for training.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// A random square of it, flipped and transposed at random, sometimes resized.
    Crop,
    /// The whole picture squeezed into the square, as the 2018 system did.
    Squeeze,
}

/// What turns gradients into steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// Adam for every parameter; with weight decay, AdamW.
    Adam,
    /// Muon for the weights of convolutions, Adam for the rest.
    Muon,
}

/// What is minimised. Errors are mean squares, of samples in [0, 1]; the container's is the mean
/// square of its samples' errors, and [`TrainConfig::ghost_weight`] times its ghosts'.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Mean over the pairs of `log(container + weight * revealed)`: a decibel is worth the same at
    /// every quality and for every pair, and with weight 1 both pictures come out about equally
    /// good.
    Log,
    /// `container + weight * revealed`, the 2018 loss.
    Sum,
}

/// A named set of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// The lifting network with everything we found to help.
    Default,
    /// The recipe of the 2018 system, to the letter.
    #[serde(rename = "2018")]
    #[cfg_attr(feature = "clap", value(name = "2018"))]
    Recipe2018,
}

/// Every setting of a run, decided; saved as `config.toml` in the run folder and inside the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// Which networks.
    pub network: NetworkKind,
    /// Channels: inside a lifting function (32), of the U-Net's first level (64), of a 2017 branch (50).
    pub width: usize,
    /// Channels of the 2018 reveal network's first layer (64).
    pub reveal_width: usize,
    /// Lifting blocks (6) or levels of the U-Net (7).
    pub depth: usize,
    /// Pictures a step: the first half are covers, the second half secrets.
    pub batch_size: usize,
    /// Side of the square that the networks see, in pixels.
    pub size: usize,
    /// How pictures become squares.
    pub fit: Fit,
    /// Share of the pictures that are drawn by the trainer, with the flat areas, lines, signs and
    /// pure colours that photographs lack; 0 to 1.
    #[serde(default)]
    pub drawn: f64,
    /// Passes over the training pictures, where `steps` is 0.
    pub epochs: u64,
    /// Steps in all; 0 leaves it to `epochs`.
    pub steps: u64,
    /// What turns gradients into steps.
    pub optimiser: OptimiserKind,
    /// First learning rate.
    pub learning_rate: f64,
    /// How the rate changes.
    pub schedule: Schedule,
    /// Steps over which the rate rises at the start.
    pub warmup_steps: u64,
    /// Validations without progress before a plateau lowers the hiding network's rate.
    pub hiding_patience: u32,
    /// The same for the reveal network.
    pub reveal_patience: u32,
    /// Adam's first beta.
    pub beta_1: f64,
    /// Adam's second beta.
    pub beta_2: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Half of the secrets are hidden with their contrast times a number between this and its
    /// inverse, so that one model serves every balance; 1 is all as they are.
    pub strengths: f64,
    /// Longest gradient; longer ones are scaled down to it. 0 switches it off.
    pub clip_norm: f64,
    /// What is minimised.
    pub loss: LossKind,
    /// Weight of the revealed picture's error (the 2018 system's beta).
    pub reveal_weight: f64,
    /// Weight of the mean square of what hiding does to the means of squares of 8x8 pixels: the eye
    /// takes it for a tint or a ghost of the secret, where finer grain is not seen. Figures,
    /// plateaus and the choice of the best model leave it out.
    #[serde(default)]
    pub ghost_weight: f64,
    /// Train through the rounding and clamping that a written file brings.
    pub simulate_file: bool,
    /// Deviation of Gaussian noise between hiding and revealing, in [0, 1] (the 2017 system's).
    pub noise: f64,
    /// Steps between validations; 0 is once an epoch.
    pub validate_every: u64,
    /// Most validation pairs; 0 is all.
    pub validate_pairs: usize,
    /// Steps between result sheets; 0 is never.
    pub sheet_every: u64,
    /// Steps between checkpoints besides those at validations; 0 is none.
    pub checkpoint_every: u64,
    /// Decoded training pictures kept in memory, in MiB.
    pub cache_mib: usize,
    /// Where everything random comes from.
    pub seed: u64,
}

impl Preset {
    /// Its settings.
    #[must_use]
    pub fn config(self) -> TrainConfig {
        match self {
            Self::Default => TrainConfig {
                network: NetworkKind::Lifting,
                width: 32,
                reveal_width: 64,
                depth: 6,
                batch_size: 12,
                size: 96,
                fit: Fit::Crop,
                drawn: 0.125,
                epochs: 0,
                steps: 27_000,
                optimiser: OptimiserKind::Muon,
                learning_rate: 1e-3,
                schedule: Schedule::Cosine,
                warmup_steps: 100,
                hiding_patience: 5,
                reveal_patience: 8,
                beta_1: 0.9,
                beta_2: 0.99,
                weight_decay: 1e-5,
                clip_norm: 1.0,
                loss: LossKind::Log,
                reveal_weight: 1.0,
                ghost_weight: 8.0,
                simulate_file: true,
                strengths: 2.0,
                noise: 0.0,
                validate_every: 1000,
                validate_pairs: 12,
                sheet_every: 5000,
                checkpoint_every: 250,
                cache_mib: 1024,
                seed: 1,
            },
            Self::Recipe2018 => TrainConfig {
                network: NetworkKind::Unet2018,
                width: 64,
                depth: 7,
                batch_size: 32,
                size: 256,
                fit: Fit::Squeeze,
                drawn: 0.0,
                epochs: 100,
                steps: 0,
                optimiser: OptimiserKind::Adam,
                learning_rate: 1e-3,
                schedule: Schedule::Plateau,
                warmup_steps: 0,
                beta_1: 0.5,
                beta_2: 0.999,
                weight_decay: 0.0,
                clip_norm: 0.0,
                loss: LossKind::Sum,
                reveal_weight: 0.75,
                ghost_weight: 0.0,
                simulate_file: false,
                strengths: 1.0,
                validate_every: 0,
                validate_pairs: 0,
                sheet_every: 100,
                ..Self::Default.config()
            },
        }
    }
}

/// What a user says, on the command line or in a TOML file: a preset, and whatever differs from it.
/// Field for field the settings of [`TrainConfig`], each optional.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::Args))]
#[serde(deny_unknown_fields, default)]
pub struct TrainSettings {
    /// Named set of settings to start from [default: default]
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Recipe"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<Preset>,
    /// Which networks to train
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Network"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkKind>,
    /// Channels: of a lifting function, the U-Net's first level or a 2017 branch
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Network"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<usize>,
    /// Channels of the 2018 reveal network's first layer
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Network"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal_width: Option<usize>,
    /// Lifting blocks, or levels of the U-Net
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Network"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Pictures a step; half are covers, half secrets
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Side of the training squares in pixels
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<usize>,
    /// How a picture becomes a square
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// Share, 0 to 1, of the pictures that the program draws: flat areas, lines, signs, pure colours
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn: Option<f64>,
    /// Passes over the training pictures
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Length"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// Steps in all, instead of epochs
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Length"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// What turns gradients into steps
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimiser: Option<OptimiserKind>,
    /// First learning rate
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// How the learning rate changes
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Steps over which the learning rate rises at the start
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup_steps: Option<u64>,
    /// Validations without progress before the hiding network's rate is lowered
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hiding_patience: Option<u32>,
    /// Validations without progress before the reveal network's rate is lowered
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal_patience: Option<u32>,
    /// Adam's first beta
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_1: Option<f64>,
    /// Adam's second beta
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta_2: Option<f64>,
    /// Decoupled weight decay
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Hide half of the secrets with their contrast times a number between this and its inverse
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Loss"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strengths: Option<f64>,
    /// Longest gradient; 0 switches clipping off
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Optimiser"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// What is minimised
    #[cfg_attr(feature = "clap", arg(long, value_enum, help_heading = "Loss"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<LossKind>,
    /// Weight of the revealed picture's error
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Loss"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reveal_weight: Option<f64>,
    /// Weight of the container's errors averaged over squares of 8x8, which show as ghosts
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Loss"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ghost_weight: Option<f64>,
    /// Train through the rounding and clamping of a written file
    #[cfg_attr(
        feature = "clap",
        arg(long, num_args = 0..=1, default_missing_value = "true", help_heading = "Loss")
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub simulate_file: Option<bool>,
    /// Deviation of Gaussian noise between hiding and revealing, in [0, 1]
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Loss"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<f64>,
    /// Steps between validations; 0 is once an epoch
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Reports"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_every: Option<u64>,
    /// Most validation pairs; 0 is all
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Reports"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validate_pairs: Option<usize>,
    /// Steps between result sheets; 0 is never
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Reports"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sheet_every: Option<u64>,
    /// Steps between checkpoints besides those at validations; 0 is none
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Reports"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint_every: Option<u64>,
    /// Decoded training pictures kept in memory, in MiB
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Data"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_mib: Option<usize>,
    /// Where everything random comes from
    #[cfg_attr(feature = "clap", arg(long, help_heading = "Recipe"))]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
}

/// A `$type` of the fields that `$top` says, joined with those of `$base`: all that [`TrainConfig`]
/// has, after any that are named.
macro_rules! merged {
    ($type:ident: $top:ident, $join:ident, $base:ident $(, $also:ident)*) => {
        merged!(@ $type, $top, $join, $base, [
            $($also)*
            network width reveal_width depth batch_size size fit drawn epochs
            steps optimiser learning_rate schedule warmup_steps hiding_patience
            reveal_patience beta_1 beta_2 weight_decay strengths clip_norm loss
            reveal_weight ghost_weight simulate_file noise validate_every validate_pairs
            sheet_every checkpoint_every cache_mib seed
        ])
    };
    (@ $type:ident, $top:ident, $join:ident, $base:ident, [$($field:ident)*]) => {
        $type { $($field: $top.$field.$join($base.$field)),* }
    };
}

impl TrainSettings {
    /// These settings, and `file`'s where these say nothing.
    #[must_use]
    pub fn over(self, file: Self) -> Self {
        merged!(Self: self, or, file, preset)
    }

    /// The preset with everything said here on top.
    ///
    /// # Errors
    /// When a value makes no sense; the text names it and what was expected.
    pub fn resolve(&self) -> Result<TrainConfig, ConfigError> {
        let preset = self.preset.unwrap_or(Preset::Default).config();
        let mut said = self.clone();
        // Whoever says epochs and no steps means epochs, whatever the preset counts in.
        if said.epochs.is_some() && said.steps.is_none() {
            said.steps = Some(0);
        }
        let config = merged!(TrainConfig: said, unwrap_or, preset);
        config.check()?;
        Ok(config)
    }
}

/// A setting that makes no sense.
#[derive(Debug, thiserror::Error, PartialEq)]
#[error("{setting}: expected {expected}, found {found}")]
pub struct ConfigError {
    /// Its name.
    pub setting: &'static str,
    /// What would do.
    pub expected: &'static str,
    /// What was given.
    pub found: String,
}

impl TrainConfig {
    /// Steps of one pass over `n_pictures`; the last one may reach into the next pass.
    #[must_use]
    pub fn steps_per_epoch(&self, n_pictures: usize) -> u64 {
        n_pictures.div_ceil(self.batch_size) as u64
    }

    /// Steps in all.
    #[must_use]
    pub fn total_steps(&self, n_pictures: usize) -> u64 {
        match self.steps {
            0 => self.epochs * self.steps_per_epoch(n_pictures),
            steps => steps,
        }
    }

    /// The networks that are trained.
    #[must_use]
    pub fn architecture(&self) -> Architecture {
        match self.network {
            NetworkKind::Lifting => Architecture::Lifting(LiftingNetConfig {
                blocks: self.depth,
                width: self.width,
                shaping: true,
            }),
            NetworkKind::Unet2018 => Architecture::Unet2018(Pair2018Config {
                hiding: HidingNetConfig {
                    width: self.width,
                    depth: self.depth,
                },
                reveal: RevealNetConfig {
                    width: self.reveal_width,
                },
            }),
            NetworkKind::Dense2017 => {
                Architecture::Dense2017(Triple2017Config { width: self.width })
            }
        }
    }

    /// Refuses settings that make no sense.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn check(&self) -> Result<(), ConfigError> {
        let sizes_fit = match self.network {
            NetworkKind::Unet2018 => {
                self.depth <= 16 && self.size.is_multiple_of(1 << self.depth.min(16))
            }
            NetworkKind::Lifting => self.size.is_multiple_of(2),
            NetworkKind::Dense2017 => !self.simulate_file || self.size.is_multiple_of(2),
        };
        let unit = 0.0..1.0;
        let checks: [(&'static str, bool, &'static str, String); 13] = [
            (
                "width",
                (1..=1024).contains(&self.width),
                "1 to 1024",
                self.width.to_string(),
            ),
            (
                "reveal_width",
                (1..=1024).contains(&self.reveal_width),
                "1 to 1024",
                self.reveal_width.to_string(),
            ),
            (
                "depth",
                (1..=64).contains(&self.depth),
                "1 to 64",
                self.depth.to_string(),
            ),
            (
                "batch_size",
                self.batch_size >= 2 && self.batch_size.is_multiple_of(2),
                "an even number from 2",
                self.batch_size.to_string(),
            ),
            (
                "size",
                (8..=4096).contains(&self.size) && sizes_fit,
                "8 to 4096; even, unless for 2017 without the simulated file; a multiple of 2^depth for 2018",
                self.size.to_string(),
            ),
            (
                "drawn",
                (0.0..=1.0).contains(&self.drawn),
                "0 to 1",
                self.drawn.to_string(),
            ),
            (
                "steps or epochs",
                self.steps > 0 || self.epochs > 0,
                "at least one",
                "0".to_owned(),
            ),
            (
                "learning_rate",
                self.learning_rate > 0.0 && self.learning_rate < 1.0,
                "above 0, below 1",
                self.learning_rate.to_string(),
            ),
            (
                "beta_1 and beta_2",
                unit.contains(&self.beta_1) && unit.contains(&self.beta_2),
                "from 0, below 1",
                format!("{} and {}", self.beta_1, self.beta_2),
            ),
            (
                "reveal_weight",
                self.reveal_weight > 0.0 && self.reveal_weight.is_finite(),
                "above 0",
                self.reveal_weight.to_string(),
            ),
            (
                "ghost_weight",
                self.ghost_weight >= 0.0 && self.ghost_weight.is_finite(),
                "0 or more",
                self.ghost_weight.to_string(),
            ),
            (
                "strengths",
                (1.0..=16.0).contains(&self.strengths),
                "1 to 16",
                self.strengths.to_string(),
            ),
            (
                "weight_decay, clip_norm and noise",
                [self.weight_decay, self.clip_norm, self.noise]
                    .iter()
                    .all(|v| *v >= 0.0 && v.is_finite()),
                "0 or more",
                format!(
                    "{}, {} and {}",
                    self.weight_decay, self.clip_norm, self.noise
                ),
            ),
        ];
        for (setting, holds, expected, found) in checks {
            if !holds {
                return Err(ConfigError {
                    setting,
                    expected,
                    found,
                });
            }
        }
        Ok(())
    }
}

/// Where pictures come from and results go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPaths {
    /// Folder of training pictures.
    pub train: PathBuf,
    /// Folder of validation pictures, pairs by sorted name.
    pub val: PathBuf,
    /// Run folder; made if missing.
    pub out: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_beat_the_file_and_the_file_beats_the_preset() {
        let file: TrainSettings =
            toml::from_str("preset = \"2018\"\nwidth = 8\nseed = 3\nnetwork = \"2018\"").unwrap();
        let flags = TrainSettings {
            seed: Some(7),
            ..TrainSettings::default()
        };
        let config = flags.over(file).resolve().unwrap();
        assert_eq!((config.width, config.seed), (8, 7));
        assert_eq!(config.schedule, Schedule::Plateau);
        assert_eq!(config.reveal_weight, 0.75);
    }

    #[test]
    fn every_setting_can_be_said() {
        // A field of the configuration that settings lack would be refused as unknown.
        for preset in [Preset::Default, Preset::Recipe2018] {
            let text = toml::to_string(&preset.config()).unwrap();
            let settings: TrainSettings = toml::from_str(&text).unwrap();
            assert_eq!(settings.resolve().unwrap(), preset.config());
        }
    }

    #[test]
    fn epochs_beat_the_steps_of_a_preset() {
        let settings = TrainSettings {
            epochs: Some(2),
            ..TrainSettings::default()
        };
        assert_eq!(settings.resolve().unwrap().total_steps(25), 2 * 3);
    }

    #[test]
    fn rejects_an_odd_batch_and_an_unknown_setting() {
        let settings = TrainSettings {
            batch_size: Some(7),
            ..TrainSettings::default()
        };
        assert_eq!(
            settings.resolve().unwrap_err().to_string(),
            "batch_size: expected an even number from 2, found 7"
        );
        assert!(toml::from_str::<TrainSettings>("bach_size = 4").is_err());
    }

    #[test]
    fn rejects_weights_that_are_negative_or_no_numbers() {
        for found in [-0.5, f64::NAN] {
            let settings = TrainSettings {
                ghost_weight: Some(found),
                ..TrainSettings::default()
            };
            assert_eq!(
                settings.resolve().unwrap_err().to_string(),
                format!("ghost_weight: expected 0 or more, found {found}")
            );
        }
    }

    #[test]
    fn runs_from_before_a_setting_go_on_without_what_it_brought() {
        let text = toml::to_string(&Preset::Default.config()).unwrap();
        let older = text.lines().filter(|line| {
            let newer = ["drawn", "ghost_weight"];
            !newer.iter().any(|name| line.starts_with(name))
        });
        let older: TrainConfig = toml::from_str(&older.collect::<Vec<_>>().join("\n")).unwrap();
        let expected = TrainConfig {
            drawn: 0.0,
            ghost_weight: 0.0,
            ..Preset::Default.config()
        };
        assert_eq!(older, expected);
    }
}
