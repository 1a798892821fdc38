//! Decoding: segments to a picture.

use crate::entropy::RangeCoder;
use crate::header::{Header, HeaderError, UNITS_A_GREY_LEVEL};
use crate::models::Models;
use crate::part::{Cut, Part};
use crate::parts::{PackedPart, Parts};
use crate::{Picture, lossless, parallel, planes};
use std::ops::Range;
use thiserror::Error;

/// Why segments are not a picture.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// There is no first segment, without which nothing can be decoded.
    #[error("the first segment is missing")]
    FirstMissing,
    /// The first segment does not start with a valid header.
    #[error("the header cannot be read")]
    Header(#[from] HeaderError),
    /// The number of segments is not the one in the header.
    #[error("{found} segments: expected {expected}")]
    Segments {
        /// Segments that the header asks for.
        expected: usize,
        /// Segments given.
        found: usize,
    },
    /// The picture is larger than the caller is willing to hold.
    #[error("a picture of {pixels} pixels: the limit is {limit}")]
    Limit {
        /// Pixels of the picture.
        pixels: u64,
        /// Pixels allowed.
        limit: u64,
    },
}

/// A decoded picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The picture.
    pub picture: Picture<'static>,
    /// The quantiser's step in grey levels; none if the picture was coded without loss.
    pub step: Option<f64>,
    /// Rows that lack fine detail since their segment is missing, or that are next to such rows and
    /// disturbed by them. From top to bottom; ranges may overlap.
    pub lost_rows: Vec<Range<usize>>,
}

/// Number of segments of a coded picture, read from the first one.
///
/// # Errors
/// When the first segment does not start with a valid header.
pub fn n_segments(first: &[u8]) -> Result<usize, DecodeError> {
    let (header, _) = Header::read(first)?;
    Ok(1 + Cut::new(header.width, header.height).n_stripes())
}

/// Whether a coded picture, of which this is the first segment, was coded without loss: then rows
/// of a missing stripe are blank.
#[must_use]
pub fn is_lossless(first: &[u8]) -> bool {
    Header::read(first).is_ok_and(|(header, _)| header.models == Models::Lossless)
}

/// Number of stripes, the segments after the first, of a picture of this size.
#[must_use]
pub fn n_stripes(width: usize, height: usize) -> usize {
    Cut::new(width, height).n_stripes()
}

/// Decodes a picture from its segments. A missing stripe (`None`) leaves its rows without fine
/// detail.
///
/// `max_pixels` is the size that the caller is willing to hold, at about 8 bytes a pixel while
/// decoding, and 20 where the bytes are made to take most. Nothing of a larger picture is allocated.
/// [`MAX_PIXELS`](crate::MAX_PIXELS), the format's own limit, accepts every picture.
///
/// Once the header is valid, any bytes decode to some picture. Whether they are the bytes that were
/// written is for the caller to check.
///
/// # Errors
/// When the header is not valid, or asks for another number of segments or for more than
/// `max_pixels` pixels.
pub fn decode(segments: &[Option<&[u8]>], max_pixels: u64) -> Result<Decoded, DecodeError> {
    let first = segments
        .first()
        .copied()
        .flatten()
        .ok_or(DecodeError::FirstMissing)?;
    let (header, rest) = Header::read(first)?;
    let pixels = header.width as u64 * header.height as u64;
    if pixels > max_pixels {
        return Err(DecodeError::Limit {
            pixels,
            limit: max_pixels,
        });
    }
    let cut = Cut::new(header.width, header.height);
    let expected = 1 + cut.n_stripes();
    if segments.len() != expected {
        return Err(DecodeError::Segments {
            expected,
            found: segments.len(),
        });
    }
    let stripes = &segments[1..];
    let lossless = header.models == Models::Lossless;
    let samples = if lossless {
        decode_lossless(&header, &cut, stripes)
    } else {
        let parts = decode_parts(&header, &cut, rest, stripes);
        let size = (header.width, header.height, header.channels);
        planes::samples(&parts, size, header.colour.as_ref(), header.step)
    };
    let picture = Picture::new(header.width, header.height, header.channels, samples)
        .expect("the header's size was checked");
    let lost_rows = (0..stripes.len())
        .filter(|&i| stripes[i].is_none())
        .map(|i| {
            if lossless {
                cut.rows(i)
            } else {
                cut.reached_rows(i)
            }
        })
        .collect();
    Ok(Decoded {
        picture,
        step: (!lossless).then(|| f64::from(header.step) / UNITS_A_GREY_LEVEL),
        lost_rows,
    })
}

/// Decodes stripes that were coded without loss. The samples of missing ones are 128.
fn decode_lossless(header: &Header, cut: &Cut, stripes: &[Option<&[u8]>]) -> Vec<u8> {
    let stride = header.width * header.channels;
    let mut samples = vec![128; stride * header.height];
    let mut rest = samples.as_mut_slice();
    let mut rows = Vec::with_capacity(stripes.len());
    for i in 0..stripes.len() {
        let (stripe, after) = rest.split_at_mut(cut.rows(i).len() * stride);
        rows.push(stripe);
        rest = after;
    }
    parallel::map(rows.into_iter().zip(stripes), |(rows, bytes)| {
        if let Some(bytes) = bytes {
            lossless::decode(bytes, header.width, header.channels, rows);
        }
    });
    samples
}

/// Decodes all parts to multiples of the step.
fn decode_parts(header: &Header, cut: &Cut, first: &[u8], stripes: &[Option<&[u8]>]) -> Parts {
    let models = header.models;
    let n_planes = if header.colour.is_some() { 3 } else { 1 };
    let mut whole = Part::zeros(cut.whole(), n_planes);
    let mut coder = RangeCoder::reader(first);
    models.code_part(&mut coder, &mut whole, &[]);
    let low_bands = models.low_bands(&whole, cut);
    let stripes = parallel::map(stripes.iter().enumerate(), |(i, bytes)| {
        let Some(bytes) = bytes else {
            return PackedPart::missing(cut.stripe(i));
        };
        let mut stripe = Part::zeros(cut.stripe(i), n_planes);
        for (plane, whole) in stripe.planes.iter_mut().zip(&whole.planes) {
            let read = |from: usize, row: &mut [i32]| {
                row.copy_from_slice(&whole[from..][..row.len()]);
            };
            cut.copy_context(i, &read, plane);
        }
        let mut coder = RangeCoder::reader(bytes);
        models.code_part(&mut coder, &mut stripe, &low_bands[i + 1]);
        PackedPart::of(&stripe)
    });
    let whole = PackedPart::of(&whole);
    Parts::new(cut, std::iter::once(whole).chain(stripes).collect())
}
