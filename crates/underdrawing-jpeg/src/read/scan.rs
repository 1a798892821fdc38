//! One scan: codes to coefficients.

use std::ops::RangeInclusive;

use super::Plane;
use super::bits::Bits;
use super::codes::Codes;
use crate::error::JpegError;
use crate::jpeg::{Block, WALK};

/// What a scan holds of each block.
#[derive(Clone, Copy)]
pub(super) enum Process {
    /// All coefficients.
    Sequential,
    /// The constant part, but for its lowest bits.
    Constant { low: u32 },
    /// The next lower bit of the constant part.
    ConstantBit { low: u32 },
    /// Some others, but for their lowest bits.
    Others { first: u8, last: u8, low: u32 },
    /// The next lower bit of some others.
    OthersBit { first: u8, last: u8, low: u32 },
}

impl Process {
    /// By the end of a scan's header.
    pub(super) fn progressive(first: u8, last: u8, bits: u8) -> Result<Self, JpegError> {
        let (high, low) = (bits >> 4, u32::from(bits & 15));
        if first > last || last > 63 || first == 0 && last > 0 || low > 13 {
            return Err(JpegError::Damaged("a scan's range is wrong"));
        }
        Ok(match (first, high) {
            (0, 0) => Self::Constant { low },
            (0, _) => Self::ConstantBit { low },
            (_, 0) => Self::Others { first, last, low },
            _ => Self::OthersBit { first, last, low },
        })
    }

    /// Which coefficients it brings, and how many of their bits are missing afterwards.
    pub(super) fn brings(self) -> (RangeInclusive<usize>, u32) {
        match self {
            Self::Sequential => (0..=63, 0),
            Self::Constant { low } | Self::ConstantBit { low } => (0..=0, low),
            Self::Others { first, last, low } | Self::OthersBit { first, last, low } => {
                (first.into()..=last.into(), low)
            }
        }
    }

    pub(super) fn may_interleave(self) -> bool {
        !matches!(self, Self::Others { .. } | Self::OthersBit { .. })
    }
}

/// A component of a scan and its codes.
pub(super) struct Part {
    pub(super) plane: usize,
    pub(super) constant: usize,
    pub(super) others: usize,
}

pub(super) struct Scan<'s, 'a> {
    pub(super) bits: Bits<'a>,
    pub(super) planes: &'s mut [Plane],
    pub(super) parts: Vec<Part>,
    pub(super) constant: &'s [Option<Codes>; 4],
    pub(super) others: &'s [Option<Codes>; 4],
    pub(super) process: Process,
    /// Units between restarts; 0 for none.
    pub(super) restart: usize,
}

/// What is carried from block to block.
#[derive(Default)]
struct State {
    constant: [i32; 4],
    /// Blocks that end here without a code of their own.
    run: u32,
}

impl Scan<'_, '_> {
    pub(super) fn read(&mut self) -> Result<(), JpegError> {
        let (wide, high) = self.units();
        let mut state = State::default();
        let mut left = self.restart;
        for unit in 0..wide * high {
            if self.restart > 0 {
                if left == 0 {
                    self.bits.restart()?;
                    state = State::default();
                    left = self.restart;
                }
                left -= 1;
            }
            self.unit(unit % wide, unit / wide, &mut state)?;
        }
        Ok(())
    }

    /// Units across and down: blocks where there is one component, else blocks of all.
    fn units(&self) -> (usize, usize) {
        let plane = &self.planes[self.parts[0].plane];
        if self.parts.len() == 1 {
            return plane.own;
        }
        let component = &plane.component;
        let high = component.blocks.len() / component.blocks_wide / component.vertical;
        (component.blocks_wide / component.horizontal, high)
    }

    fn unit(&mut self, x: usize, y: usize, state: &mut State) -> Result<(), JpegError> {
        let alone = self.parts.len() == 1;
        for (i, part) in self.parts.iter().enumerate() {
            let component = &mut self.planes[part.plane].component;
            let codes = Chosen {
                constant: self.constant.get(part.constant).and_then(Option::as_ref),
                others: self.others.get(part.others).and_then(Option::as_ref),
            };
            let wide = component.blocks_wide;
            let (across, down) = if alone {
                (1, 1)
            } else {
                (component.horizontal, component.vertical)
            };
            for row in 0..down {
                for column in 0..across {
                    let place = (y * down + row) * wide + x * across + column;
                    let block = &mut component.blocks[place];
                    let last = &mut state.constant[i];
                    block_of(
                        self.process,
                        &mut self.bits,
                        &codes,
                        block,
                        last,
                        &mut state.run,
                    )?;
                }
            }
        }
        Ok(())
    }
}

struct Chosen<'a> {
    constant: Option<&'a Codes>,
    others: Option<&'a Codes>,
}

const MISSING: JpegError = JpegError::Damaged("a table of codes is missing");
const BEYOND: JpegError = JpegError::Damaged("a block has too many coefficients");

