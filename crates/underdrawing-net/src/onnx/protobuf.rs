//! Protocol buffers, written: as much as ONNX files need.

/// The fields of a message so far, as bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Message(Vec<u8>);

/// How a field's value is laid out.
const VARINT: u64 = 0;
const LENGTH_DELIMITED: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    pub(super) fn new() -> Self {
        Self::default()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A whole number; negative ones take ten bytes.
    pub(super) fn int(mut self, field: u64, value: i64) -> Self {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A field that occurs once for each number.
    pub(super) fn ints(self, field: u64, values: impl IntoIterator<Item = i64>) -> Self {
        values
            .into_iter()
            .fold(self, |message, value| message.int(field, value))
    }

    pub(super) fn float(mut self, field: u64, value: f32) -> Self {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub(super) fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.key(field, LENGTH_DELIMITED);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    pub(super) fn string(self, field: u64, value: &str) -> Self {
        self.bytes(field, value.as_bytes())
    }

    pub(super) fn message(self, field: u64, value: &Self) -> Self {
        self.bytes(field, &value.0)
    }

    /// A field that occurs once for each message.
    pub(super) fn messages<'a>(
        self,
        field: u64,
        values: impl IntoIterator<Item = &'a Self>,
    ) -> Self {
        values
            .into_iter()
            .fold(self, |message, value| message.message(field, value))
    }

    fn key(&mut self, field: u64, layout: u64) {
        self.varint(field << 3 | layout);
    }

    /// Seven bits a byte, the lowest first; all but the last have their highest bit set.
    fn varint(&mut self, mut value: u64) {
        while value > 0x7f {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Examples of the format's documentation.
    #[test]
    fn fields_are_written_as_documented() {
        assert_eq!(Message::new().int(1, 150).into_bytes(), [0x08, 0x96, 0x01]);
        let text = Message::new().string(2, "testing").into_bytes();
        assert_eq!(text, [b"\x12\x07", &b"testing"[..]].concat());
        let nested = Message::new().message(3, &Message::new().int(1, 150));
        assert_eq!(nested.into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let negative = Message::new().int(1, -1).into_bytes();
        assert_eq!(negative, [&[8][..], &[0xff; 9], &[1]].concat());
        assert_eq!(
            Message::new().float(1, 1.0).into_bytes(),
            [13, 0, 0, 128, 63]
        );
    }
}
