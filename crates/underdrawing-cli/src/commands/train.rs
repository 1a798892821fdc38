//! `train`: runs the trainer and shows its events.

use std::fmt::{self, Display};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;
use underdrawing_net::{CpuEngine, Engine};
use underdrawing_train::{
    ConfigError, Event, Rehearsal, RunPaths, TrainConfig, TrainError, TrainSettings, Trainer,
    Validation,
};

use crate::args::TrainArgs;
use crate::compute::Compute;
use crate::files;
use crate::interrupt::{self, AtWork};
use crate::models;
use crate::output::{ExitStatus, FAILED, Ui, Verbosity, shown};
use crate::pace::Pace;
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
                shown(&last)
            )
        });
        interrupt::watch_saying(answer)?;
        #[cfg(unix)]
        interrupt::watch_for_usr1()?;
        let mut trainer = match crew.leads() {
            true => self.trainer(engine, crew)?,
            false => Trainer::join(crew.ranks(), engine)?,
        };
        if self.dry_run {
            return self.rehearse(trainer, crew, ui);
        }
        let _at_work = AtWork::begin();
        let out = self.resume.clone().or_else(|| self.out.clone());
        let json = self.report.json && crew.leads();
        let mut show = Show::new(ui, json, out.unwrap_or_default(), trainer.config().clone());
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
                .with_context(|| format!("failed to resume {}", shown(run)));
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
        let config = match &from {
            Some(model) => settings.resolve_from(model.architecture()),
            None => settings.resolve(),
        };
        let config = config.map_err(with_flags)?;
        let start = match self.dry_run {
            true => Trainer::plan_on,
            false => Trainer::start_on,
        };
        Ok(start(crew.ranks(), config, from.as_ref(), &paths, engine)?)
    }

    /// Says what a run would do.
    fn rehearse<E: Engine>(
        &self,
        trainer: Trainer<E>,
        crew: &Crew,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let rehearsal = trainer.rehearse()?;
        if !crew.leads() {
            return Ok(ExitStatus::Done);
        }
        let plan = Plan {
            seconds: rehearsal.seconds(),
            peak_memory_bytes: peak_memory(),
            rehearsal,
        };
        match self.report.json {
            true => ui.json(&plan)?,
            false => ui.data(plan)?,
        }
        Ok(ExitStatus::Done)
    }
}

/// What a run would do, for people and as JSON.
#[derive(Serialize)]
struct Plan {
    #[serde(flatten)]
    rehearsal: Rehearsal,
    /// In all.
    seconds: f64,
    /// Of this process so far, without most of the pictures.
    peak_memory_bytes: Option<u64>,
}

impl Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.rehearsal;
        let pictures_per_second = plan.batch_size as f64 / plan.seconds_per_step;
        writeln!(
            f,
            "pictures    {}, {} steps a pass",
            plan.pictures, plan.steps_per_epoch
        )?;
        writeln!(f, "validation  {} pairs", plan.validation_pairs)?;
        writeln!(f, "parameters  {}", plan.parameters)?;
        writeln!(
            f,
            "steps       {} of {} to go, {} pictures each, on {} {}",
            plan.steps.saturating_sub(plan.first_step),
            plan.steps,
            plan.batch_size,
            plan.ranks,
            if plan.ranks == 1 { "rank" } else { "ranks" }
        )?;
        writeln!(
            f,
            "a step      {:.3} s, {pictures_per_second:.1} pictures/s",
            plan.seconds_per_step
        )?;
        writeln!(
            f,
            "validating  {:.1} s, {} times",
            plan.seconds_per_validation, plan.validations
        )?;
        let mib = |bytes: u64| bytes.div_ceil(1 << 20);
        let cache = mib(plan.cache_bytes as u64);
        match self.peak_memory_bytes {
            Some(peak) => {
                let peak = mib(peak);
                writeln!(
                    f,
                    "memory      {peak} MiB, and {cache} MiB of decoded pictures"
                )?;
            }
            None => writeln!(
                f,
                "memory      {cache} MiB of decoded pictures, and the rest"
            )?,
        }
        write!(
            f,
            "time        {}",
            in_words(Duration::try_from_secs_f64(self.seconds).unwrap_or(Duration::MAX))
        )
    }
}

/// The most memory that this process has had, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// A time in its two largest units.
fn in_words(time: Duration) -> String {
    let seconds = time.as_secs();
    match [seconds / 3600, seconds / 60 % 60, seconds % 60] {
        [0, 0, s] => format!("{s} s"),
        [0, m, s] => format!("{m} min {s} s"),
        [h, m, _] => format!("{h} h {m} min"),
    }
}

