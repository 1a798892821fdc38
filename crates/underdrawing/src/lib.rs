//! Hides a full-size picture inside another picture and reveals it again.

mod image_file;
mod metric;
pub mod net;
mod pixels;
mod sheet;

pub use image_file::{Conversion, FileFormat, ImageFileError, Picture};
pub use metric::{Comparison, FloatComparison, MetricError};
pub use pixels::{Limits, Pixels, PixelsError};
pub use sheet::{SheetColumn, contact_sheet, training_sheet};
