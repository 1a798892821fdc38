//! Checkpoints: one safetensors file with everything that a run needs to go on exactly.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};
use underdrawing_net::{Networks, Param};

use crate::schedule::Plateau;

/// What a checkpoint holds besides tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    /// Steps done.
    pub(crate) step: u64,
    /// Id of the model whose weights the run began with.
    pub(crate) from: Option<String>,
    /// Smallest validation sum so far, and the step it was reached at.
    pub(crate) best: Option<(f64, u64)>,
    /// Learning rate state of the hiding side.
    pub(crate) hiding_plateau: Plateau,
    /// Learning rate state of the reveal network.
    pub(crate) reveal_plateau: Plateau,
    /// Smallest smoothed training error, a geometric mean, to notice an explosion.
    pub(crate) calm: Option<f64>,
    /// Smoothed training error.
    pub(crate) smoothed: Option<f64>,
}

impl State {
    /// Before the first step.
    pub(crate) fn new(hiding_patience: u32, reveal_patience: u32) -> Self {
        Self {
            step: 0,
            from: None,
            best: None,
            hiding_plateau: Plateau::new(hiding_patience),
            reveal_plateau: Plateau::new(reveal_patience),
            calm: None,
            smoothed: None,
        }
    }

    /// Takes a step's error; the text says what is wrong with it: not a number, or far above what
    /// it was.
    pub(crate) fn watch(&mut self, error: f64) -> Result<(), String> {
        if !error.is_finite() {
            return Err("is not a number".to_owned());
        }
        // In logarithms: a hard batch may err a thousand times as much as an easy one.
        let error = error.max(LEAST_ERROR);
        let smoothed = match self.smoothed {
            Some(old) => old.powf(1.0 - SMOOTHING) * error.powf(SMOOTHING),
            None => error,
        };
        let calm = self.calm.unwrap_or(smoothed).min(smoothed);
        if smoothed > EXPLOSION * calm {
            return Err(format!("rose to {smoothed:.4} after {calm:.6}"));
        }
        self.smoothed = Some(smoothed);
        self.calm = Some(calm);
        Ok(())
    }
}

/// A smoothed error that many times the smallest one so far is an explosion.
const EXPLOSION: f64 = 30.0;
/// Weight of the newest step in the smoothed error.
const SMOOTHING: f64 = 0.05;
/// 90 dB: whatever errs less is as good.
const LEAST_ERROR: f64 = 1e-9;

/// What the names of the networks' tensors begin with.
const NETWORK_PREFIX: &str = "net.";

/// A tensor of a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamedTensor {
    pub(crate) name: String,
    /// Extents, outermost first.
    pub(crate) shape: Vec<usize>,
    /// Values, last extent fastest.
    pub(crate) values: Vec<f32>,
}

/// All parameters and running statistics, named for a checkpoint.
pub(crate) fn network_tensors(networks: &Networks) -> Vec<NamedTensor> {
    let tensor = |param: &Param| NamedTensor {
        name: format!("{NETWORK_PREFIX}{}", param.name),
        shape: param.shape.clone(),
        values: param.values.clone(),
    };
    networks.params().iter().map(tensor).collect()
}

/// A checkpoint's values for each parameter; the text says what is wrong with them.
pub(crate) fn values_of(params: &[Param], tensors: &Values) -> Result<Vec<Vec<f32>>, String> {
    let values = params.iter().map(|param| {
        let (name, n) = (&param.name, param.len());
        match tensors.get(&format!("{NETWORK_PREFIX}{name}")) {
            Some(values) if values.len() == n => Ok(values.clone()),
            found => {
                let found = found.map_or(0, Vec::len);
                Err(format!("`{name}` has {found} values, expected {n}"))
            }
        }
    });
    values.collect()
}

/// The numbers of named tensors.
pub(crate) type Values = BTreeMap<String, Vec<f32>>;

/// Key of the state in the file's metadata.
const STATE_KEY: &str = "underdrawing.checkpoint";

/// Why a run folder cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The file system said no.
    #[error("failed to {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file is not a checkpoint of this run.
    #[error("{} is not a checkpoint of this run: {reason}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Writes a file by its side and renames it, so that it is whole or not there.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), CheckpointError> {
    let failed = |source| CheckpointError::File {
        action: "write",
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(Path::new("."));
    #[cfg_attr(not(unix), allow(unused_mut))]
    let mut builder = tempfile::Builder::new();
    // What any other new file gets: the user's mask decides, not the caution of a temporary file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

/// Reads a whole file of the run folder.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, CheckpointError> {
    std::fs::read(path).map_err(|source| CheckpointError::File {
        action: "read",
        path: path.to_owned(),
        source,
    })
}

/// A checkpoint's file.
pub(crate) fn to_bytes(state: &State, tensors: &[NamedTensor]) -> Vec<u8> {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|t| t.values.iter().flat_map(|v| v.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|(tensor, bytes)| {
        let view = TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)
            .expect("a named tensor has as many values as its shape");
        (tensor.name.clone(), view)
    });
    let state = serde_json::to_string(state).expect("the state is plain values");
    let metadata = Some([(STATE_KEY.to_owned(), state)].into());
    safetensors::serialize(views, metadata).expect("names are unique")
}

/// Reads what [`to_bytes`] made; the text says what is wrong with it.
pub(crate) fn from_bytes(bytes: &[u8]) -> Result<(State, Values), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    let state = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get(STATE_KEY))
        .ok_or_else(|| format!("no metadata {STATE_KEY}"))?;
    let state = serde_json::from_str(state).map_err(|e| e.to_string())?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let mut values = BTreeMap::new();
    for (name, view) in tensors.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(format!("tensor `{name}` is not of 32-bit floats"));
        }
        let floats = view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        values.insert(name.to_owned(), floats);
    }
    Ok((state, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first error that is refused, if any.
    fn refused(errors: impl IntoIterator<Item = f64>) -> Option<usize> {
        let mut state = State::new(5, 8);
        errors
            .into_iter()
            .position(|error| state.watch(error).is_err())
    }

    #[test]
    fn an_explosion_is_noticed_and_a_hard_or_perfect_batch_is_none() {
        let steady = [1e-3; 100];
        let then = |errors: &[f64]| refused([&steady[..], errors, &steady[..]].concat());
        assert_eq!(then(&[1.0]), None);
        assert_eq!(then(&[0.0]), None);
        assert_eq!(then(&[f64::NAN]), Some(100));
        let exploded = then(&[1.0; 100]).unwrap();
        assert!((105..150).contains(&exploded), "{exploded}");
    }
}
