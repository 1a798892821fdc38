//! What a file's own structure says and the decoders do not tell: its format, whether it is
//! complete, whether more frames follow, and whether a WebP is lossy.

use std::borrow::Cow;
use std::ops::Range;

use super::{FileFormat, ImageFileError};

/// First bytes of the formats that are read.
const READ: [(&[u8], FileFormat); 11] = [
    (b"\x89PNG\r\n\x1a\n", FileFormat::Png),
    (b"\xff\xd8\xff", FileFormat::Jpeg),
    (b"GIF87a", FileFormat::Gif),
    (b"GIF89a", FileFormat::Gif),
    (b"II*\0", FileFormat::Tiff),
    (b"MM\0*", FileFormat::Tiff),
    (b"II+\0", FileFormat::Tiff),
    (b"MM\0+", FileFormat::Tiff),
    (b"qoif", FileFormat::Qoi),
    (b"BM", FileFormat::Bmp),
    (b"P7\n", FileFormat::Pnm),
];

/// First bytes of JPEG XL, in a container of boxes and without.
const JPEG_XL: [&[u8]; 2] = [b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a"];

/// First bytes of formats that people try and that are not read.
const NOT_READ: [(&[u8], &str); 12] = [
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"\0\0\x01\0", "ICO"),
    (b"v/1\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "DDS"),
    (b"II\xbc", "JPEG XR"),
    (b"PF\n", "PFM"),
    (b"Pf\n", "PFM"),
    (b"<svg", "SVG"),
];

pub(super) fn format_of(bytes: &[u8]) -> Result<FileFormat, ImageFileError> {
    if let Some((_, format)) = READ.iter().find(|(magic, _)| bytes.starts_with(magic)) {
        return Ok(*format);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP") {
        return Ok(FileFormat::WebP);
    }
    if let [b'P', b'1'..=b'6', space, ..] = bytes
        && space.is_ascii_whitespace()
    {
        return Ok(FileFormat::Pnm);
    }
    if JPEG_XL.iter().any(|magic| bytes.starts_with(magic)) {
        if cfg!(feature = "jxl") {
            return Ok(FileFormat::JpegXl);
        }
        return Err(ImageFileError::NotRead {
            name: "JPEG XL",
            way: " (djxl does), or build with the feature `jxl`",
        });
    }
    let not_read = NOT_READ.iter().find(|(magic, _)| bytes.starts_with(magic));
    if let Some(name) = not_read.map(|(_, name)| *name).or(iso_media(bytes)) {
        if name == "HEIC" && cfg!(feature = "heic") {
            return Ok(FileFormat::Heic);
        }
        let way = match name {
            // HEVC is covered by patents, and a decoder of AV1 takes a minute to build.
            "HEIC" => {
                " (heif-convert does, and phones when they share it as JPEG), or build with the \
                 feature `heic`"
            }
            "AVIF" => " (avifdec does)",
            _ => "",
        };
        return Err(ImageFileError::NotRead { name, way });
    }
    Err(ImageFileError::Unknown {
        found: first_bytes(bytes),
    })
}

/// HEIC and AVIF are ISO media files: their first box, `ftyp`, lists the brands that they follow.
fn iso_media(bytes: &[u8]) -> Option<&'static str> {
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    let length = u32_be(bytes, 0)? as usize;
    let brands = bytes.get(8..length.min(bytes.len()))?.chunks_exact(4);
    let mut name = None;
    for brand in brands {
        match brand {
            b"avif" | b"avis" => return Some("AVIF"),
            b"crx " => return Some("Canon raw"),
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                name = Some("HEIC");
            }
            _ => {}
        }
    }
    Some(name.unwrap_or("video"))
}

fn first_bytes(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "an empty file".into();
    }
    let hex: Vec<_> = bytes.iter().take(8).map(|b| format!("{b:02x}")).collect();
    format!("bytes {}", hex.join(" "))
}

/// Refuses a file that ends early where the decoder would not: it would fill the missing part.
pub(super) fn check_end(bytes: &[u8], format: FileFormat) -> Result<(), ImageFileError> {
    let missing = match format {
        FileFormat::WebP if !riff_is_complete(bytes) => "it is shorter than its header says",
        _ => return Ok(()),
    };
    Err(ImageFileError::Truncated { format, missing })
}

