//! Why a run ends before its end.

use std::path::PathBuf;

use underdrawing_net::Architecture;

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;
use crate::dataset::DatasetError;

/// Why a run could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A folder of pictures cannot be used.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// The run folder cannot be read or written.
    #[error(transparent)]
    RunFolder(#[from] CheckpointError),
    /// The model to begin with is not what the settings describe.
    #[error(
        "the model to begin with has another architecture: the settings ask for {expected}, found {found}"
    )]
    OtherArchitecture {
        /// What the settings describe.
        expected: Architecture,
        /// What the model has.
        found: Architecture,
    },
    /// There is a run already.
    #[error("{} already holds a run: resume it, or name another folder", .0.display())]
    RunExists(PathBuf),
    /// Ranks would have nothing to do.
    #[error(
        "a batch of {pairs} pairs is too small for {ranks} ranks that take their share in {parts} \
         parts: expected at least {}", ranks * parts
    )]
    TooFewPairs {
        /// Pairs of a batch.
        pairs: usize,
        /// Processes.
        ranks: usize,
        /// Parts of a share.
        parts: usize,
    },
    /// Ranks do not see the same pictures.
    #[error("rank {rank} cannot train with the others: {reason}")]
    OtherPictures {
        /// The first such rank.
        rank: usize,
        /// What it sees.
        reason: String,
    },
    /// Rank 0, which decides, could not begin.
    #[error("rank 0 could not begin")]
    NotBegun,
    /// The engine normalises each rank's share by itself.
    #[error("networks with batch normalisation train on several ranks by the processor only")]
    Normalisation,
    /// The loss became NaN or exploded.
    #[error("the loss {what} at step {step}; {last_good}")]
    Diverged {
        /// The step.
        step: u64,
        /// What happened to it.
        what: String,
        /// Where to go on from.
        last_good: String,
    },
}

impl TrainError {
    /// Whether all ranks of a run have come to this end together. If not, the others go on and wait
    /// for this one.
    #[must_use]
    pub fn is_of_all_ranks(&self) -> bool {
        matches!(
            self,
            Self::TooFewPairs { .. }
                | Self::OtherPictures { .. }
                | Self::NotBegun
                | Self::Normalisation
                | Self::Diverged { .. }
        )
    }
}
