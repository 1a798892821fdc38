//! Any bytes as a model file: an error or a model, which then comes back from its own file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use underdrawing::{Model, Precision};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(model) = Model::from_bytes(bytes) {
        let again = Model::from_bytes(&model.to_bytes(Precision::Full))
            .expect("what was written can be read");
        assert_eq!(again.id(), model.id());
    }
});
