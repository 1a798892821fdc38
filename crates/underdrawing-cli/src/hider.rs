//! The two methods behind one face: what hides, and reveals what it hid.

use anyhow::bail;
use serde::Serialize;
use underdrawing::{
    CodedKey, CodedOptions, CodedRate, FloatPair, HideOptions, Model, Pixels, RevealOptions,
    Salvage, hide_coded, read_mark, reveal_coded,
};

use crate::args::{Balance, ComputeArgs, Effort, Method, MethodArgs, ModelArgs};
use crate::commands::OnProgress;
use crate::output::{Ui, error_with_hint};
use crate::password::Password;

/// A method that is ready to work.
pub(crate) enum Hider {
    Network(Network),
    Coded(Coded),
}

/// Networks, and how they run.
pub(crate) struct Network {
    model: Box<Model>,
    hide: HideOptions,
    reveal: RevealOptions,
}

/// The coded method's options.
pub(crate) struct Coded {
    password: Option<Password>,
    effort: underdrawing::Effort,
    rate: CodedRate,
}

/// A container and what its method says of it.
pub(crate) struct Hidden {
    pub(crate) container: Pixels,
    pub(crate) details: Details,
}

/// What a method says of a container; part of the line of `--json`.
#[derive(Serialize)]
#[serde(tag = "method", rename_all = "lowercase")]
pub(crate) enum Details {
    Network {
        /// The secret was turned by 90 degrees for hiding.
        secret_turned: bool,
        model: String,
    },
    Coded {
        password: bool,
        /// Size of what was coded: the secret's own, or smaller.
        coded_width: usize,
        coded_height: usize,
        coded_bytes: usize,
        /// PSNR of what was coded; null where nothing is lost.
        coded_psnr_db: Option<f64>,
    },
}

impl MethodArgs {
    /// The method asked for, with all that it needs; `password_source` names the flag that gave a
    /// password.
    pub(crate) fn hider(
        &self,
        model: &ModelArgs,
        compute: &ComputeArgs,
        password_source: Option<&str>,
        password: impl FnOnce() -> anyhow::Result<Option<Password>>,
        ui: &Ui,
    ) -> anyhow::Result<Hider> {
        let device = compute.start()?;
        match self.chosen(model, password_source)? {
            Method::Network => Ok(Hider::Network(Network {
                model: Box::new(model.load(&device, ui)?),
                hide: compute.hide_options(self.network_balance()?),
                reveal: compute.reveal_options(),
            })),
            Method::Coded => Ok(Hider::Coded(Coded {
                password: password()?,
                effort: self.effort(),
                rate: self.rate()?,
            })),
        }
    }

    /// As [`MethodArgs::hider`], without a password.
    pub(crate) fn open_hider(
        &self,
        model: &ModelArgs,
        compute: &ComputeArgs,
        ui: &Ui,
    ) -> anyhow::Result<Hider> {
        self.hider(model, compute, None, || Ok(None), ui)
    }

    fn chosen(&self, model: &ModelArgs, password_source: Option<&str>) -> anyhow::Result<Method> {
        let default = if model.model.is_some() {
            Method::Network
        } else {
            Method::Coded
        };
        let method = self.method.unwrap_or(default);
        match method {
            Method::Coded if model.model.is_some() => {
                bail!("--model goes with the network method: the coded one has no model")
            }
            Method::Network => {
                if let Some(flag) = self.coded_flag() {
                    bail!("{flag} goes with the coded method, and this is the network method");
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
            Method::Coded => {}
        }
        Ok(method)
    }

    fn effort(&self) -> underdrawing::Effort {
        match self.effort {
            Some(Effort::Fast) => underdrawing::Effort::Fast,
            Some(Effort::Normal) => underdrawing::Effort::Normal,
            Some(Effort::Best) | None => underdrawing::Effort::Best,
        }
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

impl Hider {
    pub(crate) fn hide(
        &self,
        cover: &Pixels,
        secret: &Pixels,
        on_progress: &mut OnProgress<'_>,
    ) -> anyhow::Result<Hidden> {
        match self {
            Self::Network(network) => network.hide(cover, secret, on_progress),
            Self::Coded(coded) => coded.hide(cover, secret),
        }
    }

    /// Reveals what this hider hid.
    pub(crate) fn reveal(&self, container: &Pixels) -> anyhow::Result<Pixels> {
        match self {
            Self::Network(network) => Ok(network.model.reveal(container, &network.reveal)?),
            Self::Coded(coded) => Ok(reveal_coded(container, coded.key(), Salvage::No)?.revealed),
        }
    }

    /// What the method gives before anything is rounded to 8 bits; none where there is no such
    /// thing.
    pub(crate) fn float_pair(
        &self,
        cover: &Pixels,
        secret: &Pixels,
    ) -> anyhow::Result<Option<FloatPair>> {
        match self {
            Self::Network(network) => Ok(Some(network.model.float_pair(
                cover,
                secret,
                network.hide.balance,
            )?)),
            Self::Coded(_) => Ok(None),
        }
    }

    /// What the user should know before the first picture.
    pub(crate) fn note(&self, ui: &Ui) {
        if let Self::Coded(Coded { password: None, .. }) = self {
            ui.note(
                "without a password anybody with this program can reveal; --password asks for one",
            );
        }
    }
}

impl Network {
    fn hide(
        &self,
        cover: &Pixels,
        secret: &Pixels,
        on_progress: &mut OnProgress<'_>,
    ) -> anyhow::Result<Hidden> {
        let container = self
            .model
            .hide_with_progress(cover, secret, &self.hide, on_progress)?;
        let secret_turned = read_mark(&container).is_some_and(|mark| mark.turned);
        Ok(Hidden {
            container,
            details: Details::Network {
                secret_turned,
                model: self.model.id().to_string(),
            },
        })
    }
}

impl Coded {
    fn hide(&self, cover: &Pixels, secret: &Pixels) -> anyhow::Result<Hidden> {
        let options = CodedOptions {
            key: self.key(),
            effort: self.effort,
            rate: self.rate,
        };
        let coded = hide_coded(cover, secret, &options)?;
        Ok(Hidden {
            container: coded.container,
            details: Details::Coded {
                password: self.password.is_some(),
                coded_width: coded.coded_width,
                coded_height: coded.coded_height,
                coded_bytes: coded.coded_bytes,
                coded_psnr_db: coded.coded_psnr_db,
            },
        })
    }

    fn key(&self) -> CodedKey<'_> {
        match &self.password {
            Some(password) => CodedKey::Password(password),
            None => CodedKey::Public,
        }
    }
}
