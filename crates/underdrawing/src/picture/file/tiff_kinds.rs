//! The kinds of TIFF that the usual decoder does not read, or reads wrongly: palettes, grey of few
//! bits or with alpha, JPEG's colours, and samples multiplied by their alpha.

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::stored::{Layout, Stored};
use super::structure::tiff_entry;
use super::tiff_errors::{damaged, failed, unread};
use super::tiff_tiles::Readable;
use super::{FileFormat, ImageFileError, Picture};
use crate::picture::Limits;

/// Numbers of the tag for how samples are to be understood.
const PHOTOMETRIC: u16 = 262;
const WHITE_IS_ZERO: u16 = 0;
const BLACK_IS_ZERO: u16 = 1;
const RGB: u16 = 2;
const PALETTE: u16 = 3;
const CMYK: u16 = 5;
const YCBCR: u16 = 6;

/// Number of JPEG among the compressions.
const JPEG: u16 = 7;

/// A TIFF of such a kind.
pub(super) struct Kind {
    colours: Colours,
    bits: u16,
    alpha: Alpha,
    /// Grey whose 0 is white, which the decoder does not read with alpha.
    inverted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Colours {
    Grey,
    Rgb,
    /// Indices of the file's colour map.
    Palette,
    /// Brightness and two differences, as JPEG has them.
    YCbCr,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Alpha {
    None,
    Straight,
    Multiplied,
}

/// The file's kind, if it is one of these.
///
/// # Errors
/// When nothing reads it.
pub(super) fn of(bytes: &[u8]) -> Result<Option<Kind>, ImageFileError> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let mut number = |tag, otherwise: u16| -> Result<u16, ImageFileError> {
        let numbers = decoder.find_tag_unsigned_vec::<u16>(tag).map_err(failed)?;
        Ok(numbers
            .and_then(|n| n.first().copied())
            .unwrap_or(otherwise))
    };
    let compression = number(Tag::Compression, 1)?;
    let photometric = number(Tag::PhotometricInterpretation, BLACK_IS_ZERO)?;
    let (bits, n_samples) = (
        number(Tag::BitsPerSample, 1)?,
        number(Tag::SamplesPerPixel, 1)?,
    );
    let (planes, float) = (
        number(Tag::PlanarConfiguration, 1)?,
        number(Tag::SampleFormat, 1)?,
    );
    let extra = number(Tag::ExtraSamples, 0)?;
    if let Some(found) = unread_compression(compression) {
        return Err(unread(format!("{found} compression")));
    }
    if number(Tag::FillOrder, 1)? == 2 {
        return Err(unread("bytes with their bits in reverse order".to_owned()));
    }
    if float != 1 || bits > 16 {
        let kind = match float {
            1 | 4 => "",
            2 => "signed ",
            3 => "floating-point ",
            _ => "complex ",
        };
        return Err(unread(format!("{kind}samples of {bits} bits")));
    }
    let colours = match photometric {
        WHITE_IS_ZERO | BLACK_IS_ZERO => Colours::Grey,
        RGB => Colours::Rgb,
        PALETTE => Colours::Palette,
        YCBCR if compression == JPEG => Colours::YCbCr,
        YCBCR => return Err(unread("unpacked YCbCr colours".to_owned())),
        CMYK if n_samples == 4 && matches!(bits, 8 | 16) => return Ok(None),
        CMYK => {
            return Err(unread(format!(
                "CMYK colours in {n_samples} samples of {bits} bits"
            )));
        }
        8..=10 => return Err(unread("Lab colours".to_owned())),
        _ => return Err(unread("colours of a rare kind".to_owned())),
    };
    let n_colours = if matches!(colours, Colours::Rgb | Colours::YCbCr) {
        3
    } else {
        1
    };
    let alpha = match (n_samples.checked_sub(n_colours), extra) {
        (Some(0), _) => Alpha::None,
        (Some(1), 1) => Alpha::Multiplied,
        (Some(1), _) => Alpha::Straight,
        _ => return Err(unread(format!("{n_samples} samples a pixel"))),
    };
    let inverted = photometric == WHITE_IS_ZERO && alpha != Alpha::None;
    if inverted && alpha == Alpha::Multiplied {
        return Err(unread(
            "greys from white to black multiplied by alpha".to_owned(),
        ));
    }
    if colours == Colours::Grey && alpha != Alpha::None && compression == JPEG {
        return Err(unread("JPEG compression of grey with alpha".to_owned()));
    }
    let usual = match colours {
        Colours::Grey => alpha == Alpha::None && matches!(bits, 1 | 8 | 16),
        Colours::Rgb => alpha != Alpha::Multiplied,
        Colours::Palette | Colours::YCbCr => false,
    };
    if usual {
        return Ok(None);
    }
    let read = match colours {
        Colours::Grey if alpha == Alpha::None => matches!(bits, 2 | 4),
        Colours::Grey | Colours::Rgb => matches!(bits, 8 | 16),
        Colours::Palette => alpha == Alpha::None && matches!(bits, 1 | 2 | 4 | 8),
        Colours::YCbCr => alpha == Alpha::None && bits == 8,
    };
    if !read || (planes != 1 && n_samples > 1) {
        let planes = if planes == 1 {
            ""
        } else {
            " in planes of their own"
        };
        let each = match n_samples {
            1 => String::new(),
            n => format!("{n} "),
        };
        return Err(unread(format!("{each}samples of {bits} bits{planes}")));
    }
    Ok(Some(Kind {
        colours,
        bits,
        alpha,
        inverted,
    }))
}

impl Kind {
    pub(super) fn decode(
        &self,
        file: &Readable<'_>,
        limits: &Limits,
    ) -> Result<Picture, ImageFileError> {
        let as_read = self.as_read(&file.bytes)?;
        let mut decoder = Decoder::new(Cursor::new(&as_read[..])).map_err(failed)?;
        let (width, height) = decoder.dimensions().map_err(failed)?;
        let n_pixels = width as usize * height as usize;
        let profile = decoder.get_tag_u8_vec(Tag::IccProfile).ok();
        let orientation = decoder
            .find_tag_unsigned::<u8>(Tag::Orientation)
            .map_err(failed)?;
        let map = match self.colours {
            Colours::Palette => decoder.get_tag_u16_vec(Tag::ColorMap).map_err(failed)?,
            _ => Vec::new(),
        };
        let mut memory = tiff::decoder::Limits::default();
        memory.decoding_buffer_size = 8 * n_pixels;
        let mut decoder = decoder.with_limits(memory);
        let samples = self.samples(decoder.read_image().map_err(failed)?, width, n_pixels, &map)?;
        let stored = Stored {
            width,
            height,
            orientation: orientation
                .and_then(Orientation::from_exif)
                .unwrap_or(Orientation::NoTransforms),
            profile,
            samples,
            layout: Layout {
                grey: self.colours == Colours::Grey,
                alpha: self.alpha != Alpha::None,
                sixteen_bit: self.bits == 16,
            },
        };
        stored
            .tiled(file.tiling)
            .picture(&file.bytes, FileFormat::Tiff, limits)
    }

