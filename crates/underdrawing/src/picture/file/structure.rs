//! What a file's own structure says and the decoders do not tell: its format, whether it is
//! complete, whether more frames follow, and whether a WebP is lossy.

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

/// First bytes of formats that people try and that are not read.
const NOT_READ: [(&[u8], &str); 7] = [
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"%PDF", "PDF"),
    (b"\0\0\x01\0", "ICO"),
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
    let not_read = NOT_READ.iter().find(|(magic, _)| bytes.starts_with(magic));
    if let Some(name) = not_read.map(|(_, name)| *name).or(iso_media(bytes)) {
        return Err(ImageFileError::NotRead { name });
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
        FileFormat::Jpeg | FileFormat::Bmp | FileFormat::Qoi | FileFormat::Pnm => false,
    }
}

/// Frames that an animation control chunk announces; it stands before the pixels.
fn png_frames(bytes: &[u8]) -> u32 {
    let mut position = 8;
    while let (Some(length), Some(name)) = (
        u32_be(bytes, position),
        bytes.get(position + 4..position + 8),
    ) {
        match name {
            b"acTL" => return u32_be(bytes, position + 8).unwrap_or(1),
            b"IDAT" => return 1,
            _ => position = position.saturating_add(length as usize + 12),
        }
    }
    1
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

/// Whether the first image file directory names a next one.
fn tiff_has_second_page(bytes: &[u8]) -> Option<bool> {
    let little = bytes.starts_with(b"II");
    let number = |position: usize, length: usize| -> Option<usize> {
        let field = bytes.get(position..position.checked_add(length)?)?;
        let mut wide = [0; 8];
        if little {
            wide[..length].copy_from_slice(field);
            return usize::try_from(u64::from_le_bytes(wide)).ok();
        }
        wide[8 - length..].copy_from_slice(field);
        usize::try_from(u64::from_be_bytes(wide)).ok()
    };
    // Sizes of an offset, of the count of entries, and of an entry; BigTIFF's are larger.
    let (offset_size, count_size, entry_size, first) = match number(2, 2)? {
        42 => (4, 2, 12, number(4, 4)?),
        _ => (8, 8, 20, number(8, 8)?),
    };
    let entries = number(first, count_size)?.checked_mul(entry_size)?;
    let next = first.checked_add(count_size)?.checked_add(entries)?;
    Some(number(next, offset_size)? != 0)
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

fn u32_be(bytes: &[u8], position: usize) -> Option<u32> {
    let field = bytes.get(position..position.checked_add(4)?)?;
    Some(u32::from_be_bytes([field[0], field[1], field[2], field[3]]))
}