/// Refuses PNGs whose palette ends within a colour, which the decoder does not expect.
pub(super) fn check_palette(bytes: &[u8], format: FileFormat) -> Result<(), ImageFileError> {
    let palette = match format {
        FileFormat::Png => png_chunk(bytes, b"PLTE").unwrap_or_default(),
        _ => &[],
    };
    if palette.len().is_multiple_of(3) {
        return Ok(());
    }
    let reason = format!(
        "expected a palette of whole colours, found {} bytes",
        palette.len()
    );
    Err(ImageFileError::Corrupt {
        format,
        reason: reason.into(),
    })
}

/// Whether a RIFF file is as long as it says.
fn riff_is_complete(bytes: &[u8]) -> bool {
    let length = bytes.get(4..8).map_or(0, |field| {
        u64::from(u32::from_le_bytes([field[0], field[1], field[2], field[3]]))
    });
    bytes.len() as u64 >= 8 + length
}

/// Whether the file holds a second frame or page.
pub(super) fn has_more_frames(bytes: &[u8], format: FileFormat) -> bool {
    match format {
        FileFormat::Png => png_frames(bytes) > 1,
        FileFormat::WebP => riff_chunks(bytes, 12).filter(|c| c.name == b"ANMF").count() > 1,
        FileFormat::Gif => gif_frames(bytes).is_none_or(|n| n > 1),
        FileFormat::Tiff => tiff_has_second_page(bytes).unwrap_or(false),
        FileFormat::Jpeg
        | FileFormat::Bmp
        | FileFormat::Qoi
        | FileFormat::Pnm
        | FileFormat::JpegXl
        | FileFormat::Heic => false,
    }
}

/// Frames that an animation control chunk announces; it stands before the pixels.
fn png_frames(bytes: &[u8]) -> u32 {
    png_chunk(bytes, b"acTL").map_or(1, |content| u32_be(content, 0).unwrap_or(1))
}

/// The content of a PNG's chunk, of those before the pixels.
pub(super) fn png_chunk<'a>(bytes: &'a [u8], wanted: &[u8; 4]) -> Option<&'a [u8]> {
    bytes.get(png_chunk_range(bytes, wanted)?)
}

/// A PNG without that chunk.
pub(super) fn without_png_chunk<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Cow<'a, [u8]> {
    // Length and name come before the content, a checksum after it.
    let Some(content) = png_chunk_range(bytes, name) else {
        return Cow::Borrowed(bytes);
    };
    let after = bytes.get(content.end + 4..).unwrap_or_default();
    Cow::Owned([&bytes[..content.start - 8], after].concat())
}

fn png_chunk_range(bytes: &[u8], wanted: &[u8; 4]) -> Option<Range<usize>> {
    png_chunks(bytes)
        .take_while(|(name, _)| *name == wanted || *name != b"IDAT")
        .find_map(|(name, content)| (name == wanted).then_some(content))
}

/// Names of a PNG's chunks, and where their contents are.
fn png_chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], Range<usize>)> {
    let mut position = 8;
    std::iter::from_fn(move || {
        let length = u32_be(bytes, position)? as usize;
        let name = bytes.get(position + 4..position + 8)?;
        let content = position + 8..(position + 8).checked_add(length)?;
        bytes.get(content.clone())?;
        position = content.end.checked_add(4)?;
        Some((name, content))
    })
}

/// The Exif block of a PNG that stands after its pixels, as its third edition allows.
pub(super) fn late_png_exif(bytes: &[u8]) -> Option<&[u8]> {
    let exif = png_chunks(bytes).find(|(name, _)| *name == b"eXIf");
    bytes.get(exif?.1)
}

/// The colour profile of a BMP.
pub(super) enum BmpProfile<'a> {
    Embedded(&'a [u8]),
    CutOff,
    /// In another file.
    Elsewhere,
}

