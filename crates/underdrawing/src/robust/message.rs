//! The payload before it is sealed: the coded secret and what it takes to read it (`docs/format.md`,
//! section 5.6). Pure functions on bytes.

use crate::picture::Limits;
use crate::reduction::Finish;

/// What is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    /// The secret's own width and height; the coded picture may be smaller.
    pub(super) own: (usize, usize),
    pub(super) finish: Finish,
    pub(super) segments: Vec<Vec<u8>>,
}

/// A message that is sealed and unknown: a newer underdrawing wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newer;

/// Bytes around so many segments in a message of so many bytes, at most.
pub(super) fn overhead(n_segments: usize, n_bytes: usize) -> usize {
    let bytes_of = |number: usize| {
        let mut bytes = Vec::new();
        put_number(&mut bytes, number);
        bytes.len()
    };
    1 + 2 + 2 + bytes_of(n_segments) + bytes_of(n_bytes) * n_segments
}

impl Message {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let side = |n: usize| {
            u16::try_from(n)
                .expect("a picture's side is at most 32,768")
                .to_le_bytes()
        };
        let mut bytes = vec![self.finish as u8];
        bytes.extend(side(self.own.0));
        bytes.extend(side(self.own.1));
        put_number(&mut bytes, self.segments.len());
        for segment in &self.segments {
            put_number(&mut bytes, segment.len());
        }
        bytes.extend(self.segments.iter().flatten());
        bytes
    }

    /// Reads a message; what follows it is ignored.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, Newer> {
        let (&[kind, w0, w1, h0, h1], mut rest) = bytes.split_first_chunk().ok_or(Newer)?;
        let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
        let size = Limits::OF_FORMATS.check(width.into(), height.into());
        let finish = Finish::from_byte(kind).ok_or(Newer)?;
        if size.is_err() {
            return Err(Newer);
        }
        let n_segments = take_number(&mut rest).ok_or(Newer)?;
        // Each has a length, so there are no more of them than bytes.
        if n_segments > rest.len() {
            return Err(Newer);
        }
        let lengths: Option<Vec<usize>> = (0..n_segments).map(|_| take_number(&mut rest)).collect();
        let mut segments = Vec::with_capacity(n_segments);
        for length in lengths.ok_or(Newer)? {
            let (segment, after) = rest.split_at_checked(length).ok_or(Newer)?;
            segments.push(segment.to_vec());
            rest = after;
        }
        Ok(Self {
            own: (width.into(), height.into()),
            finish,
            segments,
        })
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 127 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in [0, 7, 14, 21] {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= usize::from(byte & 127) << shift;
        if byte < 128 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_and_cut_ones_do_not() {
        let mut message = Message {
            own: (640, 32_768 / 9),
            finish: Finish::Plain,
            segments: vec![vec![5; 300], vec![], vec![7; 3]],
        };
        let mut bytes = message.to_bytes();
        assert_eq!(bytes.len(), 303 + overhead(3, 400) - 2);
        for length in 0..bytes.len() {
            assert_eq!(Message::from_bytes(&bytes[..length]), Err(Newer));
        }
        bytes.extend([0; 9]);
        assert_eq!(Message::from_bytes(&bytes).as_ref(), Ok(&message));
        message.finish = Finish::Restored;
        let restored = message.to_bytes();
        assert_eq!(Message::from_bytes(&restored), Ok(message));
        bytes[0] = 2;
        assert_eq!(Message::from_bytes(&bytes), Err(Newer));
        assert_eq!(
            Message::from_bytes(&[0, 1, 0, 1, 0, 255, 255, 255, 255]),
            Err(Newer)
        );
    }
}
