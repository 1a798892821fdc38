//! Decoding: from a file's bytes to upright 8-bit RGB and alpha.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::{bmp, gif, png, pnm, qoi, tiff, webp};
use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ImageDecoder, ImageError};

use super::stored::{Layout, Stored};
use super::tiff_tiles::{self, Readable};
use super::upright::EXIF;
use super::{Conversion, FileFormat, ImageFileError, Picture, jpeg, structure, tiff_kinds};
use crate::picture::Limits;

/// Most memory a decoder may take beside the pixels, for profiles, tables and single rows.
const DECODER_BYTES: u64 = 64 << 20;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageFileError> {
    let format = structure::format_of(bytes)?;
    if format == FileFormat::Jpeg {
        return jpeg::decode(bytes, limits);
    }
    #[cfg(feature = "jxl")]
    if format == FileFormat::JpegXl {
        return super::jpeg_xl::decode(bytes, limits);
    }
    #[cfg(feature = "heic")]
    if format == FileFormat::Heic {
        return super::heic::decode(bytes, limits);
    }
    if format == FileFormat::Tiff {
        let file = tiff_tiles::in_column(bytes, limits)?;
        let mut picture = match tiff_kinds::of(bytes)? {
            Some(kind) => kind.decode(&file, limits)?,
            None => decode_usual(bytes, &file, format, limits)?,
        };
        if structure::tiff_is_cmyk(bytes) {
            picture.conversions.push(Conversion::CmykToRgb);
        }
        if structure::tiff_extra_is_unspecified(bytes) && picture.alpha.take().is_some() {
            picture.conversions.push(Conversion::ExtraLeftOut);
        }
        return Ok(picture);
    }
    let file = Readable {
        bytes: readable(bytes, format),
        tiling: None,
    };
    decode_usual(bytes, &file, format, limits)
}

/// What the decoder takes for damage and is none is left out, or said otherwise.
fn readable(bytes: &[u8], format: FileFormat) -> Cow<'_, [u8]> {
    match format {
        // Colours that it does not know.
        FileFormat::Png => structure::without_png_chunk(bytes, b"cICP"),
        FileFormat::Bmp => structure::bmp_with_usual_masks(bytes),
        _ => Cow::Borrowed(bytes),
    }
}

/// A file by the decoder of its format, which reads `file` for `bytes`.
fn decode_usual(
    bytes: &[u8],
    file: &Readable<'_>,
    format: FileFormat,
    limits: &Limits,
) -> Result<Picture, ImageFileError> {
    let failed = |error| classify(error, format);
    structure::check_palette(bytes, format)?;
    let mut decoder = open(&file.bytes, format).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    if file.tiling.is_none() {
        limits.check(width.into(), height.into())?;
    }
    structure::check_end(bytes, format)?;

    let layout = Layout::of(decoder.color_type(), format)?;
    let mut orientation = orientation(decoder.as_mut()).map_err(failed)?;
    if orientation == Orientation::NoTransforms && format == FileFormat::Png {
        // The decoder looks before the pixels only.
        let late = structure::late_png_exif(bytes);
        orientation = late
            .and_then(Orientation::from_exif_chunk)
            .unwrap_or(orientation);
    }
    let profile = decoder.icc_profile().map_err(failed)?;
    let stored = Stored {
        width,
        height,
        orientation,
        profile,
        samples: read_samples(decoder, format)?,
        layout,
    };
    stored.tiled(file.tiling).picture(bytes, format, limits)
}

/// How the picture is to be turned. Some writers put JPEG's prefix before the Exif block, which the
/// decoder takes for damage.
fn orientation(decoder: &mut dyn ImageDecoder) -> Result<Orientation, ImageError> {
    let orientation = decoder.orientation()?;
    if orientation != Orientation::NoTransforms {
        return Ok(orientation);
    }
    let exif = decoder.exif_metadata()?;
    let block = exif.as_ref().and_then(|exif| exif.strip_prefix(EXIF));
    Ok(block
        .and_then(Orientation::from_exif_chunk)
        .unwrap_or(orientation))
}

/// The decoder of a format but JPEG, JPEG XL and HEIC, with the header read and no pixels allocated.
fn open<'a>(bytes: &'a [u8], format: FileFormat) -> Result<Box<dyn ImageDecoder + 'a>, ImageError> {
    let reader = Cursor::new(bytes);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(DECODER_BYTES);
    Ok(match format {
        FileFormat::Png => Box::new(png::PngDecoder::with_limits(reader, limits)?),
        FileFormat::WebP => Box::new(webp::WebPDecoder::new(reader)?),
        FileFormat::Bmp => Box::new(bmp::BmpDecoder::new(reader)?),
        FileFormat::Tiff => Box::new(tiff::TiffDecoder::new(reader)?),
        FileFormat::Gif => Box::new(gif::GifDecoder::new(reader)?),
        FileFormat::Qoi => Box::new(qoi::QoiDecoder::new(reader)?),
        FileFormat::Pnm | FileFormat::Jpeg | FileFormat::JpegXl | FileFormat::Heic => {
            Box::new(pnm::PnmDecoder::new(reader)?)
        }
    })
}

/// Decodes the pixels; the size was checked before.
fn read_samples(
    mut decoder: Box<dyn ImageDecoder + '_>,
    format: FileFormat,
) -> Result<Vec<u8>, ImageFileError> {
    let n_bytes = decoder.total_bytes();
    let mut limits = image::Limits::no_limits();
    // Twice: some decoders fill a buffer of their own first.
    limits.max_alloc = Some(2 * n_bytes + DECODER_BYTES);
    decoder
        .set_limits(limits)
        .map_err(|error| classify(error, format))?;
    let n_bytes = usize::try_from(n_bytes).map_err(|error| ImageFileError::Corrupt {
        format,
        reason: error.into(),
    })?;
    let mut samples = vec![0; n_bytes];
    decoder
        .read_image_boxed(&mut samples)
        .map_err(|error| classify(error, format))?;
    Ok(samples)
}

fn classify(error: ImageError, format: FileFormat) -> ImageFileError {
    match error {
        ImageError::Unsupported(error) => ImageFileError::Unsupported {
            format,
            found: match error.kind() {
                UnsupportedErrorKind::Color(color) => format!("pixels of type {color:?}"),
                _ => "pixels of a rare kind".to_owned(),
            },
        },
        error => ImageFileError::Corrupt {
            format,
            reason: error.into(),
        },
    }
}
