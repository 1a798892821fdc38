//! JPEG files: coefficients and pixels by `underdrawing-jpeg`, orientation and profile here.

use std::sync::Arc;

use image::metadata::Orientation;
use underdrawing_jpeg::{Colours, Jpeg, JpegError};

use super::colour::rgb_profile;
use super::upright::{EXIF, upright};
use super::{Conversion, FileFormat, ImageFileError, Picture};
use crate::picture::{Limits, PixelsError, Raster};

const FORMAT: FileFormat = FileFormat::Jpeg;

/// Application segments that hold a colour profile: how they begin, before two bytes of numbers.
const PROFILE: &[u8] = b"ICC_PROFILE\0";

/// Bytes of a profile in one segment at most.
const PROFILE_PART: usize = 65_519;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageFileError> {
    let jpeg = Jpeg::read(bytes, limits.max_pixels).map_err(|error| classify(error, limits))?;
    limits.check(jpeg.width as u64, jpeg.height as u64)?;
    let mut conversions = Vec::new();
    match jpeg.colours {
        Colours::Grey => conversions.push(Conversion::GreyToRgb),
        Colours::Cmyk | Colours::Ycck => conversions.push(Conversion::CmykToRgb),
        Colours::YCbCr | Colours::Rgb => {}
    }
    let icc_profile = match profile(&jpeg) {
        Ok(profile) => rgb_profile(profile, &mut conversions),
        Err(Incomplete) => {
            conversions.push(Conversion::ProfileDamaged);
            None
        }
    };
    let stored = Raster {
        width: jpeg.width,
        height: jpeg.height,
        samples: jpeg.to_rgb(),
    };
    let (pixels, alpha) = upright(stored, None, orientation(&jpeg), limits, &mut conversions)?;
    Ok(Picture {
        pixels: pixels.with_jpeg(Arc::new(jpeg)),
        alpha,
        icc_profile,
        format: FORMAT,
        lossy: true,
        conversions,
    })
}

/// The file that pixels of the robust method stand for; none for any other pixels.
pub(super) fn encode(picture: &Picture) -> Option<Vec<u8>> {
    let mut jpeg = Jpeg::clone(picture.pixels.jpeg()?);
    jpeg.application.clear();
    if let Some(profile) = &picture.icc_profile {
        let parts = profile.chunks(PROFILE_PART);
        let n = u8::try_from(parts.len()).ok()?;
        for (number, part) in (1..).zip(parts) {
            let segment = [PROFILE, &[number, n], part].concat();
            jpeg.application.push((2, segment));
        }
    }
    Some(jpeg.write())
}

fn classify(error: JpegError, limits: &Limits) -> ImageFileError {
    match error {
        JpegError::Truncated => ImageFileError::Truncated {
            format: FORMAT,
            missing: "its picture is incomplete",
        },
        JpegError::Unsupported(found) => ImageFileError::Unsupported {
            format: FORMAT,
            found: found.to_owned(),
        },
        JpegError::TooLarge {
            width,
            height,
            max_pixels,
        } => ImageFileError::TooLarge(PixelsError::TooLarge {
            width: width as u64,
            height: height as u64,
            max_pixels,
            max_side: limits.max_side,
        }),
        _ => ImageFileError::Corrupt {
            format: FORMAT,
            reason: error.into(),
        },
    }
}

fn orientation(jpeg: &Jpeg) -> Orientation {
    jpeg.application
        .iter()
        .filter(|(number, _)| *number == 1)
        .find_map(|(_, content)| content.strip_prefix(EXIF))
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(Orientation::NoTransforms)
}

/// Parts of a profile are missing.
struct Incomplete;

/// The profile's parts in the order of their numbers, each of which stands before their number.
fn profile(jpeg: &Jpeg) -> Result<Option<Vec<u8>>, Incomplete> {
    let mut parts: Vec<&[u8]> = jpeg
        .application
        .iter()
        .filter(|(number, _)| *number == 2)
        .filter_map(|(_, content)| content.strip_prefix(PROFILE))
        .filter(|part| part.len() > 2)
        .collect();
    parts.sort_by_key(|part| part[0]);
    let n = parts.len();
    let complete = (1..).zip(&parts).all(|(number, part): (usize, _)| {
        (usize::from(part[0]), usize::from(part[1])) == (number, n)
    });
    if !complete {
        return Err(Incomplete);
    }
    let whole: Vec<u8> = parts.iter().flat_map(|part| &part[2..]).copied().collect();
    Ok((!whole.is_empty()).then_some(whole))
}
