//! The part of Python's pickle format that PyTorch's state dicts use.
//!
//! A pickle is a program for a stack machine that builds objects. Here it can build plain data
//! only: calls are recorded, never made. All values live in one list and name each other by their
//! place in it, so no input makes this recurse.

use std::collections::BTreeMap;

use super::StateDictError;

/// Most instructions in one pickle; the state dict of 2018 takes about 3,000.
const MAX_STEPS: usize = 1 << 20;

/// Place of a value in its [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id(usize);

#[derive(Debug)]
pub(super) enum Value {
    /// `None`, numbers that are not needed here.
    Other,
    Bool(bool),
    Int(i64),
    /// An integer of more than 8 bytes, least significant first.
    LongInt(Vec<u8>),
    Text(String),
    /// A class or function: module, space, name.
    Global(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// Something outside the pickle, here always a storage.
    Persistent(Id),
    /// A call that Python would make.
    Call {
        function: Id,
        arguments: Id,
    },
}

/// All values of a pickle.
#[derive(Debug)]
pub(super) struct Pickle {
    values: Vec<Value>,
    root: Id,
}

impl Pickle {
    /// Reads a pickle at the start of `bytes` and moves `bytes` behind it.
    pub(super) fn read(bytes: &mut &[u8]) -> Result<Self, StateDictError> {
        let mut machine = Machine {
            input: bytes,
            values: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        for _ in 0..MAX_STEPS {
            if let Some(root) = machine.step()? {
                *bytes = machine.input;
                return Ok(Self {
                    values: machine.values,
                    root,
                });
            }
        }
        Err(StateDictError::Malformed("a pickle of too many steps"))
    }

    pub(super) fn root(&self) -> &Value {
        self.get(self.root)
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id.0]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) | Value::Global(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn tuple(&self, id: Id) -> Option<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn size(&self, id: Id) -> Option<usize> {
        match self.get(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        }
    }

    pub(super) fn sizes(&self, id: Id) -> Option<Vec<usize>> {
        self.tuple(id)?
            .iter()
            .map(|&item| self.size(item))
            .collect()
    }

    /// Everything that lies outside the pickle.
    pub(super) fn persistent(&self) -> impl Iterator<Item = Id> {
        self.values.iter().filter_map(|value| match value {
            Value::Persistent(id) => Some(*id),
            _ => None,
        })
    }
}

struct Machine<'a> {
    input: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Runs one instruction; the result, if it was the last.
    fn step(&mut self) -> Result<Option<Id>, StateDictError> {
        let [code] = self.bytes()?;
        match code {
            b'.' => return self.pop().map(Some),
            // Protocol and frame: nothing to do.
            0x80 => drop(self.bytes::<1>()?),
            0x95 => drop(self.bytes::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'q' | b'r' | 0x94 => self.remember(code)?,
            b'h' | b'j' => self.recall(code)?,
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b't' | b')' | 0x85..=0x87 => self.tuple(code)?,
            b's' | b'u' => self.set_items(code)?,
            b'a' | b'e' => self.append(code)?,
            b'N' | b'G' | 0x88 | 0x89 => self.constant(code)?,
            b'K' | b'M' | b'J' | 0x8a => self.integer(code)?,
            b'X' | 0x8c | b'U' | b'T' => self.text(code)?,
            b'c' | 0x93 => self.global(code)?,
            b'Q' => {
                let id = self.pop()?;
                self.push(Value::Persistent(id));
            }
            b'R' => self.call()?,
            // An object's attributes; a state dict keeps versions of layers there.
            b'b' => drop(self.pop()?),
            _ => return Err(StateDictError::Instruction(code)),
        }
        Ok(None)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(Id(self.values.len()));
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, StateDictError> {
        self.stack.pop().ok_or(EMPTY)
    }

    /// Everything above the last mark.
    fn pop_to_mark(&mut self) -> Result<Vec<Id>, StateDictError> {
        let mark = self.marks.pop().ok_or(EMPTY)?;
        if mark > self.stack.len() {
            return Err(EMPTY);
        }
        Ok(self.stack.split_off(mark))
    }

    fn remember(&mut self, code: u8) -> Result<(), StateDictError> {
        let key = match code {
            0x94 => self.memo.len() as u32,
            _ => self.memo_key(code)?,
        };
        let id = *self.stack.last().ok_or(EMPTY)?;
        self.memo.insert(key, id);
        Ok(())
    }

    fn recall(&mut self, code: u8) -> Result<(), StateDictError> {
        let key = self.memo_key(code)?;
        let id = self.memo.get(&key).ok_or(EMPTY)?;
        self.stack.push(*id);
        Ok(())
    }

    fn memo_key(&mut self, code: u8) -> Result<u32, StateDictError> {
        Ok(match code {
            b'q' | b'h' => self.bytes::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.bytes()?),
        })
    }

    fn tuple(&mut self, code: u8) -> Result<(), StateDictError> {
        let items = match code {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            _ => {
                let n = usize::from(code - 0x84);
                let height = self.stack.len().checked_sub(n).ok_or(EMPTY)?;
                self.stack.split_off(height)
            }
        };
        self.push(Value::Tuple(items));
        Ok(())
    }

    fn set_items(&mut self, code: u8) -> Result<(), StateDictError> {
        let items = if code == b's' {
            let value = self.pop()?;
            vec![self.pop()?, value]
        } else {
            self.pop_to_mark()?
        };
        let dict = *self.stack.last().ok_or(EMPTY)?;
        let Value::Dict(entries) = &mut self.values[dict.0] else {
            return Err(StateDictError::Malformed("items of something not a dict"));
        };
        entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
        Ok(())
    }

    fn append(&mut self, code: u8) -> Result<(), StateDictError> {
        let items = if code == b'a' {
            vec![self.pop()?]
        } else {
            self.pop_to_mark()?
        };
        let list = *self.stack.last().ok_or(EMPTY)?;
        let Value::List(entries) = &mut self.values[list.0] else {
            return Err(StateDictError::Malformed("items of something not a list"));
        };
        entries.extend(items);
        Ok(())
    }

    fn constant(&mut self, code: u8) -> Result<(), StateDictError> {
        let value = match code {
            0x88 => Value::Bool(true),
            0x89 => Value::Bool(false),
            b'G' => {
                self.bytes::<8>()?;
                Value::Other
            }
            _ => Value::Other,
        };
        self.push(value);
        Ok(())
    }

    fn integer(&mut self, code: u8) -> Result<(), StateDictError> {
        let value = match code {
            b'K' => Value::Int(self.bytes::<1>()?[0].into()),
            b'M' => Value::Int(u16::from_le_bytes(self.bytes()?).into()),
            b'J' => Value::Int(i32::from_le_bytes(self.bytes()?).into()),
            _ => {
                let [n] = self.bytes()?;
                let bytes = self.take(n.into())?;
                long(bytes)
            }
        };
        self.push(value);
        Ok(())
    }

    fn text(&mut self, code: u8) -> Result<(), StateDictError> {
        let n = match code {
            0x8c | b'U' => self.bytes::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.bytes()?) as usize,
        };
        let text = utf8(self.take(n)?)?;
        self.push(Value::Text(text));
        Ok(())
    }

