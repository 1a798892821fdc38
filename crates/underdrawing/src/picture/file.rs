//! Picture files: bytes in, pixels out, and back.
//!
//! The decoders and encoders are the `image` crate's, but for JPEG's. What is added here: sizes are checked before
//! anything is allocated, a file that ends early is an error, whatever a decoder changes on the
//! way is reported as a [`Conversion`], and a lossy file is never written.

mod colour;
mod decode;
mod encode;
#[cfg(feature = "heic")]
mod heic;
mod jpeg;
#[cfg(feature = "jxl")]
mod jpeg_xl;
mod stored;
mod structure;
mod tiff_errors;
mod tiff_kinds;
mod tiff_tiles;
mod upright;

use std::fmt;

use thiserror::Error;

use crate::channel::Channel;
use crate::picture::{Limits, Pixels, PixelsError};

/// A picture as it was in a file: its pixels and what else must survive hiding.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// The samples, 8-bit RGB, upright.
    pub pixels: Pixels,
    /// Opacity, one byte a pixel, row by row: `width * height` bytes; `None` when the file has
    /// none.
    pub alpha: Option<Vec<u8>>,
    /// The embedded ICC profile, when there is one for RGB.
    pub icc_profile: Option<Vec<u8>>,
    /// What the file was.
    pub format: FileFormat,
    /// Whether the file's compression changes pixels (JPEG, lossy WebP).
    pub lossy: bool,
    /// What was changed on the way in, each at most once.
    pub conversions: Vec<Conversion>,
}

impl Picture {
    /// Reads a picture file.
    ///
    /// The size in the header is checked against `limits` before the pixels are allocated. An
    /// animation gives its first frame, a TIFF of several pages its first page.
    ///
    /// # Errors
    /// When the bytes are not a picture that is read here, are corrupt or truncated, or exceed the
    /// limits.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, ImageFileError> {
        decode::decode(bytes, limits)
    }

    /// Writes a picture file: lossless, 8 bit, RGB or RGBA (when there is alpha).
    ///
    /// JPEG is written for pixels that came as one: those of a JPEG file, and containers hidden as
    /// JPEG ([`HideOptions::Robust`](crate::HideOptions)). It holds the same coefficients, without
    /// alpha.
    ///
    /// The ICC profile is kept in PNG, TIFF, WebP and JPEG; BMP and QOI have no place for it. Decoding
    /// gives back the same pixels and alpha.
    ///
    /// # Errors
    /// When the format is JPEG and the pixels did not come as one, is not written here, or cannot hold a picture of this size.
    pub fn encode(&self, format: FileFormat) -> Result<Vec<u8>, ImageFileError> {
        encode::encode(self, format)
    }

    /// Takes what another reader of files found as the embedded colour profile. One that is none, or
    /// not for these colours, is left out, and [`Picture::conversions`] says so; a profile of grey
    /// counts where they say that grey became RGB.
    pub fn set_profile(&mut self, profile: Vec<u8>) {
        self.icc_profile = colour::rgb_profile(Some(profile), &mut self.conversions);
    }

    /// Converts the colours to sRGB, which pixels without a profile are; says so where there was a
    /// profile, which is gone then.
    pub fn convert_to_srgb(&mut self) -> Option<Conversion> {
        let profile = self.icc_profile.take()?;
        let Some(converted) = colour::to_srgb(self.pixels.data(), &profile) else {
            return Some(Conversion::ProfileNotUnderstood);
        };
        if converted == self.pixels.data() {
            return None;
        }
        self.pixels.data_mut().copy_from_slice(&converted);
        Some(Conversion::ToSrgb)
    }

    /// The picture as secrets are hidden, and covers of what is to survive JPEG: its colours
    /// converted to sRGB, and laid on white. What that changed is added to
    /// [`Picture::conversions`].
    #[must_use]
    pub fn into_plain(mut self) -> Self {
        let to_srgb = self.convert_to_srgb();
        let mut conversions = std::mem::take(&mut self.conversions);
        let (format, lossy) = (self.format, self.lossy);
        let (pixels, had_alpha) = self.on_white();
        conversions.extend(to_srgb);
        conversions.extend(had_alpha.then_some(Conversion::OnWhite));
        Self {
            format,
            lossy,
            conversions,
            ..Self::from(pixels)
        }
    }

    /// Whether the pixels hold what the file does, exactly.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.conversions.iter().all(|conversion| {
            matches!(
                conversion,
                Conversion::GreyToRgb | Conversion::Turned | Conversion::FirstFrame
            )
        })
    }

    /// The picture as a cover of what is to survive JPEG: plain, since pages and messengers convert
    /// colours to sRGB and JPEG has no alpha, and in the size that the channel keeps, if there is one.
    /// What that changed is added to [`Picture::conversions`].
    ///
    /// # Errors
    /// When the size is over the limits.
    pub fn to_survive(self, channel: Option<&Channel>) -> Result<Self, PixelsError> {
        let mut plain = self.into_plain();
        let (width, height) = (plain.pixels.width(), plain.pixels.height());
        if let Some((width, height)) = channel.and_then(|channel| channel.reduced(width, height)) {
            plain.pixels = plain.pixels.resized(width, height)?;
            plain
                .conversions
                .push(Conversion::Reduced { width, height });
        }
        Ok(plain)
    }

    /// The container that was made of this cover, with its alpha and its profile.
    #[must_use]
    pub fn with_container(&self, container: Pixels) -> Self {
        Self {
            alpha: self.alpha.clone(),
            icc_profile: self.icc_profile.clone(),
            ..Self::from(container)
        }
    }

    /// The picture laid on white, and whether that changed anything.
    ///
    /// Blends the sRGB-encoded samples, as viewers and browsers do.
    #[must_use]
    pub fn on_white(self) -> (Pixels, bool) {
        let mut pixels = self.pixels;
        let Some(alpha) = self.alpha else {
            return (pixels, false);
        };
        for (rgb, &alpha) in pixels.data_mut().chunks_exact_mut(3).zip(&alpha) {
            let alpha = u32::from(alpha);
            for sample in rgb {
                let blended = u32::from(*sample) * alpha + 255 * (255 - alpha);
                *sample = ((blended + 127) / 255) as u8;
            }
        }
        (pixels, alpha.iter().any(|&alpha| alpha != 255))
    }
}

