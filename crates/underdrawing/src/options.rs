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
    /// A compressed and sealed secret in the coefficients of JPEG's blocks: it survives
    /// recompression, and leaves less of both pictures.
    Robust {
        /// The lowest quality of JPEG to survive, 50 to 95.
        survive: u8,
        /// How much may be cut off the container, in percent of its area, 1 to 30, at any sides, before
        /// it is saved as JPEG of a quality at least 5 above the one to survive, which is 55 or more
        /// then; 0 for nothing.
        crop: u8,
        /// Makes a container to be written as a JPEG: only then does one that is passed on
        /// untouched arrive without loss.
        jpeg: bool,
        /// What it has in common with the coded method. The default of
        /// [`CodedOptions::rate`](crate::CodedOptions) holds the container at about 40 dB for a
        /// quality of 75, at 34 dB for 50.
        coded: CodedOptions,
    },
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
            Self::Coded(options) | Self::Robust { coded: options, .. } => RevealOptions {
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
