//! Pictures: in memory, as floats, and as files.

mod file;
mod floats;
mod pixels;

pub use file::{Conversion, FileFormat, ImageFileError, Picture};
pub use pixels::{Limits, Pixels, PixelsError};

pub(crate) use floats::Floats;
