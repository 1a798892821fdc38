//! Files of named tensors: the two containers of `torch.save`, zip archives since PyTorch 1.6 and
//! before that a row of pickles with the storages behind them, and safetensors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use zip::{CompressionMethod, ZipArchive};

use super::StateDictError;
use super::pickle::{Id, Pickle, Value};

/// What the first pickle of an old file holds, as Python's long integer.
pub(super) const LEGACY_MAGIC: [u8; 10] =
    [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// What every zip archive with an entry starts with.
pub(super) const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// What training wrappers put before a network's own names, once or several times.
const PREFIXES: [&str; 4] = ["module.", "_orig_mod.", "netH.", "netR."];

/// Names of tensors, and their values where the file holds them.
#[derive(Debug)]
pub(super) struct StateDict<'a> {
    tensors: BTreeMap<String, StoredTensor>,
    storages: BTreeMap<String, Cow<'a, [u8]>>,
    /// Names of entries that are no tensors.
    others: Vec<String>,
}

/// Values inside a storage.
#[derive(Debug)]
struct StoredTensor {
    storage: String,
    /// None if it is no type of floats.
    float: Option<Float>,
    /// What the file calls the type.
    class: String,
    /// In values, not bytes.
    offset: usize,
    shape: Vec<usize>,
    /// Distances between neighbours along each axis, in values.
    strides: Vec<usize>,
}

/// How floats are stored.
#[derive(Clone, Copy, Debug)]
enum Float {
    Half,
    Brain,
    Single,
    Double,
}

impl<'a> StateDict<'a> {
    /// Reads a file as `torch.save` or safetensors writes it. A checkpoint may hold the state dict
    /// inside: it is the one with a tensor of the name `first`. Wrappers' prefixes and the counters
    /// of batches, which nothing here uses, are dropped.
    pub(super) fn read(bytes: &'a [u8], first: &str) -> Result<Self, StateDictError> {
        if let Ok(file) = SafeTensors::deserialize(bytes) {
            return Ok(Self::of_safetensors(&file));
        }
        let (pickle, storages) = if bytes.starts_with(ZIP_MAGIC) {
            read_zip(bytes)?
        } else {
            read_legacy(bytes)?
        };
        let entries = state_dict(&pickle, first)
            .ok_or(StateDictError::Malformed("no dictionary of tensors"))?;
        let mut dict = Self {
            tensors: BTreeMap::new(),
            storages,
            others: Vec::new(),
        };
        let mut budget = bytes.len();
        for &(name, tensor) in entries {
            let name = bare(pickle.text(name).unwrap_or("(not a name)"));
            if name.ends_with("num_batches_tracked") {
                continue;
            }
            let Some(tensor) = StoredTensor::of(&pickle, tensor) else {
                dict.others.push(name.to_owned());
                continue;
            };
            if !dict.holds(&tensor) {
                return Err(StateDictError::Truncated);
            }
            // Tensors may share a storage: together they must not outgrow the file.
            budget = n_values(&tensor.shape)
                .and_then(|n| budget.checked_sub(n))
                .ok_or(StateDictError::Malformed("tensors larger than the file"))?;
            dict.tensors.insert(name.to_owned(), tensor);
        }
        Ok(dict)
    }

    fn of_safetensors(file: &SafeTensors<'a>) -> Self {
        let mut dict = Self {
            tensors: BTreeMap::new(),
            storages: BTreeMap::new(),
            others: Vec::new(),
        };
        for (name, view) in file.iter() {
            let float = match view.dtype() {
                Dtype::F16 => Some(Float::Half),
                Dtype::BF16 => Some(Float::Brain),
                Dtype::F32 => Some(Float::Single),
                Dtype::F64 => Some(Float::Double),
                _ => None,
            };
            let tensor = StoredTensor {
                storage: name.to_owned(),
                float,
                class: format!("{:?}", view.dtype()),
                offset: 0,
                shape: view.shape().to_vec(),
                strides: contiguous(view.shape()),
            };
            let bare = bare(name);
            if !bare.ends_with("num_batches_tracked") {
                dict.storages
                    .insert(name.to_owned(), Cow::Borrowed(view.data()));
                dict.tensors.insert(bare.to_owned(), tensor);
            }
        }
        dict
    }

