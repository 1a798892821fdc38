//! `train`: runs the trainer and shows its events.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use underdrawing_net::{CpuEngine, Engine};
use underdrawing_train::{Event, RunPaths, TrainError, TrainSettings, Trainer, Validation};

use crate::args::TrainArgs;
use crate::compute::Compute;
use crate::files;
use crate::interrupt::{self, AtWork};
use crate::models;
use crate::output::{ExitStatus, FAILED, Ui, Verbosity};
use crate::progress::Bar;
use crate::ranks::Crew;

/// Largest settings file that is read.
const MAX_SETTINGS_BYTES: u64 = 1 << 20;

/// Weight of the newest step in the figures that the bar shows.
const SMOOTHING: f64 = 0.05;

impl TrainArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let crew = Crew::begin()?;
        if crew.size() == 1 {
            return self.run_on(&crew, ui);
        }
        let silent = Ui::new(Verbosity::Quiet);
        let result = self.run_on(&crew, if crew.leads() { ui } else { &silent });
        let Err(error) = result else { return result };
        let of_all = error.chain().any(|cause| {
            let cause = cause.downcast_ref::<TrainError>();
            cause.is_some_and(TrainError::is_of_all_ranks)
        });
        if !of_all {
            // The others would wait for this one.
            ui.error(&error.context(format!("rank {}", crew.rank())));
            crew.abort(FAILED);
        }
        if crew.leads() {
            // Before MPI ends with `crew`: the starter may then kill whoever is left.
            ui.error(&error);
        }
        Ok(ExitStatus::SomeFailed)
    }

    fn run_on(&self, crew: &Crew, ui: &Ui) -> anyhow::Result<ExitStatus> {
        match self.compute.start()? {
            Compute::Cpu => self.train(CpuEngine::default(), crew, ui),
            #[cfg(feature = "cuda")]
            Compute::Cuda(engine) => self.train(engine, crew, ui),
            #[cfg(any(feature = "vulkan", feature = "wgpu"))]
            Compute::Gpu(engine) => self.train(engine, crew, ui),
        }
    }

    fn train<E: Engine>(&self, engine: E, crew: &Crew, ui: &Ui) -> anyhow::Result<ExitStatus> {
        // Where a rank is lost, the others get a signal, wait in vain for the step's end, and are
        // killed.
        let answer = (crew.size() > 1 && crew.leads()).then(|| {
            let run = self.resume.as_ref().or(self.out.as_ref());
            let last = run.map(|run| run.join("last.checkpoint"));
            let last = last.unwrap_or_default();
            format!(
                "stopping after this step; if that fails, the last good checkpoint is {}",
                last.display()
            )
        });
        interrupt::watch_saying(answer)?;
        #[cfg(unix)]
        interrupt::watch_for_usr1()?;
        let mut trainer = match crew.leads() {
            true => self.trainer(engine, crew)?,
            false => Trainer::join(crew.ranks(), engine)?,
        };
        let _at_work = AtWork::begin();
        let out = self.resume.clone().or_else(|| self.out.clone());
        let json = self.report.json && crew.leads();
        let mut show = Show::new(ui, json, out.unwrap_or_default());
        trainer.run(|event| {
            show.event(&event);
            if interrupt::raised() || show.failed.is_some() {
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        show.failed.map_or(Ok(ExitStatus::Done), Err)
    }

    /// The trainer of the rank that decides.
    fn trainer<E: Engine>(&self, engine: E, crew: &Crew) -> anyhow::Result<Trainer<E>> {
        if let Some(run) = &self.resume {
            if self.settings != TrainSettings::default() {
                bail!("a resumed run keeps its settings: expected none beside --resume");
            }
            return Trainer::resume_on(crew.ranks(), run, engine)
                .with_context(|| format!("failed to resume {}", run.display()));
        }
        let (Some(train), Some(val), Some(out)) = (&self.train, &self.val, &self.out) else {
            bail!("expected --train, --val and --out, or --resume");
        };
        let file = self.config.as_deref().map(read_settings).transpose()?;
        let settings = self.settings.clone().over(file.unwrap_or_default());
        let paths = RunPaths {
            train: train.clone(),
            val: val.clone(),
            out: out.clone(),
        };
        let from = self.from.as_deref();
        let from = from.map(models::named).transpose()?;
        let config = settings.resolve()?;
        let ranks = crew.ranks();
        Ok(Trainer::start_on(
            ranks,
            config,
            from.as_ref(),
            &paths,
            engine,
        )?)
    }
}

fn read_settings(path: &Path) -> anyhow::Result<TrainSettings> {
    let failed = || format!("failed to read settings {}", path.display());
    let bytes = files::read(path, MAX_SETTINGS_BYTES).with_context(failed)?;
    let text = String::from_utf8(bytes).with_context(failed)?;
    toml::from_str(&text).with_context(failed)
}

/// Shows events: a bar for steps, a line for what is worth keeping.
struct Show<'a> {
    ui: &'a Ui,
    json: bool,
    out: PathBuf,
    bar: Option<Bar>,
    /// When the first step of this call began, and which it was.
    since: (Instant, u64),
    pictures_per_step: f64,
    /// Smoothed mean square errors, container and revealed.
    smoothed: Option<(f64, f64)>,
    /// Why standard output cannot be written.
    failed: Option<anyhow::Error>,
}

impl<'a> Show<'a> {
    fn new(ui: &'a Ui, json: bool, out: PathBuf) -> Self {
        Self {
            ui,
            json,
            out,
            bar: None,
            since: (Instant::now(), 0),
            pictures_per_step: 0.0,
            smoothed: None,
            failed: None,
        }
    }

    fn event(&mut self, event: &Event) {
        if self.json && self.failed.is_none() {
            self.failed = self.ui.json(event).err();
        }
        match event {
            Event::Started {
                first_step,
                steps,
                steps_per_epoch,
                pictures,
                validation_pairs,
                parameters,
                ranks,
            } => {
                let on_ranks = match ranks {
                    1 => String::new(),
                    n => format!(", {n} ranks"),
                };
                self.ui.say(format_args!(
                    "{pictures} pictures, {validation_pairs} validation pairs, {parameters} \
                     parameters, {steps} steps{on_ranks}"
                ));
                let bar = self.ui.bar(*steps, "steps");
                bar.start_at(*first_step);
                self.bar = Some(bar);
                self.since = (Instant::now(), *first_step);
                // All but the last step of a pass take a whole batch of it.
                self.pictures_per_step = *pictures as f64 / *steps_per_epoch as f64;
            }
            Event::Step {
                step,
                container_mse,
                revealed_mse,
                ..
            } => self.step(*step, *container_mse, *revealed_mse),
            Event::Validated(figures) => self.ui.say(validation_line(figures)),
            Event::Sheet { path } => self.ui.detail(format_args!("sheet {}", path.display())),
            Event::Saved { path, best } => {
                let best = if *best { ", the best so far" } else { "" };
                self.ui
                    .detail(format_args!("saved {}{best}", path.display()));
            }
            Event::Damaged { paths } => {
                for path in paths {
                    let path = path.display();
                    self.ui
                        .note(format_args!("skipped {path}: it is damaged, or too thin"));
                }
            }
            Event::Finished { step, stopped } => self.finished(*step, *stopped),
            _ => {}
        }
    }

    fn step(&mut self, step: u64, container_mse: f64, revealed_mse: f64) {
        let (container, revealed) = self.smoothed.unwrap_or((container_mse, revealed_mse));
        let container = container + SMOOTHING * (container_mse - container);
        let revealed = revealed + SMOOTHING * (revealed_mse - revealed);
        self.smoothed = Some((container, revealed));
        let (since, first_step) = self.since;
        let seconds = since.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.message(format!(
                "container {:.2} dB, revealed {:.2} dB, {:.0} pictures/s",
                decibels_of_mse(container),
                decibels_of_mse(revealed),
                self.pictures_per_step * (step - first_step) as f64 / seconds.max(1e-3)
            ));
            bar.set_position(step);
        }
    }

    fn finished(&mut self, step: u64, stopped: bool) {
        self.bar = None;
        let out = self.out.display();
        if stopped {
            self.ui
                .say(format_args!("stopped and saved at step {step}"));
            self.ui.say(format_args!(
                "hint: underdrawing train --resume {out} goes on"
            ));
        } else {
            self.ui.say(format_args!(
                "done after {step} steps: {out}/best.safetensors"
            ));
        }
    }
}

fn validation_line(figures: &Validation) -> String {
    format!(
        "step {}: container {:.2} dB, revealed {:.2} dB",
        figures.step, figures.container_psnr_db, figures.revealed_psnr_db
    )
}

/// PSNR of a mean square error of samples in `[0, 1]`.
fn decibels_of_mse(mse: f64) -> f64 {
    -10.0 * mse.log10()
}
