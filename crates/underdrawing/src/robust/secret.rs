//! The secret at the few bits that there are.

use underdrawing_codec::{Coded, Effort, Encoder, Picture, decode, n_stripes};

use crate::coding::{coding_picture, rgb};
use crate::error::Error;
use crate::picture::{Pixels, Raster};
use crate::progress::Steps;

use super::message::overhead;

/// A secret that fits.
pub(super) struct Fitted {
    pub(super) coded: Coded,
    /// Width and height of the coded picture.
    pub(super) size: (usize, usize),
    /// Mean squared error of what is revealed, in the secret's own size.
    pub(super) mse: f64,
}

/// With so many bits for each of its pixels a secret is best coded in its own size.
const PLENTY: f64 = 0.15;

/// Share of a side that a reduction keeps.
const REDUCTION: f64 = 0.84;

/// Codes a secret in `budget` bytes, with what it takes to read it: in the size that gives the best
/// picture in its own size, by the judgement of the quick effort.
pub(super) fn fit(
    secret: &Pixels,
    budget: usize,
    effort: Effort,
    steps: &mut Steps<'_>,
) -> Result<Option<Fitted>, Error> {
    let own = (secret.width(), secret.height());
    let bits_per_pixel = 8.0 * budget as f64 / (own.0 * own.1) as f64;
    let mut best: Option<Fitted> = None;
    let mut size = own;
    if bits_per_pixel < PLENTY {
        loop {
            steps.check()?;
            let fitted = at_size(secret, size, budget, Effort::Fast);
            let better = match (&fitted, &best) {
                (Some(fitted), Some(best)) => fitted.mse < best.mse,
                (Some(_), None) => true,
                (None, _) => false,
            };
            if better {
                best = fitted;
            } else if best.is_some() {
                break;
            }
            if size == (1, 1) {
                break;
            }
            size = reduced(size);
        }
        let Some(found) = &best else { return Ok(None) };
        if effort == Effort::Fast {
            return Ok(best);
        }
        size = found.size;
    }
    steps.check()?;
    loop {
        match at_size(secret, size, budget, effort) {
            None if size != (1, 1) => size = reduced(size),
            fitted => return Ok(fitted.or(best)),
        }
    }
}

fn at_size(secret: &Pixels, size: (usize, usize), budget: usize, effort: Effort) -> Option<Fitted> {
    let n_segments = 1 + n_stripes(size.0, size.1);
    let budget = budget.checked_sub(overhead(n_segments))?;
    let own = (secret.width(), secret.height());
    let picture = coding_picture(&Pixels::from_raster(
        secret.raster().resized(size.0, size.1),
    ));
    let coded = Encoder::new(&picture, effort)
        .encode_to_bytes(budget)
        .ok()?;
    let mse = if size == own {
        coded.mse
    } else {
        let revealed = rgb(decoded(&coded)?).resized(own.0, own.1);
        error(secret.raster(), &revealed)
    };
    Some(Fitted { coded, size, mse })
}

fn decoded(coded: &Coded) -> Option<Picture> {
    let segments: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    let decoded = decode(&segments, underdrawing_codec::MAX_PIXELS).ok()?;
    Some(decoded.picture)
}

fn error(a: &Raster<u8>, b: &Raster<u8>) -> f64 {
    let squares = a
        .samples
        .iter()
        .zip(&b.samples)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
    squares.sum::<u64>() as f64 / a.samples.len() as f64
}

fn reduced(size: (usize, usize)) -> (usize, usize) {
    let side = |n: usize| ((n as f64 * REDUCTION) as usize).max(1);
    (side(size.0), side(size.1))
}
