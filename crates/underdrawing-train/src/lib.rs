//! Trains the networks of `underdrawing` on folders of pictures.
//!
//! A run is a [`TrainConfig`] (from [`TrainSettings`]: a preset and what differs from it), a
//! folder of training pictures, one of validation pictures and a run folder. [`Trainer::run`]
//! reports [`Event`]s and never prints. Seed and settings decide every bit of the result, whatever
//! the number of threads, and a resumed run gives the same weights as one that never stopped.

mod checkpoint;
mod config;
mod curves;
mod dataset;
mod drawing;
mod event;
mod learner;
mod loss;
mod optimiser;
mod random;
mod restoring;
mod run_folder;
mod schedule;
mod trainer;
mod validate;

pub use checkpoint::CheckpointError;
pub use config::{
    ConfigError, Fit, LossKind, NetworkKind, OptimiserKind, Preset, RunPaths, TrainConfig,
    TrainSettings,
};
pub use dataset::DatasetError;
pub use event::{Event, Validation};
pub use learner::Learner;
pub use optimiser::Rates;
pub use restoring::{
    RestoringConfig, RestoringEvent, pictures_in, train_restoring, write_restoring,
};
pub use schedule::{Plateau, Schedule};
pub use trainer::{TrainError, Trainer};
