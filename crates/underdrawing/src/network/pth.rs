//! Weights of the 2018 system as PyTorch keeps them: `netH.pth` and `netR.pth`, state dicts of the
//! hiding and the reveal network.
//!
//! Read are both containers of `torch.save` (zip archives, and the older row of pickles) and
//! safetensors, of any width and depth: a state dict or a checkpoint with one inside, floats of 16,
//! 32 and 64 bits, with and without the prefixes of training wrappers. Nothing in a file is ever
//! run, and memory stays within a small multiple of its length.

mod pickle;
mod state_dict;
mod write;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use thiserror::Error;

use underdrawing_net::{
    Architecture, HidingNetConfig, Networks, Pair2018Config, Param, RevealNetConfig,
};

use state_dict::StateDict;

/// Limits on what a file can make this allocate before its shapes are checked, far beyond any
/// network that was ever trained this way.
const MOST_WIDTH: usize = 1024;
const MOST_DEPTH: usize = 16;

/// Why weights of the 2018 system were not read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PthError {
    /// The first file, of the hiding network.
    #[error("weights of the hiding network (netH) cannot be read")]
    Hiding(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The second file, of the reveal network.
    #[error("weights of the reveal network (netR) cannot be read")]
    Reveal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl PthError {
    fn hiding(error: StateDictError) -> Self {
        Self::Hiding(error.into())
    }

    fn reveal(error: StateDictError) -> Self {
        Self::Reveal(error.into())
    }
}

/// Why a PyTorch state dict was rejected.
#[derive(Debug, Error)]
pub(crate) enum StateDictError {
    /// None of the containers that are read.
    #[error("expected a file of `torch.save` or safetensors, found {0}")]
    NotAStateDict(&'static str),
    /// The file ends early, or a tensor is larger than its storage.
    #[error("file is truncated")]
    Truncated,
    /// The archive is damaged.
    #[error("zip archive cannot be read")]
    Zip(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The file holds something that no state dict of the 2018 system has.
    #[error("expected a state dict, found {0}")]
    Malformed(&'static str),
    /// An instruction that state dicts do not use.
    #[error("expected a state dict, found pickle instruction {0:#04x}")]
    Instruction(u8),
    /// The network is larger than any that is read, or no network at all.
    #[error("expected {what} from {least} to {most}, found {found}")]
    Size {
        /// Width or depth.
        what: &'static str,
        /// Its value.
        found: usize,
        /// The smallest allowed.
        least: usize,
        /// The largest allowed.
        most: usize,
    },
    /// A tensor is not there.
    #[error("tensor `{name}` is missing: found {found}")]
    Missing {
        /// Its name.
        name: String,
        /// Some of the names that are there.
        found: String,
    },
    /// The file holds the other network.
    #[error("expected the {expected} network, found the other one: are the files swapped?")]
    Swapped {
        /// The one that was asked for.
        expected: &'static str,
    },
    /// A tensor is misshapen.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name in the file.
        name: String,
        /// Shape that the network has.
        expected: Vec<usize>,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A tensor is of another type.
    #[error("tensor `{name}`: expected floats of 16, 32 or 64 bits, found {found}")]
    Class {
        /// Its name in the file.
        name: String,
        /// Class of its storage.
        found: String,
    },
    /// A value is infinite or not a number.
    #[error("tensor `{0}`: expected finite values, found others")]
    NotFinite(String),
}

/// Names of the first convolution's weights, which both networks have.
const FIRST_OF_HIDING: &str = "model.model.0.weight";
const FIRST_OF_REVEAL: &str = "main.0.weight";

/// Reads both networks of the 2018 system; widths and depth follow from the shapes. Beside them the
/// names of entries that were ignored.
///
/// # Errors
/// Which of the two files was rejected, and why.
pub(crate) fn import_2018(
    hiding: &[u8],
    reveal: &[u8],
) -> Result<(Networks, Vec<String>), PthError> {
    let hiding = StateDict::read(hiding, FIRST_OF_HIDING).map_err(PthError::hiding)?;
    let reveal = StateDict::read(reveal, FIRST_OF_REVEAL).map_err(PthError::reveal)?;
    let architecture = Architecture::Unet2018(Pair2018Config {
        hiding: hiding_config(&hiding).map_err(PthError::hiding)?,
        reveal: reveal_config(&reveal).map_err(PthError::reveal)?,
    });
    let keys: Vec<Key> = keys(&architecture, &Networks::shapes(architecture));
    let known = |side: Side| keys.iter().filter(move |key| key.side == side);
    let mut ignored = ignored(&hiding, known(Side::Hiding)).map_err(PthError::hiding)?;
    ignored.extend(self::ignored(&reveal, known(Side::Reveal)).map_err(PthError::reveal)?);
    let mut keys = keys.iter();
    let networks = Networks::with_values(architecture, |param| {
        let key = keys.next().expect("a key for each parameter");
        match key.side {
            Side::Hiding => hiding
                .values(&key.name, &param.shape)
                .map_err(PthError::hiding),
            Side::Reveal => reveal
                .values(&key.name, &param.shape)
                .map_err(PthError::reveal),
        }
    })?;
    Ok((networks, ignored))
}

/// Whether a file is one of `torch.save`, by how it begins.
pub(crate) fn is_pytorch(bytes: &[u8]) -> bool {
    bytes.starts_with(state_dict::ZIP_MAGIC)
        || (bytes.starts_with(&[0x80])
            && bytes
                .windows(10)
                .take(8)
                .any(|w| w == state_dict::LEGACY_MAGIC))
}

/// Both networks as the bytes of `netH.pth` and `netR.pth`, zip archives that `torch.load` reads
/// with `weights_only=True` and `load_state_dict` takes with `strict=True`. None for networks of
/// another design.
pub(crate) fn export_2018(networks: &Networks) -> Option<(Vec<u8>, Vec<u8>)> {
    if !matches!(networks.architecture(), Architecture::Unet2018(_)) {
        return None;
    }
    let keys = keys(networks.architecture(), networks.params());
    let of = |side: Side| {
        let tensors = keys.iter().zip(networks.params());
        let tensors = tensors.filter(|(key, _)| key.side == side);
        let named: Vec<(&str, &Param)> = tensors.map(|(key, p)| (&*key.name, p)).collect();
        write::state_dict(&named)
    };
    Some((of(Side::Hiding), of(Side::Reveal)))
}

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Hiding,
    Reveal,
}

/// Where PyTorch keeps a parameter.
struct Key {
    side: Side,
    name: String,
}

/// Keys of all parameters, in their order.
fn keys(architecture: &Architecture, params: &[Param]) -> Vec<Key> {
    let depth = match architecture {
        Architecture::Unet2018(config) => config.hiding.depth,
        _ => 0,
    };
    let key = |param: &Param| match param.name.split_once('.') {
        Some(("hiding", name)) => Key {
            side: Side::Hiding,
            name: hiding_key(name, depth),
        },
        Some((_, name)) => Key {
            side: Side::Reveal,
            name: reveal_key(name),
        },
        None => unreachable!("parameters of the 2018 system belong to one of two networks"),
    };
    params.iter().map(key).collect()
}

/// What a state dict holds beside the tensors of its network, which must be there.
fn ignored<'a>(
    state: &StateDict<'_>,
    keys: impl Iterator<Item = &'a Key> + Clone,
) -> Result<Vec<String>, StateDictError> {
    for key in keys.clone() {
        state.shape(&key.name)?;
    }
    let known: BTreeSet<&str> = keys.map(|key| key.name.as_str()).collect();
    let unknown = state.names().filter(|name| !known.contains(name));
    let others = state.others().iter().cloned();
    Ok(unknown.map(str::to_owned).chain(others).collect())
}

fn hiding_config(state: &StateDict) -> Result<HidingNetConfig, StateDictError> {
    if state.shape(FIRST_OF_REVEAL).is_ok() {
        return Err(StateDictError::Swapped { expected: "hiding" });
    }
    let nesting = |name: &str| name.split('.').filter(|&part| part == "model").count();
    let deepest = state.names().map(nesting).max().unwrap_or_default();
    Ok(HidingNetConfig {
        width: width(state, FIRST_OF_HIDING)?,
        // One part of a name is the whole network.
        depth: within("depth", deepest.saturating_sub(1), 2..=MOST_DEPTH)?,
    })
}

fn reveal_config(state: &StateDict) -> Result<RevealNetConfig, StateDictError> {
    if state.shape(FIRST_OF_HIDING).is_ok() {
        return Err(StateDictError::Swapped { expected: "reveal" });
    }
    Ok(RevealNetConfig {
        width: width(state, FIRST_OF_REVEAL)?,
    })
}

/// Channels that the first convolution makes.
fn width(state: &StateDict, first: &str) -> Result<usize, StateDictError> {
    let channels = state.shape(first)?.first().copied().unwrap_or_default();
    within("width", channels, 1..=MOST_WIDTH)
}

fn within(
    what: &'static str,
    found: usize,
    range: RangeInclusive<usize>,
) -> Result<usize, StateDictError> {
    let (least, most) = (*range.start(), *range.end());
    if range.contains(&found) {
        Ok(found)
    } else {
        Err(StateDictError::Size {
            what,
            found,
            least,
            most,
        })
    }
}

/// `down.1.norm.weight` to `model.model.1.model.2.weight`.
///
/// PyTorch's network is nested: each level is a row of layers, and the levels below are one of
/// them. Outermost: convolution, levels below, ReLU, transposed convolution. In between: leaky
/// ReLU, convolution, norm, levels below, ReLU, transposed convolution, norm. Innermost: leaky
/// ReLU, convolution, ReLU, transposed convolution, norm.
fn hiding_key(name: &str, depth: usize) -> String {
    let mut parts = name.split('.');
    let down = parts.next() == Some("down");
    let level = parts.next().and_then(|level| level.parse().ok());
    let level: usize = level.expect("the levels of the hiding network are numbered");
    let conv = match (down, level) {
        (true, 0) => 0,
        (true, _) => 1,
        (false, _) if level == 0 || level == depth - 1 => 3,
        (false, _) => 5,
    };
    let field: Vec<_> = parts.collect();
    let (layer, field) = match field[..] {
        ["norm", field] => (conv + 1, field),
        _ => (conv, field.last().copied().unwrap_or_default()),
    };
    let mut key = String::from("model.model");
    for above in 0..level {
        key += if above == 0 { ".1.model" } else { ".3.model" };
    }
    format!("{key}.{layer}.{field}")
}

/// `layers.1.norm.weight` to `main.4.weight`: each layer is convolution, norm, ReLU.
fn reveal_key(name: &str) -> String {
    let parts: Vec<_> = name.split('.').collect();
    let number = |layer: &str| layer.parse::<usize>().unwrap_or_default();
    match parts[..] {
        ["layers", layer, "conv", field] => format!("main.{}.{field}", 3 * number(layer)),
        ["layers", layer, _, field] => format!("main.{}.{field}", 3 * number(layer) + 1),
        _ => format!("main.15.{}", parts.last().copied().unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests;
