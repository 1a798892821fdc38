//! Model files: safetensors bytes to checked tensors and back.
//!
//! Pure functions on bytes. The rules are in `docs/format.md`, section 1.

use std::collections::BTreeMap;
use std::error::Error;

use half::f16;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde_json::json;
use thiserror::Error;

use underdrawing_net::{ArchitectureError, Param};

use super::pth;
use crate::picture::{FileFormat, ImageFileError};

/// The newest format version that this code reads, and the one it writes.
pub(crate) const FORMAT: u32 = 1;

/// Metadata keys.
pub(crate) const FORMAT_KEY: &str = "underdrawing.format";
pub(crate) const ARCHITECTURE_KEY: &str = "underdrawing.architecture";
pub(crate) const TRAINING_KEY: &str = "underdrawing.training";

/// Longest header in bytes; the largest network allowed needs a tenth.
const MOST_HEADER_BYTES: u64 = 1 << 20;

/// How parameters are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats: nothing changes.
    #[default]
    Full,
    /// 16-bit floats, half the size. Each parameter is rounded to the nearest one (at most
    /// 65,504), so what is read back is another model with another id.
    Half,
}

/// Why a model file was rejected.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file ends inside the header or a tensor.
    #[error("model file is truncated: need {needed} bytes, have {found}")]
    Truncated {
        /// Bytes that the file says it has.
        needed: u64,
        /// Bytes there.
        found: u64,
    },
    /// Something follows the last tensor.
    #[error("model file is too long: expected {expected} bytes, have {found}")]
    TooLong {
        /// Bytes that the file says it has.
        expected: u64,
        /// Bytes there.
        found: u64,
    },
    /// Weights as PyTorch saves them.
    #[error("expected a model file, found weights of PyTorch: import them first")]
    Pytorch,
    /// The first bytes are of another kind of file.
    #[error("not a model file: expected safetensors, found {found}")]
    OtherKind {
        /// What it is, as far as that is known, or its first bytes.
        found: String,
    },
    /// The header's length cannot be right.
    #[error("model file header of {found} bytes is too long: at most {MOST_HEADER_BYTES}")]
    HeaderTooLong {
        /// Length found.
        found: u64,
    },
    /// The header is damaged, or the file is of another kind.
    #[error("not a safetensors file: its header cannot be read")]
    Header(#[source] Box<dyn Error + Send + Sync>),
    /// A safetensors file of something else.
    #[error("not an underdrawing model: expected `{key}` in the metadata, found none")]
    NotAModel {
        /// The key looked for.
        key: &'static str,
    },
    /// A newer underdrawing wrote it.
    #[error("model format {found} is newer than the newest supported, {supported}")]
    TooNew {
        /// Version found.
        found: u32,
        /// Newest version that can be read.
        supported: u32,
    },
    /// A metadata value is damaged, or of an architecture that is not known.
    #[error("metadata `{key}` of the model file cannot be read")]
    Metadata {
        /// The value's key.
        key: &'static str,
        /// What is wrong with it.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A number in the architecture is out of bounds.
    #[error(transparent)]
    Architecture(#[from] ArchitectureError),
    /// The architecture is larger than anything that is loaded.
    #[error("architecture of {found} parameters is too large: at most {most}")]
    TooManyParameters {
        /// Parameters that the architecture has.
        found: usize,
        /// The most allowed.
        most: usize,
    },
    /// The file holds far fewer parameters than its architecture has.
    #[error("model file holds {found} parameters, its architecture has {expected}")]
    TooFewParameters {
        /// Parameters of the architecture.
        expected: usize,
        /// Parameters in the file.
        found: usize,
    },
    /// The architecture has a tensor that the file lacks.
    #[error("tensor `{name}` is missing: expected shape {expected:?}")]
    Missing {
        /// Its name.
        name: String,
        /// Its shape.
        expected: Vec<usize>,
    },
    /// The file has a tensor that the architecture lacks.
    #[error("tensor `{name}` of shape {found:?} does not belong to this architecture")]
    Unexpected {
        /// Its name.
        name: String,
        /// Its shape.
        found: Vec<usize>,
    },
    /// A tensor is misshapen.
    #[error("tensor `{name}`: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The architecture's shape.
        expected: Vec<usize>,
        /// The file's shape.
        found: Vec<usize>,
    },
    /// A tensor is stored in another type.
    #[error("tensor `{name}`: expected type F32 or F16, found {found}")]
    Type {
        /// Its name.
        name: String,
        /// The file's type.
        found: String,
    },
    /// A parameter is infinite or not a number.
    #[error("tensor `{name}`: value {index} is {found}, expected a finite number")]
    NotFinite {
        /// Its name.
        name: String,
        /// Position in the tensor.
        index: usize,
        /// The value.
        found: f32,
    },
}

/// A model file whose header agrees with its length and its tensors' shapes.
pub(crate) struct ModelFile<'a> {
    /// Metadata values, by key.
    metadata: BTreeMap<String, String>,
    /// Tensors not yet taken, by name.
    tensors: BTreeMap<String, TensorInfo>,
    /// What follows the header.
    data: &'a [u8],
}