    /// Entries that are no tensors.
    pub(super) fn others(&self) -> &[String] {
        &self.others
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// Shape of the tensor of this name, whose values are there.
    pub(super) fn shape(&self, name: &str) -> Result<&[usize], StateDictError> {
        match self.tensors.get(name) {
            Some(tensor) => Ok(&tensor.shape),
            None => Err(StateDictError::Missing {
                name: name.to_owned(),
                found: self.some_names(),
            }),
        }
    }

    /// Names for an error: the first few.
    fn some_names(&self) -> String {
        const SHOWN: usize = 4;
        let others = self.others.iter().map(String::as_str);
        let mut names = self.names().chain(others);
        let shown: Vec<String> = names
            .by_ref()
            .take(SHOWN)
            .map(|name| format!("`{}`", name.chars().take(60).collect::<String>()))
            .collect();
        match (shown.is_empty(), names.count()) {
            (true, _) => "no entries".to_owned(),
            (_, 0) => shown.join(", "),
            (_, more) => format!("{} and {more} others", shown.join(", ")),
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
        let float = tensor.float.ok_or_else(|| StateDictError::Class {
            name: name.to_owned(),
            found: tensor.class.clone(),
        })?;
        let storage = &self.storages[&tensor.storage];
        let values: Vec<f32> = tensor
            .indices()
            .map(|index| float.read(&storage[index * float.size()..]))
            .collect();
        if values.iter().all(|value| value.is_finite()) {
            Ok(values)
        } else {
            Err(StateDictError::NotFinite(name.to_owned()))
        }
    }

    /// Whether all values of a tensor are in its storage. Of what is no type of floats, nothing is
    /// ever read.
    fn holds(&self, tensor: &StoredTensor) -> bool {
        let Some(float) = tensor.float else {
            return true;
        };
        let end = tensor.end().and_then(|end| end.checked_mul(float.size()));
        let storage = self.storages.get(&tensor.storage);
        end.is_some_and(|end| storage.is_some_and(|storage| end <= storage.len()))
    }
}

/// A name without the prefixes of wrappers.
fn bare(mut name: &str) -> &str {
    while let Some(rest) = PREFIXES.iter().find_map(|p| name.strip_prefix(p)) {
        name = rest;
    }
    name
}

/// Most dictionaries of a checkpoint that are looked into.
const MAX_DICTS: usize = 1000;

/// The dictionary that holds a tensor of this name: the whole file, or something in it; else the
/// whole file.
fn state_dict<'p>(pickle: &'p Pickle, first: &str) -> Option<&'p [(Id, Id)]> {
    let Value::Dict(root) = pickle.root() else {
        return None;
    };
    let mut dicts = vec![root];
    let mut next = 0;
    while let Some(&entries) = dicts.get(next) {
        next += 1;
        let is_first = |name: &Id| pickle.text(*name).is_some_and(|name| bare(name) == first);
        if entries.iter().any(|(name, _)| is_first(name)) {
            return Some(entries);
        }
        for (_, value) in entries {
            if let Value::Dict(inner) = pickle.get(*value)
                && dicts.len() < MAX_DICTS
            {
                dicts.push(inner);
            }
        }
    }
    Some(root)
}

impl Float {
    fn of_class(class: &str) -> Option<Self> {
        match class {
            "torch HalfStorage" => Some(Self::Half),
            "torch BFloat16Storage" => Some(Self::Brain),
            "torch FloatStorage" => Some(Self::Single),
            "torch DoubleStorage" => Some(Self::Double),
            _ => None,
        }
    }

    /// Bytes of a value.
    fn size(self) -> usize {
        match self {
            Self::Half | Self::Brain => 2,
            Self::Single => 4,
            Self::Double => 8,
        }
    }

    /// The value at the start of `bytes`.
    fn read(self, bytes: &[u8]) -> f32 {
        fn first<const N: usize>(bytes: &[u8]) -> [u8; N] {
            std::array::from_fn(|i| bytes[i])
        }
        match self {
            Self::Half => f16::from_le_bytes(first(bytes)).to_f32(),
            Self::Brain => bf16::from_le_bytes(first(bytes)).to_f32(),
            Self::Single => f32::from_le_bytes(first(bytes)),
            Self::Double => f64::from_le_bytes(first(bytes)) as f32,
        }
    }
}

fn damaged_zip(error: impl std::error::Error + Send + Sync + 'static) -> StateDictError {
    StateDictError::Zip(Box::new(error))
}

