//! What to expect of a cover, and of a secret in it, without hiding anything.

use underdrawing_codec::RateCurve;

use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;

use super::mix::{Costs, Mix};
use super::options::{CodedOptions, CodedRate};
use super::rate;

/// What a cover holds, and what becomes of a secret there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Bytes of a coded secret that the cover holds; 0 where it does not hold any picture.
    pub bytes: usize,
    /// Bits of a coded secret for each pixel of the cover.
    pub bits_per_pixel: f64,
    /// Expected PSNR of the container in dB: when all of them are used, or by what the secret needs,
    /// when there is one.
    pub container_psnr_db: f64,
    /// PSNR of the revealed picture in dB, when there is a secret and it fits: that of coding it for
    /// so many bytes. Infinite where nothing is lost.
    pub revealed_psnr_db: Option<f64>,
}

impl Capacity {
    /// Of a cover that does not hold any picture, and stays as it is.
    pub(crate) const NONE: Self = Self {
        bytes: 0,
        bits_per_pixel: 0.0,
        container_psnr_db: f64::INFINITY,
        revealed_psnr_db: None,
    };
}

/// What to expect when `secret` is hidden in `cover`. Rates that depend on the secret count
/// without one as the most ([`CodedRate::RevealedDb`]) and as the default
/// ([`CodedRate::Equal`]).
pub(crate) fn capacity(
    cover: &Pixels,
    secret: Option<&Pixels>,
    options: &CodedOptions,
) -> Result<Capacity, Error> {
    let costs = Costs::of(cover);
    let size = secret.map_or((1, 1), |secret| (secret.width(), secret.height()));
    let effort = options.effort_for(size);
    // Other rates do not depend on the secret.
    let by_secret = matches!(options.rate, CodedRate::Equal | CodedRate::RevealedDb(_));
    let of_rate = secret.filter(|_| by_secret);
    let curve = of_rate.map(|secret| RateCurve::of(&coding_picture(secret), effort));
    let bytes = |mix| rate::budget(cover, mix, rate::n_segments(size)).unwrap_or(0);
    let mix = mix(cover, options.rate, bytes, curve.as_ref(), &costs)?;
    let held = secret.and_then(|secret| rate::at_mix(cover, secret, &costs, options, mix));
    let bytes = match (&held, secret) {
        (Some(held), _) => {
            rate::budget(cover, mix, rate::n_segments(held.fitted.size)).unwrap_or(0)
        }
        (None, Some(_)) => 0,
        (None, None) => bytes(mix),
    };
    let used = held.as_ref().map_or(mix, |held| held.mix);
    let pixels = (cover.width() * cover.height()) as f64;
    Ok(Capacity {
        bytes,
        bits_per_pixel: 8.0 * bytes as f64 / pixels,
        container_psnr_db: decibels_of_mse(costs.mse(used)),
        revealed_psnr_db: held.map(|held| decibels_of_mse(held.fitted.mse)),
    })
}

/// The mix that hiding is expected to use, where each holds so many bytes.
fn mix(
    cover: &Pixels,
    asked: CodedRate,
    bytes: impl Fn(Mix) -> usize,
    curve: Option<&RateCurve>,
    costs: &Costs,
) -> Result<Mix, Error> {
    Ok(match (asked, curve) {
        (CodedRate::Ternary, _) | (CodedRate::Equal, None) => Mix::TERNARY,
        (CodedRate::ContainerDb(db), _) => rate::mix_within(cover, mse_of_decibels(db)?, costs),
        (CodedRate::RevealedDb(db), curve) => {
            let mse = mse_of_decibels(db)?;
            let enough = curve.and_then(|curve| {
                let needed = curve.bytes_at(mse);
                Mix::least(|mix| bytes(mix) >= needed)
            });
            enough.unwrap_or(Mix::HIGHEST)
        }
        (CodedRate::Equal, Some(curve)) => {
            let crossing = Mix::least(|mix| curve.mse_at(bytes(mix)) <= costs.mse(mix));
            crossing.unwrap_or(Mix::HIGHEST)
        }
    })
}
