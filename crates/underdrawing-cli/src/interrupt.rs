//! Ctrl-C: the program ends at once, but where a file is half written and where work that stops in
//! good order goes on with it. Computing leaves nothing behind, and is cut.

use std::io::{self, Write as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
#[cfg(unix)]
use std::sync::{Arc, OnceLock};

use anyhow::Context;

/// Exit code of a program that Ctrl-C ended, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

static RAISED: AtomicBool = AtomicBool::new(false);
/// How much of it there is.
static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// Watches for Ctrl-C from here on: the first one during work lets it stop, a second one ends the
/// program.
pub(crate) fn watch() -> anyhow::Result<()> {
    watch_saying(None)
}

/// As [`watch`]; the first one during work is answered on stderr at once.
pub(crate) fn watch_saying(answer: Option<String>) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if RAISED.swap(true, Ordering::SeqCst) || AT_WORK.load(Ordering::SeqCst) == 0 {
            std::process::exit(INTERRUPTED.into());
        }
        if let Some(answer) = &answer {
            let _ = writeln!(io::stderr(), "{answer}");
        }
    })
    .context("failed to watch for Ctrl-C")
}

/// Lets SIGUSR1 do what a first Ctrl-C does: starters of many processes pass it on and wait, where
/// Ctrl-C makes them kill.
#[cfg(unix)]
pub(crate) fn watch_for_usr1() -> anyhow::Result<()> {
    let flag = ASKED.get_or_init(Default::default).clone();
    signal_hook::flag::register(signal_hook::consts::SIGUSR1, flag)
        .map(|_| ())
        .context("failed to watch for SIGUSR1")
}

/// Raised by SIGUSR1.
#[cfg(unix)]
static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Whether Ctrl-C was pressed, or a signal asked for the same.
pub(crate) fn raised() -> bool {
    #[cfg(unix)]
    if ASKED
        .get()
        .is_some_and(|asked| asked.load(Ordering::SeqCst))
    {
        return true;
    }
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
