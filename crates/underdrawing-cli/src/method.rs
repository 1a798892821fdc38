//! From arguments to the library's options: which flag goes with which method.

use std::fmt::{self, Display};

use serde::Serialize;
use underdrawing::{
    BalanceSetting, BuiltInModel, HiddenDetails, HideOptions, HideSettings, Inspection, Password,
    RevealOptions, SettingsError,
};

use crate::args::{Balance, ComputeArgs, Effort, Method, MethodArgs, ModelArgs, RevealArgs};
use crate::output::{Ui, error_with_hint};

impl MethodArgs {
    /// The method asked for and its options; `password_source` names the flag that gave a
    /// password.
    pub(crate) fn options(
        &self,
        model: &ModelArgs,
        compute: &ComputeArgs,
        password_source: Option<&str>,
        password: impl FnOnce() -> anyhow::Result<Option<Password>>,
        jpeg: bool,
        ui: &Ui,
    ) -> anyhow::Result<HideOptions> {
        let device = compute.start()?;
        let mut settings = HideSettings {
            method: self.method.map(Method::named),
            survive: self.survive,
            survive_crop: self.survive_crop,
            channel: self.channel,
            effort: self.effort.map(Effort::named),
            balance: self.balance.map(Balance::named),
            container_db: self.container_db,
            revealed_db: self.revealed_db,
            // Stand-ins: models are read, and people asked, once it is clear that they count.
            model: model.model.is_some().then(|| BuiltInModel::first().model()),
            password: password_source.map(Password::new),
            tile_size: compute.tile_size,
            jpeg,
        };
        let spelled = |error| with_flags(error, password_source);
        let method = settings.chosen().map_err(spelled)?;
        if method == underdrawing::Method::Network {
            settings.model = Some(model.load(&device, ui)?);
        } else {
            settings.password = password()?;
        }
        settings.resolve().map_err(spelled)
    }

    /// Whether containers may be JPEG files.
    pub(crate) fn survives(&self) -> bool {
        self.survive.is_some()
            || self.channel.is_some()
            || self.survive_crop.is_some()
            || self.method == Some(Method::Robust)
    }

    /// As [`MethodArgs::options`], without a password.
    pub(crate) fn open_options(
        &self,
        model: &ModelArgs,
        compute: &ComputeArgs,
        ui: &Ui,
    ) -> anyhow::Result<HideOptions> {
        self.options(model, compute, None, || Ok(None), false, ui)
    }
}

/// Settings that do not go together, by the names of their flags.
fn with_flags(error: SettingsError, password_source: Option<&str>) -> anyhow::Error {
    let message = error.message(|setting| match (setting, password_source) {
        ("channel", _) => "--for".to_owned(),
        ("password", Some(source)) => source.to_owned(),
        _ => format!("--{}", setting.replace('_', "-")),
    });
    match error {
        SettingsError::PasswordForNetwork => {
            error_with_hint(message, "use the coded method, the default, or no password")
        }
        _ => anyhow::Error::msg(message),
    }
}

impl Method {
    fn named(self) -> underdrawing::Method {
        match self {
            Self::Coded => underdrawing::Method::Coded,
            Self::Robust => underdrawing::Method::Robust,
            Self::Network => underdrawing::Method::Network,
        }
    }
}

impl Effort {
    fn named(self) -> underdrawing::Effort {
        match self {
            Self::Fast => underdrawing::Effort::Fast,
            Self::Normal => underdrawing::Effort::Normal,
            Self::Best => underdrawing::Effort::Best,
        }
    }
}

impl Balance {
    fn named(self) -> BalanceSetting {
        match self {
            Self::Container => BalanceSetting::Container,
            Self::Equal => BalanceSetting::Equal,
            Self::Step(step) => BalanceSetting::Step(step),
        }
    }
}

impl RevealArgs {
    pub(crate) fn options(&self, password: Option<Password>) -> anyhow::Result<RevealOptions> {
        Ok(RevealOptions {
            password,
            salvage: self.salvage,
            models: self.model.for_revealing(&self.compute.start()?)?,
            size: self.size.map(|size| (size.width, size.height)),
            tile_size: self.compute.tile_size(),
            ..RevealOptions::default()
        })
    }
}

