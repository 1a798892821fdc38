//! From arguments to the library's options: which flag goes with which method.

use std::fmt::{self, Display};

use anyhow::bail;
use serde::Serialize;
use underdrawing::{
    CodedOptions, CodedRate, HiddenDetails, HideOptions, Inspection, NetworkOptions, Password,
    RevealOptions,
};

use crate::args::{Balance, ComputeArgs, Effort, Method, MethodArgs, ModelArgs, RevealArgs};
use crate::output::{Ui, error_with_hint};

/// The quality to survive without --survive.
pub(crate) const USUAL_QUALITY: u8 = 75;

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
        match self.chosen(model, password_source)? {
            Method::Network => Ok(HideOptions::Network(NetworkOptions {
                model: model.load(&device, ui)?,
                balance: self.network_balance()?,
                tile_size: compute.tile_size(),
            })),
            Method::Coded => Ok(HideOptions::Coded(self.coded_options(password()?)?)),
            Method::Robust => Ok(HideOptions::Robust {
                survive: self.quality().unwrap_or(USUAL_QUALITY),
                crop: self.survive_crop.unwrap_or(0),
                jpeg,
                coded: self.coded_options(password()?)?,
            }),
        }
    }

    fn coded_options(&self, password: Option<Password>) -> anyhow::Result<CodedOptions> {
        Ok(CodedOptions {
            password,
            effort: self.effort(),
            rate: self.rate()?,
        })
    }

    /// Whether containers may be JPEG files.
    pub(crate) fn survives(&self) -> bool {
        self.quality().is_some() || self.method == Some(Method::Robust)
    }

    /// The quality to survive that was asked for.
    fn quality(&self) -> Option<u8> {
        let of_channel = self.channel.map(|channel| channel.survive);
        let usual = self.survive_crop.map(|_| USUAL_QUALITY);
        self.survive.or(of_channel).or(usual)
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

    fn chosen(&self, model: &ModelArgs, password_source: Option<&str>) -> anyhow::Result<Method> {
        let default = if self.quality().is_some() {
            Method::Robust
        } else if model.model.is_some() {
            Method::Network
        } else {
            Method::Coded
        };
        let method = self.method.unwrap_or(default);
        match method {
            Method::Coded | Method::Robust if model.model.is_some() => {
                bail!("--model goes with the network method: the others have no model")
            }
            Method::Coded if self.quality().is_some() => {
                bail!("--survive and --for go with the robust method, and this is the coded method")
            }
            Method::Network => {
                if let Some(flag) = self.coded_flag() {
                    bail!(
                        "{flag} goes with the coded method or the robust one, and this is the network method"
                    );
                }
                if let Some(source) = password_source {
                    return Err(error_with_hint(
                        format!(
                            "{source} gives a password, and the network method has none: anybody \
                             with the model can reveal"
                        ),
                        "use the coded method, the default, or no password",
                    ));
                }
            }
            Method::Coded | Method::Robust => {}
        }
        Ok(method)
    }

    /// The first flag given that the network method has not.
    fn coded_flag(&self) -> Option<&'static str> {
        [
            (self.survive.is_some(), "--survive"),
            (self.channel.is_some(), "--for"),
            (self.survive_crop.is_some(), "--survive-crop"),
            (self.effort.is_some(), "--effort"),
            (self.container_db.is_some(), "--container-db"),
            (self.revealed_db.is_some(), "--revealed-db"),
        ]
        .into_iter()
        .find_map(|(given, flag)| given.then_some(flag))
    }

    fn effort(&self) -> Option<underdrawing::Effort> {
        self.effort.map(|effort| match effort {
            Effort::Fast => underdrawing::Effort::Fast,
            Effort::Normal => underdrawing::Effort::Normal,
            Effort::Best => underdrawing::Effort::Best,
        })
    }

    fn network_balance(&self) -> anyhow::Result<underdrawing::Balance> {
        match self.balance {
            None | Some(Balance::Equal) => Ok(underdrawing::Balance::EVEN),
            Some(Balance::Step(step)) => Ok(step),
            Some(Balance::Container) => {
                bail!(
                    "--balance container goes with the coded method: for the network method \
                     expected equal, or a whole number from -2 to 2"
                )
            }
        }
    }

    fn rate(&self) -> anyhow::Result<CodedRate> {
        match (self.balance, self.container_db, self.revealed_db) {
            (Some(Balance::Step(_)), ..) => {
                bail!(
                    "--balance with a number goes with the network method: for the coded method \
                     expected container or equal"
                )
            }
            (Some(Balance::Equal), ..) => Ok(CodedRate::Equal),
            (_, Some(db), _) => Ok(CodedRate::ContainerDb(db)),
            (_, _, Some(db)) => Ok(CodedRate::RevealedDb(db)),
            _ => Ok(CodedRate::Ternary),
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
                width,
                height,
                bytes,
                ..
            } => Some(Self::Robust {
                password,
                survives,
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
