//! How to hide and to reveal: the options of all methods in one place.

use crate::coded::CodedOptions;
use crate::network::{Model, NetworkOptions};
use crate::picture::Limits;
use crate::secrecy::Password;

/// How to hide: a method and its options.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum HideOptions {
    /// A compressed and sealed secret in the cover's samples.
    Coded(CodedOptions),
    /// Trained networks paint the secret into the cover.
    Network(NetworkOptions),
}

impl Default for HideOptions {
    /// The coded method without a password.
    fn default() -> Self {
        Self::Coded(CodedOptions::default())
    }
}

impl HideOptions {
    /// Options that reveal what these hide.
    #[must_use]
    pub fn to_reveal(&self) -> RevealOptions {
        match self {
            Self::Coded(options) => RevealOptions {
                password: options.password.clone(),
                ..RevealOptions::default()
            },
            Self::Network(options) => RevealOptions {
                models: vec![options.model.clone()],
                tile_size: options.tile_size,
                ..RevealOptions::default()
            },
        }
    }
}

/// How to reveal; the container says by which method.
#[derive(Clone, Debug)]
pub struct RevealOptions {
    /// Opens containers of the coded method; what needs none opens with it, too.
    pub password: Option<Password>,
    /// Reveals what is intact of a damaged container of the coded method, instead of refusing it.
    pub salvage: bool,
    /// Models to reveal with, beside the built-in ones; the container names the one.
    pub models: Vec<Model>,
    /// The secret's own width and height, for a container of the network method whose mark is
    /// lost: reveals by the first of `models`, or the default one, regardless of any mark.
    pub size: Option<(usize, usize)>,
    /// As [`NetworkOptions::tile_size`].
    pub tile_size: usize,
    /// How large a revealed picture may be; nothing larger is allocated for one.
    pub limits: Limits,
}

impl Default for RevealOptions {
    fn default() -> Self {
        Self {
            password: None,
            salvage: false,
            models: Vec::new(),
            size: None,
            tile_size: NetworkOptions::TILE_SIZE,
            limits: Limits::default(),
        }
    }
}
