//! The steps of a run, and what comes after them.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::ControlFlow;

use underdrawing::{Model, Quality, TrainingRecord};
use underdrawing_net::{Engine, n_parameters};

use super::{Trainer, WORKERS};
use crate::checkpoint::CheckpointError;
use crate::dataset::{DatasetError, Loader};
use crate::error::TrainError;
use crate::event::{Event, Validation};
use crate::learner::{Errors, Together};
use crate::optimiser::Rates;
use crate::run_folder;
use crate::schedule::Schedule;
use crate::share::Share;
use crate::tensorboard::EventFile;
use crate::validate;

impl<E: Engine> Trainer<E> {
    /// Trains to the last step, or until `on_event` breaks, on any rank: a step later all end. Either
    /// way what was learned is saved.
    ///
    /// # Errors
    /// When the loss diverges (the last good checkpoint stays as it is), no picture is readable,
    /// or the run folder cannot be written.
    pub fn run(
        &mut self,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<(), TrainError> {
        let steps = self.config.total_steps(self.dataset.len());
        let mut report = Reporter {
            logs: match self.leads() {
                true => Some(Logs {
                    lines: self.folder.open_log()?,
                    tensorboard: self.folder.open_tensorboard(self.state.step)?,
                }),
                false => None,
            },
            stop: false,
            on_event: &mut on_event,
        };
        report.tell(Event::Started {
            first_step: self.state.step,
            steps,
            steps_per_epoch: self.config.steps_per_epoch(self.dataset.len()),
            pictures: self.dataset.len(),
            validation_pairs: self.pairs.len(),
            parameters: n_parameters(self.learner.networks().params()),
            ranks: self.ranks.size(),
        })?;
        if self.state.from.is_some() && self.state.best.is_none() {
            // So that the best model is never worse than the one it began with.
            self.judge(
                /* validate */ true,
                /* sheet */ false,
                &mut report,
            )?;
        }
        let mut loader = Loader::new(&self.dataset, self.state.step, steps, &self.shares, WORKERS);
        let mut under_way: Option<StepMade> = None;
        let mut stop = report.stop && self.ranks.size() == 1;
        while self.state.step < steps && !stop {
            let step = self.step(&mut loader, steps, report.stop);
            let step = step.ok_or_else(|| self.no_pictures())?;
            let all_stop = step.stop;
            // A card goes on with the next step before anybody looks at the errors of this one.
            if let Some(earlier) = under_way.replace(step) {
                self.settle(earlier, &mut report)?;
            }
            let ready = |step: &mut StepMade| step.errors.are_ready();
            let known = match self.due(steps).anything() {
                true => under_way.take(),
                false => under_way.take_if(ready),
            };
            if let Some(step) = known {
                self.settle(step, &mut report)?;
            }
            let damaged = self.dataset.take_damaged();
            if !damaged.is_empty() {
                report.tell(Event::Damaged { paths: damaged })?;
            }
            self.after_step(steps, &mut report)?;
            stop = all_stop || report.stop && self.ranks.size() == 1;
        }
        if let Some(step) = under_way.take() {
            self.settle(step, &mut report)?;
        }
        if self.state.step < steps {
            // The last step has saved already.
            self.save_last(&mut report)?;
        }
        report.tell(Event::Finished {
            step: self.state.step,
            stopped: self.state.step < steps,
        })
    }

    pub(super) fn no_pictures(&self) -> TrainError {
        DatasetError::LessThanABatch {
            path: self.train_pictures.clone(),
            found: 0,
            batch_size: self.config.batch_size,
        }
        .into()
    }

    /// One step of all networks; none where there are no pictures. `stop` says that this rank wants
    /// it to be the last one.
    pub(super) fn step(&mut self, loader: &mut Loader, steps: u64, stop: bool) -> Option<StepMade> {
        let config = &self.config;
        let factor = config
            .schedule
            .factor(self.state.step, steps, config.warmup_steps);
        let rates = Rates {
            hiding: config.learning_rate * factor * self.state.hiding_plateau.factor,
            reveal: config.learning_rate * factor * self.state.reveal_plateau.factor,
        };
        let (learner, step) = (&mut self.learner, self.state.step);
        let Together { errors, stop } = if self.shares == [Share::WHOLE] {
            Together {
                errors: learner.step(loader.next_batch()?, step, rates),
                stop,
            }
        } else {
            let batch = || loader.next_batch();
            learner.step_together(&*self.ranks, &self.shares, batch, step, rates, stop)?
        };
        self.state.step += 1;
        Some(StepMade {
            step: self.state.step,
            errors,
            rates,
            stop,
        })
    }

    /// Judges a step and tells of it.
    fn settle(&mut self, made: StepMade, report: &mut Reporter<'_>) -> Result<(), TrainError> {
        let StepMade {
            step,
            errors,
            rates,
            ..
        } = made;
        let (container_mse, revealed_mse) = errors.values();
        self.state
            .watch(container_mse + revealed_mse)
            .map_err(|what| TrainError::Diverged {
                step: step - 1,
                what,
                last_good: self.folder.last_good(),
            })?;
        report.tell(Event::Step {
            step,
            container_mse,
            revealed_mse,
            learning_rate: rates.hiding,
            reveal_learning_rate: rates.reveal,
        })
    }

    /// Validation, sheet and checkpoint, each at its interval.
    fn after_step(&mut self, steps: u64, report: &mut Reporter<'_>) -> Result<(), TrainError> {
        let Due {
            validation,
            sheet,
            checkpoint,
        } = self.due(steps);
        if validation || sheet {
            self.judge(validation, sheet, report)?;
        }
        if checkpoint {
            self.save_last(report)?;
        }
        Ok(())
    }

    /// Steps from one validation to the next.
    pub(super) fn validate_every(&self) -> u64 {
        match self.config.validate_every {
            0 => self.config.steps_per_epoch(self.dataset.len()),
            n => n,
        }
    }

    /// What comes after the step that was made last.
    fn due(&self, steps: u64) -> Due {
        let step = self.state.step;
        let due = |every: u64| every > 0 && step.is_multiple_of(every);
        let validation = due(self.validate_every()) || step == steps;
        Due {
            validation,
            sheet: due(self.config.sheet_every) || step == steps,
            checkpoint: validation || due(self.config.checkpoint_every),
        }
    }

    /// Hides and reveals the validation pairs, for figures, a sheet or both. Rank 0 does, and tells
    /// the others.
    fn judge(
        &mut self,
        validate: bool,
        sheet: bool,
        report: &mut Reporter<'_>,
    ) -> Result<(), TrainError> {
        let step = self.state.step;
        if !self.leads() {
            if validate {
                let figures = self.ranks.broadcast(Vec::new());
                let mut figures = figures.chunks_exact(8);
                let figures = [(); 6].map(|()| {
                    let figure = figures.next().and_then(|bytes| bytes.try_into().ok());
                    f64::from_le_bytes(figure.expect("rank 0 gives six"))
                });
                self.take_validation(Validation::of_figures(step, figures), report)?;
            }
            return Ok(());
        }
        let networks = self.learner.networks();
        let runner = self.learner.engine().runner(&networks);
        let outcomes = validate::run(&*runner, &networks.rounding(), &self.pairs);
        if validate {
            let summary = validate::summary(&outcomes, step);
            let figures = summary.figures().map(f64::to_le_bytes);
            self.ranks.broadcast(figures.concat());
            self.take_validation(summary, report)?;
            let (columns, pairs) = validate::worst(&self.pairs, &outcomes);
            let path = self.folder.write_worst(&columns)?;
            report.tell(Event::Worst { path, pairs })?;
        }
        if sheet {
            let columns = validate::columns(&self.pairs, &outcomes);
            let path = self.folder.write_sheet(step, &columns)?;
            report.tell(Event::Sheet { path })?;
        }
        Ok(())
    }

    /// Moves the plateaus and keeps the best model.
    fn take_validation(
        &mut self,
        figures: Validation,
        report: &mut Reporter<'_>,
    ) -> Result<(), TrainError> {
        let sum = figures.container_mse + self.config.reveal_weight * figures.revealed_mse;
        if self.config.schedule == Schedule::Plateau {
            self.state.hiding_plateau.update(sum);
            self.state.reveal_plateau.update(figures.revealed_mse);
        }
        report.tell(Event::Validated(figures))?;
        if self.state.best.is_none_or(|(best, _)| sum < best) {
            self.state.best = Some((sum, self.state.step));
            if !self.leads() {
                return Ok(());
            }
            let path = self
                .folder
                .save_model("best", &self.model(Some(&figures)))?;
            report.tell(Event::Saved { path, best: true })?;
        }
        Ok(())
    }

    fn save_last(&mut self, report: &mut Reporter<'_>) -> Result<(), TrainError> {
        let checkpoint = self.checkpoint()?;
        if self.ranks.size() > 1 {
            self.take_over(&checkpoint)?;
        }
        if !self.leads() {
            return Ok(());
        }
        let path = self.folder.save_checkpoint(&checkpoint)?;
        self.folder.save_model("last", &self.model(None))?;
        report.tell(Event::Saved { path, best: false })?;
        Ok(self.folder.draw_curves()?)
    }

    /// Where a rank's numbers are not those of rank 0, all take over rank 0's: processors of other
    /// kinds may round a step of the optimiser in other ways.
    pub(super) fn take_over(&mut self, checkpoint: &[u8]) -> Result<(), TrainError> {
        let mut hasher = DefaultHasher::new();
        hasher.write(checkpoint);
        let digest = hasher.finish().to_le_bytes();
        let digests = self.ranks.gather(&digest);
        if digests.chunks_exact(8).all(|other| other == digest) {
            return Ok(());
        }
        let leads = self.leads();
        let given = if leads { checkpoint } else { &[] };
        let checkpoint = self.ranks.broadcast(given.to_vec());
        match leads {
            true => Ok(()),
            false => self.go_on_from(&checkpoint),
        }
    }

    /// The networks as they are, as a model.
    fn model(&self, figures: Option<&Validation>) -> Model {
        let training = TrainingRecord {
            config: serde_json::to_value(&self.config).expect("settings are plain values"),
            seed: self.config.seed,
            steps: self.state.step,
            from: self.state.from.clone(),
            quality: figures.map(|f| Quality {
                container_psnr_db: f.container_psnr_db,
                revealed_psnr_db: f.revealed_psnr_db,
            }),
        };
        Model::new(self.learner.networks(), training)
    }
}

/// What comes after a step.
struct Due {
    validation: bool,
    sheet: bool,
    checkpoint: bool,
}

impl Due {
    fn anything(&self) -> bool {
        self.validation || self.sheet || self.checkpoint
    }
}

/// A step whose errors may not be known yet.
pub(super) struct StepMade {
    /// Its number, counted from 1.
    step: u64,
    pub(super) errors: Errors,
    rates: Rates,
    /// Whether all ranks stop after it.
    stop: bool,
}

/// What keeps events.
struct Logs {
    lines: File,
    tensorboard: EventFile,
}

/// Writes events to the log and passes them on.
struct Reporter<'a> {
    /// On rank 0.
    logs: Option<Logs>,
    stop: bool,
    on_event: &'a mut dyn FnMut(Event) -> ControlFlow<()>,
}

impl Reporter<'_> {
    fn tell(&mut self, event: Event) -> Result<(), TrainError> {
        if let Some(logs) = &mut self.logs {
            run_folder::log(&mut logs.lines, &event)?;
            let noted = logs.tensorboard.note(&event);
            noted.map_err(|source| CheckpointError::File {
                action: "append to",
                path: "tensorboard".into(),
                source,
            })?;
        }
        self.stop |= (self.on_event)(event).is_break();
        Ok(())
    }
}
