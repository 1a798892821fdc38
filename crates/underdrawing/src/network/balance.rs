//! How container and revealed picture share what a network can do.

/// A step toward a better container or a better revealed picture, for networks.
///
/// The network hides the secret with its contrast times 2^(step/2), and what it reveals is divided
/// by the same: a fainter secret changes the container less, and loses more to rounding. Networks
/// that were trained on secrets of several strengths (the default of the trainer) do it well,
/// others less so. The mark carries the step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance(i8);

impl Balance {
    /// Both pictures alike.
    pub const EVEN: Self = Self(0);
    /// The five steps, from the best container to the best revealed picture.
    pub const ALL: [Self; 5] = [Self(-2), Self(-1), Self(0), Self(1), Self(2)];

    /// -2 (container) to 2 (revealed picture); none for other steps.
    #[must_use]
    pub fn new(step: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|balance| balance.0 == step)
    }

    /// -2 to 2.
    #[must_use]
    pub fn step(self) -> i8 {
        self.0
    }

    /// A secret's samples, in [0, 1], as the network hides them.
    pub(crate) fn apply(self, samples: &mut [f32]) {
        self.scale(samples, self.strength());
    }

    /// What the network reveals, as the secret's samples.
    pub(crate) fn undo(self, samples: &mut [f32]) {
        self.scale(samples, 1.0 / self.strength());
    }

    fn strength(self) -> f32 {
        (f32::from(self.0) / 2.0).exp2()
    }

    /// Grey stays grey.
    fn scale(self, samples: &mut [f32], by: f32) {
        if self != Self::EVEN {
            samples.iter_mut().for_each(|v| *v = (*v - 0.5) * by + 0.5);
        }
    }
}
