//! How to hide by the coded method.

use underdrawing_codec::Effort;

use crate::secrecy::Password;

/// How to hide by the coded method.
#[derive(Clone, Debug, Default)]
pub struct CodedOptions {
    /// What opens the container; without one anybody with this program can reveal.
    pub password: Option<Password>,
    /// How much work goes into the codec.
    pub effort: Effort,
    /// What container and revealed picture share between them.
    pub rate: CodedRate,
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