impl<'a> ModelFile<'a> {
    /// Reads the header and checks it; no tensor is touched.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, ModelError> {
        let found = bytes.len() as u64;
        if pth::is_pytorch(bytes) {
            return Err(ModelError::Pytorch);
        }
        let Some((length, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(ModelError::Truncated { needed: 8, found });
        };
        let length = u64::from_le_bytes(*length);
        // The header is an object of JSON.
        if rest.first().is_some_and(|&byte| byte != b'{') {
            let found = kind_of(bytes);
            return Err(ModelError::OtherKind { found });
        }
        if length > MOST_HEADER_BYTES {
            return Err(ModelError::HeaderTooLong { found: length });
        }
        let Some((header, data)) = rest.split_at_checked(length as usize) else {
            let needed = 8 + length;
            return Err(ModelError::Truncated { needed, found });
        };
        // `Metadata` checks that the tensors follow each other without gaps, and that each shape
        // takes the bytes stated.
        let header: Metadata =
            serde_json::from_slice(header).map_err(|e| ModelError::Header(e.into()))?;
        let (expected, have) = (header.data_len() as u64, data.len() as u64);
        if have < expected {
            let needed = expected.saturating_add(8 + length);
            return Err(ModelError::Truncated { needed, found });
        }
        if have > expected {
            let expected = 8 + length + expected;
            return Err(ModelError::TooLong { expected, found });
        }
        let tensors = header.tensors().into_iter();
        let metadata = header.metadata().clone().unwrap_or_default();
        Ok(Self {
            tensors: tensors.map(|(name, info)| (name, info.clone())).collect(),
            metadata: metadata.into_iter().collect(),
            data,
        })
    }

    /// A metadata value.
    pub(crate) fn metadata(&self, key: &'static str) -> Result<&str, ModelError> {
        let value = self.metadata.get(key);
        value
            .map(String::as_str)
            .ok_or(ModelError::NotAModel { key })
    }

    /// Refuses files of another kind and of newer versions.
    pub(crate) fn check_format(&self) -> Result<(), ModelError> {
        let text = self.metadata(FORMAT_KEY)?;
        let found: u32 = text.parse().map_err(|e| metadata_error(FORMAT_KEY, e))?;
        if found > FORMAT {
            return Err(ModelError::TooNew {
                found,
                supported: FORMAT,
            });
        }
        Ok(())
    }

    /// Values in all tensors not yet taken.
    pub(crate) fn n_values(&self) -> usize {
        self.tensors
            .values()
            .map(|t| t.shape.iter().product::<usize>())
            .sum()
    }

    /// Takes the values of one tensor out, all of them finite.
    pub(crate) fn take(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let Some(info) = self.tensors.remove(name) else {
            return Err(ModelError::Missing {
                name: name.to_owned(),
                expected: shape.to_vec(),
            });
        };
        if info.shape != shape {
            return Err(ModelError::Shape {
                name: name.to_owned(),
                expected: shape.to_vec(),
                found: info.shape,
            });
        }
        let bytes = &self.data[info.data_offsets.0..info.data_offsets.1];
        let values: Vec<f32> = match info.dtype {
            Dtype::F32 => {
                let values = bytes.as_chunks().0.iter();
                values.map(|b| f32::from_le_bytes(*b)).collect()
            }
            Dtype::F16 => {
                let values = bytes.as_chunks().0.iter();
                values.map(|b| f16::from_le_bytes(*b).to_f32()).collect()
            }
            other => {
                return Err(ModelError::Type {
                    name: name.to_owned(),
                    found: other.to_string(),
                });
            }
        };
        match values.iter().position(|v| !v.is_finite()) {
            Some(index) => Err(ModelError::NotFinite {
                name: name.to_owned(),
                index,
                found: values[index],
            }),
            None => Ok(values),
        }
    }

    /// Refuses tensors that nobody took.
    pub(crate) fn check_all_taken(mut self) -> Result<(), ModelError> {
        match self.tensors.pop_first() {
            None => Ok(()),
            Some((name, info)) => Err(ModelError::Unexpected {
                name,
                found: info.shape,
            }),
        }
    }
}

/// What a file is that is no model.
fn kind_of(bytes: &[u8]) -> String {
    match FileFormat::of_bytes(bytes) {
        Ok(format) => format!("a {format} picture"),
        Err(ImageFileError::NotRead { name, .. }) => format!("a file of {name}"),
        Err(ImageFileError::Unknown { found }) => found,
        Err(error) => error.to_string(),
    }
}

/// A metadata value that cannot be read.
pub(crate) fn metadata_error(
    key: &'static str,
    source: impl Error + Send + Sync + 'static,
) -> ModelError {
    ModelError::Metadata {
        key,
        source: Box::new(source),
    }
}

