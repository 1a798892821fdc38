//! Models inside the library.

use std::sync::OnceLock;

use crate::network::model::Model;
use crate::network::model_id::ModelId;

/// A model file inside the library.
#[derive(Debug)]
pub struct BuiltInModel {
    /// Short name, unique.
    pub name: &'static str,
    /// One sentence about it.
    pub description: &'static str,
    /// Its id; containers name it.
    pub id: ModelId,
    /// The model file.
    pub bytes: &'static [u8],
    /// The model, once somebody asked for it.
    model: OnceLock<Model>,
}

/// The default one first. None is ever taken out, so that old containers can be revealed; who builds
/// without the feature `old-models` has to bring those after the first.
static MODELS: [BuiltInModel; if cfg!(feature = "old-models") { 5 } else { 1 }] = [
    BuiltInModel {
        name: "lifting-5",
        description: "Lifting network of 6 blocks and 32 channels that has learned how to round.",
        id: ModelId::from_bytes([0x66, 0xd5, 0x7f, 0x3f, 0x0e, 0xa2, 0x9d, 0xfc]),
        bytes: include_bytes!("../../models/lifting-5.safetensors"),
        model: OnceLock::new(),
    },
    #[cfg(feature = "old-models")]
    BuiltInModel {
        name: "lifting-4",
        description: "The default before lifting-5, for its containers.",
        id: ModelId::from_bytes([0x90, 0xe1, 0x21, 0xe2, 0x49, 0x25, 0xad, 0xc2]),
        bytes: include_bytes!("../../models/lifting-4.safetensors"),
        model: OnceLock::new(),
    },
    #[cfg(feature = "old-models")]
    BuiltInModel {
        name: "lifting-3",
        description: "The default before lifting-4, for its containers.",
        id: ModelId::from_bytes([0xeb, 0x9c, 0xff, 0xef, 0x1f, 0xdf, 0x22, 0x72]),
        bytes: include_bytes!("../../models/lifting-3.safetensors"),
        model: OnceLock::new(),
    },
    #[cfg(feature = "old-models")]
    BuiltInModel {
        name: "lifting-2",
        description: "The default before lifting-3, for its containers.",
        id: ModelId::from_bytes([0x07, 0x84, 0x0b, 0x13, 0x99, 0xcb, 0x33, 0x55]),
        bytes: include_bytes!("../../models/lifting-2.safetensors"),
        model: OnceLock::new(),
    },
    #[cfg(feature = "old-models")]
    BuiltInModel {
        name: "lifting-1",
        description: "The default before lifting-2, for its containers.",
        id: ModelId::from_bytes([0x25, 0xff, 0x4a, 0xa8, 0x60, 0x09, 0x2b, 0xb7]),
        bytes: include_bytes!("../../models/lifting-1.safetensors"),
        model: OnceLock::new(),
    },
];

impl BuiltInModel {
    /// All models inside the library, the default one first.
    #[must_use]
    pub fn all() -> &'static [Self] {
        &MODELS
    }

    /// The default one.
    #[must_use]
    pub fn first() -> &'static Self {
        &MODELS[0]
    }

    /// The one with this id.
    #[must_use]
    pub fn with_id(id: ModelId) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.id == id)
    }

    /// Its networks, ready to run on the processor; loaded at the first call.
    #[must_use]
    pub fn model(&self) -> Model {
        let load = || Model::from_bytes(self.bytes).expect("tests load every built-in model");
        self.model.get_or_init(load).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_model_loads_and_has_its_id() {
        for built_in in BuiltInModel::all() {
            let name = built_in.name;
            assert_eq!(built_in.model().id(), built_in.id, "{name}");
            assert_eq!(BuiltInModel::with_id(built_in.id).unwrap().name, name);
            assert!(built_in.bytes.len() <= 4 << 20, "{name} is too large");
        }
    }
}
