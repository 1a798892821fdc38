//! The network method: trained networks paint the secret into the cover.

mod balance;
mod built_in;
mod hide;
mod mark;
mod model;
mod model_file;
mod model_id;
mod placement;
mod pth;
mod reveal;
mod run;
mod tile;

pub use balance::Balance;
pub use built_in::{BuiltInModel, built_in_model, built_in_models};
pub use hide::{FloatPair, HideError, HideOptions};
pub use mark::{Mark, read_mark};
pub use model::{Model, Quality, TrainingRecord};
pub use model_file::{ModelError, Precision};
pub use model_id::{ModelId, ModelIdError};
pub use pth::{PthError, StateDictError};
pub use reveal::{RevealError, RevealOptions};
pub use run::{DEFAULT_TILE_SIZE, LEAST_SIDE, TileSizeError};
