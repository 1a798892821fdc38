//! Which side is up: what every decoder does with a file's orientation tag.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage};

use super::Conversion;
use crate::picture::{Limits, Pixels, PixelsError, Raster};

/// How an Exif block begins in JPEG, and in WebP by some writers.
pub(super) const EXIF: &[u8] = b"Exif\0\0";

/// Pixels and alpha as they are stored, turned as the file's tag asks; the pixels remember how.
pub(super) fn upright(
    stored: Raster<u8>,
    alpha: Option<Vec<u8>>,
    orientation: Orientation,
    limits: &Limits,
    conversions: &mut Vec<Conversion>,
) -> Result<(Pixels, Option<Vec<u8>>), PixelsError> {
    let (width, height) = (stored.width as u32, stored.height as u32);
    limits.check(width.into(), height.into())?;
    if orientation == Orientation::NoTransforms {
        return Ok((Pixels::from_raster(stored), alpha));
    }
    conversions.push(Conversion::Turned);
    let alpha = alpha.map(|alpha| {
        let image = GrayImage::from_raw(width, height, alpha).expect("one sample a pixel");
        let mut image = DynamicImage::from(image);
        image.apply_orientation(orientation);
        image.into_bytes()
    });
    Ok((Pixels::turned(&stored, orientation), alpha))
}
