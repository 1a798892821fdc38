//! What to expect of a cover, and of a secret in it, without hiding anything.

use underdrawing_codec::RateCurve;

use crate::coded::{Capacity, CodedOptions};
use crate::coding::{coding_picture, decibels_of_mse};
use crate::error::Error;
use crate::picture::Pixels;
use crate::reduction;
use crate::secrecy::TAG_BYTES;

use super::message::overhead;
use super::rate;
use super::sites::Sites;

/// What to expect when `secret` is hidden in `cover` so that it survives a quality. Without a secret
/// a grey pixel stands for it where the rate depends on it.
pub(crate) fn capacity(
    cover: &Pixels,
    secret: Option<&Pixels>,
    options: &CodedOptions,
    survive: u8,
) -> Result<Capacity, Error> {
    let (width, height) = (cover.width(), cover.height());
    let sites = Sites::new(width, height).ok_or(Error::NoRoom {
        width,
        height,
        bytes: 0,
    })?;
    let curve = secret.map(|secret| {
        let effort = options.effort_for((secret.width(), secret.height()));
        RateCurve::of(&coding_picture(secret), effort)
    });
    let nothing = || {
        let pixel = Pixels::from_fn(1, 1, |_, _| [128; 3]).expect("a pixel is within any limits");
        RateCurve::of(&coding_picture(&pixel), options.effort_for((1, 1)))
    };
    let grid = rate::grid(survive, &sites, options.rate, 0, || {
        curve.clone().unwrap_or_else(nothing)
    })?;
    let all = rate::bytes(&sites, grid, 0);
    let of_secret = secret.zip(curve).map(|(secret, curve)| {
        let budget = |n_segments| all.checked_sub(TAG_BYTES + overhead(n_segments));
        reduction::expect(secret, budget, &curve)
    });
    let bytes = of_secret.map_or(all, |expected| expected.bytes);
    Ok(Capacity {
        bytes,
        bits_per_pixel: 8.0 * bytes as f64 / (width * height) as f64,
        container_psnr_db: decibels_of_mse(grid.mse()),
        revealed_psnr_db: of_secret.and_then(|expected| expected.psnr_db),
    })
}
