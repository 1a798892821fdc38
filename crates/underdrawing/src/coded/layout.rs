//! Header and directory of a container (`docs/format.md`, section 3.5): pure functions on bytes.

use crate::picture::Limits;
use crate::reduction::Finish;

use super::mix::Mix;

/// The newest version that this code reads, and the one it writes.
pub(super) const VERSION: u8 = 1;

/// Bytes of a header before it is sealed.
pub(super) const HEADER_BYTES: usize = 15;

/// Residues of the payload's samples, [`super::channel`].
const RESIDUES: u8 = 0;

/// What the first samples say of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// What the payload's samples hold.
    pub(super) mix: Mix,
    /// Length of the sealed directory in bytes.
    pub(super) directory: u32,
}

/// A header whose seal is good and whose content is unknown: a newer underdrawing wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newer;

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = VERSION;
        bytes[1] = RESIDUES;
        bytes[2..5].copy_from_slice(&self.mix.to_bytes());
        bytes[5..9].copy_from_slice(&self.directory.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Newer> {
        let Ok(bytes) = <&[u8; HEADER_BYTES]>::try_from(bytes) else {
            return Err(Newer);
        };
        let mix = Mix::from_bytes([bytes[2], bytes[3], bytes[4]]).ok_or(Newer)?;
        let rest = bytes[9..].iter().all(|&byte| byte == 0);
        if bytes[..2] != [VERSION, RESIDUES] || !rest {
            return Err(Newer);
        }
        Ok(Self {
            mix,
            directory: u32::from_le_bytes([bytes[5], bytes[6], bytes[7], bytes[8]]),
        })
    }
}

/// What the payload is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directory {
    /// The secret's own width and height; the coded picture may be smaller.
    pub(super) own: (usize, usize),
    pub(super) finish: Finish,
    /// Lengths of the coded segments in bytes, before they are sealed.
    pub(super) segments: Vec<u32>,
}

/// Bytes of a directory for one picture of `n_segments`.
pub(super) fn directory_bytes(n_segments: usize) -> usize {
    1 + 1 + 4 + 4 + 4 * n_segments
}

impl Directory {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let side = |n: usize| {
            u16::try_from(n)
                .expect("a picture's side is at most 32,768")
                .to_le_bytes()
        };
        let mut entry = Vec::new();
        entry.extend(side(self.own.0));
        entry.extend(side(self.own.1));
        for length in &self.segments {
            entry.extend(length.to_le_bytes());
        }
        // One secret so far; readers refuse more.
        let mut bytes = vec![1, self.finish as u8];
        bytes.extend((entry.len() as u32).to_le_bytes());
        bytes.extend(entry);
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Newer> {
        let (start, entry) = bytes.split_first_chunk::<6>().ok_or(Newer)?;
        let length = u32::from_le_bytes([start[2], start[3], start[4], start[5]]);
        let finish = Finish::from_byte(start[1]).ok_or(Newer)?;
        if start[0] != 1 || entry.len() != length as usize {
            return Err(Newer);
        }
        let (own, lengths) = entry.split_first_chunk::<4>().ok_or(Newer)?;
        let (lengths, rest) = lengths.as_chunks::<4>();
        let width = u16::from_le_bytes([own[0], own[1]]);
        let height = u16::from_le_bytes([own[2], own[3]]);
        let size = Limits::OF_FORMATS.check(width.into(), height.into());
        if size.is_err() || !rest.is_empty() || lengths.is_empty() {
            return Err(Newer);
        }
        Ok(Self {
            own: (width.into(), height.into()),
            finish,
            segments: lengths.iter().map(|n| u32::from_le_bytes(*n)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back_and_unknown_ones_are_newer() {
        let header = Header {
            mix: Mix { low: 3, share: 777 },
            directory: 70_000,
        };
        let bytes = header.to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Ok(header));
        for (i, value) in [(0, 2), (1, 1), (2, 4), (2, 17), (2, 15), (14, 1)] {
            let mut bytes = bytes;
            bytes[i] = value;
            assert_eq!(Header::from_bytes(&bytes), Err(Newer), "byte {i}");
        }
        assert_eq!(Header::from_bytes(&bytes[..14]), Err(Newer));
    }

    #[test]
    fn directories_come_back_and_cut_ones_do_not() {
        let directory = Directory {
            own: (640, 32_768 / 9),
            finish: Finish::Restored,
            segments: vec![5, 70_000, 0],
        };
        let bytes = directory.to_bytes();
        assert_eq!(bytes.len(), directory_bytes(3));
        assert_eq!(Directory::from_bytes(&bytes), Ok(directory));
        for length in 0..bytes.len() {
            assert_eq!(Directory::from_bytes(&bytes[..length]), Err(Newer));
        }
        for (i, value) in [(0, 2), (1, 2)] {
            let mut bytes = bytes.clone();
            bytes[i] = value;
            assert_eq!(Directory::from_bytes(&bytes), Err(Newer), "byte {i}");
        }
        let mut empty = bytes;
        empty[6..8].fill(0);
        assert_eq!(Directory::from_bytes(&empty), Err(Newer));
    }
}
