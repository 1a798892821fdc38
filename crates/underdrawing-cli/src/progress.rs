//! The progress bar: on a terminal only, gone when the work is done.

use std::fmt::Write;
use std::time::Duration;

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressState, ProgressStyle};

/// A progress bar on stderr that clears itself when dropped.
pub(crate) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// For pieces of work that take about the same time each.
    pub(crate) fn new(bars: &MultiProgress, len: u64, unit: &'static str) -> Self {
        Self::with_end(bars, len, unit, "{left}")
    }

    /// For the steps of one picture, which take anything from milliseconds to minutes.
    pub(crate) fn of_steps(bars: &MultiProgress) -> Self {
        Self::with_end(bars, 1, "steps", "{elapsed}")
    }

    /// For a training run, whose message says how long it will take.
    pub(crate) fn of_training(bars: &MultiProgress, steps: u64) -> Self {
        let template = "{msg} {wide_bar:.cyan/blue} {pos}/{len} {prefix}";
        Self::with_template(bars, steps, "steps", template)
    }

    /// For work of one piece, of which only the time spent is known.
    pub(crate) fn of_time(bars: &MultiProgress) -> Self {
        Self::with_template(bars, 1, "", "{spinner} {msg}, {elapsed}")
    }

    fn with_end(bars: &MultiProgress, len: u64, unit: &'static str, end: &str) -> Self {
        let template = format!("{{msg}} {{wide_bar:.cyan/blue}} {{pos}}/{{len}} {{prefix}}, {end}");
        Self::with_template(bars, len, unit, &template)
    }

    fn with_template(bars: &MultiProgress, len: u64, unit: &'static str, template: &str) -> Self {
        let style = ProgressStyle::with_template(template)
            .expect("the templates are constants that parse")
            .with_key("left", time_left)
            .progress_chars("=> ");
        let bar = bars.add(ProgressBar::new(len).with_style(style).with_prefix(unit));
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// What is worked on now.
    pub(crate) fn message(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// One step done.
    pub(crate) fn step(&self) {
        self.bar.inc(1);
    }

    /// So many steps are done.
    pub(crate) fn set_position(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// `done` of `total` steps done.
    pub(crate) fn set(&self, done: usize, total: usize) {
        self.bar.set_length(total as u64);
        self.bar.set_position(done as u64);
    }
}

/// How long the rest will take, which nobody knows before the first piece is done.
fn time_left(state: &ProgressState, out: &mut dyn Write) {
    // There is nobody to tell of an error.
    let _ = match state.pos() {
        0 => write!(out, "{:#}", HumanDuration(state.elapsed())),
        _ => write!(out, "{:#} left", HumanDuration(state.eta())),
    };
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
