//! JPEG XL, with the feature `jxl`. The decoder turns pictures upright by itself; an Exif block's
//! orientation does not count beside the format's own.

use image::metadata::Orientation;
use jxl_oxide::{AllocTracker, JxlImage};

use super::stored::{Layout, Stored};
use super::{FileFormat, ImageFileError, Picture};
use crate::picture::Limits;

const FORMAT: FileFormat = FileFormat::JpegXl;

/// Most memory that decoding takes for a pixel: floats of five channels, and as much again.
const BYTES_A_PIXEL: u64 = 40;

/// The largest samples that are read.
const MOST_BITS: u32 = 16;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageFileError> {
    let memory = usize::try_from(limits.max_pixels.saturating_mul(BYTES_A_PIXEL));
    let tracker = AllocTracker::with_limit(memory.unwrap_or(usize::MAX));
    let image = JxlImage::builder()
        .alloc_tracker(tracker)
        .read(bytes)
        .map_err(damaged)?;
    let (width, height) = (image.width(), image.height());
    limits.check(width.into(), height.into())?;
    if !image.is_loading_done() {
        return Err(ImageFileError::Truncated {
            format: FORMAT,
            missing: "its picture is incomplete",
        });
    }
    let metadata = &image.image_header().metadata;
    let format = image.pixel_format();
    let bits = metadata.bit_depth.bits_per_sample();
    let unread = |found: &str| ImageFileError::Unsupported {
        format: FORMAT,
        found: found.to_owned(),
    };
    if bits > MOST_BITS {
        return Err(unread("samples of more than 16 bits"));
    }
    if format.has_black() {
        return Err(unread("CMYK colours"));
    }
    if metadata
        .ec_info
        .iter()
        .any(|channel| channel.alpha_associated() == Some(true))
    {
        return Err(unread("colours multiplied by their alpha"));
    }
    let (lossy, animated) = (metadata.xyb_encoded, metadata.animation.is_some());
    let render = image.render_frame(0).map_err(damaged)?;
    let mut stream = render.stream();
    let n_samples = width as usize * height as usize * stream.channels() as usize;
    let samples = if bits > 8 {
        let mut samples = vec![0_u16; n_samples];
        stream.write_to_buffer(&mut samples);
        samples.into_iter().flat_map(u16::to_ne_bytes).collect()
    } else {
        let mut samples = vec![0_u8; n_samples];
        stream.write_to_buffer(&mut samples);
        samples
    };
    let stored = Stored {
        width,
        height,
        orientation: Orientation::NoTransforms,
        profile: Some(image.rendered_icc()),
        samples,
        layout: Layout {
            grey: format.is_grayscale(),
            alpha: format.has_alpha(),
            sixteen_bit: bits > 8,
        },
    };
    let mut picture = stored.picture(bytes, FORMAT, limits)?;
    picture.lossy = lossy;
    if animated {
        picture.conversions.insert(0, super::Conversion::FirstFrame);
    }
    // The decoder gives each picture a profile, one without any the one of grey or sRGB.
    let of_grey = super::Conversion::ProfileLeftOut;
    picture
        .conversions
        .retain(|&c| !(format.is_grayscale() && c == of_grey));
    Ok(picture)
}

fn damaged(error: Box<dyn std::error::Error + Send + Sync>) -> ImageFileError {
    ImageFileError::Corrupt {
        format: FORMAT,
        reason: error,
    }
}
