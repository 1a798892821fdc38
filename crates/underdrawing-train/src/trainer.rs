//! The training loop.

use std::fs::File;
use std::hash::{DefaultHasher, Hasher as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use underdrawing::{Model, Quality, TrainingRecord};
use underdrawing_net::{
    Alone, Architecture, CpuEngine, Engine, LiftingNetConfig, Networks, Ranks, Role, n_parameters,
};

use crate::beginning::{self, Beginning, Settings};
use crate::checkpoint::{self, CheckpointError, State};
use crate::config::{RunPaths, TrainConfig};
use crate::dataset::{Dataset, DatasetError, Loader, list_pictures};
use crate::error::TrainError;
use crate::event::{Event, Validation};
use crate::learner::{Errors, Learner, Together};
use crate::optimiser::Rates;
use crate::run_folder::{self, RunFolder};
use crate::schedule::Schedule;
use crate::share::Share;
use crate::tensorboard::EventFile;
use crate::validate::{self, Pair};

/// Fewest validation pictures: one pair.
const FEWEST_VALIDATION: usize = 2;
/// Threads that decode and augment.
const WORKERS: usize = 2;
/// Steps that a rehearsal times.
const STEPS_TRIED: usize = 3;

/// A training run: made by [`Trainer::start`] or [`Trainer::resume`], then [`Trainer::run`].
pub struct Trainer<E: Engine = CpuEngine> {
    config: TrainConfig,
    folder: RunFolder,
    /// Where the pictures to train on are, for messages.
    train_pictures: PathBuf,
    learner: Learner<E>,
    state: State,
    dataset: Arc<Dataset>,
    /// None but on rank 0.
    pairs: Vec<Pair>,
    ranks: Rc<dyn Ranks>,
    /// What this rank takes of each batch.
    shares: Vec<Share>,
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
        Self::start_on(Rc::new(Alone), config, from, paths, engine)
    }

    /// As [`Trainer::start`], by rank 0 of several; the others [join](Trainer::join).
    ///
    /// # Errors
    /// As [`Trainer::start`], and when a batch is too small for so many ranks, they see other
    /// pictures, or the engine cannot train with others.
    pub fn start_on(
        ranks: Rc<dyn Ranks>,
        config: TrainConfig,
        from: Option<&Model>,
        paths: &RunPaths,
        engine: E,
    ) -> Result<Self, TrainError> {
        let begun = Self::fresh(config, from, paths, engine, &ranks);
        let (trainer, beginning) = Self::tell(begun, &*ranks)?;
        trainer.folder.create()?;
        // Resuming never needs the model, nor finds an older run's checkpoint.
        trainer.folder.save_checkpoint(&beginning.checkpoint)?;
        trainer.folder.record(paths, &trainer.config)?;
        Ok(trainer)
    }

    /// As [`Trainer::start_on`], but writes nothing: for [`Trainer::rehearse`].
    ///
    /// # Errors
    /// As [`Trainer::start_on`], but for what is written.
    pub fn plan_on(
        ranks: Rc<dyn Ranks>,
        config: TrainConfig,
        from: Option<&Model>,
        paths: &RunPaths,
        engine: E,
    ) -> Result<Self, TrainError> {
        let begun = Self::fresh(config, from, paths, engine, &ranks);
        Ok(Self::tell(begun, &*ranks)?.0)
    }

    /// Goes on with the run in a folder, exactly as if it had never stopped.
    ///
    /// # Errors
    /// When the folder holds no run, or its pictures are gone.
    pub fn resume(out: &Path, engine: E) -> Result<Self, TrainError> {
        Self::resume_on(Rc::new(Alone), out, engine)
    }

    /// As [`Trainer::resume`], by rank 0 of several, as many as before or not; the others
    /// [join](Trainer::join).
    ///
    /// # Errors
    /// As [`Trainer::resume`] and [`Trainer::start_on`].
    pub fn resume_on(ranks: Rc<dyn Ranks>, out: &Path, engine: E) -> Result<Self, TrainError> {
        let begun = Self::resumed(out, engine, &ranks);
        Ok(Self::tell(begun, &*ranks)?.0)
    }

    /// Trains what rank 0 says, on the pictures that it names.
    ///
    /// # Errors
    /// As [`Trainer::start_on`].
    pub fn join(ranks: Rc<dyn Ranks>, engine: E) -> Result<Self, TrainError> {
        let Beginning {
            settings: Settings { paths, config },
            checkpoint,
        } = beginning::hear(&*ranks)?;
        let pictures =
            list_pictures(&paths.train, config.batch_size).map_err(DatasetError::of_batch);
        let seen = pictures.as_ref().map(Vec::as_slice);
        beginning::compare_pictures(&*ranks, &paths.train, seen)?;
        let folder = RunFolder::at(&paths.out);
        let mut trainer = Self::prepare(config, &paths, pictures?, folder, engine, &ranks)?;
        trainer.go_on_from(&checkpoint)?;
        Ok(trainer)
    }

    fn fresh(
        config: TrainConfig,
        from: Option<&Model>,
        paths: &RunPaths,
        engine: E,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<(Self, Beginning), TrainError> {
        config.check()?;
        let folder = RunFolder::at(&paths.out);
        if folder.holds_a_run() {
            return Err(TrainError::RunExists(paths.out.clone()));
        }
        let settings = Settings {
            paths: paths.clone(),
            config,
        };
        let mut trainer = Self::lead(&settings, folder, engine, ranks)?;
        if let Some(model) = from {
            trainer.begin_with(model)?;
        }
        let beginning = Beginning {
            settings,
            checkpoint: trainer.checkpoint()?,
        };
        Ok((trainer, beginning))
    }

    fn resumed(
        out: &Path,
        engine: E,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<(Self, Beginning), TrainError> {
        let folder = RunFolder::at(out);
        let (paths, config) = folder.open()?;
        let saved = folder.read_checkpoint()?;
        let settings = Settings { paths, config };
        let mut trainer = Self::lead(&settings, folder, engine, ranks)?;
        let checkpoint = match saved {
            Some(checkpoint) => {
                trainer.go_on_from(&checkpoint)?;
                checkpoint
            }
            None => trainer.checkpoint()?,
        };
        let beginning = Beginning {
            settings,
            checkpoint,
        };
        Ok((trainer, beginning))
    }

    /// Tells the other ranks how rank 0 has begun, and whether.
    fn tell(
        begun: Result<(Self, Beginning), TrainError>,
        ranks: &dyn Ranks,
    ) -> Result<(Self, Beginning), TrainError> {
        beginning::tell(ranks, begun.as_ref().ok().map(|(_, beginning)| beginning));
        let (trainer, beginning) = begun?;
        let folder = &beginning.settings.paths.train;
        beginning::compare_pictures(ranks, folder, Ok(trainer.dataset.paths()))?;
        Ok((trainer, beginning))
    }

    /// A trainer that validates.
    fn lead(
        settings: &Settings,
        folder: RunFolder,
        engine: E,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<Self, TrainError> {
        let Settings { paths, config } = settings;
        let pictures =
            list_pictures(&paths.train, config.batch_size).map_err(DatasetError::of_batch)?;
        let validation = list_pictures(&paths.val, FEWEST_VALIDATION)?;
        let pairs = validate::read_pairs(&validation, config);
        if pairs.is_empty() {
            return Err(DatasetError::TooFew {
                path: paths.val.clone(),
                found: 0,
                expected: FEWEST_VALIDATION,
            }
            .into());
        }
        let mut trainer = Self::prepare(config.clone(), paths, pictures, folder, engine, ranks)?;
        trainer.pairs = pairs;
        Ok(trainer)
    }

    fn prepare(
        config: TrainConfig,
        paths: &RunPaths,
        pictures: Vec<PathBuf>,
        folder: RunFolder,
        mut engine: E,
        ranks: &Rc<dyn Ranks>,
    ) -> Result<Self, TrainError> {
        let (pairs, parts) = (config.batch_size / 2, config.accumulate);
        if pairs < ranks.size() * parts {
            return Err(TrainError::TooFewPairs {
                pairs,
                ranks: ranks.size(),
                parts,
            });
        }
        if ranks.size() > 1 && !engine.join(ranks) {
            let params = Networks::shapes(config.architecture());
            if params.iter().any(|param| param.role == Role::Statistic) {
                return Err(TrainError::Normalisation);
            }
        }
        let learner = Learner::new(&config, engine);
        let dataset = Dataset::new(pictures, &config);
        Ok(Self {
            state: State::new(config.hiding_patience, config.reveal_patience),
            shares: Share::of_rank(ranks.rank(), ranks.size(), parts),
            ranks: ranks.clone(),
            config,
            folder,
            train_pictures: paths.train.clone(),
            learner,
            dataset: Arc::new(dataset),
            pairs: Vec::new(),
        })
    }

    /// Takes over a checkpoint's file.
    fn go_on_from(&mut self, checkpoint: &[u8]) -> Result<(), TrainError> {
        let wrong = |reason| CheckpointError::Content {
            path: self.folder.last(),
            reason,
        };
        let (state, tensors) = checkpoint::from_bytes(checkpoint).map_err(wrong)?;
        let restored = self.learner.restore(state.step, tensors);
        restored.map_err(wrong)?;
        self.state = state;
        Ok(())
    }

    /// Whether this is the rank that validates, logs and saves.
    fn leads(&self) -> bool {
        self.ranks.rank() == 0
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
        let batch_size = self.config.batch_size;
        let mut loader = Loader::new(
            &self.dataset,
            self.state.step,
            steps,
            batch_size,
            &self.shares,
            WORKERS,
        );
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

    /// Tries a few steps, on all ranks, and a validation, and writes nothing.
    ///
    /// # Errors
    /// When no picture is readable.
    pub fn rehearse(mut self) -> Result<Rehearsal, TrainError> {
        let first_step = self.state.step;
        let steps = self.config.total_steps(self.dataset.len());
        let last = first_step + 1 + STEPS_TRIED as u64;
        let batch_size = self.config.batch_size;
        let mut loader = Loader::new(
            &self.dataset,
            first_step,
            last,
            batch_size,
            &self.shares,
            WORKERS,
        );
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
            seconds_per_step: seconds[seconds.len() / 2],
            seconds_per_validation: a_pair * self.pairs.len() as f64,
            cache_bytes: self.dataset.expected_bytes(self.config.cache_mib),
        })
    }

    fn no_pictures(&self) -> TrainError {
        DatasetError::LessThanABatch {
            path: self.train_pictures.clone(),
            found: 0,
            batch_size: self.config.batch_size,
        }
        .into()
    }

    /// One step of all networks; none where there are no pictures. `stop` says that this rank wants
    /// it to be the last one.
    fn step(&mut self, loader: &mut Loader, steps: u64, stop: bool) -> Option<StepMade> {
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
    fn validate_every(&self) -> u64 {
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
    fn take_over(&mut self, checkpoint: &[u8]) -> Result<(), TrainError> {
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

    /// A checkpoint's file of the networks as they are.
    fn checkpoint(&self) -> Result<Vec<u8>, TrainError> {
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
        Ok(checkpoint::to_bytes(&self.state, &tensors))
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
        let steps = self.steps.saturating_sub(self.first_step) as f64;
        steps * self.seconds_per_step + self.validations as f64 * self.seconds_per_validation
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

#[cfg(test)]
mod tests {
    use underdrawing::{FileFormat, Picture, Pixels};

    use super::*;
    use crate::config::Preset;
    use crate::thread_ranks::on_ranks;

    #[test]
    fn ranks_whose_numbers_drift_apart_take_over_those_of_rank_0() {
        let place = tempfile::tempdir().unwrap();
        let picture = Picture::from(Pixels::from_fn(8, 8, |x, y| [x as u8, y as u8, 0]).unwrap());
        for name in ["a.png", "b.png", "c.png", "d.png"] {
            let png = picture.encode(FileFormat::Png).unwrap();
            std::fs::write(place.path().join(name), png).unwrap();
        }
        let config = TrainConfig {
            batch_size: 4,
            size: 8,
            width: 4,
            depth: 1,
            ..Preset::Default.config()
        };
        let paths = RunPaths {
            train: place.path().to_owned(),
            val: place.path().to_owned(),
            out: place.path().join("run"),
        };
        let checkpoints = on_ranks(2, |ranks| {
            let rank = ranks.rank();
            let ranks: Rc<dyn Ranks> = Rc::new(ranks);
            let engine = CpuEngine::default();
            let mut trainer = match rank {
                0 => Trainer::start_on(ranks, config.clone(), None, &paths, engine).unwrap(),
                _ => Trainer::join(ranks, engine).unwrap(),
            };
            let mut tensors = checkpoint::network_tensors(&trainer.learner.networks());
            tensors[0].values[0] += rank as f32;
            let tensors = tensors.into_iter().map(|t| (t.name, t.values));
            trainer.learner.restore(0, tensors.collect()).unwrap();
            let before = trainer.checkpoint().unwrap();
            trainer.take_over(&before).unwrap();
            (before, trainer.checkpoint().unwrap())
        });
        assert!(checkpoints[0].0 != checkpoints[1].0);
        assert!(
            checkpoints
                .iter()
                .all(|(_, after)| *after == checkpoints[0].0)
        );
    }
}
