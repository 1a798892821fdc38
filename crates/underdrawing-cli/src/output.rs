//! What the user sees: data on stdout, everything else on stderr, and the exit status.

use std::fmt::{self, Display};
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde::Serialize;

use crate::interrupt::INTERRUPTED;
use crate::progress::Bar;

/// Exit code when the command was misused or failed; the others are [`ExitStatus`].
pub(crate) const FAILED: u8 = 2;

/// How a command that ran to its end came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitStatus {
    /// It did what was asked.
    Done,
    /// It ran, and the answer is no: below the wanted quality, nothing hidden found.
    No,
    /// Some of many failed; each was reported when it happened.
    SomeFailed,
    /// Ctrl-C stopped it.
    Interrupted,
}

impl From<ExitStatus> for u8 {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => 0,
            ExitStatus::No => 1,
            ExitStatus::SomeFailed => FAILED,
            ExitStatus::Interrupted => INTERRUPTED,
        }
    }
}

/// How much is said on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// Results, notes and a progress bar.
    Normal,
    /// Details of what is done, too.
    Verbose,
}

/// The two streams and the progress bar that shares the terminal with them.
pub(crate) struct Ui {
    verbosity: Verbosity,
    bars: MultiProgress,
}

impl Ui {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        // `stderr()` hides itself when stderr is not a terminal.
        let target = match verbosity {
            Verbosity::Quiet => ProgressDrawTarget::hidden(),
            _ => ProgressDrawTarget::stderr(),
        };
        Self {
            verbosity,
            bars: MultiProgress::with_draw_target(target),
        }
    }

    /// A line of data.
    pub(crate) fn data(&self, line: impl Display) -> anyhow::Result<()> {
        self.print(&escaped(&line.to_string(), is_in_line))
    }

    fn print(&self, line: &str) -> anyhow::Result<()> {
        self.bars
            .suspend(|| {
                let mut stdout = io::stdout().lock();
                writeln!(stdout, "{line}").and_then(|()| stdout.flush())
            })
            .context("failed to write to stdout")
    }

    /// A line of data as one JSON object.
    pub(crate) fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        let line = serde_json::to_string(value).context("failed to write JSON")?;
        self.print(&line)
    }

    /// Whether only errors are said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// What was done.
    pub(crate) fn say(&self, message: impl Display) {
        self.stderr(Verbosity::Normal, &message);
    }

    /// Something that happened to the user's pictures on the way.
    pub(crate) fn note(&self, message: impl Display) {
        self.stderr(Verbosity::Normal, &format_args!("note: {message}"));
    }

    /// Something only `--verbose` shows.
    pub(crate) fn detail(&self, message: impl Display) {
        self.stderr(Verbosity::Verbose, &message);
    }

    /// An error and, when we know one, a hint.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        self.stderr(Verbosity::Quiet, &format_args!("error: {error:#}"));
        if let Some(hint) = hint_of(error) {
            self.hint(hint);
        }
    }

    /// Why the answer is no; said even when quiet, as an error is.
    pub(crate) fn answer_no(&self, reason: impl Display) {
        self.stderr(Verbosity::Quiet, &reason);
    }

    /// What the user can do.
    pub(crate) fn hint(&self, hint: impl Display) {
        self.stderr(Verbosity::Quiet, &format_args!("hint: {hint}"));
    }

    /// A bar for `len` steps; drawn on a terminal only.
    pub(crate) fn bar(&self, len: u64, unit: &'static str) -> Bar {
        Bar::new(&self.bars, len, unit)
    }

    /// A bar for the steps of one picture, which take different times.
    pub(crate) fn bar_of_steps(&self) -> Bar {
        Bar::of_steps(&self.bars)
    }

    /// A bar for the steps of a training run.
    pub(crate) fn bar_of_training(&self, steps: u64) -> Bar {
        Bar::of_training(&self.bars, steps)
    }

    /// A line that shows that `message` goes on, and for how long, until it is dropped.
    pub(crate) fn working(&self, message: impl Into<String>) -> Bar {
        let bar = Bar::of_time(&self.bars);
        bar.message(message);
        bar
    }

    fn stderr(&self, from: Verbosity, message: &dyn Display) {
        if self.verbosity >= from {
            let message = escaped(&message.to_string(), is_in_line);
            // A stderr that is gone is no reason to fail.
            let _ = self
                .bars
                .suspend(|| writeln!(io::stderr().lock(), "{message}"));
        }
    }
}

/// A path for messages. Names of files may hold whatever a terminal obeys, and breaks of lines.
pub(crate) fn shown(path: &Path) -> String {
    escaped(&path.display().to_string(), |_| true)
}

/// Text whose control characters are escaped, of those that `which` names.
fn escaped(text: &str, which: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() && which(c) {
            true => escaped.extend(c.escape_default()),
            false => escaped.push(c),
        }
    }
    escaped
}

/// Any but what messages of several lines and scripts are made of.
fn is_in_line(c: char) -> bool {
    !matches!(c, '\n' | '\t')
}

/// An error with a hint.
#[derive(Debug)]
struct WithHint {
    message: String,
    hint: String,
}

impl Display for WithHint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WithHint {}

/// An error with a `hint:` line under it.
pub(crate) fn error_with_hint(
    message: impl Into<String>,
    hint: impl Into<String>,
) -> anyhow::Error {
    anyhow::Error::new(WithHint {
        message: message.into(),
        hint: hint.into(),
    })
}

fn hint_of(error: &anyhow::Error) -> Option<&str> {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<WithHint>())
        .map(|error| error.hint.as_str())
}

/// Whether the reader of our output went away (`| head`), which is no error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// A PSNR for people: `identical` where there is no difference to measure.
pub(crate) fn decibels(psnr_db: Option<f64>) -> String {
    psnr_db.map_or_else(|| "identical".to_owned(), |db| format!("{db:.2} dB"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_hint_under_added_context() {
        let error = error_with_hint("lossy", "use .png").context("failed to write x.jpg");
        assert_eq!(format!("{error:#}"), "failed to write x.jpg: lossy");
        assert_eq!(hint_of(&error), Some("use .png"));
        assert_eq!(hint_of(&anyhow::anyhow!("plain")), None);
    }

    #[test]
    fn control_characters_of_names_are_escaped() {
        let name = "a\x1b[31m\r\n\u{9b}\u{e4}.png";
        let expected = "a\\u{1b}[31m\\r\\n\\u{9b}\u{e4}.png";
        assert_eq!(shown(Path::new(name)), expected);
    }

    #[test]
    fn tells_a_broken_pipe_from_other_failures() {
        let io = |kind| anyhow::Error::new(io::Error::from(kind)).context("failed to write");
        assert!(is_broken_pipe(&io(io::ErrorKind::BrokenPipe)));
        assert!(!is_broken_pipe(&io(io::ErrorKind::StorageFull)));
    }
}