impl StoredTensor {
    /// None if it is not a tensor.
    fn of(pickle: &Pickle, id: Id) -> Option<Self> {
        let (function, arguments) = call(pickle, id)?;
        let (function, arguments) = match function {
            "torch._utils _rebuild_parameter" => call(pickle, *arguments.first()?)?,
            _ => (function, arguments),
        };
        if !function.starts_with("torch._utils _rebuild_tensor") {
            return None;
        }
        let [storage, offset, shape, strides, ..] = arguments else {
            return None;
        };
        let Value::Persistent(storage) = pickle.get(*storage) else {
            return None;
        };
        let [_, class, key, ..] = pickle.tuple(*storage)? else {
            return None;
        };
        let (shape, strides) = (pickle.sizes(*shape)?, pickle.sizes(*strides)?);
        let class = pickle.text(*class)?;
        (shape.len() == strides.len()).then_some(Self {
            storage: pickle.text(*key)?.to_owned(),
            float: Float::of_class(class),
            class: class.to_owned(),
            offset: pickle.size(*offset)?,
            shape,
            strides,
        })
    }

    /// After the last value in the storage.
    fn end(&self) -> Option<usize> {
        if self.shape.contains(&0) {
            return Some(0);
        }
        let axes = self.shape.iter().zip(&self.strides);
        axes.map(|(&extent, &stride)| (extent - 1).checked_mul(stride))
            .try_fold(self.offset, |sum, far| sum.checked_add(far?))?
            .checked_add(1)
    }

    /// Where the values are in the storage, in the order of their indices, the last fastest.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let n = n_values(&self.shape).unwrap_or(0);
        (0..n).map(|mut i| {
            let axes = self.shape.iter().zip(&self.strides).rev();
            axes.fold(self.offset, |at, (extent, stride)| {
                let position = i % extent;
                i /= extent;
                at + position * stride
            })
        })
    }
}

/// Function and arguments of a call.
fn call(pickle: &Pickle, id: Id) -> Option<(&str, &[Id])> {
    let Value::Call {
        function,
        arguments,
    } = pickle.get(id)
    else {
        return None;
    };
    Some((pickle.text(*function)?, pickle.tuple(*arguments)?))
}

/// Strides of values that lie in the order of their indices, the last fastest.
fn contiguous(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1_usize; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(shape[axis]);
    }
    strides
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
        .ok_or(StateDictError::NotAStateDict("another zip archive"))?
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
    let other = StateDictError::NotAStateDict(kind(bytes));
    match Pickle::read(&mut bytes).as_ref().map(Pickle::root) {
        Ok(Value::LongInt(magic)) if *magic == LEGACY_MAGIC => {}
        _ => return Err(other),
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

/// What a file is that holds no weights.
fn kind(bytes: &[u8]) -> &'static str {
    let start = &bytes[..bytes.len().min(64)];
    let text = String::from_utf8_lossy(start).to_lowercase();
    let text = text.trim_start();
    if bytes.is_empty() {
        "an empty file"
    } else if text.starts_with("version https://git-lfs") {
        "the pointer that Git LFS leaves where a file was not downloaded"
    } else if text.starts_with("<!doctype html") || text.starts_with("<html") {
        "a web page: was it downloaded by the address of its page?"
    } else {
        "something else"
    }
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
    fn finds_values_in_any_order() {
        let cases: [(&[usize], &[usize], &[usize]); 5] = [
            (&[], &[], &[7]),
            (&[3], &[1], &[7, 8, 9]),
            (&[2, 3], &[3, 1], &[7, 8, 9, 10, 11, 12]),
            (&[2, 3], &[1, 2], &[7, 9, 11, 8, 10, 12]),
            (&[2, 1, 2], &[0, 77, 1], &[7, 8, 7, 8]),
        ];
        for (shape, strides, expected) in cases {
            let tensor = StoredTensor {
                storage: String::new(),
                float: None,
                class: String::new(),
                offset: 7,
                shape: shape.to_vec(),
                strides: strides.to_vec(),
            };
            let found: Vec<usize> = tensor.indices().collect();
            assert_eq!(found, expected, "{shape:?} by {strides:?}");
            let last = found.iter().max().map(|last| last + 1);
            assert_eq!(tensor.end(), last, "{shape:?} by {strides:?}");
        }
    }

    #[test]
    fn names_lose_every_prefix() {
        for name in ["module.module.main.0", "_orig_mod.module.main.0", "main.0"] {
            assert_eq!(bare(name), "main.0");
        }
    }
}
