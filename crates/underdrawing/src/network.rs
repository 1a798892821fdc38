//! The network method: trained networks paint the secret into the cover.

pub(crate) mod balance;
mod built_in;
mod hide;
mod mark;
mod method;
mod model;
mod model_file;
pub(crate) mod model_id;
mod onnx;
mod options;
mod placement;
mod pth;
mod refine;
mod reveal;
mod run;
mod tile;

pub use balance::Balance;
pub use built_in::BuiltInModel;
pub use model::{Model, Quality, TrainingRecord};
pub use model_file::{ModelError, Precision};
pub use model_id::{ModelId, ModelIdError};
pub use options::NetworkOptions;
pub use pth::PthError;

pub(crate) use method::{Request, hide, reveal_at_size, reveal_marked};
pub(crate) use model_file::ModelFile;
pub(crate) use reveal::read_mark;
pub(crate) use run::rounded;