    fn global(&mut self, code: u8) -> Result<(), StateDictError> {
        let (module, name) = if code == b'c' {
            (self.line()?, self.line()?)
        } else {
            let (name, module) = (self.pop()?, self.pop()?);
            match (&self.values[module.0], &self.values[name.0]) {
                (Value::Text(module), Value::Text(name)) => (module.clone(), name.clone()),
                _ => return Err(StateDictError::Malformed("a class without a name")),
            }
        };
        self.push(Value::Global(format!("{module} {name}")));
        Ok(())
    }

    fn call(&mut self) -> Result<(), StateDictError> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let value = match &self.values[function.0] {
            Value::Global(name) if name == "collections OrderedDict" => Value::Dict(Vec::new()),
            _ => Value::Call {
                function,
                arguments,
            },
        };
        self.push(value);
        Ok(())
    }

    fn line(&mut self) -> Result<String, StateDictError> {
        let end = self.input.iter().position(|&byte| byte == b'\n');
        let line = self.take(end.ok_or(StateDictError::Truncated)?)?;
        self.bytes::<1>()?;
        utf8(line)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8], StateDictError> {
        let (taken, rest) = self
            .input
            .split_at_checked(n)
            .ok_or(StateDictError::Truncated)?;
        self.input = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StateDictError> {
        let (taken, rest) = self
            .input
            .split_first_chunk()
            .ok_or(StateDictError::Truncated)?;
        self.input = rest;
        Ok(*taken)
    }
}

const EMPTY: StateDictError = StateDictError::Malformed("a pickle that takes what is not there");

fn utf8(bytes: &[u8]) -> Result<String, StateDictError> {
    let text = std::str::from_utf8(bytes);
    text.map(str::to_owned)
        .map_err(|_| StateDictError::Malformed("text that is not UTF-8"))
}

/// A signed integer of any length, least significant byte first.
fn long(bytes: &[u8]) -> Value {
    if bytes.len() > 8 {
        return Value::LongInt(bytes.to_vec());
    }
    let negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
    let mut wide = [if negative { 0xff } else { 0 }; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_of_every_length() {
        let cases: [(&[u8], i64); 7] = [
            (b"K\xff.", 255),
            (b"M\x01\x02.", 513),
            (b"J\xff\xff\xff\xff.", -1),
            (b"\x8a\x00.", 0),
            (b"\x8a\x01\xff.", -1),
            (b"\x8a\x02\xff\x00.", 255),
            (b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x80.", i64::MIN),
        ];
        for (mut bytes, expected) in cases {
            let pickle = Pickle::read(&mut bytes).expect("a pickle");
            assert!(
                matches!(pickle.root(), Value::Int(value) if *value == expected),
                "{expected}"
            );
            assert!(bytes.is_empty());
        }
    }

    #[test]
    fn refuses_what_is_no_pickle() {
        let cases: [&[u8]; 12] = [
            b"",
            b".",
            b"t.",
            b"(",
            b"\x87.",
            b"h\x01.",
            b"K\x01K\x01s.",
            b"K\x01K\x01a.",
            b"X\xff\xff\xff\xffa.",
            b"U\x01\xff.",
            b"cos\nsystem",
            b"iunknown\n.",
        ];
        for mut bytes in cases {
            let name = bytes.escape_ascii().to_string();
            assert!(Pickle::read(&mut bytes).is_err(), "{name}");
        }
    }

    #[test]
    fn records_calls_without_making_them() {
        let mut bytes: &[u8] = b"cos\nsystem\nU\x04ruin\x85R.";
        let pickle = Pickle::read(&mut bytes).expect("a pickle");
        let Value::Call { function, .. } = pickle.root() else {
            panic!("expected a call, got {:?}", pickle.root());
        };
        assert_eq!(pickle.text(*function), Some("os system"));
    }

    #[test]
    fn a_mountain_of_nested_tuples_costs_little() {
        let mut bytes = vec![b')'];
        bytes.extend(std::iter::repeat_n(0x85, MAX_STEPS - 2));
        bytes.push(b'.');
        assert!(Pickle::read(&mut bytes.as_slice()).is_ok());
        bytes.insert(0, b')');
        assert!(Pickle::read(&mut bytes.as_slice()).is_err());
    }
}
