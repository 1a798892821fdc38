//! Models inside the library.

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
}

/// All models inside the library, the default one first. None is ever taken out, so that old
/// containers can be revealed.
#[must_use]
pub fn built_in_models() -> &'static [BuiltInModel] {
    const MODELS: &[BuiltInModel] = &[
        BuiltInModel {
            name: "lifting-4",
            description: "Lifting network of 6 blocks and 32 channels that has learned how to round.",
            id: ModelId::from_bytes([0x90, 0xe1, 0x21, 0xe2, 0x49, 0x25, 0xad, 0xc2]),
            bytes: include_bytes!("../../models/lifting-4.safetensors"),
        },
        BuiltInModel {
            name: "lifting-3",
            description: "The default before lifting-4, for its containers.",
            id: ModelId::from_bytes([0xeb, 0x9c, 0xff, 0xef, 0x1f, 0xdf, 0x22, 0x72]),
            bytes: include_bytes!("../../models/lifting-3.safetensors"),
        },
        BuiltInModel {
            name: "lifting-2",
            description: "The default before lifting-3, for its containers.",
            id: ModelId::from_bytes([0x07, 0x84, 0x0b, 0x13, 0x99, 0xcb, 0x33, 0x55]),
            bytes: include_bytes!("../../models/lifting-2.safetensors"),
        },
        BuiltInModel {
            name: "lifting-1",
            description: "The default before lifting-2, for its containers.",
            id: ModelId::from_bytes([0x25, 0xff, 0x4a, 0xa8, 0x60, 0x09, 0x2b, 0xb7]),
            bytes: include_bytes!("../../models/lifting-1.safetensors"),
        },
    ];
    MODELS
}

/// The built-in model with this id.
#[must_use]
pub fn built_in_model(id: ModelId) -> Option<&'static BuiltInModel> {
    built_in_models().iter().find(|model| model.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Model;

    #[test]
    fn every_built_in_model_loads_and_has_its_id() {
        for built_in in built_in_models() {
            let model = Model::from_bytes(built_in.bytes).unwrap();
            assert_eq!(model.id(), built_in.id, "{}", built_in.name);
            assert_eq!(built_in_model(built_in.id).unwrap().name, built_in.name);
            assert!(
                built_in.bytes.len() <= 4 << 20,
                "{} is too large",
                built_in.name
            );
        }
    }
}
