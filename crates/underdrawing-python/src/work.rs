//! Work without the interpreter's lock, on threads that know of nothing but their work.
//!
//! The calling thread gives its work to a pool of threads and waits; while it waits, other Python
//! threads run, progress is told, and Ctrl-C is noticed within a twentieth of a second. Work that
//! nobody waits for any more stops at its next step.
//!
//! Forks: a child has none of its parent's threads, so pools belong to a process, and are made
//! anew in a child. Locks that a thread held at the fork would stay locked in the child forever:
//! Python's `os.fork` waits for work under way (`before_fork`), a moment at which none is held.
//! rayon's global pool is never used.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use underdrawing::Progress;

/// How long Ctrl-C may go unnoticed.
const BETWEEN_CHECKS: Duration = Duration::from_millis(50);
/// How long a fork waits before it looks again.
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// What the library calls between its steps.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Pieces of work under way in this process.
static UNDER_WAY: AtomicUsize = AtomicUsize::new(0);
/// Forks that wait; no work begins meanwhile.
static FORKING: AtomicUsize = AtomicUsize::new(0);

/// What a worker tells the thread that waits.
enum Told<T> {
    Progress(Progress),
    Done(thread::Result<T>),
}

/// Does a piece of work on `threads` threads, 0 for as many as there are cores, and calls
/// `progress(done, total)` in the calling thread.
///
/// # Errors
/// What a signal handler or `progress` raised; the work then stops at its next step.
pub(crate) fn work<T: Send + 'static>(
    py: Python<'_>,
    threads: usize,
    progress: Option<&Bound<'_, PyAny>>,
    job: impl FnOnce(&mut OnProgress<'_>) -> T + Send + 'static,
) -> PyResult<T> {
    while FORKING.load(Ordering::SeqCst) > 0 {
        py.detach(|| thread::sleep(BETWEEN_LOOKS));
        py.check_signals()?;
    }
    let pool = Pool::take(threads)?;
    let stop = Arc::new(AtomicBool::new(false));
    let (sender, mut receiver) = mpsc::channel();
    let (stopped, told) = (stop.clone(), sender.clone());
    let under_way = UnderWay::begin();
    pool.threads.spawn(move || {
        let mut on_progress = |progress| {
            let _ = told.send(Told::Progress(progress));
            match stopped.load(Ordering::Relaxed) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let result = catch_unwind(AssertUnwindSafe(|| job(&mut on_progress)));
        drop(under_way);
        let _ = sender.send(Told::Done(result));
    });
    let mut wait = || -> PyResult<thread::Result<T>> {
        loop {
            let received;
            (receiver, received) = wait_for(py, receiver_of(&mut receiver));
            match received {
                Ok(Told::Done(result)) => return Ok(result),
                Ok(Told::Progress(Progress { done, total })) => {
                    if let Some(progress) = progress {
                        progress.call1((done, total))?;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(PyRuntimeError::new_err("a worker is gone"));
                }
            }
            py.check_signals()?;
        }
    };
    match wait() {
        Ok(result) => {
            pool.give_back();
            // PyO3 makes Python's PanicException of it.
            Ok(result.unwrap_or_else(|panic| resume_unwind(panic)))
        }
        Err(error) => {
            stop.store(true, Ordering::Relaxed);
            Err(error)
        }
    }
}

/// Takes the receiver out for a moment: it can be sent to other threads, and not shared with them.
fn receiver_of<T>(receiver: &mut Receiver<T>) -> Receiver<T> {
    std::mem::replace(receiver, mpsc::channel().1)
}

fn wait_for<T: Send>(
    py: Python<'_>,
    receiver: Receiver<T>,
) -> (Receiver<T>, Result<T, RecvTimeoutError>) {
    py.detach(move || {
        let received = receiver.recv_timeout(BETWEEN_CHECKS);
        (receiver, received)
    })
}

/// Counts a piece of work while it lives.
struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        UNDER_WAY.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Waits until no work is under way, and lets none begin; for `os.register_at_fork`.
#[pyfunction]
pub(crate) fn before_fork(py: Python<'_>) {
    FORKING.fetch_add(1, Ordering::SeqCst);
    while UNDER_WAY.load(Ordering::SeqCst) > 0 {
        py.detach(|| thread::sleep(BETWEEN_LOOKS));
    }
}

/// Lets work begin again in the parent.
#[pyfunction]
pub(crate) fn after_fork() {
    FORKING.fetch_sub(1, Ordering::SeqCst);
}

/// The same in the child, which has none of its parent's work and of its forks.
#[pyfunction]
pub(crate) fn after_fork_in_child() {
    UNDER_WAY.store(0, Ordering::SeqCst);
    FORKING.store(0, Ordering::SeqCst);
}

/// Threads that do one piece of work at a time: with two in one pool, a thread that waits for a
/// part of the first would begin the second, and the first would wait for all of it.
pub(crate) struct Pool {
    threads: ThreadPool,
    /// Whether it has the usual number of threads, and is kept.
    usual: bool,
    /// The process that has the threads.
    process: u32,
}

/// Pools that wait for work. Only touched by threads that hold the interpreter's lock, as forks
/// do.
static IDLE: Mutex<Vec<Pool>> = Mutex::new(Vec::new());

impl Pool {
    /// An idle pool, or a new one; `threads` is within bounds.
    pub(crate) fn take(threads: usize) -> PyResult<Self> {
        let process = std::process::id();
        if threads == 0 {
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            while let Some(pool) = idle.pop() {
                if pool.process == process {
                    return Ok(pool);
                }
                // Its threads stayed in the parent: there is nobody to end.
                std::mem::forget(pool);
            }
        }
        let pool = ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|i| format!("underdrawing-{i}"))
            .build();
        Ok(Self {
            threads: pool.map_err(|error| {
                PyRuntimeError::new_err(format!("failed to start {threads} threads: {error}"))
            })?,
            usual: threads == 0,
            process,
        })
    }

    /// Runs `work` there, from a thread that may wait for it.
    pub(crate) fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.threads.install(work)
    }

    fn give_back(self) {
        if self.usual {
            IDLE.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(self);
        }
    }
}
