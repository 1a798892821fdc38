//! The header: salt and sealed fields, coded for the worst (`docs/format.md`, section 5.3).

use std::sync::OnceLock;

use crate::secrecy::{Cost, Password};

use super::grid::{Grid, SURVIVED};
use super::keys::{FIELD_BYTES, Keys, SALT_BYTES, Salt, TAG_BYTES};
use super::lattice::Soft;
use super::ldpc::{Code, Random, Weights};
use super::payload::turned_back;
use super::sites::{HEADER_DIGITS, Sites};
use super::ternary::Packing;

/// The newest version that this code reads, and the one it writes.
pub(super) const VERSION: u8 = 2;

/// The first version, whose digits are not shaped.
const UNSHAPED: u8 = 1;

const BYTES: usize = SALT_BYTES + FIELD_BYTES + TAG_BYTES;

/// Digits of those bytes.
const INFORMATION: usize = 95;
const _: () = assert!(Packing::First.capacity(INFORMATION) == BYTES);

/// What a header says of the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fields {
    pub(super) grid: Grid,
    /// Share of parity in the payload's code, in 1/256, 1 to 127.
    pub(super) parity: u8,
    /// Whether the payload's digits are shaped.
    pub(super) shaped: bool,
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
            shaped: true,
            wide: sites.wide,
            high: sites.high,
        }
    }

    /// 3 bits of version, 6 and 8 of the grid, 7 of parity, 12 and 12 of blocks, lowest first.
    pub(super) fn to_bytes(self) -> [u8; FIELD_BYTES] {
        let mut word = 0_u64;
        let mut at = 0;
        let version = if self.shaped { VERSION } else { UNSHAPED };
        for (value, bits) in [
            (u64::from(version), 3),
            (u64::from(self.grid.survive - SURVIVED.start()), 6),
            (self.grid.quarters.into(), 8),
            (self.parity.into(), 7),
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
        let version = take(3) as u8;
        if ![UNSHAPED, VERSION].contains(&version) {
            return Err(Newer);
        }
        let fields = Self {
            grid: Grid {
                survive: SURVIVED.start() + take(6) as u8,
                quarters: take(8) as u8,
            },
            parity: take(7) as u8,
            shaped: version != UNSHAPED,
            wide: take(12) as usize + 1,
            high: take(12) as usize + 1,
        };
        let known = SURVIVED.contains(&fields.grid.survive) && fields.parity > 0;
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

    /// [`HEADER_DIGITS`] digits, each 0, 1 or 2.
    pub(super) fn to_digits(self) -> Vec<u8> {
        let bytes = [&self.salt[..], &self.sealed, &self.tag].concat();
        let mut digits = Packing::First.digits_of(&bytes, INFORMATION);
        code().encode(&mut digits);
        digits
            .iter()
            .zip(mask())
            .map(|(digit, mask)| (digit + mask) % 3)
            .collect()
    }

    /// The header nearest to what is seen; none where nothing near is one.
    pub(super) fn from_soft(soft: &[Soft]) -> Option<Self> {
        let soft: Vec<Soft> = soft
            .iter()
            .zip(mask())
            .map(|(&soft, mask)| turned_back(soft, mask))
            .collect();
        let digits = code().decode(&soft)?;
        let bytes = Packing::First.bytes_of(&digits, BYTES);
        let (salt, rest) = bytes.split_first_chunk()?;
        let (sealed, rest) = rest.split_first_chunk()?;
        Some(Self {
            salt: *salt,
            sealed: *sealed,
            tag: rest.try_into().ok()?,
        })
    }
}

/// How much likelier what is seen is in a header than in noise: a natural logarithm.
pub(super) fn plausibility(soft: &[Soft]) -> f64 {
    let soft: Vec<Soft> = soft
        .iter()
        .zip(mask())
        .map(|(&soft, mask)| turned_back(soft, mask))
        .collect();
    code().evidence(&soft)
}

fn code() -> &'static Code {
    static CODE: OnceLock<Code> = OnceLock::new();
    CODE.get_or_init(|| Code::new(HEADER_DIGITS, HEADER_DIGITS - INFORMATION, Weights::First))
}

/// What is added to the code's digits, so that a flat picture holds no codeword.
fn mask() -> impl Iterator<Item = u8> {
    let mut random = Random::new(0x5EED);
    std::iter::repeat_with(move || (random.next() % 3) as u8).take(HEADER_DIGITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields {
        Fields {
            grid: Grid {
                survive: 75,
                quarters: 47,
            },
            parity: 19,
            shaped: true,
            wide: 4096,
            high: 1,
        }
    }

    #[test]
    fn fields_come_back_and_unknown_ones_are_newer() {
        let bytes = fields().to_bytes();
        assert_eq!(Fields::from_bytes(bytes), Ok(fields()));
        let unshaped = Fields {
            shaped: false,
            ..fields()
        };
        assert_eq!(Fields::from_bytes(unshaped.to_bytes()), Ok(unshaped));
        let mut newer = bytes;
        newer[0] ^= 1;
        assert_eq!(Fields::from_bytes(newer), Err(Newer));
        let mut beyond = bytes;
        beyond[0] |= 0xf8;
        beyond[1] |= 1;
        assert_eq!(Fields::from_bytes(beyond), Err(Newer));
        let no_parity = Fields {
            parity: 0,
            ..fields()
        };
        assert_eq!(Fields::from_bytes(no_parity.to_bytes()), Err(Newer));
    }

    #[test]
    fn a_header_survives_wrong_digits() {
        let keys = Keys::derive(None, &[9; SALT_BYTES], Cost::TEST);
        let header = Header::new([9; SALT_BYTES], fields(), &keys);
        let soft: Vec<Soft> = header
            .to_digits()
            .iter()
            .enumerate()
            .map(|(i, &digit)| {
                let mut soft = [-20; 3];
                soft[(usize::from(digit) + usize::from(i % 9 == 3)) % 3] = 0;
                soft
            })
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
        for soft in [[0, -60, -60], [-60, 0, -60], [0; 3]] {
            assert_eq!(Header::from_soft(&[soft; HEADER_DIGITS]), None);
        }
    }
}
