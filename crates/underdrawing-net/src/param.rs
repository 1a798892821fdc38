//! Parameters of networks: a flat list, to which layers hold numbers.

use std::sync::Arc;

/// Which parameter of a network: a position in [`Networks::params`](crate::Networks::params).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ParamId(pub(crate) usize);

impl ParamId {
    /// Its position.
    #[must_use]
    pub fn index(self) -> usize {
        self.0
    }
}

/// What a parameter is for, which decides how it is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Weights of a layer: a matrix with one row for each first index of its shape.
    Weights,
    /// A bias, a scale, or the error feedback of rounding.
    Other,
    /// A running statistic: no optimiser changes it.
    Statistic,
}

/// A parameter or a running statistic.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Dotted path of fields, as PyTorch names them: `blocks.0.cover_update.first.weight`.
    pub name: String,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// What it is for.
    pub role: Role,
    /// Whether it belongs to a reveal network of its own, which has its own learning rate.
    pub reveals: bool,
    /// What its values are multiplied by wherever they are used: 1, or 0 where a value stands for
    /// nothing. None is 1 everywhere.
    pub mask: Option<Vec<f32>>,
    /// Values, last extent fastest.
    pub values: Vec<f32>,
}

impl Param {
    /// Number of values that the shape holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The values, times the mask.
    #[must_use]
    pub fn masked_values(&self) -> Vec<f32> {
        match &self.mask {
            Some(mask) => self.values.iter().zip(mask).map(|(v, m)| v * m).collect(),
            None => self.values.clone(),
        }
    }

    /// Whether the shape holds no values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The parameters with values that `values` gives, asked for each in turn; the first error ends it.
///
/// # Panics
/// When `values` gives another number of values than the shape holds.
pub(crate) fn filled<E>(
    mut params: Vec<Param>,
    mut values: impl FnMut(&Param) -> Result<Vec<f32>, E>,
) -> Result<Arc<[Param]>, E> {
    for param in &mut params {
        param.values = values(param)?;
        assert_eq!(param.values.len(), param.len(), "values of {}", param.name);
    }
    Ok(params.into())
}