/// The error by the names of the flags.
fn with_flags(error: ConfigError) -> anyhow::Error {
    let words = error.setting.split(' ').map(|word| match word {
        "and" | "or" => word.to_owned(),
        setting => format!("--{}", setting.replace('_', "-")),
    });
    let flags: Vec<_> = words.collect();
    anyhow::anyhow!(
        "{}: expected {}, found {}",
        flags.join(" "),
        error.expected,
        error.found
    )
}

fn read_settings(path: &Path) -> anyhow::Result<TrainSettings> {
    let failed = || format!("failed to read settings {}", shown(path));
    let bytes = files::read(path, MAX_SETTINGS_BYTES).with_context(failed)?;
    let text = String::from_utf8(bytes).with_context(failed)?;
    TrainSettings::from_toml(&text).with_context(failed)
}

/// Shows events: a bar for steps, a line for what is worth keeping.
struct Show<'a> {
    ui: &'a Ui,
    json: bool,
    out: PathBuf,
    config: TrainConfig,
    bar: Option<Bar>,
    began: Instant,
    pace: Pace,
    /// Steps in all.
    steps: u64,
    pictures_per_step: f64,
    /// The run was finished before.
    over: bool,
    /// Smoothed mean square errors, container and revealed.
    smoothed: Option<(f64, f64)>,
    /// Why standard output cannot be written.
    failed: Option<anyhow::Error>,
}

impl<'a> Show<'a> {
    fn new(ui: &'a Ui, json: bool, out: PathBuf, config: TrainConfig) -> Self {
        Self {
            ui,
            json,
            out,
            config,
            bar: None,
            began: Instant::now(),
            pace: Pace::default(),
            steps: 0,
            pictures_per_step: 0.0,
            over: false,
            smoothed: None,
            failed: None,
        }
    }

    fn event(&mut self, event: &Event) {
        if self.json && self.failed.is_none() {
            self.failed = self.ui.json(event).err();
        }
        if !matches!(event, Event::Step { .. }) {
            self.pace.pause();
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
                    "{}, {}, {parameters} parameters, {}{on_ranks}",
                    counted(*pictures as u64, "picture"),
                    counted(*validation_pairs as u64, "validation pair"),
                    counted(*steps, "step")
                ));
                self.over = first_step >= steps;
                let bar = self.ui.bar_of_training(*steps);
                bar.set_position(*first_step);
                self.bar = Some(bar);
                self.steps = *steps;
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
            Event::Sheet { path } => self.ui.detail(format_args!("sheet {}", shown(path))),
            Event::Worst { path, pairs } => {
                let path = shown(path);
                self.ui.detail(format_args!("worst pairs {path}"));
                for pair in pairs {
                    self.ui.detail(format_args!(
                        "  {:.2} / {:.2} dB: {} in {}",
                        pair.container_psnr_db,
                        pair.revealed_psnr_db,
                        shown(&pair.secret),
                        shown(&pair.cover)
                    ));
                }
            }
            Event::Saved { path, best } => {
                let best = if *best { ", the best so far" } else { "" };
                self.ui.detail(format_args!("saved {}{best}", shown(path)));
            }
            Event::Damaged { paths } => {
                for path in paths {
                    let path = shown(path);
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
        self.pace.step(self.began.elapsed());
        if let Some(bar) = &self.bar {
            let (container, revealed) = (decibels_of_mse(container), decibels_of_mse(revealed));
            let mut message = format!("container {container:.2} dB, revealed {revealed:.2} dB");
            if let (Some(rate), Some(left)) = (
                self.pace.steps_per_second(),
                self.pace.left(self.config.work_left(step, self.steps)),
            ) {
                let pictures = rate * self.pictures_per_step;
                let left = in_words(left);
                message += &format!(", {pictures:.0} pictures/s, {left} left");
            }
            bar.message(message);
            bar.set_position(step);
        }
    }

    fn finished(&mut self, step: u64, stopped: bool) {
        self.bar = None;
        let out = shown(&self.out);
        if stopped {
            self.ui
                .say(format_args!("stopped and saved at step {step}"));
            self.ui.say(format_args!(
                "hint: underdrawing train --resume {out} goes on"
            ));
        } else if self.over {
            self.ui.say(format_args!(
                "{out} was finished before, after {}: nothing is left to do",
                counted(step, "step")
            ));
            self.ui.say(format_args!(
                "hint: underdrawing train --from {out}/best.safetensors trains its model further, \
                 in a run of its own"
            ));
        } else {
            self.ui.say(format_args!(
                "done after {}: {out}/best.safetensors",
                counted(step, "step")
            ));
        }
    }
}

fn counted(n: u64, what: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {what}{plural}")
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
