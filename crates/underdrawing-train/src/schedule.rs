//! Learning rates over a run.

use serde::{Deserialize, Serialize};

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "clap", derive(clap::ValueEnum))]
#[serde(rename_all = "kebab-case")]
pub enum Schedule {
    /// Stays as it is.
    Constant,
    /// Half a cosine from the full rate to nothing at the last step.
    Cosine,
    /// Times 0.2 whenever the validation loss has not improved for some validations.
    Plateau,
}

impl Schedule {
    /// Factor of the learning rate for `step` (from 0) of `steps`, without that of a plateau; the
    /// first `warmup_steps` rise linearly.
    #[must_use]
    pub fn factor(self, step: u64, steps: u64, warmup_steps: u64) -> f64 {
        let warmup = if step < warmup_steps {
            (step + 1) as f64 / warmup_steps as f64
        } else {
            1.0
        };
        let progress = step as f64 / steps.max(1) as f64;
        match self {
            Self::Constant | Self::Plateau => warmup,
            Self::Cosine => warmup * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos()),
        }
    }
}

/// Lowers a learning rate when a loss stops falling, as PyTorch's `ReduceLROnPlateau` does with
/// its defaults: an improvement is one of more than 0.01 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plateau {
    /// Validations without improvement that are put up with.
    pub patience: u32,
    /// Learning rate now, relative to the first one.
    pub factor: f64,
    /// Smallest loss so far; `None` before the first.
    pub best: Option<f64>,
    /// Validations since the last improvement.
    pub bad: u32,
}

/// What a plateau multiplies the rate by (the 2018 system's choice).
const PLATEAU_FACTOR: f64 = 0.2;
/// Relative improvement that counts (PyTorch's default).
const PLATEAU_THRESHOLD: f64 = 1e-4;

impl Plateau {
    /// Full rate, nothing seen.
    #[must_use]
    pub fn new(patience: u32) -> Self {
        Self {
            patience,
            factor: 1.0,
            best: None,
            bad: 0,
        }
    }

    /// Takes the loss of one validation.
    pub fn update(&mut self, loss: f64) {
        let improved = self
            .best
            .is_none_or(|best| loss < best * (1.0 - PLATEAU_THRESHOLD));
        if improved {
            self.best = Some(loss);
            self.bad = 0;
        } else {
            self.bad += 1;
        }
        if self.bad > self.patience {
            self.factor *= PLATEAU_FACTOR;
            self.bad = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosine_starts_after_the_warm_up_and_ends_at_nothing() {
        let factor = |step| Schedule::Cosine.factor(step, 1000, 10);
        assert!((factor(0) - 0.1).abs() < 1e-3);
        assert!((factor(500) - 0.5).abs() < 1e-9);
        assert!(factor(999) < 1e-5);
        assert!(factor(9) > factor(8) && factor(9) > factor(10));
    }

    #[test]
    fn plateau_lowers_the_rate_after_more_than_its_patience() {
        let mut plateau = Plateau::new(2);
        plateau.update(1.0);
        // A fall of less than 0.01 % is no improvement.
        for loss in [0.99995, 1.0] {
            plateau.update(loss);
            assert!((plateau.factor - 1.0).abs() < 1e-12);
        }
        plateau.update(1.0);
        assert!((plateau.factor - 0.2).abs() < 1e-12);
        plateau.update(0.5);
        assert_eq!((plateau.best, plateau.bad), (Some(0.5), 0));
    }
}