    /// The file, with its samples called what the decoder reads as they are.
    fn as_read(&self, bytes: &[u8]) -> Result<Vec<u8>, ImageFileError> {
        let mut bytes = bytes.to_vec();
        let called = match self.colours {
            Colours::Grey if self.inverted => BLACK_IS_ZERO,
            Colours::Grey | Colours::Rgb => return Ok(bytes),
            Colours::Palette => BLACK_IS_ZERO,
            Colours::YCbCr => RGB,
        };
        let little = bytes.starts_with(b"II");
        let value = tiff_entry(&bytes, PHOTOMETRIC).ok_or_else(damaged)?;
        let number = if little {
            called.to_le_bytes()
        } else {
            called.to_be_bytes()
        };
        bytes
            .get_mut(value..value + 2)
            .ok_or_else(damaged)?
            .copy_from_slice(&number);
        Ok(bytes)
    }

    /// Grey, RGB, or either with straight alpha, as the layout says.
    fn samples(
        &self,
        read: DecodingResult,
        width: u32,
        n_pixels: usize,
        map: &[u16],
    ) -> Result<Vec<u8>, ImageFileError> {
        let wide = match read {
            DecodingResult::U8(samples) if self.bits < 8 => {
                unpacked(&samples, self.bits, width as usize)
            }
            DecodingResult::U8(samples) => samples.into_iter().map(u16::from).collect(),
            DecodingResult::U16(samples) => samples,
            _ => return Err(damaged()),
        };
        let alpha = usize::from(self.alpha != Alpha::None);
        let n_colours = if matches!(self.colours, Colours::Rgb | Colours::YCbCr) {
            3
        } else {
            1
        };
        if wide.len() != n_pixels * (n_colours + alpha) {
            return Err(damaged());
        }
        let mut samples = match self.colours {
            Colours::Palette => coloured(&wide, map).ok_or_else(damaged)?,
            Colours::YCbCr => wide.as_chunks().0.iter().flat_map(rgb_of_ycbcr).collect(),
            Colours::Grey if self.bits < 8 => {
                let most = (1 << self.bits) - 1;
                wide.into_iter().map(|grey| grey * 255 / most).collect()
            }
            Colours::Grey | Colours::Rgb => wide,
        };
        let most: u16 = if self.bits == 16 { 65_535 } else { 255 };
        if self.inverted {
            for pixel in samples.as_chunks_mut::<2>().0 {
                pixel[0] = most - pixel[0];
            }
        }
        if self.alpha == Alpha::Multiplied {
            samples
                .chunks_exact_mut(n_colours + 1)
                .for_each(|pixel| divide(pixel, most.into()));
        }
        Ok(match self.bits {
            16 => samples.into_iter().flat_map(u16::to_ne_bytes).collect(),
            _ => samples.into_iter().map(|sample| sample as u8).collect(),
        })
    }
}

/// Samples of fewer than eight bits, the first in the highest bits, rows in whole bytes.
fn unpacked(bytes: &[u8], bits: u16, width: usize) -> Vec<u16> {
    let (bits, mask) = (usize::from(bits), (1_u16 << bits) - 1);
    let row = |row: &[u8]| -> Vec<u16> {
        let sample = |x: usize| u16::from(row[x * bits / 8]) >> (8 - bits - x * bits % 8) & mask;
        (0..width).map(sample).collect()
    };
    bytes
        .chunks_exact((width * bits).div_ceil(8))
        .flat_map(row)
        .collect()
}

/// Colours of a map: all reds, all greens, all blues, of 16 bits, or of 8 by some writers.
fn coloured(indices: &[u16], map: &[u16]) -> Option<Vec<u16>> {
    let n = map.len() / 3;
    let wide = map.iter().any(|&value| value > 255);
    // Writers fill the lower byte with the upper one, or with 0.
    let value = |i: usize| if wide { map[i] >> 8 } else { map[i] };
    let mut samples = Vec::with_capacity(3 * indices.len());
    for &index in indices {
        let index = usize::from(index);
        if index >= n {
            return None;
        }
        samples.extend([0, n, 2 * n].map(|start| value(start + index)));
    }
    Some(samples)
}

/// The colours of a JPEG (JFIF 1.02).
fn rgb_of_ycbcr(&[y, cb, cr]: &[u16; 3]) -> [u16; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let rgb = [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ];
    rgb.map(|value| (value + 0.5).clamp(0.0, 255.0) as u16)
}

/// Undoes the multiplication of colours by the alpha that follows them.
fn divide(pixel: &mut [u16], most: u32) {
    let Some((&mut alpha, colours)) = pixel.split_last_mut() else {
        return;
    };
    let alpha = u32::from(alpha);
    if alpha == 0 {
        return;
    }
    for colour in colours {
        *colour = ((u32::from(*colour) * most + alpha / 2) / alpha).min(most) as u16;
    }
}

/// A compression that nothing here reads.
fn unread_compression(number: u16) -> Option<String> {
    Some(match number {
        1 | 4 | 5 | 7 | 8 | 32_773 | 32_946 => return None,
        2 | 3 => "fax".to_owned(),
        6 => "old-style JPEG".to_owned(),
        34_661 => "JBIG".to_owned(),
        33_003 | 33_005 | 34_712 => "JPEG 2000".to_owned(),
        34_887 => "LERC".to_owned(),
        34_925 => "LZMA".to_owned(),
        50_000 => "Zstandard".to_owned(),
        50_001 => "WebP".to_owned(),
        50_002 | 52_546 => "JPEG XL".to_owned(),
        34_933 => "PNG".to_owned(),
        other => format!("unknown (number {other})"),
    })
}