/// Writes a model file; equal arguments give equal bytes.
pub(crate) fn write(
    architecture: &str,
    training: &str,
    tensors: &[Param],
    precision: Precision,
) -> Vec<u8> {
    let mut tensors: Vec<&Param> = tensors.iter().collect();
    tensors.sort_by(|a, b| a.name.cmp(&b.name));
    let (dtype, width) = match precision {
        Precision::Full => (Dtype::F32, 4),
        Precision::Half => (Dtype::F16, 2),
    };
    // Names sort after `__metadata__`'s place at the front only by luck, so the header is put
    // together by hand; serde_json escapes the strings.
    let metadata = json!({
        FORMAT_KEY: FORMAT.to_string(),
        ARCHITECTURE_KEY: architecture,
        TRAINING_KEY: training,
    });
    let mut header = format!("{{\"__metadata__\":{metadata}");
    let mut end = 0;
    for tensor in &tensors {
        let start = end;
        end += width * tensor.values.len();
        let info = json!({
            "dtype": dtype,
            "shape": tensor.shape,
            "data_offsets": [start, end],
        });
        header += &format!(",{}:{info}", json!(tensor.name));
    }
    header.push('}');
    let padded = header.len().next_multiple_of(8);
    let mut bytes = Vec::with_capacity(8 + padded + end);
    bytes.extend((padded as u64).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.resize(8 + padded, b' ');
    for value in tensors.iter().flat_map(|t| t.values.iter().copied()) {
        match precision {
            Precision::Full => bytes.extend(value.to_le_bytes()),
            Precision::Half => {
                let most = f16::MAX.to_f32();
                bytes.extend(f16::from_f32(value.clamp(-most, most)).to_le_bytes());
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use underdrawing_net::Role;

    use super::*;

    fn tensors() -> Vec<Param> {
        let tensor = |name: &str, shape: &[usize], values: &[f32]| Param {
            name: name.into(),
            shape: shape.into(),
            role: Role::Weights,
            reveals: false,
            mask: None,
            values: values.into(),
        };
        vec![
            tensor("b.weight", &[2, 1], &[0.5, -1.0 / 3.0]),
            tensor("a\"quoted\"", &[1], &[1e6]),
        ]
    }

    #[test]
    fn what_was_written_is_read() {
        for (precision, expected) in [
            (Precision::Full, [0.5, -1.0 / 3.0, 1e6]),
            (Precision::Half, [0.5, -0.333_251_95, 65_504.0]),
        ] {
            let bytes = write("{\"a\":1}", "{}", &tensors(), precision);
            let mut file = ModelFile::parse(&bytes).unwrap();
            file.check_format().unwrap();
            assert_eq!(file.metadata(ARCHITECTURE_KEY).unwrap(), "{\"a\":1}");
            assert_eq!(file.n_values(), 3);
            assert_eq!(file.take("b.weight", &[2, 1]).unwrap(), expected[..2]);
            assert_eq!(file.take("a\"quoted\"", &[1]).unwrap(), expected[2..]);
            file.check_all_taken().unwrap();
        }
    }

    #[test]
    fn other_programs_read_it_as_safetensors() {
        let bytes = write("{}", "{}", &tensors(), Precision::Half);
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(file.tensor("b.weight").unwrap().shape(), [2, 1]);
        assert_eq!(bytes.len() % 2, 0);
    }

    #[test]
    fn equal_arguments_give_equal_bytes() {
        let mut reversed = tensors();
        reversed.reverse();
        assert_eq!(
            write("{}", "{}", &tensors(), Precision::Full),
            write("{}", "{}", &reversed, Precision::Full)
        );
    }

    #[test]
    fn wrong_tensors_are_named() {
        let mut values = tensors();
        values[0].values[1] = f32::NAN;
        let bytes = write("{}", "{}", &values, Precision::Full);
        let file = || ModelFile::parse(&bytes).unwrap();
        for (name, shape, message) in [
            (
                "c",
                vec![3, 4],
                "tensor `c` is missing: expected shape [3, 4]",
            ),
            (
                "b.weight",
                vec![1, 2],
                "tensor `b.weight`: expected shape [1, 2], found [2, 1]",
            ),
            (
                "b.weight",
                vec![2, 1],
                "tensor `b.weight`: value 1 is NaN, expected a finite number",
            ),
        ] {
            let error = file().take(name, &shape).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
        let error = file().check_all_taken().unwrap_err();
        assert!(error.to_string().contains("does not belong"), "{error}");
    }

    /// Offsets near the end of the number range must not wrap around to a valid length.
    #[test]
    fn offsets_that_overflow_are_refused() {
        let half = 1u64 << 63;
        let header = format!(
            r#"{{"a":{{"dtype":"U8","shape":[{half}],"data_offsets":[0,{half}]}},"b":{{"dtype":"U8","shape":[{rest}],"data_offsets":[{half},{end}]}}}}"#,
            rest = half - 1,
            end = half + (half - 1),
        );
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        assert!(matches!(
            ModelFile::parse(&bytes),
            Err(ModelError::Truncated { .. } | ModelError::Header(_))
        ));
    }
}
