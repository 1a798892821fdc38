//! The header: salt and sealed fields, coded for the worst (`docs/format.md`, section 5.3).

use crate::secrecy::{Cost, Password};

use super::grid::{Grid, PRICES, SURVIVED};
use super::keys::{Keys, SALT_BYTES, Salt};
use super::ldpc::{Code, Random};
use super::sites::{HEADER_BITS, Sites};

/// The newest version that this code reads, and the one it writes.
pub(super) const VERSION: u8 = 1;

pub(super) const FIELD_BYTES: usize = 6;
pub(super) const TAG_BYTES: usize = 4;
const BYTES: usize = SALT_BYTES + FIELD_BYTES + TAG_BYTES;

/// What a header says of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) grid: Grid,
    /// Share of parity in the payload's code, in 1/256, at least 1.
    pub(super) parity: u8,
    /// Whole blocks across of the picture that was written.
    pub(super) wide: usize,
    /// Whole blocks down.
    pub(super) high: usize,
}

/// A header that opens and whose content is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Newer;

impl Fields {
    pub(super) fn of(grid: Grid, parity: u8, sites: &Sites) -> Self {
        Self {
            grid,
            parity,
            wide: sites.wide,
            high: sites.high,
        }
    }

    /// 4 bits of version, 6 and 6 of the grid, 8 of parity, 12 and 12 of blocks, lowest first.
    pub(super) fn to_bytes(self) -> [u8; FIELD_BYTES] {
        let mut word = 0_u64;
        let mut at = 0;
        for (value, bits) in [
            (u64::from(VERSION), 4),
            (u64::from(self.grid.survive - SURVIVED.start()), 6),
            (self.grid.price.into(), 6),
            (self.parity.into(), 8),
            (self.wide as u64 - 1, 12),
            (self.high as u64 - 1, 12),
        ] {
            debug_assert!(value >> bits == 0);
            word |= value << at;
            at += bits;
        }
        let bytes = word.to_le_bytes();
        std::array::from_fn(|i| bytes[i])
    }

    pub(super) fn from_bytes(bytes: [u8; FIELD_BYTES]) -> Result<Self, Newer> {
        let mut wide = [0; 8];
        wide[..FIELD_BYTES].copy_from_slice(&bytes);
        let mut word = u64::from_le_bytes(wide);
        let mut take = |bits: u32| {
            let value = word & ((1 << bits) - 1);
            word >>= bits;
            value
        };
        if take(4) != u64::from(VERSION) {
            return Err(Newer);
        }
        let fields = Self {
            grid: Grid {
                survive: SURVIVED.start() + take(6) as u8,
                price: take(6) as u8,
            },
            parity: take(8) as u8,
            wide: take(12) as usize + 1,
            high: take(12) as usize + 1,
        };
        let known = SURVIVED.contains(&fields.grid.survive)
            && fields.grid.price < PRICES
            && fields.parity > 0;
        if known { Ok(fields) } else { Err(Newer) }
    }
}

/// A header's codeword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) salt: Salt,
    sealed: [u8; FIELD_BYTES],
    tag: [u8; TAG_BYTES],
}

impl Header {
    pub(super) fn new(salt: Salt, fields: Fields, keys: &Keys) -> Self {
        let (sealed, tag) = keys.seal_header(fields.to_bytes());
        Self { salt, sealed, tag }
    }

    /// The fields, if the keys are the right ones.
    pub(super) fn open(
        &self,
        password: Option<&Password>,
        cost: Cost,
    ) -> Option<(Keys, Result<Fields, Newer>)> {
        let keys = Keys::derive(password, &self.salt, cost);
        let fields = keys.open_header(self.sealed, self.tag)?;
        Some((keys, Fields::from_bytes(fields)))
    }

    /// [`HEADER_BITS`] bits, each 0 or 1.
    pub(super) fn to_bits(self) -> Vec<u8> {
        let bytes = [&self.salt[..], &self.sealed, &self.tag].concat();
        let mut bits = bits_of(&bytes);
        code().encode(&mut bits);
        bits.iter()
            .zip(turned())
            .map(|(bit, turned)| bit ^ turned)
            .collect()
    }

    /// The header nearest to what is seen; none where nothing near is one.
    pub(super) fn from_soft(soft: &[i16]) -> Option<Self> {
        let soft: Vec<i16> = soft
            .iter()
            .zip(turned())
            .map(|(&soft, turned)| if turned == 1 { -soft } else { soft })
            .collect();
        let bytes = bytes_of(&code().decode(&soft)?);
        let (salt, rest) = bytes.split_first_chunk()?;
        let (sealed, rest) = rest.split_first_chunk()?;
        Some(Self {
            salt: *salt,
            sealed: *sealed,
            tag: rest.try_into().ok()?,
        })
    }
}

fn code() -> Code {
    Code::new(HEADER_BITS, HEADER_BITS - 8 * BYTES)
}

/// Bits of the code that are turned, so that a flat picture holds no codeword.
fn turned() -> impl Iterator<Item = u8> {
    let mut random = Random::new(0x5EED);
    std::iter::repeat_with(move || (random.next() >> 63) as u8).take(HEADER_BITS)
}

/// The bits of bytes, lowest first.
pub(super) fn bits_of(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |i| byte >> i & 1))
        .collect()
}

/// The whole bytes of bits.
pub(super) fn bytes_of(bits: &[u8]) -> Vec<u8> {
    let (bytes, _) = bits.as_chunks::<8>();
    bytes
        .iter()
        .map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | bit))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            grid: Grid {
                survive: 75,
                price: 26,
            },
            parity: 19,
            wide: 4096,
            high: 1,
        }
    }

    #[test]
    fn fields_come_back_and_unknown_ones_are_newer() {
        let bytes = fields().to_bytes();
        assert_eq!(Fields::from_bytes(bytes), Ok(fields()));
        let mut newer = bytes;
        newer[0] ^= 3;
        assert_eq!(Fields::from_bytes(newer), Err(Newer));
        let mut beyond = bytes;
        beyond[0] |= 0xf0;
        beyond[1] |= 3;
        assert_eq!(Fields::from_bytes(beyond), Err(Newer));
        let mut no_parity = bytes;
        no_parity[2] = 0;
        assert_eq!(Fields::from_bytes(no_parity), Err(Newer));
    }

    #[test]
    fn a_header_survives_wrong_bits() {
        let keys = Keys::derive(None, &[9; SALT_BYTES], Cost::TEST);
        let header = Header::new([9; SALT_BYTES], fields(), &keys);
        let bits = header.to_bits();
        let soft: Vec<i16> = bits
            .iter()
            .enumerate()
            .map(|(i, &bit)| if (i % 11 == 3) ^ (bit == 1) { -20 } else { 20 })
            .collect();
        let found = Header::from_soft(&soft).expect("a header");
        assert_eq!(found, header);
        let (_, opened) = found.open(None, Cost::TEST).expect("no password");
        assert_eq!(opened, Ok(fields()));
        let other = Password::new("other");
        assert!(found.open(Some(&other), Cost::TEST).is_none());
    }

    #[test]
    fn flat_pictures_hold_none() {
        assert_eq!(Header::from_soft(&[100; HEADER_BITS]), None);
        assert_eq!(Header::from_soft(&[0; HEADER_BITS]), None);
    }
}
