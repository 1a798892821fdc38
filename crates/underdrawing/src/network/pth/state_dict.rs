//! The two containers of PyTorch's state dicts: zip archives since 1.6, and before that a row of
//! pickles with the storages behind them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::StateDictError;
use super::pickle::{Id, Pickle, Value};

/// What the first pickle of an old file holds, as Python's long integer.
const LEGACY_MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// What every zip archive with an entry starts with.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// Names of tensors, and their values where the file holds them.
#[derive(Debug)]
pub(super) struct StateDict<'a> {
    tensors: BTreeMap<String, StoredTensor>,
    storages: BTreeMap<String, Cow<'a, [u8]>>,
}

/// A row of values inside a storage.
#[derive(Debug)]
struct StoredTensor {
    storage: String,
    class: String,
    /// In values, not bytes.
    offset: usize,
    shape: Vec<usize>,
}

impl<'a> StateDict<'a> {
    /// Reads a file as `torch.save` writes it. The prefix `module.` of data-parallel training and
    /// the counters of batches, which nothing here uses, are dropped.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, StateDictError> {
        let (pickle, storages) = if bytes.starts_with(ZIP_MAGIC) {
            read_zip(bytes)?
        } else {
            read_legacy(bytes)?
        };
        let Value::Dict(entries) = pickle.root() else {
            return Err(StateDictError::Malformed("no dictionary of tensors"));
        };
        let mut dict = Self {
            tensors: BTreeMap::new(),
            storages,
        };
        let mut budget = bytes.len();
        for &(name, tensor) in entries {
            let name = pickle.text(name).ok_or(NO_TENSOR)?;
            if name.ends_with("num_batches_tracked") {
                continue;
            }
            let name = name.strip_prefix("module.").unwrap_or(name);
            let tensor = StoredTensor::of(&pickle, tensor)?;
            let n = dict.bytes(&tensor).ok_or(StateDictError::Truncated)?.len();
            if n == 0 {
                return Err(StateDictError::Malformed("an empty tensor"));
            }
            // Tensors may share a storage: together they must not outgrow the file.
            budget = budget
                .checked_sub(n)
                .ok_or(StateDictError::Malformed("tensors larger than the file"))?;
            dict.tensors.insert(name.to_owned(), tensor);
        }
        Ok(dict)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of the tensor of this name, whose values are there.
    pub(super) fn shape(&self, name: &str) -> Result<&[usize], StateDictError> {
        match self.tensors.get(name) {
            Some(tensor) => Ok(&tensor.shape),
            None => Err(StateDictError::Missing(name.to_owned())),
        }
    }

    /// Values of the tensor of this name, which must have this shape.
    pub(super) fn values(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, StateDictError> {
        let found = self.shape(name)?;
        if found != shape {
            return Err(StateDictError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: found.to_vec(),
            });
        }
        let tensor = &self.tensors[name];
        if tensor.class != FLOATS {
            return Err(StateDictError::Class {
                name: name.to_owned(),
                found: tensor.class.clone(),
            });
        }
        let values: Vec<f32> = self
            .bytes(tensor)
            .ok_or(StateDictError::Truncated)?
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
            .collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(StateDictError::NotFinite(name.to_owned()))
        }
    }

    fn bytes(&self, tensor: &StoredTensor) -> Option<&[u8]> {
        let size = value_size(&tensor.class).ok()?;
        let n = n_values(&tensor.shape)?.checked_mul(size)?;
        let start = tensor.offset.checked_mul(size)?;
        let storage = self.storages.get(&tensor.storage)?;
        storage.get(start..)?.get(..n)
    }
}

fn damaged_zip(error: impl std::error::Error + Send + Sync + 'static) -> StateDictError {
    StateDictError::Zip(Box::new(error))
}

const NO_TENSOR: StateDictError = StateDictError::Malformed("an entry that is not a tensor");

const FLOATS: &str = "torch FloatStorage";

impl StoredTensor {
    fn of(pickle: &Pickle, id: Id) -> Result<Self, StateDictError> {
        let tensor = Self::parse(pickle, id).ok_or(NO_TENSOR)?;
        tensor.ok_or(StateDictError::Malformed("a tensor that is not contiguous"))
    }

    /// None if it is not a tensor, Some(None) if its values are not in their order.
    #[allow(clippy::option_option)]
    fn parse(pickle: &Pickle, id: Id) -> Option<Option<Self>> {
        let Value::Call {
            function,
            arguments,
        } = pickle.get(id)
        else {
            return None;
        };
        let function = pickle.text(*function)?;
        if !function.starts_with("torch._utils _rebuild_tensor") {
            return None;
        }
        let [storage, offset, shape, strides, ..] = pickle.tuple(*arguments)? else {
            return None;
        };
        let Value::Persistent(storage) = pickle.get(*storage) else {
            return None;
        };
        let [_, class, key, ..] = pickle.tuple(*storage)? else {
            return None;
        };
        let shape = pickle.sizes(*shape)?;
        if !is_contiguous(&shape, &pickle.sizes(*strides)?) {
            return Some(None);
        }
        Some(Some(Self {
            storage: pickle.text(*key)?.to_owned(),
            class: pickle.text(*class)?.to_owned(),
            offset: pickle.size(*offset)?,
            shape,
        }))
    }
}

/// Whether values lie in the order of their indices, the last fastest.
fn is_contiguous(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
            let fits = extent == 1 || stride == expected;
            expected = expected.saturating_mul(extent);
            fits
        })
}

fn n_values(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |n, &extent| n.checked_mul(extent))
}

type Parts<'a> = (Pickle, BTreeMap<String, Cow<'a, [u8]>>);

