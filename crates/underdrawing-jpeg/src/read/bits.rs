//! Bits of a scan, up to the next marker.

use crate::error::JpegError;

pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
    /// Bits not taken yet, the next one highest.
    ahead: u64,
    n_ahead: u32,
    /// Zeros among them, put in after the scan's end.
    n_made_up: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], position: usize) -> Self {
        Self {
            bytes,
            position,
            ahead: 0,
            n_ahead: 0,
            n_made_up: 0,
        }
    }

    /// Where the bytes go on after the scan.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn fill(&mut self) {
        while self.n_ahead <= 56 {
            let byte = match self.bytes.get(self.position) {
                Some(0xff) => match self.bytes.get(self.position + 1) {
                    Some(0) => {
                        self.position += 2;
                        Some(0xff)
                    }
                    _ => None,
                },
                Some(&byte) => {
                    self.position += 1;
                    Some(byte)
                }
                None => None,
            };
            if byte.is_none() {
                self.n_made_up += 8;
            }
            self.ahead |= u64::from(byte.unwrap_or(0)) << (56 - self.n_ahead);
            self.n_ahead += 8;
        }
    }

    /// The next 16 bits, which stay.
    pub(super) fn peek(&mut self) -> u16 {
        if self.n_ahead < 16 {
            self.fill();
        }
        (self.ahead >> 48) as u16
    }

    /// Takes up to 16 bits that were looked at.
    pub(super) fn skip(&mut self, n: u32) -> Result<(), JpegError> {
        self.ahead <<= n;
        self.n_ahead -= n;
        if self.n_ahead < self.n_made_up {
            return Err(JpegError::Truncated);
        }
        Ok(())
    }

    /// Takes up to 16 bits.
    pub(super) fn take(&mut self, n: u32) -> Result<i32, JpegError> {
        if n == 0 {
            return Ok(0);
        }
        let bits = self.peek() >> (16 - n);
        self.skip(n)?;
        Ok(bits.into())
    }

    /// Takes a number of `n` bits whose first bit says that it is positive.
    pub(super) fn signed(&mut self, n: u32) -> Result<i32, JpegError> {
        let bits = self.take(n)?;
        if n > 0 && bits < 1 << (n - 1) {
            return Ok(bits - (1 << n) + 1);
        }
        Ok(bits)
    }

    /// Goes on behind the next restart marker.
    pub(super) fn restart(&mut self) -> Result<(), JpegError> {
        self.ahead = 0;
        self.n_ahead = 0;
        self.n_made_up = 0;
        // Whole bytes before the marker are padding of a careless encoder.
        loop {
            let rest = self.bytes.get(self.position..).unwrap_or_default();
            match rest {
                [0xff, 0xd0..=0xd7, ..] => {
                    self.position += 2;
                    return Ok(());
                }
                [0xff, 0 | 0xff, ..] | [..=0xfe, ..] => self.position += 1,
                [0xff, _, ..] => return Err(JpegError::Damaged("a restart marker is missing")),
                _ => return Err(JpegError::Truncated),
            }
        }
    }
}
