//! How to hide by the coded method.

use underdrawing_codec::Effort;

use crate::secrecy::Password;

/// How to hide by the coded method.
#[derive(Clone, Debug, Default)]
pub struct CodedOptions {
    /// What opens the container; without one anybody with this program can reveal.
    pub password: Option<Password>,
    /// How much work goes into the codec. `None` follows from the secret's size, so that nobody has
    /// to wait: see [`Effort::for_size`].
    pub effort: Option<Effort>,
    /// What container and revealed picture share between them.
    pub rate: CodedRate,
}

impl CodedOptions {
    /// The effort for a secret of this size.
    pub(crate) fn effort_for(&self, (width, height): (usize, usize)) -> Effort {
        self.effort
            .unwrap_or_else(|| Effort::for_size(width, height))
    }
}

/// What container and revealed picture share between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum CodedRate {
    /// One ternary digit in every sample of the cover at most: the container at 49.9 dB (less where
    /// the cover is black or white), the rest to the secret. A secret that needs less leaves
    /// samples as they are.
    #[default]
    Ternary,
    /// Container and revealed picture at the same quality.
    Equal,
    /// The container at this PSNR in dB, the rest to the secret.
    ContainerDb(f64),
    /// The revealed picture at this PSNR in dB, the rest to the container.
    RevealedDb(f64),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_effort_follows_from_the_size() {
        let of = |size| CodedOptions::default().effort_for(size);
        assert_eq!(of((2000, 1250)), Effort::Best);
        assert_eq!(of((2001, 1250)), Effort::Normal);
        assert_eq!(of((4000, 2500)), Effort::Normal);
        assert_eq!(of((4000, 3000)), Effort::Fast);
        assert_eq!(of((8000, 6000)), Effort::Fast);
        let asked = CodedOptions {
            effort: Some(Effort::Best),
            ..CodedOptions::default()
        };
        assert_eq!(asked.effort_for((8000, 6000)), Effort::Best);
    }
}
