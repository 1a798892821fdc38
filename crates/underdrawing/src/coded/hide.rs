//! Hiding: a cover and a secret to a container.

use crate::coding::decibels_of_mse;
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::{OnProgress, Steps};
use crate::report::{Hidden, HiddenDetails};
use crate::secrecy::{Cost, Password, TAG_BYTES};

use super::channel::Channel;
use super::keys::{COST, Keys, Salt, salt};
use super::layout::{Directory, Header};
use super::mix::Mix;
use super::options::CodedOptions;
use super::preamble;
use super::rate::{self, Held};

/// Coding, keys, embedding.
const STEPS: usize = 3;

/// Hides `secret` in `cover`.
pub(crate) fn hide(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions,
    on_progress: &mut OnProgress<'_>,
) -> Result<Hidden, Error> {
    hide_at_cost(cover, secret, options, COST, on_progress)
}

pub(super) fn hide_at_cost(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions,
    cost: Cost,
    on_progress: &mut OnProgress<'_>,
) -> Result<Hidden, Error> {
    let mut steps = Steps::new(on_progress, STEPS);
    let Held { fitted, mix } = rate::fit(cover, secret, options, &mut steps)?;
    steps.step()?;
    let segments = &fitted.coded.segments;
    let directory = Directory {
        own: (secret.width(), secret.height()),
        finish: fitted.finish,
        segments: segments.iter().map(|part| part.len() as u32).collect(),
    }
    .to_bytes();
    let parts: Vec<&[u8]> = std::iter::once(&directory)
        .chain(segments)
        .map(Vec::as_slice)
        .collect();
    let password = options.password.as_ref();
    let container = embed(cover, &parts, mix, password, cost, &mut steps)?;
    Ok(Hidden {
        container,
        details: HiddenDetails::Coded {
            password: password.is_some(),
            width: fitted.size.0,
            height: fitted.size.1,
            bytes: segments.iter().map(Vec::len).sum(),
            psnr_db: (fitted.mse > 0.0).then(|| decibels_of_mse(fitted.mse)),
        },
    })
}

/// Seals the coded secret and puts it into the cover's samples.
pub(super) fn embed(
    cover: &Pixels,
    parts: &[&[u8]],
    mix: Mix,
    password: Option<&Password>,
    cost: Cost,
    steps: &mut Steps<'_>,
) -> Result<Pixels, Error> {
    let Opened {
        keys,
        salt,
        channel,
        mix,
    } = open(cover, parts, mix, password, cost);
    steps.step()?;
    let mut payload = Vec::with_capacity(channel.capacity());
    for (number, part) in parts.iter().enumerate() {
        payload.extend(keys.payload.seal(number, part));
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
    steps.step()?;
    Ok(container)
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
    mut mix: Mix,
    password: Option<&Password>,
    cost: Cost,
) -> Opened {
    let needed = parts.iter().map(|part| part.len() + TAG_BYTES).sum();
    loop {
        let salt = salt(password, cover.data(), &mix.to_bytes(), parts, cost);
        let keys = Keys::derive(password, &salt, cost);
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
        // Practically unreachable, since the mix was chosen with six standard deviations to spare:
        // retry with more capacity.
        mix = mix.with_more();
    }
}