/// The colour profile of a BMP with a header of version 5, where it names one.
pub(super) fn bmp_profile(bytes: &[u8]) -> Option<BmpProfile<'_>> {
    const HEADER: usize = 14;
    let number = |at: usize| {
        let field = bytes.get(HEADER + at..HEADER + at + 4)?;
        Some(u32::from_le_bytes([field[0], field[1], field[2], field[3]]))
    };
    const VERSION_5: u32 = 124;
    const EMBEDDED: u32 = u32::from_be_bytes(*b"MBED");
    const LINKED: u32 = u32::from_be_bytes(*b"LINK");
    if number(0)? != VERSION_5 {
        return None;
    }
    match number(56)? {
        EMBEDDED => {
            let start = HEADER.checked_add(number(112)? as usize)?;
            let profile = bytes.get(start..start.checked_add(number(116)? as usize)?);
            Some(profile.map_or(BmpProfile::CutOff, BmpProfile::Embedded))
        }
        LINKED => Some(BmpProfile::Elsewhere),
        _ => None,
    }
}

/// A BMP whose masks, with one for alpha, follow a header of 40 bytes, as Windows CE writes it: the
/// same bytes are a header of 56 bytes with the masks in it, which is read.
pub(super) fn bmp_with_usual_masks(bytes: &[u8]) -> Cow<'_, [u8]> {
    /// Where the header's size and the kind of packing stand.
    const SIZE: Range<usize> = 14..18;
    const PACKING: Range<usize> = 30..34;
    let number = |at: Range<usize>| bytes.get(at).and_then(|field| field.first_chunk::<4>());
    let (size, packing) = (number(SIZE), number(PACKING));
    if size != Some(&[40, 0, 0, 0]) || packing != Some(&[6, 0, 0, 0]) {
        return Cow::Borrowed(bytes);
    }
    let mut file = bytes.to_vec();
    file[SIZE.start] = 56;
    file[PACKING.start] = 3;
    Cow::Owned(file)
}

/// Whether a BMP names primaries or a gamma, in place of sRGB or of a profile.
pub(super) fn bmp_is_calibrated(bytes: &[u8]) -> bool {
    const VERSION_4: u8 = 108;
    /// Kind of colours, three points of three numbers, three exponents.
    const COLOURS: Range<usize> = 70..122;
    let colours = bytes.get(COLOURS).unwrap_or_default();
    bytes.get(14).is_some_and(|&size| size >= VERSION_4)
        && colours.starts_with(&[0; 4])
        && colours.iter().any(|&byte| byte != 0)
}

/// Whether a BMP without bit fields has a mask for alpha, which counts only with them.
pub(super) fn bmp_has_idle_alpha(bytes: &[u8]) -> bool {
    let number = |at: usize| {
        let field = bytes.get(at..at + 4)?;
        Some(u32::from_le_bytes([field[0], field[1], field[2], field[3]]))
    };
    const VERSION_4: u32 = 108;
    const UNCOMPRESSED: Option<u32> = Some(0);
    number(14).is_some_and(|size| size >= VERSION_4)
        && number(30) == UNCOMPRESSED
        && number(66).is_some_and(|mask| mask != 0)
}

/// Frames in a GIF, counted up to two; `None` when the file ends before its trailer.
fn gif_frames(bytes: &[u8]) -> Option<usize> {
    /// Bytes of the colour table that a flags byte announces.
    fn table(flags: u8) -> usize {
        if flags & 0x80 == 0 {
            return 0;
        }
        3 << (1 + (flags & 7))
    }
    let mut position = 13 + table(*bytes.get(10)?);
    let mut frames = 0;
    loop {
        match bytes.get(position)? {
            0x21 => position += 2,
            0x2c => {
                frames += 1;
                if frames == 2 {
                    return Some(frames);
                }
                position += 11 + table(*bytes.get(position + 9)?);
            }
            _ => return Some(frames),
        }
        // Sub-blocks up to an empty one.
        loop {
            let length = usize::from(*bytes.get(position)?);
            position += 1 + length;
            if length == 0 {
                break;
            }
        }
    }
}

/// How the numbers of a TIFF lie.
struct TiffNumbers<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl TiffNumbers<'_> {
    fn at(&self, position: usize, length: usize) -> Option<usize> {
        let field = self.bytes.get(position..position.checked_add(length)?)?;
        let mut wide = [0; 8];
        if self.little {
            wide[..length].copy_from_slice(field);
            return usize::try_from(u64::from_le_bytes(wide)).ok();
        }
        wide[8 - length..].copy_from_slice(field);
        usize::try_from(u64::from_be_bytes(wide)).ok()
    }
}

