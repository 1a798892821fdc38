//! How far the work on a picture is, and stopping it.

use std::ops::ControlFlow;

use crate::error::Error;

/// How far hiding or revealing is.
///
/// The callback of [`hide`](crate::hide) and [`reveal`](crate::reveal) gets it and says whether to
/// go on; when it breaks, they stop with [`Error::Cancelled`]. It is called
///
/// - by the network method after each tile, or, where it refines, after each window and at the end;
/// - by the coded method before each attempt to code the secret (one to five; the same `done`
///   again), once the secret is coded, once the keys are derived, and once it is embedded; when
///   revealing, before and after each key that is tried, and once the secret is decoded;
/// - by the robust method alike, after the cover was tried and before each attempt to code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: usize,
    /// Steps in all, at least 1.
    pub total: usize,
}

impl Progress {
    /// A callback that shows nothing and never stops.
    pub fn ignore(_: Self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// The caller's callback.
pub(crate) type OnProgress<'a> = dyn FnMut(Progress) -> ControlFlow<()> + 'a;

/// Tells the caller; an error when it wants no more.
pub(crate) fn report(
    on_progress: &mut OnProgress<'_>,
    done: usize,
    total: usize,
) -> Result<(), Error> {
    match on_progress(Progress { done, total }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

/// Counts the steps of one job.
pub(crate) struct Steps<'a> {
    on_progress: &'a mut OnProgress<'a>,
    done: usize,
    total: usize,
}

impl<'a> Steps<'a> {
    pub(crate) fn new(on_progress: &'a mut OnProgress<'a>, total: usize) -> Self {
        Self {
            on_progress,
            done: 0,
            total,
        }
    }

    /// Between two pieces of work of one step.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        report(self.on_progress, self.done, self.total)
    }

    /// One step is done.
    pub(crate) fn step(&mut self) -> Result<(), Error> {
        self.done += 1;
        self.check()
    }
}
