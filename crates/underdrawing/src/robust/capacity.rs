//! What to expect of a cover, and of a secret in it: all of hiding but the end.

use crate::coded::Capacity;
use crate::coding::decibels_of_mse;
use crate::error::{Error, ErrorKind};

use super::hide::expect;
use super::plan::Request;

/// What to expect of `request`; `of_secret` is false where its secret only stands for one.
pub(crate) fn capacity(request: &Request<'_>, of_secret: bool) -> Result<Capacity, Error> {
    let expected = match expect(request) {
        Ok(expected) => expected,
        Err(error) if error.kind() == ErrorKind::TooSmall => return Ok(Capacity::NONE),
        Err(error) => return Err(error),
    };
    let pixels = (request.cover.width() * request.cover.height()) as f64;
    Ok(Capacity {
        bytes: expected.bytes,
        bits_per_pixel: 8.0 * expected.bytes as f64 / pixels,
        container_psnr_db: decibels_of_mse(expected.container_mse),
        revealed_psnr_db: of_secret.then(|| decibels_of_mse(expected.revealed_mse)),
    })
}
