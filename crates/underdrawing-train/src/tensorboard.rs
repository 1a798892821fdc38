//! Event files of TensorBoard: records of `Event` messages in the protocol buffers' encoding
//! (`tensorflow/core/util/event.proto`), each framed by its length and checksums as in a
//! `TFRecord`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::event::Event;

/// A file that grows by a record an event.
#[derive(Debug)]
pub(crate) struct EventFile(File);

impl EventFile {
    /// A new file in a folder, for what comes after `step`; what other files there have of later
    /// steps no longer counts.
    pub(crate) fn create(folder: &Path, step: u64) -> io::Result<Self> {
        let mut seconds = now() as u64;
        let file = loop {
            // A run that is resumed within a second gets the next one's name; readers go by names.
            let name = format!("events.out.tfevents.{seconds:010}.underdrawing");
            let file = OpenOptions::new()
                .append(true)
                .create_new(true)
                .open(folder.join(name));
            match file {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => seconds += 1,
                other => break other?,
            }
        };
        let mut events = Self(file);
        events.write(0, &[field(3, Wire::Bytes(b"brain.Event:2"))])?;
        if step > 0 {
            const START: u64 = 1;
            let start = field(1, Wire::Number(START));
            events.write(step + 1, &[field(7, Wire::Bytes(&start))])?;
        }
        Ok(events)
    }

    /// Notes the figures of an event, if it has any.
    pub(crate) fn note(&mut self, event: &Event) -> io::Result<()> {
        match event {
            Event::Step {
                step,
                container_mse,
                revealed_mse,
                learning_rate,
                reveal_learning_rate,
            } => self.scalars(
                *step,
                &[
                    ("training/container_psnr_db", psnr_db(*container_mse)),
                    ("training/revealed_psnr_db", psnr_db(*revealed_mse)),
                    ("learning_rate/hiding", *learning_rate),
                    ("learning_rate/reveal", *reveal_learning_rate),
                ],
            ),
            Event::Validated(figures) => self.scalars(
                figures.step,
                &[
                    ("validation/container_psnr_db", figures.container_psnr_db),
                    ("validation/revealed_psnr_db", figures.revealed_psnr_db),
                    ("validation/container_apd", figures.container_apd),
                    ("validation/revealed_apd", figures.revealed_apd),
                ],
            ),
            _ => Ok(()),
        }
    }

    fn scalars(&mut self, step: u64, scalars: &[(&str, f64)]) -> io::Result<()> {
        let values = scalars.iter().flat_map(|(tag, value)| {
            let tag = field(1, Wire::Bytes(tag.as_bytes()));
            let value = field(2, Wire::Single(*value as f32));
            field(1, Wire::Bytes(&[tag, value].concat()))
        });
        let summary: Vec<u8> = values.collect();
        self.write(step, &[field(5, Wire::Bytes(&summary))])
    }

    /// Appends an `Event` of the time that it is now.
    fn write(&mut self, step: u64, fields: &[Vec<u8>]) -> io::Result<()> {
        let time = field(1, Wire::Double(now()));
        let mut event = time;
        if step > 0 {
            event.extend(field(2, Wire::Number(step)));
        }
        event.extend(fields.concat());
        self.0.write_all(&record(&event))
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs_f64()
}

fn psnr_db(mse: f64) -> f64 {
    -10.0 * mse.log10()
}

/// A value of a message's field.
enum Wire<'a> {
    Number(u64),
    Double(f64),
    Single(f32),
    Bytes(&'a [u8]),
}

/// A field: its number and kind, and the value.
fn field(number: u64, value: Wire<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let key = |kind: u64| number << 3 | kind;
    match value {
        Wire::Number(number) => {
            varint(&mut bytes, key(0));
            varint(&mut bytes, number);
        }
        Wire::Double(number) => {
            varint(&mut bytes, key(1));
            bytes.extend(number.to_le_bytes());
        }
        Wire::Bytes(content) => {
            varint(&mut bytes, key(2));
            varint(&mut bytes, content.len() as u64);
            bytes.extend(content);
        }
        Wire::Single(number) => {
            varint(&mut bytes, key(5));
            bytes.extend(number.to_le_bytes());
        }
    }
    bytes
}

/// Seven bits a byte, the lowest ones first; the eighth says that more come.
fn varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Length, its checksum, the content, its checksum.
fn record(content: &[u8]) -> Vec<u8> {
    let length = (content.len() as u64).to_le_bytes();
    let checksums = [&length, content].map(|bytes| masked(crc32c(bytes)).to_le_bytes());
    [&length, &checksums[0][..], content, &checksums[1]].concat()
}

/// The disguise of checksums in these files: turned, and a constant added.
fn masked(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Castagnoli's cyclic redundancy check, as in iSCSI (RFC 3720).
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78; // its bits reversed
    let crc = bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg())
        })
    });
    !crc
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        // RFC 3720, B.4, and the usual check value.
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// What TensorFlow 2 writes for the length of a record of 24 bytes, as all its event files
    /// begin.
    #[test]
    fn records_are_framed_as_tensorflow_frames_them() {
        let framed = record(&[0; 24]);
        assert_eq!(
            framed[..12],
            [24, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22]
        );
        assert_eq!(framed.len(), 12 + 24 + 4);
    }

    #[test]
    fn a_resumed_run_gets_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        for step in [0, 3, 5] {
            EventFile::create(folder.path(), step).unwrap();
        }
        let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!(files.len(), 3);
        let length = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().metadata().unwrap();
        files.sort_by_key(|entry| entry.as_ref().unwrap().file_name());
        let lengths: Vec<u64> = files.into_iter().map(|e| length(e).len()).collect();
        // A record of the version; of a resumed run, one more that says from where.
        assert_eq!(lengths, [40, 71, 71]);
    }
}
