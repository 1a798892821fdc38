//! Models of the network method.

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use underdrawing::{BuiltInModel, Precision};
use underdrawing_net::{Architecture, CpuRunner, Runner};

use crate::errors::{of_model, of_option};
use crate::work::work;

/// Samples of `[n, 3, height, width]`, each a float of 32 bits as this processor has it.
type Shape = (usize, usize, usize);

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

    /// A model that has learned nothing yet; the architecture is JSON.
    #[staticmethod]
    fn fresh(py: Python<'_>, architecture: &str, seed: u64) -> PyResult<Self> {
        // By way of a value, errors tell of no line and column.
        let architecture: Architecture = serde_json::from_str(architecture)
            .and_then(serde_json::from_value::<Architecture>)
            .map_err(|error| of_option(format!("architecture: {error}")))?;
        let model = work(py, 0, None, move |_| {
            underdrawing::Model::fresh(architecture, seed)
        })?;
        let model = model.map_err(|error| of_option(error.to_string()))?;
        Ok(Self { model })
    }

    /// What the hiding network gives, whole pictures in floats of `[n, 3, height, width]`.
    fn hide_floats<'py>(
        &self,
        py: Python<'py>,
        shape: Shape,
        cover: PyBackedBytes,
        secret: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (cover, secret) = (
            self.floats(shape, &cover, "cover")?,
            self.floats(shape, &secret, "secret")?,
        );
        self.run(py, shape, move |runner, shape| {
            runner.hide(shape, &cover, &secret)
        })
    }

    /// What the reveal network gives, as [`Model::hide_floats`].
    fn reveal_floats<'py>(
        &self,
        py: Python<'py>,
        shape: Shape,
        container: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let container = self.floats(shape, &container, "container")?;
        self.run(py, shape, move |runner, shape| {
            runner.reveal(shape, &container)
        })
    }

    /// Containers in bytes, rounded as hiding does it: `[n, 3, height, width]`.
    fn round_floats<'py>(
        &self,
        py: Python<'py>,
        shape: Shape,
        containers: PyBackedBytes,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let containers = floats(shape, &containers, "containers")?;
        let (model, (_, height, width)) = (self.model.clone(), shape);
        let bytes: Vec<u8> = work(py, 0, None, move |_| {
            let rounding = model.networks().rounding();
            let pictures = containers.chunks(3 * height * width);
            pictures
                .flat_map(|planes| rounding.round(planes, width))
                .collect()
        })?;
        Ok(PyBytes::new(py, &bytes))
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

impl Model {
    /// Samples for a network, which wants sides of certain multiples.
    fn floats(&self, shape: Shape, bytes: &[u8], role: &str) -> PyResult<Vec<f32>> {
        let (_, height, width) = shape;
        let multiple = self.model.architecture().size_multiple();
        if !height.is_multiple_of(multiple) || !width.is_multiple_of(multiple) {
            return Err(of_option(format!(
                "{role}: expected sides that are multiples of {multiple}, found {height}x{width}"
            )));
        }
        floats(shape, bytes, role)
    }

    fn run<'py>(
        &self,
        py: Python<'py>,
        (n, height, width): Shape,
        pass: impl FnOnce(&CpuRunner, [usize; 4]) -> Vec<f32> + Send + 'static,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let model = self.model.clone();
        let values = work(py, 0, None, move |_| {
            pass(&CpuRunner::new(model.networks()), [n, 3, height, width])
        })?;
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_ne_bytes()).collect();
        Ok(PyBytes::new(py, &bytes))
    }
}

/// The floats in `bytes`, as many as the shape says.
fn floats((n, height, width): Shape, bytes: &[u8], role: &str) -> PyResult<Vec<f32>> {
    let expected = [4, n, 3, height, width];
    let expected = expected
        .iter()
        .try_fold(1usize, |all, &n| all.checked_mul(n));
    if expected != Some(bytes.len()) || bytes.is_empty() {
        return Err(of_option(format!(
            "{role}: expected floats of [{n}, 3, {height}, {width}], found {} bytes",
            bytes.len()
        )));
    }
    let values = bytes.as_chunks().0.iter();
    Ok(values.map(|b| f32::from_ne_bytes(*b)).collect())
}
