//! Trains the networks of `underdrawing` on folders of pictures.
//!
//! A run is a [`TrainConfig`] (from [`TrainSettings`]: a preset and what differs from it), a
//! folder of training pictures, one of validation pictures and a run folder. [`Trainer::run`]
//! reports [`Event`]s and never prints. Seed and settings decide every bit of the result, whatever
//! the number of threads, and a resumed run gives the same weights as one that never stopped.

mod beginning;
mod checkpoint;
mod config;
mod curves;
mod dataset;
#[cfg(feature = "clap")]
mod defaults;
mod drawing;
mod error;
mod event;
mod learner;
mod loss;
#[cfg(feature = "mpi")]
mod mpi;
mod optimiser;
mod random;
mod restoring;
mod run_folder;
mod schedule;
mod share;
mod tensorboard;
#[cfg(test)]
#[path = "../../underdrawing-net/agreement/thread_ranks.rs"]
mod thread_ranks;
mod trainer;
mod validate;

pub use checkpoint::CheckpointError;
pub use config::{
    ConfigError, Fit, LossKind, NetworkKind, OptimiserKind, Preset, RunPaths, SettingsFileError,
    TrainConfig, TrainSettings,
};
pub use dataset::DatasetError;
pub use error::TrainError;
pub use event::{Event, PairFigures, Validation};
pub use learner::Learner;
#[cfg(feature = "mpi")]
pub use mpi::{MpiError, MpiRanks};
pub use optimiser::Rates;
pub use restoring::{
    RestoringConfig, RestoringEvent, pictures_in, read_restoring, restored_psnr, train_restoring,
    write_restoring,
};
pub use schedule::{Plateau, Schedule};
pub use trainer::{Rehearsal, Trainer};
