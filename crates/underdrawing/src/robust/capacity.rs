//! What to expect of a cover, and of a secret in it: all of hiding but the end.

use crate::coded::Capacity;
use crate::coding::decibels_of_mse;
use crate::error::{Error, ErrorKind};
use crate::reduction;

use super::hide::{self, Request};

/// What to expect of `request`; `of_secret` is false where its secret only stands for one.
pub(crate) fn capacity(request: &Request<'_>, of_secret: bool) -> Result<Capacity, Error> {
    let (width, height) = (request.cover.width(), request.cover.height());
    let (budget, mse) = match hide::expect(request) {
        Ok(expected) => expected,
        Err(error) if error.kind() == ErrorKind::TooSmall => return Ok(Capacity::NONE),
        Err(error) => return Err(error),
    };
    let expected = of_secret.then(|| {
        let effort = |size| request.options.effort_for(size);
        reduction::expect(request.secret, &budget, effort)
    });
    // Without a secret, as a picture of one stripe.
    let bytes = expected.map_or_else(|| budget(2).unwrap_or(0), |expected| expected.bytes);
    Ok(Capacity {
        bytes,
        bits_per_pixel: 8.0 * bytes as f64 / (width * height) as f64,
        container_psnr_db: decibels_of_mse(mse),
        revealed_psnr_db: expected.and_then(|expected| expected.psnr_db),
    })
}
