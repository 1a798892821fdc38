//! What to expect of a cover, and of a secret in it, without hiding anything.

use underdrawing_codec::{RateCurve, n_stripes};

use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;

use super::channel::assured_capacity;
use super::mix::{Costs, Mix};
use super::options::{CodedOptions, CodedRate};
use super::rate;

/// What a cover holds, and what becomes of a secret there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// Bytes of a coded secret that the cover holds.
    pub bytes: usize,
    /// Bits of a coded secret for each pixel of the cover.
    pub bits_per_pixel: f64,
    /// Expected PSNR of the container in dB when all of them are used.
    pub container_psnr_db: f64,
    /// Expected PSNR of the revealed picture in dB, when there is a secret; estimated from a part
    /// of it, without coding. Above 100 dB: without loss.
    pub revealed_psnr_db: Option<f64>,
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
    let (width, height) = secret.map_or((1, 1), |secret| (secret.width(), secret.height()));
    let room = Room {
        n_samples: rate::payload_samples(cover),
        overhead: rate::overhead(1 + n_stripes(width, height)),
    };
    let effort = options.effort_for((width, height));
    let curve = secret.map(|secret| RateCurve::of(&coding_picture(secret), effort));
    let mix = room.mix(options.rate, curve.as_ref(), &costs)?;
    let bytes = room.bytes(mix);
    let pixels = (cover.width() * cover.height()) as f64;
    Ok(Capacity {
        bytes,
        bits_per_pixel: 8.0 * bytes as f64 / pixels,
        container_psnr_db: decibels_of_mse(costs.mse(mix)),
        revealed_psnr_db: curve.map(|curve| decibels_of_mse(curve.mse_at(bytes))),
    })
}

/// Where coded segments go.
struct Room {
    /// Samples of the cover that hold the payload.
    n_samples: usize,
    /// Bytes around the segments.
    overhead: usize,
}

impl Room {
    /// Bytes for the segments.
    fn bytes(&self, mix: Mix) -> usize {
        assured_capacity(self.n_samples, mix).saturating_sub(self.overhead)
    }

    /// The mix that hiding is expected to use.
    fn mix(&self, rate: CodedRate, curve: Option<&RateCurve>, costs: &Costs) -> Result<Mix, Error> {
        let mix = match (rate, curve) {
            (CodedRate::Ternary, _) | (CodedRate::Equal, None) => Mix::TERNARY,
            (CodedRate::ContainerDb(db), _) => Mix::within_error(mse_of_decibels(db)?, costs),
            (CodedRate::RevealedDb(db), curve) => {
                let mse = mse_of_decibels(db)?;
                let enough = curve.and_then(|curve| {
                    let needed = curve.bytes_at(mse);
                    Mix::least(|mix| self.bytes(mix) >= needed)
                });
                enough.unwrap_or(Mix::HIGHEST)
            }
            (CodedRate::Equal, Some(curve)) => {
                let crossing = Mix::least(|mix| curve.mse_at(self.bytes(mix)) <= costs.mse(mix));
                crossing.unwrap_or(Mix::HIGHEST)
            }
        };
        Ok(mix)
    }
}
