//! What a run would do.

use std::time::Instant;

use serde::Serialize;
use underdrawing_net::{Engine, n_parameters};

use super::{Trainer, WORKERS};
use crate::dataset::Loader;
use crate::error::TrainError;
use crate::validate;

/// Steps that it times.
const STEPS_TRIED: usize = 3;

impl<E: Engine> Trainer<E> {
    /// Tries a few steps, on all ranks, and a validation, and writes nothing.
    ///
    /// # Errors
    /// When no picture is readable.
    pub fn rehearse(mut self) -> Result<Rehearsal, TrainError> {
        let first_step = self.state.step;
        let steps = self.config.total_steps(self.dataset.len());
        let last = first_step + 1 + STEPS_TRIED as u64;
        let batch_size = self.config.batch_size;
        let mut loader = Loader::new(&self.dataset, first_step, last, &self.shares, WORKERS);
        let mut seconds = Vec::new();
        while self.state.step < last {
            let since = Instant::now();
            let made = self.step(&mut loader, steps, false);
            let made = made.ok_or_else(|| self.no_pictures())?;
            let _ = made.errors.values();
            seconds.push(since.elapsed().as_secs_f64());
        }
        // The first step gets memory and waits for pictures.
        seconds.remove(0);
        seconds.sort_by(f64::total_cmp);
        let tried = self.pairs.len().min(2);
        let networks = self.learner.networks();
        let runner = self.learner.engine().runner(&networks);
        let since = Instant::now();
        validate::run(&*runner, &networks.rounding(), &self.pairs[..tried]);
        let a_pair = since.elapsed().as_secs_f64() / tried.max(1) as f64;
        let every = self.validate_every();
        // One at the end, if none is due then.
        let validations = match first_step < steps {
            true => steps.div_ceil(every) - first_step / every,
            false => 0,
        };
        Ok(Rehearsal {
            first_step,
            steps,
            steps_per_epoch: self.config.steps_per_epoch(self.dataset.len()),
            validations,
            pictures: self.dataset.len(),
            validation_pairs: self.pairs.len(),
            parameters: n_parameters(networks.params()),
            ranks: self.ranks.size(),
            batch_size,
            work: self.config.work_left(first_step, steps),
            seconds_per_step: seconds[seconds.len() / 2],
            seconds_per_validation: a_pair * self.pairs.len() as f64,
            cache_bytes: self.dataset.expected_bytes(self.config.cache_mib),
        })
    }
}

/// What a run would do, by a few steps that were tried.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rehearsal {
    /// Steps already done by the run that is resumed.
    pub first_step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Steps of one pass over the pictures.
    pub steps_per_epoch: u64,
    /// Validations to come.
    pub validations: u64,
    /// Training pictures.
    pub pictures: usize,
    /// Validation pairs.
    pub validation_pairs: usize,
    /// Parameters of all networks.
    pub parameters: usize,
    /// Processes that train together.
    pub ranks: usize,
    /// Pictures a step.
    pub batch_size: usize,
    /// Steps to come, as so many like the next one; late ones may be longer.
    pub work: f64,
    /// Median of three steps.
    pub seconds_per_step: f64,
    /// By the first two pairs.
    pub seconds_per_validation: f64,
    /// Memory that decoded pictures will take on each rank, in bytes.
    pub cache_bytes: usize,
}

impl Rehearsal {
    /// How long it will take, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.work * self.seconds_per_step + self.validations as f64 * self.seconds_per_validation
    }
}
