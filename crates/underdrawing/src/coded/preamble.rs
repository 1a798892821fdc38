//! The first samples of a container: the salt and the sealed header, ternary digits all
//! (`docs/format.md`, section 3.2). The payload's samples follow.

use crate::secrecy::TAG_BYTES;

use super::channel::Channel;
use super::keys::{Keys, SALT_BYTE_END, SALT_BYTES, Salt};
use super::layout::{HEADER_BYTES, Header, Newer};
use super::mix::{Mix, nearest};

/// Ternary digits of a salt's byte.
const DIGITS_A_BYTE: usize = 5;

/// Samples that hold the salt.
const SALT_SAMPLES: usize = SALT_BYTES * DIGITS_A_BYTE;

/// Samples that hold the header: the fewest with room for it.
const HEADER_SAMPLES: usize = 161;

/// Samples before the payload's.
pub(super) const SAMPLES: usize = SALT_SAMPLES + HEADER_SAMPLES;

/// Why there is no header to read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// The key does not open it, or there is none.
    Unreadable,
    /// A newer underdrawing wrote it.
    Newer,
}

/// The salt that a container of at least [`SAMPLES`] samples begins with; a plain picture gives
/// one, too, mostly.
pub(super) fn read_salt(samples: &[u8]) -> Option<Salt> {
    let mut salt = [0; SALT_BYTES];
    let digits = samples.get(..SALT_SAMPLES)?.chunks_exact(DIGITS_A_BYTE);
    for (byte, digits) in salt.iter_mut().zip(digits) {
        *byte = digits
            .iter()
            .rev()
            .fold(0, |sum, sample| 3 * sum + sample % 3);
    }
    Some(salt)
}

/// Opens the header.
pub(super) fn read_header(samples: &[u8], keys: &Keys) -> Result<Header, Closed> {
    let samples = samples
        .get(SALT_SAMPLES..SAMPLES)
        .ok_or(Closed::Unreadable)?;
    let bytes = channel(keys).extract(samples);
    let header = keys
        .header
        .open(0, &bytes[..HEADER_BYTES + TAG_BYTES])
        .ok_or(Closed::Unreadable)?;
    Header::from_bytes(&header).map_err(|Newer| Closed::Newer)
}

/// Changes the first [`SAMPLES`] samples to hold salt and header.
pub(super) fn write(samples: &mut [u8], salt: &Salt, header: Header, keys: &Keys) {
    write_bytes(samples, salt, &header.to_bytes(), keys);
}

/// As [`write`], with any header.
pub(super) fn write_bytes(
    samples: &mut [u8],
    salt: &Salt,
    header: &[u8; HEADER_BYTES],
    keys: &Keys,
) {
    let (salt_samples, rest) = samples.split_at_mut(SALT_SAMPLES);
    for (samples, byte) in salt_samples.chunks_exact_mut(DIGITS_A_BYTE).zip(salt) {
        debug_assert!(*byte < SALT_BYTE_END);
        let mut byte = *byte;
        for sample in samples {
            *sample = nearest(*sample, byte % 3, 3);
            byte /= 3;
        }
    }
    let sealed = keys.header.seal(0, header);
    channel(keys).embed(&mut rest[..HEADER_SAMPLES], &sealed);
}

fn channel(keys: &Keys) -> Channel {
    Channel::new(HEADER_SAMPLES, Mix::TERNARY, keys.header_channel.clone())
}

const _: () = assert!(3_u32.pow(DIGITS_A_BYTE as u32) == SALT_BYTE_END as u32);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::digits;
    use crate::secrecy::{Cost, Password};

    #[test]
    fn header_samples_have_room_for_the_header_and_no_more() {
        let needed = HEADER_BYTES + TAG_BYTES;
        assert_eq!(digits::uniform_capacity(3, HEADER_SAMPLES), needed);
        assert!(digits::uniform_capacity(3, HEADER_SAMPLES - 1) < needed);
    }

    #[test]
    fn salt_and_header_come_back_under_their_key_only() {
        let salt = [242, 0, 1, 80, 81, 3, 9, 27, 200, 100, 5, 6, 7, 8, 9, 10, 11];
        let keys = |password| Keys::derive(password, &salt, Cost::TEST);
        let header = Header {
            mix: Mix { low: 3, share: 5 },
            directory: 34,
        };
        let mut samples: Vec<u8> = (0..SAMPLES).map(|i| (i * 7) as u8).collect();
        write(&mut samples, &salt, header, &keys(None));
        assert_eq!(read_salt(&samples), Some(salt));
        assert_eq!(read_header(&samples, &keys(None)), Ok(header));
        let other = Keys::derive(Some(&Password::new("x")), &salt, Cost::TEST);
        assert_eq!(read_header(&samples, &other), Err(Closed::Unreadable));
        assert_eq!(read_salt(&samples[..SALT_SAMPLES - 1]), None);
        assert_eq!(
            read_header(&samples[..SAMPLES - 1], &keys(None)),
            Err(Closed::Unreadable)
        );
    }
}
