//! What a decoder gives, and the picture that it is.

use image::ColorType;
use image::metadata::Orientation;

use super::tiff_tiles::Tiling;
use super::upright::upright;
use super::{Conversion, FileFormat, ImageFileError, Picture, colour, structure};
use crate::picture::{Limits, Raster};

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
    /// The picture of a column of tiles, if it is one.
    pub(super) fn tiled(self, tiling: Option<Tiling>) -> Self {
        let Some(tiling) = tiling else {
            return self;
        };
        Self {
            samples: tiling.side_by_side(&self.samples, self.layout.n_bytes()),
            width: tiling.width,
            height: tiling.height,
            ..self
        }
    }

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

/// How a decoder's samples lie.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) grey: bool,
    pub(super) alpha: bool,
    /// Native-endian, else 8 bit.
    pub(super) sixteen_bit: bool,
}

impl Layout {
    pub(super) fn of(color: ColorType, format: FileFormat) -> Result<Self, ImageFileError> {
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

    /// Bytes a pixel.
    fn n_bytes(self) -> usize {
        let n_samples = if self.grey { 1 } else { 3 } + usize::from(self.alpha);
        n_samples * if self.sixteen_bit { 2 } else { 1 }
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
