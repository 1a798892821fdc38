//! Encoding: lossless files only, but for JPEG whose coefficients are what is meant.

use std::io::Cursor;

use image::codecs::{bmp, png, qoi, tiff, webp};
use image::{ExtendedColorType, ImageEncoder, ImageError};

use super::{FileFormat, ImageFileError, Picture, jpeg};

/// For photographs and containers: thirty times as quick as the slow level, 5 milliseconds a
/// megapixel instead of 170, for files that are 4 % larger.
const QUICK: png::CompressionType = png::CompressionType::Fast;
/// For drawings in flat colours, whose files are up to an eighth as large.
const SMALL: png::CompressionType = png::CompressionType::Default;
/// A picture that the quick level brings below this part of its samples is a drawing: photographs
/// stay above a half, enlarged ones above a quarter.
const FLAT: f64 = 0.2;
const FILTER: png::FilterType = png::FilterType::Adaptive;

pub(super) fn encode(picture: &Picture, format: FileFormat) -> Result<Vec<u8>, ImageFileError> {
    if format.is_lossy() {
        return jpeg::encode(picture).ok_or(ImageFileError::Lossy { format });
    }
    if !format.is_written() {
        return Err(ImageFileError::NotWritten { format });
    }
    let pixels = &picture.pixels;
    let samples = match &picture.alpha {
        None => None,
        Some(alpha) => Some(with_alpha(pixels.data(), alpha)?),
    };
    let (data, color) = match &samples {
        None => (pixels.data(), ExtendedColorType::Rgb8),
        Some(samples) => (samples.as_slice(), ExtendedColorType::Rgba8),
    };
    let failed = |error: ImageError| ImageFileError::Encode {
        format,
        width: pixels.width(),
        height: pixels.height(),
        source: error.into(),
    };
    let profile = picture
        .icc_profile
        .as_deref()
        .filter(|_| format.keeps_profile());
    let size = (pixels.width() as u32, pixels.height() as u32);
    if format == FileFormat::Png {
        let png = |level| {
            let mut bytes = Vec::new();
            let encoder = png::PngEncoder::new_with_quality(&mut bytes, level, FILTER);
            write(encoder, data, size, color, profile).map_err(failed)?;
            Ok(bytes)
        };
        let bytes = png(QUICK)?;
        let flat = (bytes.len() as f64) < FLAT * data.len() as f64;
        return if flat { png(SMALL) } else { Ok(bytes) };
    }
    let mut bytes = Vec::new();
    let mut file = Cursor::new(&mut bytes);
    match format {
        FileFormat::Tiff => write(tiff::TiffEncoder::new(file), data, size, color, profile),
        FileFormat::WebP => {
            let encoder = webp::WebPEncoder::new_lossless(file);
            write(encoder, data, size, color, profile)
        }
        FileFormat::Bmp => write(bmp::BmpEncoder::new(&mut file), data, size, color, profile),
        _ => write(qoi::QoiEncoder::new(file), data, size, color, profile),
    }
    .map_err(failed)?;
    Ok(bytes)
}

fn write(
    mut encoder: impl ImageEncoder,
    data: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
    profile: Option<&[u8]>,
) -> Result<(), ImageError> {
    if let Some(profile) = profile {
        // Never refused: only formats with a place for it get one.
        let _ = encoder.set_icc_profile(profile.to_vec());
    }
    encoder.write_image(data, width, height, color)
}

/// RGBA samples, interleaved.
fn with_alpha(rgb: &[u8], alpha: &[u8]) -> Result<Vec<u8>, ImageFileError> {
    let n_pixels = rgb.len() / 3;
    if alpha.len() != n_pixels {
        return Err(ImageFileError::Alpha {
            expected: n_pixels,
            found: alpha.len(),
        });
    }
    let mut samples = Vec::with_capacity(4 * n_pixels);
    for (rgb, &alpha) in rgb.chunks_exact(3).zip(alpha) {
        samples.extend([rgb[0], rgb[1], rgb[2], alpha]);
    }
    Ok(samples)
}
