//! Decoding: from a file's bytes to upright 8-bit RGB and alpha.

use std::io::Cursor;

use image::codecs::{bmp, gif, png, pnm, qoi, tiff, webp};
use image::error::UnsupportedErrorKind;
use image::metadata::Orientation;
use image::{ColorType, ImageDecoder, ImageError};

use super::upright::{EXIF, upright};
use super::{Conversion, FileFormat, ImageFileError, Picture, colour, jpeg, structure, tiff_kinds};
use crate::picture::{Limits, Raster};

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
    let failed = |error| classify(error, format);
    if format == FileFormat::Tiff
        && let Some(kind) = tiff_kinds::of(bytes)?
    {
        return kind.decode(bytes, limits);
    }
    let mut decoder = open(bytes, format).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into())?;
    structure::check_end(bytes, format)?;

    let layout = Layout::of(decoder.color_type(), format)?;
    let orientation = orientation(decoder.as_mut()).map_err(failed)?;
    let profile = decoder.icc_profile().map_err(failed)?;
    let stored = Stored {
        width,
        height,
        orientation,
        profile,
        samples: read_samples(decoder, format)?,
        layout,
    };
    stored.picture(bytes, format, limits)
}

/// What a decoder gives.
pub(super) struct Stored {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: Orientation,
    pub(super) profile: Option<Vec<u8>>,
    pub(super) samples: Vec<u8>,
    pub(super) layout: Layout,
}

impl Stored {
    /// The picture, with what the file says beside its samples.
    pub(super) fn picture(
        self,
        bytes: &[u8],
        format: FileFormat,
        limits: &Limits,
    ) -> Result<Picture, ImageFileError> {
        let mut conversions = Vec::new();
        if structure::has_more_frames(bytes, format) {
            conversions.push(Conversion::FirstFrame);
        }
        if format == FileFormat::Bmp && structure::bmp_has_idle_alpha(bytes) {
            conversions.push(Conversion::AlphaLeftOut);
        }
        let (rgb, mut alpha) = self.layout.convert(self.samples, &mut conversions);
        alpha = alpha.filter(|alpha| match format {
            // The decoder gives every GIF an alpha, also one without transparency.
            FileFormat::Gif => alpha.iter().any(|&a| a != 255),
            // Where all is transparent, alpha is not meant.
            FileFormat::Bmp => alpha.iter().any(|&a| a != 0),
            _ => true,
        });
        let icc_profile = colour::profile(bytes, format, self.profile, &mut conversions);
        let stored = Raster {
            width: self.width as usize,
            height: self.height as usize,
            samples: rgb,
        };
        let (pixels, alpha) = upright(stored, alpha, self.orientation, limits, &mut conversions)?;
        Ok(Picture {
            pixels,
            alpha,
            icc_profile,
            format,
            lossy: structure::is_lossy_webp(bytes, format),
            conversions,
        })
    }
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

/// The decoder of a format but JPEG and JPEG XL, with the header read and no pixels allocated.
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
        FileFormat::Pnm | FileFormat::Jpeg | FileFormat::JpegXl => {
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

/// How a decoder's samples lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) grey: bool,
    pub(super) alpha: bool,
    /// Native-endian, else 8 bit.
    pub(super) sixteen_bit: bool,
}

impl Layout {
    fn of(color: ColorType, format: FileFormat) -> Result<Self, ImageFileError> {
        let (grey, alpha, sixteen_bit) = match color {
            ColorType::L8 => (true, false, false),
            ColorType::La8 => (true, true, false),
            ColorType::Rgb8 => (false, false, false),
            ColorType::Rgba8 => (false, true, false),
            ColorType::L16 => (true, false, true),
            ColorType::La16 => (true, true, true),
            ColorType::Rgb16 => (false, false, true),
            ColorType::Rgba16 => (false, true, true),
            other => {
                return Err(ImageFileError::Unsupported {
                    format,
                    found: format!("pixels of type {other:?}"),
                });
            }
        };
        Ok(Self {
            grey,
            alpha,
            sixteen_bit,
        })
    }

    /// RGB samples and alpha. Works in place where it can: a picture may be large.
    fn convert(
        &self,
        mut samples: Vec<u8>,
        conversions: &mut Vec<Conversion>,
    ) -> (Vec<u8>, Option<Vec<u8>>) {
        if self.sixteen_bit {
            conversions.push(Conversion::SixteenBitTo8);
            samples = eight_bit(samples);
        }
        let color_channels = if self.grey { 1 } else { 3 };
        let alpha = self.alpha.then(|| take_alpha(&mut samples, color_channels));
        if self.grey {
            conversions.push(Conversion::GreyToRgb);
            samples = samples.iter().flat_map(|&grey| [grey; 3]).collect();
        }
        (samples, alpha)
    }
}

/// Rounds native-endian 16-bit samples to 8 bits: 65535 becomes 255, and steps are equally wide.
fn eight_bit(mut samples: Vec<u8>) -> Vec<u8> {
    let n = samples.len() / 2;
    for i in 0..n {
        let wide = u32::from(u16::from_ne_bytes([samples[2 * i], samples[2 * i + 1]]));
        samples[i] = ((wide * 255 + 32_767) / 65_535) as u8;
    }
    samples.truncate(n);
    samples.shrink_to_fit();
    samples
}

/// Moves the alpha, which follows every `color_channels` samples, out of `samples`.
fn take_alpha(samples: &mut Vec<u8>, color_channels: usize) -> Vec<u8> {
    let n = samples.len() / (color_channels + 1);
    let mut alpha = Vec::with_capacity(n);
    for i in 0..n {
        let start = i * (color_channels + 1);
        alpha.push(samples[start + color_channels]);
        samples.copy_within(start..start + color_channels, i * color_channels);
    }
    samples.truncate(n * color_channels);
    samples.shrink_to_fit();
    alpha
}