fn block_of(
    process: Process,
    bits: &mut Bits<'_>,
    codes: &Chosen<'_>,
    block: &mut Block,
    last: &mut i32,
    run: &mut u32,
) -> Result<(), JpegError> {
    match process {
        Process::Sequential => {
            block[0] = constant(bits, codes, last)? as i16;
            sequential(bits, codes.others.ok_or(MISSING)?, block)
        }
        Process::Constant { low } => {
            block[0] = (constant(bits, codes, last)? << low) as i16;
            Ok(())
        }
        Process::ConstantBit { low } => {
            if bits.take(1)? != 0 {
                block[0] |= 1 << low;
            }
            Ok(())
        }
        Process::Others { first, last, low } => {
            let codes = codes.others.ok_or(MISSING)?;
            others(bits, codes, block, (first, last), low, run)
        }
        Process::OthersBit { first, last, low } => {
            let codes = codes.others.ok_or(MISSING)?;
            others_bit(bits, codes, block, (first, last), low, run)
        }
    }
}

fn constant(bits: &mut Bits<'_>, codes: &Chosen<'_>, last: &mut i32) -> Result<i32, JpegError> {
    let length = codes.constant.ok_or(MISSING)?.take(bits)?;
    if length > 15 {
        return Err(JpegError::Damaged("a constant part is too large"));
    }
    *last = last.wrapping_add(bits.signed(length.into())?);
    Ok(*last)
}

fn sequential(bits: &mut Bits<'_>, codes: &Codes, block: &mut Block) -> Result<(), JpegError> {
    let mut k = 1;
    while k < 64 {
        let symbol = codes.take(bits)?;
        let (zeros, length) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if length == 0 {
            if zeros != 15 {
                break;
            }
            k += 16;
            continue;
        }
        k += zeros;
        let value = bits.signed(length)?;
        *block.get_mut(place(k)?).ok_or(BEYOND)? = value as i16;
        k += 1;
    }
    Ok(())
}

fn place(k: usize) -> Result<usize, JpegError> {
    WALK.get(k).map(|&place| place.into()).ok_or(BEYOND)
}

fn others(
    bits: &mut Bits<'_>,
    codes: &Codes,
    block: &mut Block,
    (first, last): (u8, u8),
    low: u32,
    run: &mut u32,
) -> Result<(), JpegError> {
    if *run > 0 {
        *run -= 1;
        return Ok(());
    }
    let (mut k, last) = (usize::from(first), usize::from(last));
    while k <= last {
        let symbol = codes.take(bits)?;
        let (zeros, length) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if length == 0 {
            if zeros != 15 {
                *run = (1 << zeros) - 1 + bits.take(zeros as u32)? as u32;
                break;
            }
            k += 16;
            continue;
        }
        k += zeros;
        if k > last {
            return Err(BEYOND);
        }
        let value = bits.signed(length)?;
        block[place(k)?] = (value << low) as i16;
        k += 1;
    }
    Ok(())
}

fn others_bit(
    bits: &mut Bits<'_>,
    codes: &Codes,
    block: &mut Block,
    (first, last): (u8, u8),
    low: u32,
    run: &mut u32,
) -> Result<(), JpegError> {
    let (mut k, last) = (usize::from(first), usize::from(last));
    let bit = 1_i16 << low;
    if *run == 0 {
        while k <= last {
            let symbol = codes.take(bits)?;
            let (mut zeros, length) = (u32::from(symbol >> 4), symbol & 15);
            let mut fresh = 0;
            match length {
                0 if zeros != 15 => {
                    *run = (1 << zeros) + bits.take(zeros)? as u32;
                    break;
                }
                0 => {}
                // Larger lengths are damage that libjpeg takes for 1, too.
                _ => fresh = if bits.take(1)? != 0 { bit } else { -bit },
            }
            // Passes over known coefficients, each with a bit, and so many zeros.
            while k <= last {
                let coefficient = &mut block[place(k)?];
                if *coefficient != 0 {
                    refine(bits, coefficient, bit)?;
                } else if zeros == 0 {
                    *coefficient = fresh;
                    k += 1;
                    break;
                } else {
                    zeros -= 1;
                }
                k += 1;
            }
        }
    }
    if *run > 0 {
        while k <= last {
            let coefficient = &mut block[place(k)?];
            if *coefficient != 0 {
                refine(bits, coefficient, bit)?;
            }
            k += 1;
        }
        *run -= 1;
    }
    Ok(())
}

fn refine(bits: &mut Bits<'_>, coefficient: &mut i16, bit: i16) -> Result<(), JpegError> {
    if bits.take(1)? != 0 && *coefficient & bit == 0 {
        let more = if *coefficient > 0 { bit } else { -bit };
        *coefficient = coefficient.wrapping_add(more);
    }
    Ok(())
}
