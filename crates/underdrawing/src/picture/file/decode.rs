//! Decoding: from a file's bytes to upright 8-bit RGB and alpha.

use std::io::Cursor;

use image::codecs::{bmp, gif, png, pnm, qoi, tiff, webp};
use image::error::UnsupportedErrorKind;
use image::{ColorType, ImageDecoder, ImageError};

use super::upright::{Upright, rgb_profile};
use super::{Conversion, FileFormat, ImageFileError, Picture, jpeg, structure};
use crate::picture::{Limits, Pixels};

/// Most memory a decoder may take beside the pixels, for profiles, tables and single rows.
const DECODER_BYTES: u64 = 64 << 20;

pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Picture, ImageFileError> {
    let format = structure::format_of(bytes)?;
    if format == FileFormat::Jpeg {
        return jpeg::decode(bytes, limits);
    }
    let failed = |error| classify(error, format);
    let mut decoder = open(bytes, format).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    limits.check(width.into(), height.into())?;
    structure::check_end(bytes, format)?;

    let color = decoder.color_type();
    let layout = Layout::of(color, format)?;
    let mut conversions = Vec::new();
    if structure::has_more_frames(bytes, format) {
        conversions.push(Conversion::FirstFrame);
    }
    let orientation = decoder.orientation().map_err(failed)?;
    let profile = decoder.icc_profile().map_err(failed)?;

    let samples = read_samples(decoder, format)?;
    let (rgb, mut alpha) = layout.convert(samples, &mut conversions);
    if format == FileFormat::Gif {
        // The decoder gives every GIF an alpha, also one without transparency.
        alpha = alpha.filter(|alpha| alpha.iter().any(|&a| a != 255));
    }
    let icc_profile = rgb_profile(profile, &mut conversions);
    let upright = Upright::new(width, height, orientation, &mut conversions);
    let (rgb, width, height) = upright.rgb(rgb);
    Ok(Picture {
        pixels: Pixels::rgb8_within(rgb, width, height, limits)?,
        alpha: alpha.map(|alpha| upright.alpha(alpha)),
        icc_profile,
        format,
        lossy: structure::is_lossy_webp(bytes, format),
        conversions,
    })
}

/// The decoder of a format but JPEG, with the header read and no pixels allocated.
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
        FileFormat::Pnm | FileFormat::Jpeg => Box::new(pnm::PnmDecoder::new(reader)?),
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
        source: error.into(),
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
                UnsupportedErrorKind::GenericFeature(feature) => feature,
                _ => "a kind of picture".to_owned(),
            },
        },
        error => ImageFileError::Corrupt {
            format,
            source: error.into(),
        },
    }
}

/// How a decoder's samples lie.
struct Layout {
    grey: bool,
    alpha: bool,
    sixteen_bit: bool,
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
