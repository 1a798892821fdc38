//! The mark: 144 bits inside a container's samples that say what is hidden there.
//!
//! It holds the secret's own size, whether the secret was turned, and which model hid it, so that
//! revealing needs nothing but the picture; file metadata would be stripped on the way. Each bit
//! is the lowest bit of one sample. Byte by byte in `docs/format.md`, section 2.

use crate::network::balance::Balance;
use crate::network::model_id::ModelId;
use crate::picture::{Limits, Pixels};
use crate::report::Inspection;

/// The newest version of the mark that this code reads, and the one it writes.
pub(crate) const VERSION: u8 = 1;

/// Bytes of a mark.
const BYTES: usize = 18;

/// Bits of a mark, one sample each.
const BITS: usize = 8 * BYTES;

/// The checksum covers the bytes before it.
const CHECKED: usize = BYTES - 4;

/// Seed of the places, and of the bits that whiten the mark.
const PLACES_SEED: u64 = 0x756e_6465_7264_7261; // "underdra"
const WHITENING_SEED: u64 = 0x7769_6e67_6d61_726b; // "wingmark"

/// What a container says about the secret in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// The secret's own width in pixels, before any turn.
    pub(crate) secret_width: usize,
    /// The secret's own height in pixels.
    pub(crate) secret_height: usize,
    /// The secret was turned 90 degrees clockwise before hiding.
    pub(crate) turned: bool,
    /// How strong the secret was when the network hid it.
    pub(crate) balance: Balance,
    /// The model that hid it.
    pub(crate) model: ModelId,
}

/// A mark that a newer version of this library wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NewerMark {
    pub(crate) version: u8,
}

impl Mark {
    /// What it says, for callers.
    pub(crate) fn inspection(&self) -> Inspection {
        Inspection::Network {
            secret_width: self.secret_width,
            secret_height: self.secret_height,
            turned: self.turned,
            balance: self.balance,
            model: self.model,
        }
    }

    /// Reads the lowest bits of the marked samples.
    pub(crate) fn read(container: &Pixels) -> Result<Option<Self>, NewerMark> {
        let mut bytes = whitening();
        for (i, place) in places(container.data().len()).enumerate() {
            bytes[i / 8] ^= (container.data()[place] & 1) << (i % 8);
        }
        Self::from_bytes(&bytes)
    }

    /// The samples that carry this mark in a picture of `samples` samples, in ascending order,
    /// and the lowest bit of each.
    pub(crate) fn bits(&self, samples: usize) -> impl Iterator<Item = (usize, u8)> + use<> {
        let mut bytes = self.to_bytes();
        for (byte, white) in bytes.iter_mut().zip(whitening()) {
            *byte ^= white;
        }
        places(samples)
            .enumerate()
            .map(move |(i, place)| (place, (bytes[i / 8] >> (i % 8)) & 1))
    }

    fn to_bytes(self) -> [u8; BYTES] {
        let side = |n: usize| {
            u16::try_from(n)
                .expect("a picture's side is at most 32,768")
                .to_le_bytes()
        };
        let mut bytes = [0; BYTES];
        bytes[0] = VERSION;
        bytes[1] = u8::from(self.turned) | (self.balance.step() as u8 & 7) << 1;
        bytes[2..4].copy_from_slice(&side(self.secret_width));
        bytes[4..6].copy_from_slice(&side(self.secret_height));
        bytes[6..14].copy_from_slice(&self.model.to_bytes());
        let sum = crc32(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; BYTES]) -> Result<Option<Self>, NewerMark> {
        if bytes[CHECKED..] != crc32(&bytes[..CHECKED]).to_le_bytes() || bytes[0] == 0 {
            return Ok(None);
        }
        if bytes[0] > VERSION {
            return Err(NewerMark { version: bytes[0] });
        }
        let side = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        let (width, height) = (side(2), side(4));
        let size = Limits::OF_FORMATS.check(width.into(), height.into());
        // Three bits of two's complement.
        let balance = Balance::new((bytes[1] << 4) as i8 >> 5);
        let Some(balance) = balance.filter(|_| bytes[1] < 16 && size.is_ok()) else {
            return Ok(None);
        };
        let mut model = [0; 8];
        model.copy_from_slice(&bytes[6..14]);
        Ok(Some(Self {
            secret_width: width.into(),
            secret_height: height.into(),
            turned: bytes[1] & 1 == 1,
            balance,
            model: ModelId::from_bytes(model),
        }))
    }
}

