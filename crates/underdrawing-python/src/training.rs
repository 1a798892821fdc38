//! Training runs: a thread that trains, and an iterator of what it tells.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use serde_json::{Map, Value};
use underdrawing_net::CpuEngine;
use underdrawing_train::{Event, RunPaths, TrainError, TrainSettings, Trainer};

use crate::errors::{of_option, of_training};
use crate::model::Model;
use crate::work::Pool;

/// How long Ctrl-C may go unnoticed.
const BETWEEN_CHECKS: Duration = Duration::from_millis(50);
/// How long the end of the thread goes unnoticed.
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// What the thread tells: events as JSON, and how it ended.
type Told = Result<String, TrainError>;

/// What to train.
enum Start {
    Fresh {
        settings: Box<TrainSettings>,
        from: Option<underdrawing::Model>,
        paths: RunPaths,
    },
    Resumed(PathBuf),
}

/// A training run under way. The thread waits until somebody asks for what it has to tell.
#[pyclass(frozen, module = "underdrawing._native")]
pub(crate) struct Training {
    told: Mutex<Option<Receiver<Told>>>,
    stop: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The process that has the thread.
    process: u32,
}

#[pymethods]
impl Training {
    /// Starts a run; `settings` is JSON, and `config` TOML that gives way to it.
    #[staticmethod]
    fn start(
        settings: &str,
        config: Option<&str>,
        train: PathBuf,
        val: PathBuf,
        out: PathBuf,
        from_model: Option<&Model>,
        threads: usize,
    ) -> PyResult<Self> {
        let settings = settings_of(settings)?;
        let config: TrainSettings = match config {
            Some(text) => TrainSettings::from_toml(text)
                .map_err(|error| of_option(format!("config: {error}")))?,
            None => TrainSettings::default(),
        };
        let start = Start::Fresh {
            settings: Box::new(settings.over(config)),
            from: from_model.map(|model| model.model.clone()),
            paths: RunPaths { train, val, out },
        };
        Self::spawn(start, threads)
    }

    /// Goes on with a run.
    #[staticmethod]
    fn resume(out: PathBuf, threads: usize) -> PyResult<Self> {
        Self::spawn(Start::Resumed(out), threads)
    }

    /// The next event as JSON; none after the last one.
    fn next(&self, py: Python<'_>) -> PyResult<Option<String>> {
        if self.process != std::process::id() {
            return Err(PyRuntimeError::new_err(
                "a training run stays in the process that began it",
            ));
        }
        loop {
            let Some(receiver) = lock(&self.told).take() else {
                return Ok(None);
            };
            let (receiver, received) = py.detach(move || {
                let received = receiver.recv_timeout(BETWEEN_CHECKS);
                (receiver, received)
            });
            match received {
                Ok(Ok(event)) => {
                    *lock(&self.told) = Some(receiver);
                    return Ok(Some(event));
                }
                Ok(Err(error)) => return Err(of_training(&error)),
                Err(RecvTimeoutError::Timeout) => *lock(&self.told) = Some(receiver),
                Err(RecvTimeoutError::Disconnected) => return self.ended(py).map(|()| None),
            }
            py.check_signals()?;
        }
    }

    /// Lets the run end after its step; what is left to tell can still be asked for.
    fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Ends the run after its step, saved, and waits for that.
    fn close(&self, py: Python<'_>) -> PyResult<()> {
        if self.process != std::process::id() {
            return Ok(());
        }
        self.stop();
        // Whatever the thread has to tell, it then tells nobody.
        drop(lock(&self.told).take());
        self.ended(py)
    }
}

/// Settings from JSON; one that is wrong is named.
fn settings_of(json: &str) -> PyResult<TrainSettings> {
    let wrong = |error: serde_json::Error| of_option(error.to_string());
    let given: Map<String, Value> = serde_json::from_str(json).map_err(wrong)?;
    for (name, value) in &given {
        let alone = Map::from_iter([(name.clone(), value.clone())]);
        serde_json::from_value::<TrainSettings>(alone.into())
            .map_err(|error| of_option(format!("{name}: {error}")))?;
    }
    serde_json::from_value(given.into()).map_err(wrong)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Training {
    fn spawn(start: Start, threads: usize) -> PyResult<Self> {
        let pool = Pool::take(threads)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let (sender, receiver) = sync_channel::<Told>(0);
        let train = move || {
            let on_event = |event: Event| {
                let line = serde_json::to_string(&event).expect("events are plain values");
                let heard = sender.send(Ok(line)).is_ok();
                if heard && !stopped.load(Ordering::Relaxed) {
                    return ControlFlow::Continue(());
                }
                ControlFlow::Break(())
            };
            let result = pool.install(|| start.trainer().and_then(|mut t| t.run(on_event)));
            if let Err(error) = result {
                let _ = sender.send(Err(error));
            }
        };
        let thread = thread::Builder::new()
            .name("underdrawing-train".to_owned())
            .spawn(train)
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok(Self {
            told: Mutex::new(Some(receiver)),
            stop,
            thread: Mutex::new(Some(thread)),
            process: std::process::id(),
        })
    }

    /// Waits for the thread, which has nothing more to tell.
    fn ended(&self, py: Python<'_>) -> PyResult<()> {
        let running = || {
            let thread = lock(&self.thread);
            thread.as_ref().is_some_and(|thread| !thread.is_finished())
        };
        while running() {
            py.detach(|| thread::sleep(BETWEEN_LOOKS));
            // A step may take minutes: Ctrl-C once more gives up waiting.
            py.check_signals()?;
        }
        let Some(thread) = lock(&self.thread).take() else {
            return Ok(());
        };
        py.detach(|| thread.join())
            .map_err(|_| PyRuntimeError::new_err("the training thread has panicked"))
    }
}

impl Start {
    fn trainer(self) -> Result<Trainer<CpuEngine>, TrainError> {
        match self {
            Self::Fresh {
                settings,
                from,
                paths,
            } => {
                let config = match &from {
                    Some(model) => settings.resolve_from(model.architecture())?,
                    None => settings.resolve()?,
                };
                Trainer::start(config, from.as_ref(), &paths, CpuEngine::default())
            }
            Self::Resumed(out) => Trainer::resume(&out, CpuEngine::default()),
        }
    }
}

impl Drop for Training {
    /// Nobody listens any more: the thread saves and ends by itself.
    fn drop(&mut self) {
        self.stop();
        if self.process != std::process::id() {
            // The thread stayed in the parent.
            std::mem::forget(lock(&self.told).take());
            std::mem::forget(lock(&self.thread).take());
        }
    }
}
