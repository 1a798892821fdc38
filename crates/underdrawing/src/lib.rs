//! Hides a full-size picture inside another picture and reveals it again.

mod architecture;
mod built_in;
mod compute;
mod fit;
mod floats;
mod hide;
mod image_file;
mod mark;
mod metric;
mod model;
mod model_file;
pub mod net;
mod pixels;
mod pth;
mod reveal;
mod sheet;
mod tile;

pub use architecture::Architecture;
pub use built_in::{BuiltInModel, built_in_model, built_in_models};
pub use compute::{Compute, ComputeError};
pub use hide::{DEFAULT_TILE_SIZE, FloatPair, HideError, HideOptions, LEAST_SIDE, TileSizeError};
pub use image_file::{Conversion, FileFormat, ImageFileError, Picture};
pub use mark::{Mark, read_mark};
pub use metric::{Comparison, FloatComparison, MetricError};
pub use model::{Model, ModelId, ModelIdError, Quality, TrainingRecord};
pub use model_file::{ModelError, Precision};
pub use pixels::{Limits, Pixels, PixelsError};
pub use pth::{PthError, StateDictError, export_2018, import_2018};
pub use reveal::{RevealError, RevealOptions};
pub use sheet::{SheetColumn, amplified_difference, contact_sheet, training_sheet};
