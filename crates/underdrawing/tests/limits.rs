//! Damaged and hostile model files: an error or a valid model, never a panic, bounded memory.

mod common;

use common::model;
use serde_json::{Value, json};
use underdrawing::{Model, ModelError, Precision};

/// Length of the header of a model file.
fn header_length(bytes: &[u8]) -> usize {
    let length = bytes.first_chunk().expect("a model file has a length");
    u64::from_le_bytes(*length) as usize
}

/// The file with its header changed.
fn with_header(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let length = header_length(bytes);
    let mut header: Value =
        serde_json::from_slice(&bytes[8..8 + length]).expect("a header is JSON");
    change(&mut header);
    let header = header.to_string();
    let mut changed = (header.len() as u64).to_le_bytes().to_vec();
    changed.extend(header.as_bytes());
    changed.extend(&bytes[8 + length..]);
    changed
}

fn error(bytes: &[u8]) -> String {
    let error = Model::from_bytes(bytes).expect_err("a damaged file");
    match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

#[test]
fn every_truncated_file_is_refused() {
    let bytes = model(1, 1).to_bytes(Precision::Half);
    for length in 0..bytes.len() {
        let result = Model::from_bytes(&bytes[..length]);
        assert!(
            matches!(result, Err(ModelError::Truncated { .. })),
            "{length} bytes: {result:?}"
        );
    }
    let longer = [&bytes[..], &[0]].concat();
    assert!(error(&longer).starts_with("model file is too long: expected"));
}

#[test]
fn flipped_bits_give_an_error_or_a_model() {
    let model = model(1, 1);
    let bytes = model.to_bytes(Precision::Half);
    let header = 8 + header_length(&bytes);
    let mut refused = 0;
    for i in (0..header).chain((header..bytes.len()).step_by(5)) {
        let mut flipped = bytes.clone();
        flipped[i] ^= 1 << (i % 8);
        match Model::from_bytes(&flipped) {
            Ok(other) => assert!(i < header || other.id() != model.id(), "byte {i}"),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > header / 2, "{refused} of {header} header bytes");
}

#[test]
fn noise_is_refused() {
    for (bytes, message) in [
        (vec![], "model file is truncated: need 8 bytes, have 0"),
        (
            [&[0xff; 8], &b"{}"[..]].concat(),
            "model file header of 18446744073709551615 bytes is too long: at most 1048576",
        ),
        (
            [&3u64.to_le_bytes()[..], b"{yz"].concat(),
            "not a safetensors file: its header cannot be read: key must be a string at line 1 column 2",
        ),
    ] {
        assert_eq!(error(&bytes), message);
    }
    let deep = [&100_000u64.to_le_bytes()[..], b"{\"a\":", &[b'['; 99_995]].concat();
    assert!(error(&deep).starts_with("not a safetensors file"));
}

#[test]
fn other_kinds_of_files_are_named() {
    let png = include_bytes!("../../underdrawing-cli/demo/secret.png");
    for (bytes, found) in [
        (&png[..], "a PNG picture"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a JPEG picture"),
        (b"%PDF-1.7\n", "a file of PDF"),
        (b"Dear model,", "bytes 44 65 61 72 20 6d 6f 64"),
        (&[0xff; 100], "bytes ff ff ff ff ff ff ff ff"),
    ] {
        let expected = format!("not a model file: expected safetensors, found {found}");
        assert_eq!(error(bytes), expected);
    }
}

#[test]
fn changed_headers_are_explained() {
    let bytes = model(1, 2).to_bytes(Precision::Full);
    let set = |key: &'static str, value: Value| {
        move |header: &mut Value| header["__metadata__"][key] = value
    };
    let architecture = |blocks: usize, width: usize| {
        let text = format!("{{\"kind\":\"lifting\",\"blocks\":{blocks},\"width\":{width}}}");
        set("underdrawing.architecture", json!(text))
    };
    let cases: [(Vec<u8>, &str); 10] = [
        (
            with_header(&bytes, |h| h["__metadata__"] = json!({})),
            "not an underdrawing model: expected `underdrawing.format` in the metadata, found none",
        ),
        (
            with_header(&bytes, set("underdrawing.format", json!("2"))),
            "model format 2 is newer than the newest supported, 1",
        ),
        (
            with_header(&bytes, set("underdrawing.format", json!("one"))),
            "metadata `underdrawing.format` of the model file cannot be read: invalid digit found in string",
        ),
        (
            with_header(
                &bytes,
                set("underdrawing.architecture", json!("{\"kind\":\"magic\"}")),
            ),
            "metadata `underdrawing.architecture` of the model file cannot be read: unknown variant `magic`, expected one of `lifting`, `2018`, `2017`",
        ),
        (
            with_header(&bytes, architecture(1_000_000_000, 2)),
            "architecture: expected blocks from 1 to 64, found 1000000000",
        ),
        (
            with_header(&bytes, architecture(1, 0)),
            "architecture: expected width from 1 to 256, found 0",
        ),
        (
            with_header(&bytes, architecture(64, 256)),
            "model file holds 8160 parameters, its architecture has 85308444",
        ),
        (
            with_header(&bytes, architecture(1, 3)),
            "tensor `blocks.0.cover_update.first.weight`: expected shape [3, 12, 3, 3], found [2, 12, 3, 3]",
        ),
        (
            with_header(&bytes, |h| {
                let tensor = h["predictor.last.bias"].take();
                h.as_object_mut().unwrap().remove("predictor.last.bias");
                h["predictor.last.thing"] = tensor;
            }),
            "tensor `predictor.last.bias` is missing: expected shape [12]",
        ),
        (
            with_header(&bytes, |h| {
                h["predictor.last.bias"]["dtype"] = json!("I32");
            }),
            "tensor `predictor.last.bias`: expected type F32 or F16, found I32",
        ),
    ];
    for (bytes, message) in cases {
        let found = error(&bytes);
        assert!(found.starts_with(message), "{found}\nexpected: {message}");
    }
}

#[test]
fn values_that_are_no_numbers_are_refused() {
    for (value, name) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf")] {
        let mut bytes = model(1, 1).to_bytes(Precision::Full);
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&value.to_le_bytes());
        let message =
            format!("tensor `rounding.weight`: value 1295 is {name}, expected a finite number");
        assert_eq!(error(&bytes), message);
    }
}

#[test]
fn a_tensor_too_many_is_refused() {
    let mut bytes = model(1, 1).to_bytes(Precision::Full);
    let end = bytes.len();
    bytes = with_header(&bytes, |h| {
        let last = h["rounding.weight"]["data_offsets"][1].as_u64().unwrap();
        h["zebra"] = json!({"dtype": "F32", "shape": [1], "data_offsets": [last, last + 4]});
    });
    assert!(bytes.len() > end);
    bytes.extend([0; 4]);
    assert_eq!(
        error(&bytes),
        "tensor `zebra` of shape [1] does not belong to this architecture"
    );
}