/// `NAME/data.pkl` holds the pickle, `NAME/data/KEY` the storages, none of them compressed.
fn read_zip(bytes: &[u8]) -> Result<Parts<'_>, StateDictError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged_zip)?;
    let pickle_name = archive
        .file_names()
        .filter_map(Result::ok)
        .find(|name| name.ends_with("/data.pkl"))
        .ok_or(StateDictError::NotAStateDict)?
        .into_owned();
    let folder = pickle_name.trim_end_matches("data.pkl").to_owned();
    // Entries of an archive may overlap: together they must not outgrow the file.
    let mut budget = bytes.len() as u64;
    let mut entry = |name: &str| -> Result<Vec<u8>, StateDictError> {
        let mut file = archive.by_name(name).map_err(damaged_zip)?;
        if file.compression() != CompressionMethod::Stored {
            return Err(StateDictError::Malformed("compressed entries"));
        }
        budget = budget
            .checked_sub(file.size())
            .ok_or(StateDictError::Malformed("entries larger than the file"))?;
        let mut content = Vec::new();
        file.read_to_end(&mut content).map_err(damaged_zip)?;
        Ok(content)
    };

    let pickle = Pickle::read(&mut entry(&pickle_name)?.as_slice())?;
    if let Ok(order) = entry(&format!("{folder}byteorder"))
        && order != b"little"
    {
        return Err(StateDictError::Malformed("numbers in big-endian order"));
    }
    let mut storages = BTreeMap::new();
    for (key, _) in storage_classes(&pickle)? {
        let content = entry(&format!("{folder}data/{key}"))?;
        storages.insert(key.to_owned(), Cow::Owned(content));
    }
    Ok((pickle, storages))
}

/// Pickles of a magic number, a version, facts about the machine, the state dict and the storages'
/// keys; then the storages, their length in values first.
fn read_legacy(mut bytes: &[u8]) -> Result<Parts<'_>, StateDictError> {
    let magic = Pickle::read(&mut bytes);
    let magic = magic.map_err(|_| StateDictError::NotAStateDict)?;
    if !matches!(magic.root(), Value::LongInt(bytes) if *bytes == LEGACY_MAGIC) {
        return Err(StateDictError::NotAStateDict);
    }
    let version = Pickle::read(&mut bytes)?;
    if !matches!(version.root(), Value::Int(1001)) {
        return Err(StateDictError::Malformed("an unknown version"));
    }
    let machine = Pickle::read(&mut bytes)?;
    if is_big_endian(&machine) {
        return Err(StateDictError::Malformed("numbers in big-endian order"));
    }
    let pickle = Pickle::read(&mut bytes)?;
    let keys = Pickle::read(&mut bytes)?;
    let Value::List(list) = keys.root() else {
        return Err(StateDictError::Malformed("no list of storages"));
    };

    let classes = storage_classes(&pickle)?;
    let mut storages = BTreeMap::new();
    for &key in list {
        let key = keys.text(key).unwrap_or_default();
        let class = classes.get(key).copied().unwrap_or_default();
        let storage = next_storage(&mut bytes, value_size(class)?)?;
        storages.insert(key.to_owned(), Cow::Borrowed(storage));
    }
    Ok((pickle, storages))
}

fn is_big_endian(machine: &Pickle) -> bool {
    let Value::Dict(facts) = machine.root() else {
        return false;
    };
    facts.iter().any(|&(name, value)| {
        machine.text(name) == Some("little_endian")
            && matches!(machine.get(value), Value::Bool(false))
    })
}

/// Classes of all storages that the pickle refers to, by key.
fn storage_classes(pickle: &Pickle) -> Result<BTreeMap<&str, &str>, StateDictError> {
    let class = |id| match pickle.tuple(id)? {
        [kind, class, key, ..] if pickle.text(*kind)? == "storage" => {
            Some((pickle.text(*key)?, pickle.text(*class)?))
        }
        _ => None,
    };
    let classes = pickle.persistent().map(class).collect::<Option<_>>();
    classes.ok_or(StateDictError::Malformed("a reference to no storage"))
}

fn next_storage<'a>(bytes: &mut &'a [u8], value_size: usize) -> Result<&'a [u8], StateDictError> {
    let (n, rest) = bytes.split_first_chunk().ok_or(StateDictError::Truncated)?;
    let n = usize::try_from(u64::from_le_bytes(*n)).ok();
    let (storage, rest) = n
        .and_then(|n| n.checked_mul(value_size))
        .and_then(|n| rest.split_at_checked(n))
        .ok_or(StateDictError::Truncated)?;
    *bytes = rest;
    Ok(storage)
}

/// Bytes of one value of a storage class.
fn value_size(class: &str) -> Result<usize, StateDictError> {
    match class.trim_start_matches("torch ") {
        "ByteStorage" | "CharStorage" | "BoolStorage" => Ok(1),
        "HalfStorage" | "BFloat16Storage" | "ShortStorage" => Ok(2),
        "FloatStorage" | "IntStorage" => Ok(4),
        "DoubleStorage" | "LongStorage" => Ok(8),
        _ => Err(StateDictError::Malformed("a storage of unknown class")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_values_in_their_order() {
        let cases: [(&[usize], &[usize], bool); 7] = [
            (&[], &[], true),
            (&[5], &[1], true),
            (&[2, 3], &[3, 1], true),
            (&[2, 3], &[1, 2], false),
            (&[4, 1, 3], &[3, 77, 1], true),
            (&[2, 3], &[0, 0], false),
            (&[2, 3], &[1], false),
        ];
        for (shape, strides, expected) in cases {
            let found = is_contiguous(shape, strides);
            assert_eq!(found, expected, "{shape:?} by {strides:?}");
        }
    }
}
