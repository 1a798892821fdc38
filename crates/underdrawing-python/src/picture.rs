//! Pictures, as the library has them.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyByteArray, PyBytes};
use underdrawing::{Conversion, FileFormat, ImageFileError, Limits, Pixels};

use crate::errors::{of_option, of_picture, of_size};
use crate::work::work;

/// A picture of 8-bit RGB samples, and what its file had beside them.
#[pyclass(frozen, module = "underdrawing._native")]
pub(crate) struct Picture {
    pub(crate) picture: Arc<underdrawing::Picture>,
}

impl From<underdrawing::Picture> for Picture {
    fn from(picture: underdrawing::Picture) -> Self {
        Self {
            picture: Arc::new(picture),
        }
    }
}

#[pymethods]
impl Picture {
    /// A picture of `3 * width * height` bytes, and of `width * height` bytes of opacity; what its
    /// `colours` were (`rgb`, `grey` or `cmyk`), whether it was `turned` to stand upright, and the
    /// ICC `profile` that came with it.
    #[staticmethod]
    #[pyo3(signature = (samples, width, height, alpha, *, colours, turned, profile))]
    fn from_samples(
        py: Python<'_>,
        samples: PyBackedBytes,
        width: usize,
        height: usize,
        alpha: Option<PyBackedBytes>,
        colours: &str,
        turned: bool,
        profile: Option<PyBackedBytes>,
    ) -> PyResult<Self> {
        let colours = match colours {
            "grey" => Some(Conversion::GreyToRgb),
            "cmyk" => Some(Conversion::CmykToRgb),
            _ => None,
        };
        let turned = turned.then_some(Conversion::Turned);
        let picture = py.detach(move || {
            let pixels = Pixels::rgb8(samples.to_vec(), width, height)?;
            let mut picture = underdrawing::Picture {
                alpha: alpha.map(|alpha| alpha.to_vec()),
                conversions: colours.into_iter().chain(turned).collect(),
                ..underdrawing::Picture::from(pixels)
            };
            if let Some(profile) = profile {
                picture.set_profile(profile.to_vec());
            }
            Ok(picture)
        });
        picture
            .map(Self::from)
            .map_err(|error: underdrawing::PixelsError| of_size(&error))
    }

    /// Reads a picture file, on `threads` threads, 0 for all cores.
    #[staticmethod]
    #[pyo3(signature = (file, threads = 0))]
    fn decode(py: Python<'_>, file: PyBackedBytes, threads: usize) -> PyResult<Self> {
        let picture = work(py, threads, None, move |_| {
            underdrawing::Picture::decode(&file, &Limits::default())
        })?;
        picture.map(Self::from).map_err(|error| of_picture(&error))
    }

    /// Writes a picture file of the format that a name's extension stands for.
    #[pyo3(signature = (extension, threads = 0))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        extension: &str,
        threads: usize,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let format = format_of(extension)?;
        let picture = self.picture.clone();
        let bytes = work(py, threads, None, move |_| picture.encode(format))?;
        bytes
            .map(|bytes| PyBytes::new(py, &bytes))
            .map_err(|error| of_picture(&error))
    }

    /// The picture as secrets are hidden: in sRGB, on white.
    #[pyo3(signature = (threads = 0))]
    fn plain(&self, py: Python<'_>, threads: usize) -> PyResult<Self> {
        let picture = self.picture.clone();
        work(py, threads, None, move |_| {
            (*picture).clone().into_plain().into()
        })
    }

    /// The picture in a size whose sides are at most `longest`.
    fn preview(&self, py: Python<'_>, longest: usize) -> PyResult<Self> {
        let picture = self.picture.clone();
        work(py, 0, None, move |_| {
            let pixels = &picture.pixels;
            let (width, height) = (pixels.width(), pixels.height());
            let side = width.max(height).max(longest);
            let scaled = |n: usize| (n * longest / side).max(1);
            let reduced = pixels.resized(scaled(width), scaled(height));
            match reduced {
                Ok(pixels) if side > longest => underdrawing::Picture::from(pixels).into(),
                _ => underdrawing::Picture::from(pixels.clone()).into(),
            }
        })
    }

    /// The samples, row by row, RGB.
    fn samples<'py>(&self, py: Python<'py>) -> Bound<'py, PyByteArray> {
        PyByteArray::new(py, self.picture.pixels.data())
    }

    /// Opacity, one byte a pixel.
    fn alpha<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyByteArray>> {
        let alpha = self.picture.alpha.as_ref()?;
        Some(PyByteArray::new(py, alpha))
    }

    #[getter]
    fn width(&self) -> usize {
        self.picture.pixels.width()
    }

    #[getter]
    fn height(&self) -> usize {
        self.picture.pixels.height()
    }

    /// What was changed on reading, in words.
    #[getter]
    fn conversions(&self) -> Vec<String> {
        let conversions = self.picture.conversions.iter();
        conversions.map(ToString::to_string).collect()
    }
}

/// The format that a name's extension stands for.
fn format_of(extension: &str) -> PyResult<FileFormat> {
    FileFormat::of_extension(extension).ok_or_else(|| {
        of_option(format!(
            "cannot tell the format of .{extension}: expected .png, .tiff, .bmp, .qoi or .webp"
        ))
    })
}

/// Refuses before any work a format that is not written, a lossy one unless `lossy`; whether it is
/// lossy.
#[pyfunction]
pub(crate) fn check_format(extension: &str, lossy: bool) -> PyResult<bool> {
    let format = format_of(extension)?;
    if format.is_lossy() && !lossy {
        return Err(of_picture(&ImageFileError::Lossy { format }));
    }
    if !format.is_lossy() && !format.is_written() {
        return Err(of_picture(&ImageFileError::NotWritten { format }));
    }
    Ok(format.is_lossy())
}
