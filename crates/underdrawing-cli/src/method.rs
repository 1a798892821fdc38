//! From arguments to the library's options: which flag goes with which method.

use anyhow::bail;
use serde::Serialize;
use underdrawing::{
    CodedOptions, CodedRate, HiddenDetails, HideOptions, NetworkOptions, Password, RevealOptions,
};

use crate::args::{Balance, ComputeArgs, Effort, Method, MethodArgs, ModelArgs, RevealArgs};
use crate::output::{Ui, error_with_hint};

/// The quality to survive without --survive.
const USUAL_QUALITY: u8 = 75;

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
        /// Of what is revealed, in the secret's own size; null where nothing is lost.
        revealed_psnr_db: Option<f64>,
    },
    Coded {
        password: bool,
        coded_width: usize,
        coded_height: usize,
        coded_bytes: usize,
        /// Null where nothing is lost.
        coded_psnr_db: Option<f64>,
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
                psnr_db,
            } => Some(Self::Robust {
                password,
                survives,
                coded_width: width,
                coded_height: height,
                coded_bytes: bytes,
                revealed_psnr_db: psnr_db,
            }),
            HiddenDetails::Coded {
                password,
                width,
                height,
                bytes,
                psnr_db,
            } => Some(Self::Coded {
                password,
                coded_width: width,
                coded_height: height,
                coded_bytes: bytes,
                coded_psnr_db: psnr_db,
            }),
            _ => None,
        }
    }
}
