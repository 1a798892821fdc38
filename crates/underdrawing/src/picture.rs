//! Pictures: in memory, as floats, and as files.

mod file;
mod limits;
mod pixels;
mod planes;
mod raster;

pub use file::{Conversion, FileFormat, ImageFileError, Picture};
pub use limits::{Limits, PixelsError};
pub use pixels::Pixels;

pub(crate) use planes::{Planes, UnitSample};
pub(crate) use raster::{Raster, Sample};
