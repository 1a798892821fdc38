//! What a run tells its caller while it goes.

use std::path::PathBuf;

use serde::Serialize;

/// Something that happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// Training begins.
    Started {
        /// Steps already done by the run that is resumed.
        first_step: u64,
        /// Steps in all.
        steps: u64,
        /// Steps of one pass over the pictures.
        steps_per_epoch: u64,
        /// Training pictures.
        pictures: usize,
        /// Validation pairs.
        validation_pairs: usize,
        /// Parameters of all networks.
        parameters: usize,
        /// Processes that train together.
        ranks: usize,
    },
    /// One step is done.
    Step {
        /// Steps done so far.
        step: u64,
        /// Mean square error of the containers, [0, 1] scale.
        container_mse: f64,
        /// Mean square error of the revealed pictures.
        revealed_mse: f64,
        /// Learning rate of the hiding side.
        learning_rate: f64,
        /// Learning rate of the reveal network.
        reveal_learning_rate: f64,
    },
    /// The validation pairs were hidden, rounded and revealed.
    Validated(Validation),
    /// A result sheet was written.
    Sheet {
        /// The PNG.
        path: PathBuf,
    },
    /// The validation pairs that came out worst were put on a sheet.
    Worst {
        /// The PNG.
        path: PathBuf,
        /// The pairs in their order on it, the worst first.
        pairs: Vec<PairFigures>,
    },
    /// A checkpoint was written.
    Saved {
        /// The file.
        path: PathBuf,
        /// Whether it is the best so far.
        best: bool,
    },
    /// Files that were skipped because they could not be read.
    Damaged {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// The run ended, at its last step or because the caller said so.
    Finished {
        /// Steps done.
        step: u64,
        /// Whether the caller stopped it.
        stopped: bool,
    },
}

/// How a validation pair came out, through a container of 8 bits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairFigures {
    /// File of the cover.
    pub cover: PathBuf,
    /// File of the secret.
    pub secret: PathBuf,
    /// PSNR of the container, dB; 100 where it is the cover.
    pub container_psnr_db: f64,
    /// PSNR of the revealed picture, dB; 100 where it is the secret.
    pub revealed_psnr_db: f64,
}

/// Figures of one validation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Validation {
    /// Steps done.
    pub step: u64,
    /// Mean square error of the containers in floats, [0, 1] scale.
    pub container_mse: f64,
    /// Mean square error of the revealed pictures.
    pub revealed_mse: f64,
    /// Mean PSNR of the containers after rounding to 8 bits, dB.
    pub container_psnr_db: f64,
    /// Mean PSNR of the pictures revealed from the rounded containers, dB.
    pub revealed_psnr_db: f64,
    /// Mean absolute difference of the containers, 0-255.
    pub container_apd: f64,
    /// Mean absolute difference of the revealed pictures.
    pub revealed_apd: f64,
}

impl Validation {
    /// The figures in the order of the fields.
    pub(crate) fn figures(&self) -> [f64; 6] {
        [
            self.container_mse,
            self.revealed_mse,
            self.container_psnr_db,
            self.revealed_psnr_db,
            self.container_apd,
            self.revealed_apd,
        ]
    }

    /// With [`Validation::figures`].
    pub(crate) fn of_figures(step: u64, figures: [f64; 6]) -> Self {
        let [
            container_mse,
            revealed_mse,
            container_psnr_db,
            revealed_psnr_db,
            container_apd,
            revealed_apd,
        ] = figures;
        Self {
            step,
            container_mse,
            revealed_mse,
            container_psnr_db,
            revealed_psnr_db,
            container_apd,
            revealed_apd,
        }
    }
}
