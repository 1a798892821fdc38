//! From what a caller says to [`HideOptions`]: which setting goes with which method.

use std::fmt;

use crate::channel::Channel;
use crate::coded::{CodedOptions, CodedRate, Effort};
use crate::error::not_refined_here;
use crate::network::{Balance, BuiltInModel, Model, ModelId, NetworkOptions};
use crate::options::HideOptions;
use crate::secrecy::Password;

/// The quality to survive by the robust method where none is said.
const USUAL_QUALITY: u8 = 75;

/// How to hide as people say it, all of it optional; what does not go together is refused.
#[derive(Clone, Debug, Default)]
pub struct HideSettings {
    /// Without one it follows from the other settings: robust by those of surviving, network by a
    /// model, coded otherwise.
    pub method: Option<Method>,
    /// The lowest quality of JPEG to survive, 50 to 95.
    pub survive: Option<u8>,
    /// How much may be cut off the container, in percent, 1 to 30.
    pub survive_crop: Option<u8>,
    /// Whose quality to survive, where `survive` does not say another.
    pub channel: Option<&'static Channel>,
    /// As [`CodedOptions::effort`], or [`NetworkOptions::effort`].
    pub effort: Option<Effort>,
    /// Which picture comes out better.
    pub balance: Option<BalanceSetting>,
    /// [`CodedRate::ContainerDb`].
    pub container_db: Option<f64>,
    /// [`CodedRate::RevealedDb`].
    pub revealed_db: Option<f64>,
    /// The networks.
    pub model: Option<Model>,
    /// What opens the container.
    pub password: Option<Password>,
    /// As [`NetworkOptions::tile_size`].
    pub tile_size: Option<usize>,
    /// Whether the container will be written as a JPEG.
    pub jpeg: bool,
}

/// A method by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// [`HideOptions::Coded`].
    Coded,
    /// [`HideOptions::Robust`].
    Robust,
    /// [`HideOptions::Network`].
    Network,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Coded => "coded",
            Self::Robust => "robust",
            Self::Network => "network",
        })
    }
}

/// What container and revealed picture share between them, by any method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BalanceSetting {
    /// The container first: [`CodedRate::Ternary`].
    Container,
    /// Both at the same quality.
    Equal,
    /// A step of a network's dial.
    Step(Balance),
}

/// Settings that do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SettingsError {
    /// A setting that the method has not.
    OtherMethod {
        /// The setting's name, as the field's.
        setting: &'static str,
        /// The method.
        method: Method,
    },
    /// A kind of balance that the method has not.
    OtherBalance {
        /// The method.
        method: Method,
    },
    /// A password for networks, which have none.
    PasswordForNetwork,
    /// The best effort with a model that cannot be refined.
    Unrefinable {
        /// The model.
        model: ModelId,
    },
    /// Two settings of which only one can count.
    Both {
        /// The first setting's name.
        one: &'static str,
        /// The second setting's name.
        other: &'static str,
    },
}

impl SettingsError {
    /// The message, with the settings' names as the caller's users write them.
    #[must_use]
    pub fn message(&self, spelled: impl Fn(&str) -> String) -> String {
        match self {
            Self::OtherMethod { setting, method } => {
                let name = spelled(setting);
                match *setting {
                    "model" => {
                        format!("{name} goes with the network method: the others have no model")
                    }
                    "tile_size" => format!(
                        "{name} goes with the network method: the {method} method has no tiles"
                    ),
                    "survive" | "survive_crop" | "channel" => format!(
                        "{name} goes with the robust method, and this is the {method} method"
                    ),
                    _ => format!(
                        "{name} goes with the coded method or the robust one, and this is the \
                         {method} method"
                    ),
                }
            }
            Self::OtherBalance {
                method: Method::Network,
            } => format!(
                "{} container goes with the coded method: for the network method expected equal, \
                 or a whole number from -2 to 2",
                spelled("balance")
            ),
            Self::OtherBalance { .. } => format!(
                "{} with a number goes with the network method: for the others expected container or \
                 equal",
                spelled("balance")
            ),
            Self::PasswordForNetwork => format!(
                "{} gives a password, and the network method has none: anybody with the model can \
                 reveal",
                spelled("password")
            ),
            Self::Unrefinable { model } => format!(
                "{} best does not go with model {model}{}: expected normal or fast",
                spelled("effort"),
                not_refined_here()
            ),
            Self::Both { one, other } => format!(
                "{} cannot be used with {}: expected one of the two",
                spelled(one),
                spelled(other)
            ),
        }
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message(str::to_owned))
    }
}