impl From<Pixels> for Picture {
    /// A picture without alpha or profile, as a PNG file would hold it.
    fn from(pixels: Pixels) -> Self {
        Self {
            pixels,
            alpha: None,
            icc_profile: None,
            format: FileFormat::Png,
            lossy: false,
            conversions: Vec::new(),
        }
    }
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Picture")
            .field("pixels", &self.pixels)
            .field("alpha", &self.alpha.is_some())
            .field("icc_profile", &self.icc_profile.as_ref().map(Vec::len))
            .field("format", &self.format)
            .field("lossy", &self.lossy)
            .field("conversions", &self.conversions)
            .finish()
    }
}

/// A kind of picture file that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// Portable Network Graphics.
    Png,
    /// JPEG, baseline or progressive.
    Jpeg,
    /// WebP, lossy or lossless.
    WebP,
    /// Windows bitmap.
    Bmp,
    /// Tagged Image File Format.
    Tiff,
    /// Graphics Interchange Format.
    Gif,
    /// Quite OK Image.
    Qoi,
    /// Portable anymap: PBM, PGM, PPM, PAM.
    Pnm,
    /// JPEG XL; read with the feature `jxl`.
    JpegXl,
    /// HEIC; read with the feature `heic`.
    Heic,
}

impl FileFormat {
    /// What the first bytes say the file is.
    ///
    /// # Errors
    /// [`ImageFileError::NotRead`] for a known format that is not read here,
    /// [`ImageFileError::Unknown`] for anything else.
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, ImageFileError> {
        structure::format_of(bytes)
    }

    /// The format that a file name's extension (without the dot, any case) stands for.
    #[must_use]
    pub fn of_extension(extension: &str) -> Option<Self> {
        Some(match extension.to_ascii_lowercase().as_str() {
            "png" => Self::Png,
            "jpg" | "jpeg" | "jpe" | "jfif" => Self::Jpeg,
            "webp" => Self::WebP,
            "bmp" | "dib" => Self::Bmp,
            "tif" | "tiff" => Self::Tiff,
            "gif" => Self::Gif,
            "qoi" => Self::Qoi,
            "pnm" | "ppm" | "pgm" | "pbm" | "pam" => Self::Pnm,
            "jxl" if cfg!(feature = "jxl") => Self::JpegXl,
            "heic" | "heif" | "hif" if cfg!(feature = "heic") => Self::Heic,
            _ => return None,
        })
    }

