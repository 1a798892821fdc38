//! The native half of the Python package `underdrawing`: converts, calls the library, converts.
//!
//! What people import is in `python/underdrawing`: it checks types, knows arrays, reads and writes
//! files, and documents. Here are pictures and models as opaque objects, the library's functions on
//! them, training runs, and the program.

mod errors;
mod hiding;
mod model;
mod picture;
mod training;
mod work;

/// What the package's Python files call; described in `_native.pyi`.
#[pyo3::pymodule]
mod _native {
    use std::ffi::OsString;

    use pyo3::prelude::*;

    #[pymodule_export]
    use super::hiding::{capacity, channels, compare, hide, inspect, reveal};
    #[pymodule_export]
    use super::model::Model;
    #[pymodule_export]
    use super::picture::{Picture, check_format};
    #[pymodule_export]
    use super::training::Training;
    #[pymodule_export]
    use super::work::{after_fork, after_fork_in_child, before_fork};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))?;
        module.add("MAX_THREADS", underdrawing_cli::MAX_THREADS)
    }

    /// Runs the program; the exit code.
    #[pyfunction]
    fn run_program(py: Python<'_>, command_line: Vec<OsString>) -> u8 {
        py.detach(|| underdrawing_cli::main(command_line))
    }
}
