//! Models of the network method.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use underdrawing::{BuiltInModel, Precision};

use crate::errors::{of_model, of_option};
use crate::work::work;

/// Networks that hide and reveal.
#[pyclass(frozen, module = "underdrawing._native")]
pub(crate) struct Model {
    pub(crate) model: underdrawing::Model,
}

#[pymethods]
impl Model {
    /// Reads a model file.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, file: PyBackedBytes) -> PyResult<Self> {
        let model = work(py, 0, None, move |_| underdrawing::Model::from_bytes(&file))?;
        let model = model.map_err(|error| of_model(&error))?;
        Ok(Self { model })
    }

    /// A model inside the library, the first one without a name.
    #[staticmethod]
    fn built_in(py: Python<'_>, name: Option<String>) -> PyResult<Self> {
        let models = BuiltInModel::all();
        let built_in = match &name {
            None => BuiltInModel::first(),
            Some(name) => models.iter().find(|m| m.name == name).ok_or_else(|| {
                let names: Vec<&str> = models.iter().map(|model| model.name).collect();
                of_option(format!(
                    "no built-in model {name}: expected {}",
                    names.join(", ")
                ))
            })?,
        };
        let model = work(py, 0, None, move |_| built_in.model())?;
        Ok(Self { model })
    }

    /// The models inside the library: names and what they are, the default one first.
    #[staticmethod]
    fn built_in_names() -> Vec<(&'static str, &'static str)> {
        let models = BuiltInModel::all().iter();
        models
            .map(|model| (model.name, model.description))
            .collect()
    }

    /// The model file, in half or single precision.
    fn to_bytes<'py>(&self, py: Python<'py>, half: bool) -> PyResult<Bound<'py, PyBytes>> {
        let precision = if half {
            Precision::Half
        } else {
            Precision::Full
        };
        let model = self.model.clone();
        let bytes = work(py, 0, None, move |_| model.to_bytes(precision))?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// 16 hexadecimal digits.
    #[getter]
    fn id(&self) -> String {
        self.model.id().to_string()
    }

    /// As JSON.
    #[getter]
    fn architecture(&self) -> String {
        self.model.architecture().to_json()
    }

    /// As JSON.
    #[getter]
    fn training(&self) -> PyResult<String> {
        serde_json::to_string(self.model.training()).map_err(|error| of_option(error.to_string()))
    }

    #[getter]
    fn parameters(&self) -> usize {
        self.model.n_parameters()
    }
}