    /// The name to show.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::WebP => "WebP",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
            Self::Gif => "GIF",
            Self::Qoi => "QOI",
            Self::Pnm => "PNM",
            Self::JpegXl => "JPEG XL",
            Self::Heic => "HEIC",
        }
    }

    /// Whether every file of this format is lossy: only JPEG. A WebP and a JPEG XL can be either, see
    /// [`Picture::lossy`]; it is always written losslessly here.
    #[must_use]
    pub fn is_lossy(self) -> bool {
        self == Self::Jpeg
    }

    /// Whether pictures are written in this format; the others are only read.
    #[must_use]
    pub fn is_written(self) -> bool {
        match self {
            Self::Png | Self::WebP | Self::Bmp | Self::Tiff | Self::Qoi => true,
            Self::Jpeg | Self::Gif | Self::Pnm | Self::JpegXl | Self::Heic => false,
        }
    }

    /// Whether files of this format are written with their colour profile.
    #[must_use]
    pub fn keeps_profile(self) -> bool {
        matches!(self, Self::Png | Self::WebP | Self::Tiff | Self::Jpeg)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What reading a file changed in the picture. Displays as a part of a sentence for the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conversion {
    /// 16 bits a sample, rounded to 8.
    SixteenBitTo8,
    /// Grey, repeated to red, green and blue.
    GreyToRgb,
    /// The four inks of print, converted to red, green and blue without a profile.
    CmykToRgb,
    /// Turned or mirrored to stand upright, as the file's orientation tag asks.
    Turned,
    /// An animation or a file of several pages, of which only the first is used.
    FirstFrame,
    /// The embedded colour profile is for other colours than the picture's, CMYK for one.
    ProfileLeftOut,
    /// The embedded colour profile is incomplete or none.
    ProfileDamaged,
    /// Colours that no profile describes: of a high dynamic range.
    ColoursLeftOut,
    /// Colours of kinds that are not known, or numbers that cannot be colours.
    ColoursUnknown,
    /// A sample after the colours of which the file says that it is no alpha.
    ExtraLeftOut,
    /// A note that samples have fewer bits than they take.
    SignificantBits,
    /// A mask for alpha where the format has none.
    AlphaLeftOut,
    /// The colour profile is in another file.
    ProfileElsewhere,
    /// Colours converted by [`Picture::convert_to_srgb`].
    ToSrgb,
    /// Colours that [`Picture::convert_to_srgb`] could not convert.
    ProfileNotUnderstood,
    /// Transparency laid on white.
    OnWhite,
    /// Reduced to the size that a [`Channel`] keeps.
    Reduced {
        /// Width that it has now.
        width: usize,
        /// Height that it has now.
        height: usize,
    },
}

impl fmt::Display for Conversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reduced { width, height } => {
                return write!(f, "reduced to {width}x{height}");
            }
            Self::OnWhite => "transparency laid on white",
            Self::SixteenBitTo8 => "16 bits a sample become 8",
            Self::GreyToRgb => "grey becomes RGB",
            Self::CmykToRgb => "CMYK becomes RGB, without a profile",
            Self::Turned => "turned upright as its orientation tag asks",
            Self::FirstFrame => "only the first frame or page is used",
            Self::ProfileLeftOut => "its colour profile is not for its colours and is left out",
            Self::ProfileDamaged => "its colour profile is damaged and is left out",
            Self::ColoursLeftOut => {
                "its colours are of a kind that no profile describes (a high dynamic range), and \
                 are taken as sRGB"
            }
            Self::ColoursUnknown => {
                "what it says of its colours is not known or cannot be, and they are taken as sRGB"
            }
            Self::ExtraLeftOut => "its fourth channel is not alpha and is left out",
            Self::SignificantBits => "its note of significant bits is left out",
            Self::AlphaLeftOut => "its alpha mask does not count in this kind of BMP",
            Self::ProfileElsewhere => "its colour profile is in another file and is left out",
            Self::ToSrgb => "its colours are converted to sRGB",
            Self::ProfileNotUnderstood => {
                "its colour profile is not understood, and its colours are taken as sRGB"
            }
        })
    }
}

/// Why a picture file was not read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageFileError {
    /// The bytes are no picture that is known here.
    #[error(
        "not a picture file: expected PNG, JPEG, WebP, BMP, TIFF, GIF, QOI or PNM, found {found}"
    )]
    Unknown {
        /// The first bytes, or that there are none.
        found: String,
    },
    /// A picture, but of a format that is not read here.
    #[error("{name} is not supported: convert it to PNG first{way}")]
    NotRead {
        /// The format's name.
        name: &'static str,
        /// A program that does, or a feature; may be empty.
        way: &'static str,
    },
    /// The file ends before its picture does.
    #[error("{format} file is truncated: {missing}")]
    Truncated {
        /// What the file is.
        format: FileFormat,
        /// What should have come.
        missing: &'static str,
    },
    /// The decoder stopped.
    #[error("{format} file is damaged or incomplete")]
    Corrupt {
        /// What the file is.
        format: FileFormat,
        /// The decoder's reason, in its own words, which no message repeats.
        reason: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A well-formed file whose kind of pixels is not read here.
    #[error("{format} with {found} is not supported: convert it to an 8 or 16 bit PNG first")]
    Unsupported {
        /// What the file is.
        format: FileFormat,
        /// The kind of pixels.
        found: String,
    },
    /// Over the limits, or no pixels at all.
    #[error(transparent)]
    TooLarge(#[from] PixelsError),
    /// A lossy format was asked for.
    #[error(
        "{format} changes pixels: write PNG, BMP, TIFF, QOI or lossless WebP; only hiding itself makes \
         a JPEG, where its output is one and it has a quality to survive"
    )]
    Lossy {
        /// The format asked for.
        format: FileFormat,
    },
    /// A format that is only read was asked for.
    #[error("{format} files are not written: PNG, BMP, TIFF, QOI and lossless WebP are")]
    NotWritten {
        /// The format asked for.
        format: FileFormat,
    },
    /// The alpha does not belong to the pixels.
    #[error("alpha of {found} bytes does not fit the picture: expected {expected}")]
    Alpha {
        /// Pixels of the picture.
        expected: usize,
        /// Bytes of alpha.
        found: usize,
    },
    /// The encoder stopped, for instance because the format cannot hold so large a picture.
    #[error("a picture of {width}x{height} cannot be written as {format}")]
    Encode {
        /// The format asked for.
        format: FileFormat,
        /// Width of the picture.
        width: usize,
        /// Height of the picture.
        height: usize,
        /// The encoder's reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
