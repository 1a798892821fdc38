//! Encoding: lossless files only.

use std::io::Cursor;

use image::codecs::{bmp, png, qoi, tiff, webp};
use image::{ExtendedColorType, ImageEncoder, ImageError};

use super::{FileFormat, ImageFileError, Picture};

pub(super) fn encode(picture: &Picture, format: FileFormat) -> Result<Vec<u8>, ImageFileError> {
    match format {
        FileFormat::Png
        | FileFormat::Bmp
        | FileFormat::Tiff
        | FileFormat::Qoi
        | FileFormat::WebP => {}
        FileFormat::Jpeg => return Err(ImageFileError::Lossy { format }),
        FileFormat::Gif | FileFormat::Pnm => return Err(ImageFileError::NotWritten { format }),
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
    let mut file = Cursor::new(Vec::new());
    let profile = picture.icc_profile.as_ref();
    let size = (pixels.width() as u32, pixels.height() as u32);
    write(&mut file, data, size, color, profile, format).map_err(failed)?;
    Ok(file.into_inner())
}

fn write(
    file: &mut Cursor<Vec<u8>>,
    data: &[u8],
    (width, height): (u32, u32),
    color: ExtendedColorType,
    profile: Option<&Vec<u8>>,
    format: FileFormat,
) -> Result<(), ImageError> {
    match format {
        FileFormat::Png => {
            let compression = png::CompressionType::Default;
            let mut encoder =
                png::PngEncoder::new_with_quality(file, compression, png::FilterType::Adaptive);
            if let Some(profile) = profile {
                encoder.set_icc_profile(profile.clone())?;
            }
            encoder.write_image(data, width, height, color)
        }
        FileFormat::Tiff => {
            let mut encoder = tiff::TiffEncoder::new(file);
            if let Some(profile) = profile {
                encoder.set_icc_profile(profile.clone())?;
            }
            encoder.write_image(data, width, height, color)
        }
        FileFormat::WebP => {
            let mut encoder = webp::WebPEncoder::new_lossless(file);
            if let Some(profile) = profile {
                encoder.set_icc_profile(profile.clone())?;
            }
            encoder.write_image(data, width, height, color)
        }
        FileFormat::Bmp => bmp::BmpEncoder::new(file).write_image(data, width, height, color),
        _ => qoi::QoiEncoder::new(file).write_image(data, width, height, color),
    }
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
