//! Hiding: a cover and a secret to a container.

use thiserror::Error;
use underdrawing_codec::Effort;

use crate::picture::Pixels;

use super::channel::Channel;
use super::key::{CodedKey, Cost, Keys, Salt, TAG_BYTES, salt};
use super::layout::{Directory, Header};
use super::mix::Mix;
use super::preamble;
use super::rate;

/// How to hide by the coded method.
#[derive(Clone, Copy, Debug)]
pub struct CodedOptions<'a> {
    /// What opens the container.
    pub key: CodedKey<'a>,
    /// How much work goes into the codec.
    pub effort: Effort,
    /// What container and revealed picture share between them.
    pub rate: CodedRate,
}

impl Default for CodedOptions<'_> {
    fn default() -> Self {
        Self {
            key: CodedKey::Public,
            effort: Effort::default(),
            rate: CodedRate::default(),
        }
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

/// What hiding made.
#[derive(Clone, Debug)]
pub struct CodedContainer {
    /// The container, in the cover's size.
    pub container: Pixels,
    /// Size of the picture that was coded: the secret's own, or smaller where the cover had no room.
    pub coded_width: usize,
    /// See [`CodedContainer::coded_width`].
    pub coded_height: usize,
    /// PSNR of the coded picture in dB; none where nothing is lost. Where the secret was reduced it
    /// is that of the reduced picture.
    pub coded_psnr_db: Option<f64>,
    /// Bytes of the coded picture.
    pub coded_bytes: usize,
}

/// Why nothing was hidden by the coded method.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum CodedHideError {
    /// The cover has too few samples for any picture of the secret.
    #[error(
        "a cover of {width}x{height} is too small for this secret: at the quality asked for it \
         holds {bytes} bytes"
    )]
    CoverTooSmall {
        /// The cover's width.
        width: usize,
        /// The cover's height.
        height: usize,
        /// Bytes that it holds.
        bytes: usize,
    },
    /// The revealed picture cannot be that good in this cover.
    #[error("the secret takes {needed} bytes at {asked_db} dB, and the cover holds {most}")]
    RevealedDb {
        /// The quality asked for.
        asked_db: f64,
        /// Bytes that the secret takes.
        needed: usize,
        /// Bytes that the cover holds at most.
        most: usize,
    },
    /// A quality that is no number or not above zero.
    #[error("a PSNR of {found} dB: expected a number above 0")]
    Decibels {
        /// The quality asked for.
        found: f64,
    },
}

/// Hides `secret` in `cover`.
///
/// The same call gives the same container, whatever the number of threads. Memory: about 40 bytes a
/// pixel of the secret and 10 a pixel of the cover.
///
/// # Errors
/// When the cover is too small for the secret at the quality asked for; [`CodedHideError`].
pub fn hide_coded(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions<'_>,
) -> Result<CodedContainer, CodedHideError> {
    hide_at_cost(cover, secret, options, Cost::VERSION_1)
}

pub(super) fn hide_at_cost(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions<'_>,
    cost: Cost,
) -> Result<CodedContainer, CodedHideError> {
    let fitted = rate::fit(cover, secret, options)?;
    let segments = &fitted.coded.segments;
    let directory = Directory {
        own: (secret.width(), secret.height()),
        segments: segments.iter().map(|part| part.len() as u32).collect(),
    }
    .to_bytes();
    let parts: Vec<&[u8]> = std::iter::once(&directory)
        .chain(segments)
        .map(Vec::as_slice)
        .collect();
    let container = embed(cover, &parts, fitted.mix, options.key, cost);
    let mse = fitted.coded.mse;
    Ok(CodedContainer {
        container,
        coded_width: fitted.size.0,
        coded_height: fitted.size.1,
        coded_psnr_db: (mse > 0.0).then(|| rate::decibels_of_mse(mse)),
        coded_bytes: segments.iter().map(Vec::len).sum(),
    })
}

/// Seals the coded secret and puts it into the cover's samples.
pub(super) fn embed(
    cover: &Pixels,
    parts: &[&[u8]],
    mix: Mix,
    key: CodedKey<'_>,
    cost: Cost,
) -> Pixels {
    let needed = parts.iter().map(|part| part.len() + TAG_BYTES).sum();
    let Opened {
        keys,
        salt,
        channel,
        mix,
    } = open(cover, parts, needed, mix, key, cost);
    let mut payload = Vec::with_capacity(channel.capacity());
    for (number, part) in parts.iter().enumerate() {
        payload.extend(keys.seal(number, part));
    }
    let end = payload.len();
    payload.resize(channel.capacity(), 0);
    keys.pad(&mut payload[end..]);
    let header = Header {
        mix,
        directory: (parts[0].len() + TAG_BYTES) as u32,
    };
    let mut container = cover.clone();
    let samples = container.data_mut();
    preamble::write(samples, &salt, header, &keys);
    channel.embed(&mut samples[preamble::SAMPLES..], &payload);
    container
}

/// A channel with room for the payload, and the keys that lead to it.
struct Opened {
    keys: Keys,
    salt: Salt,
    channel: Channel,
    mix: Mix,
}

fn open(
    cover: &Pixels,
    parts: &[&[u8]],
    needed: usize,
    mut mix: Mix,
    key: CodedKey<'_>,
    cost: Cost,
) -> Opened {
    loop {
        let salt = salt(key, cover.data(), &mix.to_bytes(), parts, cost);
        let keys = Keys::derive(key, &salt, cost);
        let n_samples = cover.data().len() - preamble::SAMPLES;
        let channel = Channel::new(n_samples, mix, keys.payload_channel.clone());
        if channel.capacity() >= needed {
            return Opened {
                keys,
                salt,
                channel,
                mix,
            };
        }
        // The mix was chosen with six standard deviations to spare: not in a lifetime, but then a
        // little more must do.
        mix = mix.with_more();
    }
}
