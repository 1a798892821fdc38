//! A training run: how it begins or goes on; its steps are in `run`.

mod rehearsal;
mod run;

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use underdrawing::Model;
use underdrawing_net::{
    Alone, Architecture, CpuEngine, Engine, LiftingNetConfig, Networks, Ranks, Role,
};

use crate::beginning::{self, Beginning, Settings};
use crate::checkpoint::{self, CheckpointError, State};
use crate::config::{RunPaths, TrainConfig};
use crate::dataset::{Dataset, DatasetError, list_pictures};
use crate::error::TrainError;
use crate::learner::Learner;
use crate::run_folder::RunFolder;
use crate::share::Share;
use crate::validate::{self, Pair};

pub use rehearsal::Rehearsal;

/// Fewest validation pictures: one pair.
const FEWEST_VALIDATION: usize = 2;
/// Threads that decode and augment.
const WORKERS: usize = 2;

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

    /// The run's settings.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
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
}

#[cfg(test)]
mod tests;
