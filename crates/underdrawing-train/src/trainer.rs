//! The training loop.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use underdrawing::{Model, Quality, TrainingRecord};
use underdrawing_net::{Architecture, CpuEngine, Engine, LiftingNetConfig, n_parameters};

use crate::checkpoint::{self, CheckpointError, State};
use crate::config::{ConfigError, RunPaths, TrainConfig};
use crate::dataset::{Dataset, DatasetError, Loader, list_pictures};
use crate::event::{Event, Validation};
use crate::learner::{Errors, Learner};
use crate::optimiser::Rates;
use crate::run_folder::{self, RunFolder};
use crate::schedule::Schedule;
use crate::validate::{self, Pair};

/// Fewest validation pictures: one pair.
const FEWEST_VALIDATION: usize = 2;
/// Threads that decode and augment.
const WORKERS: usize = 2;

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

/// A training run: made by [`Trainer::start`] or [`Trainer::resume`], then [`Trainer::run`].
pub struct Trainer<E: Engine = CpuEngine> {
    config: TrainConfig,
    folder: RunFolder,
    learner: Learner<E>,
    state: State,
    dataset: Arc<Dataset>,
    pairs: Vec<Pair>,
}

impl<E: Engine> Trainer<E> {
    /// Starts a run in a folder that holds none: with fresh networks, or with those of a model to
    /// train it further, on other pictures or for longer.
    ///
    /// # Errors
    /// When a setting makes no sense, the model is of another architecture, a folder has too few
    /// pictures, or the run folder holds a run already or cannot be written.
    pub fn start(
        config: TrainConfig,
        from: Option<&Model>,
        paths: &RunPaths,
        engine: E,
    ) -> Result<Self, TrainError> {
        config.check()?;
        let folder = RunFolder::at(&paths.out);
        if folder.holds_a_run() {
            return Err(TrainError::RunExists(paths.out.clone()));
        }
        let mut trainer = Self::prepare(config, paths, folder, engine)?;
        if let Some(model) = from {
            trainer.begin_with(model)?;
        }
        trainer.folder.create()?;
        // Resuming never needs the model, nor finds an older run's checkpoint.
        trainer.save_checkpoint()?;
        trainer.folder.record(paths, &trainer.config)?;
        Ok(trainer)
    }

    /// Goes on with the run in a folder, exactly as if it had never stopped.
    ///
    /// # Errors
    /// When the folder holds no run, or its pictures are gone.
    pub fn resume(out: &Path, engine: E) -> Result<Self, TrainError> {
        let folder = RunFolder::at(out);
        let (paths, config) = folder.open()?;
        let mut trainer = Self::prepare(config, &paths, folder, engine)?;
        if let Some((state, tensors)) = trainer.folder.load_checkpoint()? {
            let path = trainer.folder.last();
            trainer
                .learner
                .restore(state.step, tensors)
                .map_err(|reason| CheckpointError::Content { path, reason })?;
            trainer.state = state;
        }
        Ok(trainer)
    }

    fn prepare(
        config: TrainConfig,
        paths: &RunPaths,
        folder: RunFolder,
        engine: E,
    ) -> Result<Self, TrainError> {
        let pictures = list_pictures(&paths.train, config.batch_size)?;
        let validation = list_pictures(&paths.val, FEWEST_VALIDATION)?;
        let pairs = validate::read_pairs(&validation, &config);
        if pairs.is_empty() {
            return Err(DatasetError::TooFew {
                path: paths.val.clone(),
                found: 0,
                expected: FEWEST_VALIDATION,
            }
            .into());
        }
        let learner = Learner::new(&config, engine);
        let dataset = Dataset::new(pictures, &config);
        Ok(Self {
            state: State::new(config.hiding_patience, config.reveal_patience),
            config,
            folder,
            learner,
            dataset: Arc::new(dataset),
            pairs,
        })
    }

    /// Puts a model's weights in place of fresh ones. A lifting network whose rounding is not
    /// shaped learns that from nothing.
    fn begin_with(&mut self, model: &Model) -> Result<(), TrainError> {
        let expected = self.config.architecture();
        let shaped = match *model.architecture() {
            Architecture::Lifting(config) => Architecture::Lifting(LiftingNetConfig {
                shaping: true,
                ..config
            }),
            other => other,
        };
        if shaped != expected {
            return Err(TrainError::OtherArchitecture {
                expected,
                found: *model.architecture(),
            });
        }
        let fresh = checkpoint::network_tensors(&self.learner.networks());
        let trained = checkpoint::network_tensors(model.networks());
        let tensors = fresh.into_iter().chain(trained);
        self.learner
            .restore(
                /* steps */ 0,
                tensors.map(|t| (t.name, t.values)).collect(),
            )
            .expect("networks of one architecture have the same tensors");
        self.state.from = Some(model.id().to_string());
        Ok(())
    }

