//! The header at the start of segment 0: the picture's size and kind, and how it was coded.

use crate::colour::ColourBasis;
use crate::models::Models;
use crate::picture::{MAX_PIXELS, MAX_SIDE};
use thiserror::Error;

/// The newest version of the format. Its best models are others than those of version 1; what other
/// models code is the same and stays marked as version 1.
const VERSION: u8 = 2;

/// Steps are counted in this part of a grey level.
pub(crate) const UNITS_A_GREY_LEVEL: f64 = 16384.0;

/// Smallest and largest step, in 1/16384 grey levels.
pub(crate) const STEPS: std::ops::RangeInclusive<u32> = 256..=1 << 22;

/// The header's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) models: Models,
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Samples per pixel of the picture, 1 or 3.
    pub(crate) channels: usize,
    /// The basis of three planes; none if there is a single plane, with all channels equal.
    pub(crate) colour: Option<ColourBasis>,
    /// Quantiser step in 1/16384 grey levels.
    pub(crate) step: u32,
}

/// Why a header cannot be read.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The segment ends inside the header.
    #[error("the first segment of {found} bytes ends inside its header")]
    Truncated {
        /// Length of the segment.
        found: usize,
    },
    /// Another version of the format, or not a coded picture.
    #[error("format version {found}: expected 1 to {VERSION}")]
    Version {
        /// Version found.
        found: u8,
    },
    /// A side is zero or too large.
    #[error(
        "a picture of {width}x{height}: expected sides of 1 to {MAX_SIDE} and at most {MAX_PIXELS} pixels"
    )]
    Size {
        /// Width found.
        width: u64,
        /// Height found.
        height: u64,
    },
    /// A field has an invalid value.
    #[error("field `{name}` has the value {found}")]
    Field {
        /// Name of the field.
        name: &'static str,
        /// Value found.
        found: u64,
    },
}

impl Header {
    /// Appends the header.
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        let models = match self.models {
            Models::Lossless => 0,
            Models::Fast => 1,
            Models::Normal => 2,
            Models::Best | Models::BestV1 => 3,
        };
        let version = if self.models == Models::Best { 2 } else { 1 };
        let channels = u8::from(self.channels == 3) << 2;
        let planes = u8::from(self.colour.is_some()) << 3;
        bytes.extend_from_slice(&[version, models | channels | planes]);
        write_number(bytes, self.width as u64);
        write_number(bytes, self.height as u64);
        if self.models != Models::Lossless {
            write_number(bytes, u64::from(self.step));
            for value in self.colour.iter().flat_map(ColourBasis::stored).flatten() {
                bytes.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    /// Reads a header from the start of `bytes` and returns it with what follows.
    pub(crate) fn read(bytes: &[u8]) -> Result<(Self, &[u8]), HeaderError> {
        let mut reader = Reader { all: bytes, at: 0 };
        let version = reader.byte()?;
        if !(1..=VERSION).contains(&version) {
            return Err(HeaderError::Version { found: version });
        }
        let flags = reader.byte()?;
        let field = |name, found| HeaderError::Field { name, found };
        if flags >> 4 != 0 || flags >> 2 & 3 == 2 {
            return Err(field("flags", flags.into()));
        }
        let models = match flags & 3 {
            0 => Models::Lossless,
            1 => Models::Fast,
            2 => Models::Normal,
            _ if version == 1 => Models::BestV1,
            _ => Models::Best,
        };
        let (width, height) = (reader.number()?, reader.number()?);
        let side = 1..=MAX_SIDE as u64;
        let size_is_known = side.contains(&width) && side.contains(&height);
        if !size_is_known || width * height > MAX_PIXELS {
            return Err(HeaderError::Size { width, height });
        }
        let mut header = Self {
            models,
            width: width as usize,
            height: height as usize,
            channels: if flags >> 2 & 1 == 1 { 3 } else { 1 },
            colour: None,
            step: 0,
        };
        if models != Models::Lossless {
            let step = reader.number()?;
            header.step = u32::try_from(step)
                .ok()
                .filter(|step| STEPS.contains(step))
                .ok_or(field("step", step))?;
            if flags >> 3 & 1 == 1 {
                let (first, second) = (reader.row()?, reader.row()?);
                header.colour = Some(ColourBasis::from_rows(first, second));
            }
        }
        Ok((header, &bytes[reader.at..]))
    }
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

struct Reader<'a> {
    all: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn byte(&mut self) -> Result<u8, HeaderError> {
        let found = self.all.len();
        let byte = *self
            .all
            .get(self.at)
            .ok_or(HeaderError::Truncated { found })?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of at most four bytes, with seven bits in each, lowest first.
    fn number(&mut self) -> Result<u64, HeaderError> {
        let mut number = 0;
        for i in 0..4 {
            let byte = self.byte()?;
            number |= u64::from(byte & 127) << (7 * i);
            if byte < 128 {
                return Ok(number);
            }
        }
        Err(HeaderError::Field {
            name: "number",
            found: number,
        })
    }

    fn row(&mut self) -> Result<[i16; 3], HeaderError> {
        let mut row = [0; 3];
        for value in &mut row {
            *value = i16::from_le_bytes([self.byte()?, self.byte()?]);
        }
        Ok(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            models: Models::Best,
            width: 32_768,
            height: 300,
            channels: 3,
            colour: Some(ColourBasis::from_rows(
                [9459, 9459, 9459],
                [11585, 0, -11585],
            )),
            step: 15_000,
        }
    }

    #[test]
    fn headers_come_back() {
        let grey = Header {
            models: Models::Fast,
            channels: 1,
            colour: None,
            ..header()
        };
        let lossless = Header {
            models: Models::Lossless,
            colour: None,
            step: 0,
            ..header()
        };
        let old = Header {
            models: Models::BestV1,
            ..header()
        };
        for header in [header(), grey, lossless, old] {
            let mut bytes = Vec::new();
            header.write(&mut bytes);
            bytes.push(77);
            assert_eq!(Header::read(&bytes), Ok((header, &[77][..])));
        }
    }

    #[test]
    fn every_truncation_is_told() {
        let mut bytes = Vec::new();
        header().write(&mut bytes);
        for end in 0..bytes.len() {
            let found = Header::read(&bytes[..end]);
            assert_eq!(found, Err(HeaderError::Truncated { found: end }));
        }
    }

    #[test]
    fn wrong_fields_are_told() {
        struct Case {
            bytes: &'static [u8],
            expected: HeaderError,
        }
        let field = |name, found| HeaderError::Field { name, found };
        let cases = [
            Case {
                bytes: &[3, 1],
                expected: HeaderError::Version { found: 3 },
            },
            Case {
                bytes: &[1, 16, 1, 1],
                expected: field("flags", 16),
            },
            Case {
                bytes: &[1, 9, 1, 1, 100],
                expected: field("flags", 9),
            },
            Case {
                bytes: &[1, 1, 0, 1],
                expected: HeaderError::Size {
                    width: 0,
                    height: 1,
                },
            },
            Case {
                bytes: &[1, 1, 128, 128, 2, 128, 128, 2],
                expected: HeaderError::Size {
                    width: 32_768,
                    height: 32_768,
                },
            },
            Case {
                bytes: &[1, 1, 1, 1, 3],
                expected: field("step", 3),
            },
            Case {
                bytes: &[1, 1, 128, 128, 128, 128, 1],
                expected: field("number", 0),
            },
        ];
        for Case { bytes, expected } in cases {
            assert_eq!(Header::read(bytes), Err(expected), "{bytes:?}");
        }
    }
}
