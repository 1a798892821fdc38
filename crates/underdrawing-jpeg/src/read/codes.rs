//! Huffman codes of a file.

use super::bits::Bits;
use crate::error::JpegError;

/// Bits that one look at the table decodes.
const LOOK: u32 = 9;

pub(super) struct Codes {
    /// For each start of [`LOOK`] bits the symbol and its code's length; 0 for longer codes.
    quick: Vec<(u8, u8)>,
    /// For each length the first 16-bit start that lies beyond its codes.
    ends: [u32; 17],
    /// For each length what to add to a code's number to find its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Codes {
    /// Codes with so many symbols of each length from 1 to 16.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Result<Self, JpegError> {
        let mut quick = vec![(0, 0); 1 << LOOK];
        let mut ends = [0; 17];
        let mut offsets = [0; 17];
        let (mut code, mut index) = (0_u32, 0_usize);
        for (length, &count) in (1..=16_u32).zip(counts) {
            offsets[length as usize] = index as i32 - code as i32;
            for _ in 0..count {
                if length <= LOOK {
                    let start = (code << (LOOK - length)) as usize;
                    let end = start + (1 << (LOOK - length));
                    let slots = quick
                        .get_mut(start..end)
                        .ok_or(JpegError::Damaged("a table has too many codes"))?;
                    slots.fill((symbols[index], length as u8));
                }
                code += 1;
                index += 1;
            }
            if code > 1 << length {
                return Err(JpegError::Damaged("a table has too many codes"));
            }
            ends[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Ok(Self {
            quick,
            ends,
            offsets,
            symbols: symbols.to_vec(),
        })
    }

    /// Takes the next symbol.
    pub(super) fn take(&self, bits: &mut Bits<'_>) -> Result<u8, JpegError> {
        let ahead = bits.peek();
        let (symbol, length) = self.quick[usize::from(ahead >> (16 - LOOK))];
        if length > 0 {
            bits.skip(length.into())?;
            return Ok(symbol);
        }
        let ahead = u32::from(ahead);
        for length in LOOK + 1..=16 {
            if ahead < self.ends[length as usize] {
                bits.skip(length)?;
                let code = (ahead >> (16 - length)) as i32;
                let index = code + self.offsets[length as usize];
                let symbol = self.symbols.get(index as usize);
                return symbol.copied().ok_or(WRONG);
            }
        }
        bits.skip(16)?;
        Err(WRONG)
    }
}

const WRONG: JpegError = JpegError::Damaged("a code stands for nothing");
