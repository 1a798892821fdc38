//! Settings of a training run: what a user says, and what the run decided from it.

mod file;
mod from_model;

use std::fmt::{self, Display};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use underdrawing_net::{
    Architecture, HidingNetConfig, LiftingNetConfig, Pair2018Config, RevealNetConfig,
    Triple2017Config,
};

use crate::schedule::Schedule;

pub use file::SettingsFileError;

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

impl Display for NetworkKind {
    /// As settings name it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lifting => "lifting",
            Self::Unet2018 => "2018",
            Self::Dense2017 => "2017",
        })
    }
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
    /// Mean over the pairs of half of `log(container² + (weight * revealed)²)`: as `log`, and of a
    /// pair's two pictures the worse one counts more.
    LogSquares,
    /// `container + weight * revealed`, the 2018 loss.
    Sum,
}

/// The part of the steps at the end that sees larger squares: one of so many.
const LATE: u64 = 6;

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

/// Makes the two types of settings and the presets from one list: `name: type = [default, 2018];`
/// under the help's headings, with clap's attributes after it where a flag needs them. Attributes
/// and documentation go to both types.
macro_rules! settings {
    ($($heading:literal { $(
        $(#[$meta:meta])*
        $name:ident: $type:ty = [$default:expr, $recipe_2018:expr] $(, $key:ident = $value:expr)*;
    )* })*) => {
        /// Every setting of a run, decided; saved as `config.toml` in the run folder and inside the
        /// model.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct TrainConfig {
            $($( $(#[$meta])* pub $name: $type, )*)*
        }

        /// What a user says, on the command line or in a TOML file: a preset, and whatever differs
        /// from it. Field for field the settings of [`TrainConfig`], each optional.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[cfg_attr(
            feature = "clap",
            derive(clap::Args),
            command(mut_args = crate::defaults::with_defaults)
        )]
        #[serde(deny_unknown_fields, default)]
        pub struct TrainSettings {
            /// Named set of settings to start from [default: default]
            #[cfg_attr(feature = "clap", arg(long, help_heading = "Recipe"))]
            #[serde(skip_serializing_if = "Option::is_none")]
            pub preset: Option<Preset>,
            $($(
                $(#[$meta])*
                #[cfg_attr(
                    feature = "clap",
                    arg(long, allow_negative_numbers = true, help_heading = $heading $(, $key = $value)*)
                )]
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*)*
        }

        impl Preset {
            /// Its settings.
            #[must_use]
            pub fn config(self) -> TrainConfig {
                match self {
                    Self::Default => TrainConfig { $($( $name: $default, )*)* },
                    Self::Recipe2018 => TrainConfig { $($( $name: $recipe_2018, )*)* },
                }
            }
        }

        impl TrainSettings {
            /// These settings, and `file`'s where these say nothing.
            #[must_use]
            pub fn over(self, file: Self) -> Self {
                Self {
                    preset: self.preset.or(file.preset),
                    $($( $name: self.$name.or(file.$name), )*)*
                }
            }

            fn over_preset(self, preset: TrainConfig) -> TrainConfig {
                TrainConfig { $($( $name: self.$name.unwrap_or(preset.$name), )*)* }
            }
        }
    };
}

settings! {
    "Recipe" {
        /// Seed of everything random
        seed: u64 = [1, 1];
    }
    "Network" {
        /// Which networks to train
        network: NetworkKind = [NetworkKind::Lifting, NetworkKind::Unet2018];
        /// Channels of a lifting function, of the U-Net's first level or of a 2017 branch
        width: usize = [32, 64];
        /// Channels of the 2018 reveal network's first layer
        reveal_width: usize = [64, 64];
        /// Lifting blocks, or levels of the U-Net
        depth: usize = [6, 7];
    }
    "Data" {
        /// Pictures a step; the first half are covers, the second half secrets
        batch_size: usize = [12, 32];
        /// Parts that a rank takes its share of a batch in, one after the other: for batches that do
        /// not fit into memory. Batch normalisation goes by each part
        #[serde(default = "Before::one")]
        accumulate: usize = [1, 1];
        /// Side in pixels of the squares that the networks see
        size: usize = [96, 256];
        /// Side of the squares in the last sixth of the steps, where it is more than `size`: they
        /// bring what further steps no longer do. 0 for none, also where `size` alone is given
        #[serde(default)]
        late_size: usize = [128, 0];
        /// How a picture of any size becomes a square
        fit: Fit = [Fit::Crop, Fit::Squeeze];
        /// Share, 0 to 1, of the pictures that the trainer draws: flat areas, lines, signs and pure
        /// colours, which photographs lack
        #[serde(default)]
        drawn: f64 = [0.125, 0.0];
        /// Decoded training pictures kept in memory, in MiB
        cache_mib: usize = [1024, 1024];
    }
    "Length" {
        /// Passes over the training pictures, where `steps` is 0
        epochs: u64 = [0, 100];
        /// Steps in all; 0 leaves it to `epochs`
        steps: u64 = [27_000, 0];
    }
    "Optimiser" {
        /// What turns gradients into steps
        optimiser: OptimiserKind = [OptimiserKind::Muon, OptimiserKind::Adam];
        /// First learning rate
        learning_rate: f64 = [1e-3, 1e-3];
        /// How the learning rate changes
        schedule: Schedule = [Schedule::Cosine, Schedule::Plateau];
        /// Steps over which the learning rate rises at the start
        warmup_steps: u64 = [100, 0];
        /// Validations without progress before a plateau lowers the hiding network's rate
        hiding_patience: u32 = [5, 5];
        /// Validations without progress before a plateau lowers the reveal network's rate
        reveal_patience: u32 = [8, 8];
        /// Adam's first beta
        beta_1: f64 = [0.9, 0.5];
        /// Adam's second beta
        beta_2: f64 = [0.99, 0.999];
        /// Decoupled weight decay
        weight_decay: f64 = [1e-5, 0.0];
        /// Maximum gradient norm; 0 disables clipping
        clip_norm: f64 = [1.0, 0.0];
    }
    "Loss" {
        /// What is minimised
        loss: LossKind = [LossKind::Log, LossKind::Sum];
        /// Weight of the revealed picture's error (the 2018 system's beta)
        reveal_weight: f64 = [1.0, 0.75];
        /// Weight of the container's errors averaged over squares of 8x8 pixels, which the eye
        /// takes for a tint or a ghost of the secret. Figures, plateaus and the choice of the best
        /// model leave it out
        #[serde(default)]
        ghost_weight: f64 = [8.0, 0.0];
        /// Train through the rounding and clamping of a written file
        simulate_file: bool = [true, false], num_args = 0..=1, default_missing_value = "true";
        /// Hide half of the secrets with their contrast times a number between this and its
        /// inverse, so that one model serves every balance; 1 leaves all as they are
        strengths: f64 = [2.0, 1.0];
        /// Deviation of Gaussian noise between hiding and revealing, in [0, 1] (the 2017 system's)
        noise: f64 = [0.0, 0.0];
    }
    "Reports" {
        /// Steps between validations; 0 is once an epoch
        validate_every: u64 = [1000, 0];
        /// Maximum number of validation pairs; 0 is all
        validate_pairs: usize = [12, 0];
        /// Steps between result sheets; 0 is never
        sheet_every: u64 = [5000, 100];
        /// Steps between checkpoints besides those at validations; 0 is none
        checkpoint_every: u64 = [250, 250];
    }
}

impl TrainSettings {
    /// The preset with everything said here on top.
    ///
    /// # Errors
    /// When a value makes no sense; the text names it and what was expected.
    pub fn resolve(&self) -> Result<TrainConfig, ConfigError> {
        let mut settings = self.clone();
        // `epochs` without `steps` overrides the preset's steps.
        if settings.epochs.is_some() && settings.steps.is_none() {
            settings.steps = Some(0);
        }
        if settings.size.is_some() && settings.late_size.is_none() {
            settings.late_size = Some(0);
        }
        let preset = self.preset.unwrap_or(Preset::Default);
        let config = settings.over_preset(preset.config());
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
    pub expected: String,
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

    /// Side of the squares of a step, counted from 0, of so many.
    #[must_use]
    pub fn size_at(&self, step: u64, steps: u64) -> usize {
        let late = step >= steps - steps / LATE;
        if late {
            self.size.max(self.late_size)
        } else {
            self.size
        }
    }

    /// How much longer the steps from `first` on take, of so many, than one like `first`.
    #[must_use]
    pub fn work_left(&self, first: u64, steps: u64) -> f64 {
        let pixels = |size: usize| (size * size) as f64;
        let late = (steps / LATE).min(steps.saturating_sub(first));
        let early = steps.saturating_sub(first) - late;
        let all =
            early as f64 * pixels(self.size) + late as f64 * pixels(self.size_at(steps, steps));
        all / pixels(self.size_at(first, steps))
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
        self.architecture().check().map_err(|error| ConfigError {
            setting: setting_of(error.name),
            expected: format!("{} to {}", error.least, error.most),
            found: error.found.to_string(),
        })?;
        let size_fits = |size: usize| {
            let whole = match self.network {
                NetworkKind::Unet2018 => size.is_multiple_of(1 << self.depth),
                NetworkKind::Lifting => size.is_multiple_of(2),
                NetworkKind::Dense2017 => !self.simulate_file || size.is_multiple_of(2),
            };
            whole && (8..=4096).contains(&size)
        };
        let multiple = match self.network {
            NetworkKind::Unet2018 => format!(
                "a multiple of {} (2^depth, at depth {})",
                1_u64 << self.depth,
                self.depth
            ),
            NetworkKind::Dense2017 if !self.simulate_file => "a number".to_owned(),
            _ => "an even number".to_owned(),
        };
        let sizes = format!("{multiple} from 8 to 4096");
        let late_sizes = format!("0, or {sizes}");
        let unit = 0.0..1.0;
        let checks: [(&'static str, bool, &str, String); 12] = [
            (
                "batch_size",
                self.batch_size >= 2 && self.batch_size.is_multiple_of(2),
                "an even number from 2",
                self.batch_size.to_string(),
            ),
            (
                "accumulate",
                (1..=self.batch_size / 2).contains(&self.accumulate),
                "1 to half of batch_size",
                self.accumulate.to_string(),
            ),
            ("size", size_fits(self.size), &sizes, self.size.to_string()),
            (
                "late_size",
                self.late_size == 0 || size_fits(self.late_size),
                &late_sizes,
                self.late_size.to_string(),
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
                    expected: expected.to_owned(),
                    found,
                });
            }
        }
        Ok(())
    }
}

/// The setting that a number of an architecture comes from.
fn setting_of(number: &'static str) -> &'static str {
    match number {
        "blocks" | "hiding.depth" => "depth",
        "hiding.width" => "width",
        "reveal.width" => "reveal_width",
        other => other,
    }
}

/// What a setting is where a file from before it does not say it.
trait Before {
    fn one() -> Self;
}

impl Before for usize {
    fn one() -> Self {
        1
    }
}

impl Before for Option<usize> {
    fn one() -> Self {
        None
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
    fn a_size_that_does_not_fit_is_told_what_would() {
        let settings = TrainSettings {
            preset: Some(Preset::Recipe2018),
            size: Some(64),
            ..TrainSettings::default()
        };
        assert_eq!(
            settings.resolve().unwrap_err().to_string(),
            "size: expected a multiple of 128 (2^depth, at depth 7) from 8 to 4096, found 64"
        );
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
    fn rejects_networks_that_a_model_file_could_not_hold() {
        let with = |change: &dyn Fn(&mut TrainSettings)| {
            let mut settings = TrainSettings::default();
            change(&mut settings);
            settings.resolve().unwrap_err().to_string()
        };
        assert_eq!(
            with(&|s| s.width = Some(512)),
            "width: expected 1 to 256, found 512"
        );
        let shallow = |s: &mut TrainSettings| {
            s.preset = Some(Preset::Recipe2018);
            s.depth = Some(1);
        };
        assert_eq!(with(&shallow), "depth: expected 2 to 10, found 1");
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
            let newer = ["drawn", "ghost_weight", "accumulate"];
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