/// The first image file directory of a TIFF.
struct TiffDirectory {
    /// Where its entries begin, how many there are, and the size of each, which is larger in files of the big kind.
    start: usize,
    n_entries: usize,
    entry_size: usize,
    offset_size: usize,
}

fn tiff_directory(numbers: &TiffNumbers<'_>) -> Option<TiffDirectory> {
    let (offset_size, count_size, entry_size, first) = match numbers.at(2, 2)? {
        42 => (4, 2, 12, numbers.at(4, 4)?),
        _ => (8, 8, 20, numbers.at(8, 8)?),
    };
    Some(TiffDirectory {
        start: first.checked_add(count_size)?,
        n_entries: numbers.at(first, count_size)?,
        entry_size,
        offset_size,
    })
}

/// Whether the first image file directory names a next one.
fn tiff_has_second_page(bytes: &[u8]) -> Option<bool> {
    let little = bytes.starts_with(b"II");
    let numbers = TiffNumbers { bytes, little };
    let directory = tiff_directory(&numbers)?;
    let entries = directory.n_entries.checked_mul(directory.entry_size)?;
    let next = directory.start.checked_add(entries)?;
    Some(numbers.at(next, directory.offset_size)? != 0)
}

/// Where a tag's value stands in a TIFF's first directory, of those that it holds itself.
pub(super) fn tiff_entry(bytes: &[u8], tag: u16) -> Option<usize> {
    let little = bytes.starts_with(b"II");
    let numbers = TiffNumbers { bytes, little };
    let directory = tiff_directory(&numbers)?;
    for i in 0..directory.n_entries {
        let entry = directory
            .start
            .checked_add(i.checked_mul(directory.entry_size)?)?;
        if numbers.at(entry, 2)? == usize::from(tag) {
            return Some(entry + directory.entry_size - directory.offset_size);
        }
    }
    None
}

/// Whether a TIFF's colours are the four inks of print.
pub(super) fn tiff_is_cmyk(bytes: &[u8]) -> bool {
    const PHOTOMETRIC: u16 = 262;
    let value = tiff_entry(bytes, PHOTOMETRIC).and_then(|at| bytes.get(at..at + 2));
    matches!(value, Some([5, 0] | [0, 5]))
}

/// Whether a TIFF says of the sample after its colours that it means nothing.
pub(super) fn tiff_extra_is_unspecified(bytes: &[u8]) -> bool {
    const EXTRA_SAMPLES: u16 = 338;
    tiff_entry(bytes, EXTRA_SAMPLES).is_some_and(|at| bytes.get(at..at + 2) == Some(&[0, 0]))
}

/// Whether a WebP's (first) frame is lossy: a `VP8 ` chunk and not `VP8L`.
pub(super) fn is_lossy_webp(bytes: &[u8], format: FileFormat) -> bool {
    if format != FileFormat::WebP {
        return false;
    }
    for chunk in riff_chunks(bytes, 12) {
        match chunk.name {
            b"VP8 " => return true,
            b"VP8L" => return false,
            // A frame: 16 bytes, then chunks of its own.
            b"ANMF" => return riff_chunks(chunk.content, 16).any(|inner| inner.name == b"VP8 "),
            _ => {}
        }
    }
    false
}

struct Chunk<'a> {
    name: &'a [u8],
    content: &'a [u8],
}

/// The chunks of a RIFF file that follow each other from `start` on.
fn riff_chunks(bytes: &[u8], start: usize) -> impl Iterator<Item = Chunk<'_>> {
    let mut rest = bytes.get(start..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (header, after) = rest.split_at_checked(8)?;
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        let content = &after[..length.min(after.len())];
        // Chunks are padded to an even length.
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some(Chunk {
            name: &header[..4],
            content,
        })
    })
}

pub(super) fn u32_be(bytes: &[u8], position: usize) -> Option<u32> {
    let field = bytes.get(position..position.checked_add(4)?)?;
    Some(u32::from_be_bytes([field[0], field[1], field[2], field[3]]))
}