/// The 8-bit value nearest to `value` (0 to 255) whose lowest bit is `bit`.
pub(crate) fn nearest_with_bit(value: f32, bit: u8) -> u8 {
    let half = ((value - f32::from(bit)) / 2.0).round().clamp(0.0, 127.0);
    2 * half as u8 + bit
}

/// The marked samples in ascending order: one in each of [`BITS`] equal stretches of the picture,
/// somewhere inside it. A picture too small has none.
fn places(samples: usize) -> impl Iterator<Item = usize> {
    let mut random = SplitMix(PLACES_SEED);
    let start = move |i: usize| i as u64 * samples as u64 / BITS as u64;
    let n = if samples < BITS { 0 } else { BITS };
    (0..n).map(move |i| {
        let stretch = start(i + 1) - start(i);
        (start(i) + random.next() % stretch) as usize
    })
}

/// What the mark is combined with, so that its bits look random in every container.
fn whitening() -> [u8; BYTES] {
    let mut random = SplitMix(WHITENING_SEED);
    std::array::from_fn(|_| (random.next() >> 56) as u8)
}

/// The generator `SplitMix64` (Steele, Lea and Flood 2014).
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// CRC-32 as in Ethernet, gzip and PNG.
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        secret_width: 640,
        secret_height: 32_768 / 2,
        turned: true,
        balance: Balance::EVEN,
        model: ModelId::from_bytes([1, 2, 3, 4, 0xf5, 0xf6, 0xf7, 0xf8]),
    };

    fn noise(width: usize, height: usize, seed: u64) -> Pixels {
        let mut random = SplitMix(seed);
        Pixels::from_fn(width, height, |_, _| {
            random.next().to_le_bytes()[..3].try_into().unwrap()
        })
        .unwrap()
    }

    /// Embeds with the unrounded value unknown: the sample itself stands for it.
    fn marked(mut picture: Pixels, mark: &Mark) -> Pixels {
        for (place, bit) in mark.bits(picture.data().len()) {
            let sample = &mut picture.data_mut()[place];
            *sample = nearest_with_bit((*sample).into(), bit);
        }
        picture
    }

    #[test]
    fn checksum_agrees_with_the_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn generator_agrees_with_the_published_sequence() {
        let mut random = SplitMix(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn is_read_back_at_every_size() {
        for (width, height) in [(16, 16), (17, 31), (64, 48), (1000, 3)] {
            for picture in [
                noise(width, height, 7),
                Pixels::from_fn(width, height, |_, _| [255; 3]).unwrap(),
                Pixels::from_fn(width, height, |_, _| [0; 3]).unwrap(),
            ] {
                let container = marked(picture, &MARK);
                assert_eq!(Mark::read(&container), Ok(Some(MARK)), "{width}x{height}");
            }
        }
    }

    /// Pins the bytes of `docs/format.md`: a change here makes old containers unreadable.
    #[test]
    fn layout_stays() {
        let bytes = MARK.to_bytes();
        assert_eq!(
            bytes[..CHECKED],
            [1, 1, 0x80, 2, 0, 0x40, 1, 2, 3, 4, 0xf5, 0xf6, 0xf7, 0xf8]
        );
        let places: Vec<_> = places(768).collect();
        assert_eq!(places[..6], [2, 8, 13, 19, 23, 29]);
        assert_eq!(whitening()[..6], [85, 100, 132, 213, 93, 226]);
    }

    #[test]
    fn every_balance_is_read_back() {
        let second_byte = Balance::ALL.map(|balance| {
            let mark = Mark { balance, ..MARK };
            let bytes = mark.to_bytes();
            assert_eq!(Mark::from_bytes(&bytes), Ok(Some(mark)));
            bytes[1]
        });
        assert_eq!(second_byte, [0b1101, 0b1111, 0b0001, 0b0011, 0b0101]);
        for unknown in [0b0111, 0b1001, 0b1011, 0b1_0000] {
            let mut bytes = MARK.to_bytes();
            bytes[1] = unknown;
            let sum = crc32(&bytes[..CHECKED]);
            bytes[CHECKED..].copy_from_slice(&sum.to_le_bytes());
            assert_eq!(Mark::from_bytes(&bytes), Ok(None), "{unknown:#b}");
        }
    }

    #[test]
    fn plain_pictures_have_none() {
        for seed in 0..2000 {
            assert_eq!(Mark::read(&noise(16, 16, seed)), Ok(None));
        }
        for grey in 0..=255 {
            let flat = Pixels::from_fn(20, 20, |_, _| [grey; 3]).unwrap();
            assert_eq!(Mark::read(&flat), Ok(None));
        }
        assert_eq!(Mark::read(&noise(1, 1, 0)), Ok(None));
    }

    #[test]
    fn every_damaged_bit_is_noticed() {
        let container = marked(noise(32, 32, 1), &MARK);
        for place in places(container.data().len()) {
            let mut damaged = container.clone();
            damaged.data_mut()[place] ^= 1;
            assert_eq!(Mark::read(&damaged), Ok(None), "sample {place}");
        }
    }

    #[test]
    fn a_newer_version_is_told_from_none() {
        let mut bytes = MARK.to_bytes();
        bytes[0] = 2;
        let sum = crc32(&bytes[..CHECKED]);
        bytes[CHECKED..].copy_from_slice(&sum.to_le_bytes());
        assert_eq!(Mark::from_bytes(&bytes), Err(NewerMark { version: 2 }));
    }

    #[test]
    fn sizes_over_the_limits_are_no_mark() {
        let huge = Mark {
            secret_width: 32_768,
            secret_height: 32_768,
            ..MARK
        };
        assert_eq!(Mark::from_bytes(&huge.to_bytes()), Ok(None));
    }

    #[test]
    fn chooses_the_nearest_value_with_the_bit() {
        for (value, bit, expected) in [
            (10.4, 0, 10),
            (10.4, 1, 11),
            (9.9, 1, 9),
            (255.0, 0, 254),
            (260.0, 1, 255),
            (-3.0, 1, 1),
            (0.0, 1, 1),
            (f32::NAN, 1, 1),
        ] {
            assert_eq!(nearest_with_bit(value, bit), expected, "{value} with {bit}");
        }
    }

    /// The whole loss on the smallest picture, against rounding alone: at 34 dB it must stay
    /// under 0.05 dB.
    #[test]
    fn costs_less_than_a_twentieth_of_a_decibel() {
        let mean_square_at_34_db = 255.0 * 255.0 / 10f64.powf(3.4);
        for (width, height) in [(16, 16), (17, 16), (64, 64)] {
            let mut random = SplitMix(5);
            let exact: Vec<f32> = (0..3 * width * height)
                .map(|_| (random.next() >> 40) as f32 * (255.0 / (1u32 << 24) as f32))
                .collect();
            let mut rounded: Vec<u8> = exact.iter().map(|v| v.round() as u8).collect();
            let error = |samples: &[u8]| -> f64 {
                let squares = samples
                    .iter()
                    .zip(&exact)
                    .map(|(&s, &e)| f64::from(f32::from(s) - e).powi(2));
                squares.sum::<f64>() / exact.len() as f64
            };
            let before = mean_square_at_34_db + error(&rounded);
            for (place, bit) in MARK.bits(exact.len()) {
                rounded[place] = nearest_with_bit(exact[place], bit);
            }
            let cost = 10.0 * ((mean_square_at_34_db + error(&rounded)) / before).log10();
            assert!(cost > 0.0 && cost < 0.05, "{width}x{height}: {cost} dB");
        }
    }
}
