//! Models that were fetched.

use underdrawing::{BuiltInModel, ModelId};
use wasm_bindgen::prelude::*;

use crate::errors::of_model;

/// Networks beside the built-in ones.
#[wasm_bindgen]
pub struct Model {
    pub(crate) model: underdrawing::Model,
}

#[wasm_bindgen]
impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// When it is none.
    #[wasm_bindgen(constructor)]
    pub fn new(file: &[u8]) -> Result<Self, JsValue> {
        let model = underdrawing::Model::from_bytes(file).map_err(|error| of_model(&error))?;
        Ok(Self { model })
    }

    /// What containers name it by.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn id(&self) -> String {
        self.model.id().to_string()
    }
}

/// The name of a model inside the module.
pub(crate) fn name_of(id: ModelId) -> Option<&'static str> {
    BuiltInModel::with_id(id).map(|model| model.name)
}