/// What became of a secret; part of the line of `--json`.
#[derive(Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub(crate) enum DetailsReport {
    Network {
        secret_turned: bool,
        model: String,
    },
    Robust {
        password: bool,
        survives: u8,
        survives_twice: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        survives_cropped: Option<u8>,
        coded_width: usize,
        coded_height: usize,
        coded_bytes: usize,
    },
    Coded {
        password: bool,
        coded_width: usize,
        coded_height: usize,
        coded_bytes: usize,
    },
}

impl DetailsReport {
    /// None for a method that this program does not know.
    pub(crate) fn of(details: &HiddenDetails) -> Option<Self> {
        match *details {
            HiddenDetails::Network { model, turned, .. } => Some(Self::Network {
                secret_turned: turned,
                model: model.to_string(),
            }),
            HiddenDetails::Robust {
                password,
                survives,
                twice,
                cropped,
                width,
                height,
                bytes,
                ..
            } => Some(Self::Robust {
                password,
                survives,
                survives_twice: twice,
                survives_cropped: cropped,
                coded_width: width,
                coded_height: height,
                coded_bytes: bytes,
            }),
            HiddenDetails::Coded {
                password,
                width,
                height,
                bytes,
                ..
            } => Some(Self::Coded {
                password,
                coded_width: width,
                coded_height: height,
                coded_bytes: bytes,
            }),
            _ => None,
        }
    }
}

/// What is hidden in a container; part of the lines of `--json`, with the names of
/// [`DetailsReport`].
#[derive(Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub(crate) enum FoundReport {
    Network {
        secret_width: usize,
        secret_height: usize,
        secret_turned: bool,
        balance: i8,
        model: String,
    },
    Robust {
        secret_width: usize,
        secret_height: usize,
        /// Whether it took the password to open it.
        password: bool,
        survives: u8,
        coded_bytes: usize,
    },
    Coded {
        secret_width: usize,
        secret_height: usize,
        password: bool,
        coded_bytes: usize,
        parts: usize,
        /// Parts that were not changed since hiding.
        intact: usize,
        /// The container's last rows are missing.
        cropped: bool,
    },
}

impl FoundReport {
    /// None for a method that this program does not know.
    pub(crate) fn of(found: &Inspection) -> Option<Self> {
        match *found {
            Inspection::Network {
                secret_width,
                secret_height,
                turned,
                balance,
                model,
            } => Some(Self::Network {
                secret_width,
                secret_height,
                secret_turned: turned,
                balance: balance.step(),
                model: model.to_string(),
            }),
            Inspection::Robust {
                secret_width,
                secret_height,
                password,
                survives,
                bytes,
            } => Some(Self::Robust {
                secret_width,
                secret_height,
                password,
                survives,
                coded_bytes: bytes,
            }),
            Inspection::Coded {
                secret_width,
                secret_height,
                password,
                bytes,
                parts,
                intact,
                cropped,
            } => Some(Self::Coded {
                secret_width,
                secret_height,
                password,
                coded_bytes: bytes,
                parts,
                intact,
                cropped,
            }),
            _ => None,
        }
    }

    /// Whether it took the password to open it.
    pub(crate) fn took_password(&self) -> bool {
        match *self {
            Self::Network { .. } => false,
            Self::Robust { password, .. } | Self::Coded { password, .. } => password,
        }
    }
}

impl Display for FoundReport {
    /// For people: what it is a picture of, and how it is hidden.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |password: &bool| if *password { "with" } else { "without" };
        match self {
            Self::Network {
                secret_width,
                secret_height,
                secret_turned,
                balance,
                model,
            } => {
                write!(f, "a picture of {secret_width}x{secret_height}")?;
                if *secret_turned {
                    f.write_str(", turned by 90 degrees")?;
                }
                write!(f, ", by model {model}")?;
                match balance {
                    0 => Ok(()),
                    balance => write!(f, ", balance {balance}"),
                }
            }
            Self::Robust {
                secret_width,
                secret_height,
                password,
                survives,
                coded_bytes,
            } => write!(
                f,
                "a picture of {secret_width}x{secret_height}, coded in {coded_bytes} bytes {} a \
                 password, to survive JPEG of quality {survives} and above",
                with(password)
            ),
            Self::Coded {
                secret_width,
                secret_height,
                password,
                coded_bytes,
                parts,
                intact,
                cropped,
            } => write!(
                f,
                "a picture of {secret_width}x{secret_height}, coded in {coded_bytes} bytes {} a \
                 password, {intact} of {parts} parts intact{}",
                with(password),
                if *cropped { ", cropped" } else { "" }
            ),
        }
    }
}
