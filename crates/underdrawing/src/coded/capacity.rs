//! What to expect of a cover, and of a secret in it, without hiding anything.

use underdrawing_codec::{Effort, RateCurve, n_stripes};

use crate::picture::Pixels;

use super::channel::assured_capacity;
use super::mix::{Costs, Mix};
use super::rate;

/// What a cover holds at the default rate, and what becomes of a secret there.
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

/// What to expect when `secret` is hidden in `cover` by the coded method at its default rate.
#[must_use]
pub fn capacity(cover: &Pixels, secret: Option<&Pixels>) -> Capacity {
    let mix = Mix::TERNARY;
    let (width, height) = secret.map_or((1, 1), |secret| (secret.width(), secret.height()));
    let n_segments = 1 + n_stripes(width, height);
    let bytes = assured_capacity(rate::payload_samples(cover), mix)
        .saturating_sub(rate::overhead(n_segments));
    let pixels = (cover.width() * cover.height()) as f64;
    Capacity {
        bytes,
        bits_per_pixel: 8.0 * bytes as f64 / pixels,
        container_psnr_db: rate::decibels_of_mse(Costs::of(cover).mse(mix)),
        revealed_psnr_db: secret.map(|secret| {
            let curve = RateCurve::of(&rate::coding_picture(secret), Effort::default());
            rate::decibels_of_mse(curve.mse_at(bytes))
        }),
    }
}