    /// Trains to the last step, or until `on_event` breaks; either way what was learned is saved.
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
            log: self.folder.open_log()?,
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
        })?;
        if self.state.from.is_some() && self.state.best.is_none() {
            // So that the best model is never worse than the one it began with.
            self.judge(
                /* validate */ true,
                /* sheet */ false,
                &mut report,
            )?;
        }
        let batch_size = self.config.batch_size;
        let mut loader = Loader::new(&self.dataset, self.state.step, steps, batch_size, WORKERS);
        let mut under_way: Option<StepMade> = None;
        while self.state.step < steps && !report.stop {
            let batch = loader.next_batch().ok_or_else(|| DatasetError::TooFew {
                path: self.folder.train_pictures(),
                found: 0,
                expected: batch_size,
            })?;
            let step = self.step(batch, steps);
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
        }
        if let Some(step) = under_way.take() {
            self.settle(step, &mut report)?;
        }
        if self.state.step < steps {
            // The last step has saved already.
            self.save_last(&mut report)?;
            self.folder.draw_curves()?;
        }
        report.tell(Event::Finished {
            step: self.state.step,
            stopped: self.state.step < steps,
        })
    }

    /// One step of all networks.
    fn step(&mut self, batch: Vec<f32>, steps: u64) -> StepMade {
        let config = &self.config;
        let factor = config
            .schedule
            .factor(self.state.step, steps, config.warmup_steps);
        let rates = Rates {
            hiding: config.learning_rate * factor * self.state.hiding_plateau.factor,
            reveal: config.learning_rate * factor * self.state.reveal_plateau.factor,
        };
        let errors = self.learner.step(batch, self.state.step, rates);
        self.state.step += 1;
        StepMade {
            step: self.state.step,
            errors,
            rates,
        }
    }

    /// Judges a step and tells of it.
    fn settle(&mut self, made: StepMade, report: &mut Reporter<'_>) -> Result<(), TrainError> {
        let StepMade {
            step,
            errors,
            rates,
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
            self.folder.draw_curves()?;
        }
        Ok(())
    }

    /// What comes after the step that was made last.
    fn due(&self, steps: u64) -> Due {
        let step = self.state.step;
        let due = |every: u64| every > 0 && step.is_multiple_of(every);
        let validate_every = match self.config.validate_every {
            0 => self.config.steps_per_epoch(self.dataset.len()),
            n => n,
        };
        let validation = due(validate_every) || step == steps;
        Due {
            validation,
            sheet: due(self.config.sheet_every) || step == steps,
            checkpoint: validation || due(self.config.checkpoint_every),
        }
    }

    /// Hides and reveals the validation pairs, for figures, a sheet or both.
    fn judge(
        &mut self,
        validate: bool,
        sheet: bool,
        report: &mut Reporter<'_>,
    ) -> Result<(), TrainError> {
        let networks = self.learner.networks();
        let runner = self.learner.engine().runner(&networks);
        let outcomes = validate::run(&*runner, &networks.rounding(), &self.pairs);
        let step = self.state.step;
        if validate {
            let summary = validate::summary(&self.pairs, &outcomes, step);
            self.take_validation(summary, report)?;
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
            let path = self
                .folder
                .save_model("best", &self.model(Some(&figures)))?;
            report.tell(Event::Saved { path, best: true })?;
        }
        Ok(())
    }

    fn save_last(&mut self, report: &mut Reporter<'_>) -> Result<(), TrainError> {
        let path = self.save_checkpoint()?;
        self.folder.save_model("last", &self.model(None))?;
        report.tell(Event::Saved { path, best: false })
    }

    fn save_checkpoint(&self) -> Result<PathBuf, TrainError> {
        let mut tensors = checkpoint::network_tensors(&self.learner.networks());
        if let Some(bad) = tensors
            .iter()
            .find(|t| t.values.iter().any(|v| !v.is_finite()))
        {
            return Err(TrainError::Diverged {
                step: self.state.step,
                what: format!("made `{}` not a number", bad.name),
                last_good: self.folder.last_good(),
            });
        }
        tensors.extend(self.learner.moments());
        Ok(self.folder.save_checkpoint(&self.state, &tensors)?)
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
struct StepMade {
    /// Its number, counted from 1.
    step: u64,
    errors: Errors,
    rates: Rates,
}

/// Writes events to the log and passes them on.
struct Reporter<'a> {
    log: File,
    stop: bool,
    on_event: &'a mut dyn FnMut(Event) -> ControlFlow<()>,
}

impl Reporter<'_> {
    fn tell(&mut self, event: Event) -> Result<(), TrainError> {
        run_folder::log(&mut self.log, &event)?;
        self.stop |= (self.on_event)(event).is_break();
        Ok(())
    }
}
