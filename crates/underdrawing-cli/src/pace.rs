//! How fast a training run goes, and how long it will take.

use std::time::Duration;

/// Steps that the mean looks back on, more or less.
const LOOKS_BACK: f64 = 50.0;

/// Told when each step was done. What comes before the first one counts nowhere, what comes between
/// steps (validations, sheets, checkpoints) for the time left only.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// When the first step was done, and the last one.
    first: Option<Duration>,
    last: Duration,
    /// Whether something else came after the last one.
    paused: bool,
    /// Steps that were measured, seconds of all of them, and their mean of late.
    measured: f64,
    sum: f64,
    mean: f64,
}

impl Pace {
    /// A step is done, at a time from any beginning.
    pub(crate) fn step(&mut self, now: Duration) {
        if self.first.is_none() {
            self.first = Some(now);
        } else if !self.paused {
            let seconds = now.saturating_sub(self.last).as_secs_f64();
            self.measured += 1.0;
            self.sum += seconds;
            self.mean += (seconds - self.mean) / self.measured.min(LOOKS_BACK);
        }
        self.paused = false;
        self.last = now;
    }

    /// Something else than a step takes its time.
    pub(crate) fn pause(&mut self) {
        self.paused = true;
    }

    /// Steps a second, of late; none before the second step.
    pub(crate) fn steps_per_second(&self) -> Option<f64> {
        (self.mean > 0.0).then(|| 1.0 / self.mean)
    }

    /// The time for so many steps more, with as much between them as so far.
    pub(crate) fn left(&self, steps: f64) -> Option<Duration> {
        let all = self.last.saturating_sub(self.first?).as_secs_f64();
        let share = (self.sum > 0.0).then(|| (all / self.sum).max(1.0))?;
        Duration::try_from_secs_f64(steps * self.mean * share).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn neither_start_up_nor_validations_are_steps() {
        let mut pace = Pace::default();
        // A minute passes before the first step.
        pace.step(seconds(60.0));
        assert_eq!((pace.steps_per_second(), pace.left(10.0)), (None, None));
        pace.step(seconds(60.5));
        assert_eq!(pace.steps_per_second(), Some(2.0));
        assert_eq!(pace.left(10.0), Some(seconds(5.0)));
        pace.step(seconds(61.0));
        // A validation of half a second.
        pace.pause();
        pace.step(seconds(62.0));
        assert_eq!(pace.steps_per_second(), Some(2.0));
        // Half of the time so far was steps that were measured.
        assert_eq!(pace.left(10.0), Some(seconds(10.0)));
    }

    #[test]
    fn a_run_that_slows_down_is_believed() {
        let mut pace = Pace::default();
        let mut now = 0.0;
        for step in 0..1000 {
            now += if step < 500 { 1.0 } else { 2.0 };
            pace.step(seconds(now));
        }
        let rate = pace.steps_per_second().unwrap();
        assert!((0.5..0.51).contains(&rate), "{rate}");
    }
}
