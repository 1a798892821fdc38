//! Ctrl-C: the program ends at once, but where a file is half written and where work that stops in
//! good order goes on with it. Computing leaves nothing behind, and is cut.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::Context;

/// Exit code of a program that Ctrl-C ended, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

static RAISED: AtomicBool = AtomicBool::new(false);
/// How much of it there is.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Watches for Ctrl-C from here on: the first one during work lets it stop, a second one ends the
/// program.
pub(crate) fn watch() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if RAISED.swap(true, Ordering::SeqCst) || AT_WORK.load(Ordering::SeqCst) == 0 {
            std::process::exit(INTERRUPTED.into());
        }
    })
    .context("failed to watch for Ctrl-C")
}

/// Whether Ctrl-C was pressed.
pub(crate) fn raised() -> bool {
    RAISED.load(Ordering::SeqCst)
}

/// Work that looks at [`raised`], or that must not be cut, while this lives.
pub(crate) struct AtWork;

impl AtWork {
    pub(crate) fn begin() -> Self {
        AT_WORK.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        AT_WORK.fetch_sub(1, Ordering::SeqCst);
    }
}