impl std::error::Error for SettingsError {}

impl HideSettings {
    /// The method that they mean.
    ///
    /// # Errors
    /// When a setting does not go with it.
    pub fn chosen(&self) -> Result<Method, SettingsError> {
        let surviving = [
            ("survive", self.survive.is_some()),
            ("channel", self.channel.is_some()),
            ("survive_crop", self.survive_crop.is_some()),
        ];
        let of_code = [
            ("container_db", self.container_db.is_some()),
            ("revealed_db", self.revealed_db.is_some()),
        ];
        let of_network = [
            ("model", self.model.is_some()),
            ("tile_size", self.tile_size.is_some()),
        ];
        let first = |settings: &[(&'static str, bool)]| {
            let given = settings.iter().find(|(_, given)| *given);
            given.map(|(setting, _)| *setting)
        };
        let survives = first(&surviving);
        let default = if survives.is_some() {
            Method::Robust
        } else if self.model.is_some() {
            Method::Network
        } else {
            Method::Coded
        };
        let method = self.method.unwrap_or(default);
        let foreign = match method {
            Method::Coded => survives.or(first(&of_network)),
            Method::Robust => first(&of_network),
            Method::Network => survives.or(first(&of_code)),
        };
        if let Some(setting) = foreign {
            return Err(SettingsError::OtherMethod { setting, method });
        }
        if method == Method::Network && self.password.is_some() {
            return Err(SettingsError::PasswordForNetwork);
        }
        Ok(method)
    }

    /// The options that they mean.
    ///
    /// # Errors
    /// When they do not go together; ranges are [`hide`](crate::hide)'s to check.
    pub fn resolve(self) -> Result<HideOptions, SettingsError> {
        let method = self.chosen()?;
        self.check_rates()?;
        if method == Method::Network {
            let balance = match self.balance {
                None | Some(BalanceSetting::Equal) => Balance::EVEN,
                Some(BalanceSetting::Step(step)) => step,
                Some(BalanceSetting::Container) => {
                    return Err(SettingsError::OtherBalance { method });
                }
            };
            let model = self.model.unwrap_or_else(|| BuiltInModel::first().model());
            let effort = self.effort.unwrap_or(Effort::Normal);
            if effort == Effort::Best && !model.refines() {
                return Err(SettingsError::Unrefinable { model: model.id() });
            }
            return Ok(HideOptions::Network(NetworkOptions {
                model,
                balance,
                effort,
                tile_size: self.tile_size.unwrap_or(NetworkOptions::TILE_SIZE),
            }));
        }
        let rate = match (self.balance, self.container_db, self.revealed_db) {
            (Some(BalanceSetting::Step(_)), ..) => {
                return Err(SettingsError::OtherBalance { method });
            }
            (Some(BalanceSetting::Equal), ..) => CodedRate::Equal,
            (_, Some(db), _) => CodedRate::ContainerDb(db),
            (_, _, Some(db)) => CodedRate::RevealedDb(db),
            _ => CodedRate::Ternary,
        };
        let quality = self.quality();
        let coded = CodedOptions {
            password: self.password,
            effort: self.effort,
            rate,
        };
        if method == Method::Coded {
            return Ok(HideOptions::Coded(coded));
        }
        Ok(HideOptions::Robust {
            survive: quality.unwrap_or(USUAL_QUALITY),
            crop: self.survive_crop.unwrap_or(0),
            jpeg: self.jpeg,
            coded,
        })
    }

    /// The quality to survive, where these settings ask for one.
    #[must_use]
    pub fn quality(&self) -> Option<u8> {
        let of_channel = self.channel.map(|channel| channel.survive);
        let usual = self.survive_crop.map(|_| USUAL_QUALITY);
        self.survive.or(of_channel).or(usual)
    }

    /// Two answers to the question which picture comes out better are none.
    fn check_rates(&self) -> Result<(), SettingsError> {
        let mut given = [
            ("balance", self.balance.is_some()),
            ("container_db", self.container_db.is_some()),
            ("revealed_db", self.revealed_db.is_some()),
        ]
        .into_iter()
        .filter_map(|(setting, given)| given.then_some(setting));
        match (given.next(), given.next()) {
            (Some(one), Some(other)) => Err(SettingsError::Both { one, other }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(change: impl FnOnce(&mut HideSettings)) -> HideSettings {
        let mut settings = HideSettings::default();
        change(&mut settings);
        settings
    }

    #[test]
    fn the_method_follows_from_what_is_given() {
        let model = || Some(BuiltInModel::first().model());
        for (settings, method) in [
            (HideSettings::default(), Method::Coded),
            (with(|s| s.survive = Some(60)), Method::Robust),
            (with(|s| s.survive_crop = Some(5)), Method::Robust),
            (with(|s| s.channel = Channel::named("x")), Method::Robust),
            (with(|s| s.model = model()), Method::Network),
            (with(|s| s.method = Some(Method::Robust)), Method::Robust),
        ] {
            assert_eq!(settings.chosen(), Ok(method), "{settings:?}");
        }
    }

    #[test]
    fn a_channels_quality_gives_way_to_one_that_is_said() {
        let survive = |settings: HideSettings| match settings.resolve() {
            Ok(HideOptions::Robust { survive, .. }) => survive,
            other => panic!("{other:?}"),
        };
        let telegram = || with(|s| s.channel = Channel::named("telegram"));
        assert_eq!(survive(telegram()), 70);
        let said = HideSettings {
            survive: Some(80),
            ..telegram()
        };
        assert_eq!(survive(said), 80);
        assert_eq!(survive(with(|s| s.survive_crop = Some(5))), 75);
    }

    #[test]
    fn refuses_what_does_not_go_together() {
        let network = |change: fn(&mut HideSettings)| {
            with(|s| {
                s.method = Some(Method::Network);
                change(s);
            })
        };
        for (settings, message) in [
            (
                network(|s| s.container_db = Some(50.0)),
                "--container-db goes with the coded method or the robust one, and this is the \
                 network method",
            ),
            (
                network(|s| s.survive = Some(75)),
                "--survive goes with the robust method, and this is the network method",
            ),
            (
                network(|s| s.channel = Channel::named("telegram")),
                "--channel goes with the robust method, and this is the network method",
            ),
            (
                with(|s| {
                    let unet = underdrawing_net::Pair2018Config {
                        hiding: underdrawing_net::HidingNetConfig { width: 2, depth: 2 },
                        reveal: underdrawing_net::RevealNetConfig { width: 2 },
                    };
                    let unet = underdrawing_net::Architecture::Unet2018(unet);
                    s.model = Some(Model::fresh(unet, 1).unwrap());
                    s.effort = Some(Effort::Best);
                }),
                "--effort best does not go with model",
            ),
            (
                with(|s| s.tile_size = Some(64)),
                "--tile-size goes with the network method: the coded method has no tiles",
            ),
            (
                network(|s| s.password = Some(Password::new("x"))),
                "--password gives",
            ),
            (
                network(|s| s.balance = Some(BalanceSetting::Container)),
                "--balance container",
            ),
            (
                with(|s| {
                    s.method = Some(Method::Coded);
                    s.survive_crop = Some(1);
                }),
                "--survive-crop goes with the robust method, and this is the coded method",
            ),
            (
                with(|s| s.balance = Some(BalanceSetting::Step(Balance::EVEN))),
                "--balance with a number",
            ),
            (
                with(|s| {
                    s.container_db = Some(50.0);
                    s.revealed_db = Some(50.0);
                }),
                "--container-db cannot be used with --revealed-db",
            ),
        ] {
            let error = settings.resolve().unwrap_err();
            let spelled = error.message(|setting| format!("--{}", setting.replace('_', "-")));
            assert!(spelled.starts_with(message), "{spelled}");
        }
    }
}
