//! The structure of what is written; what it computes is compared with ONNX Runtime by a test of the
//! Python package.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::{HidingNetConfig, LiftingNetConfig, Pair2018Config, RevealNetConfig, Triple2017Config};

/// A field of a message: its number, and its number or bytes.
struct Field<'a> {
    number: u64,
    int: u64,
    bytes: &'a [u8],
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first().expect("a whole number");
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn fields(mut bytes: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let key = varint(&mut bytes);
        let (mut int, mut len) = (0, 0);
        match key & 7 {
            0 => int = varint(&mut bytes),
            2 => len = varint(&mut bytes) as usize,
            5 => len = 4,
            other => panic!("layout {other}"),
        }
        let (value, rest) = bytes.split_at(len);
        bytes = rest;
        fields.push(Field {
            number: key >> 3,
            int,
            bytes: value,
        });
    }
    fields
}

fn texts(bytes: &[u8], number: u64) -> Vec<String> {
    let all = fields(bytes).into_iter().filter(|f| f.number == number);
    all.map(|f| String::from_utf8(f.bytes.to_vec()).unwrap())
        .collect()
}

fn part(bytes: &[u8], number: u64) -> &[u8] {
    let mut all = fields(bytes).into_iter().filter(|f| f.number == number);
    let found = all.next().expect("the field is there").bytes;
    assert!(all.next().is_none(), "field {number} occurs once");
    found
}

fn architectures() -> [Architecture; 4] {
    let small = Pair2018Config {
        hiding: HidingNetConfig { width: 2, depth: 3 },
        reveal: RevealNetConfig { width: 2 },
    };
    let plain = LiftingNetConfig {
        blocks: 1,
        width: 3,
        shaping: false,
    };
    [
        Architecture::Lifting(LiftingNetConfig::default()),
        Architecture::Lifting(plain),
        Architecture::Unet2018(small),
        Architecture::Dense2017(Triple2017Config { width: 2 }),
    ]
}

/// Each value comes before it is used and has one source, each constant has as many values as its
/// shape holds, and all parameters but those of rounding are there.
#[test]
fn graphs_are_whole() {
    for architecture in architectures() {
        let networks = Networks::new(architecture, 1);
        let mut stored = BTreeSet::new();
        for network in [networks.hiding_to_onnx(&[]), networks.reveal_to_onnx(&[])] {
            let graph = part(&network.bytes, 7);
            let mut known = BTreeSet::new();
            let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
            let mut lengths = BTreeMap::new();
            for field in fields(graph) {
                match field.number {
                    5 => {
                        let name = texts(field.bytes, 8).remove(0);
                        let dims = fields(field.bytes).into_iter().filter(|f| f.number == 1);
                        let n: u64 = dims.map(|f| f.int).product();
                        let kind = fields(field.bytes)
                            .iter()
                            .find(|f| f.number == 2)
                            .unwrap()
                            .int;
                        let size = if kind == FLOAT as u64 { 4 } else { 8 };
                        let bytes = part(field.bytes, 9);
                        assert_eq!(bytes.len() as u64, size * n, "{name}");
                        lengths.insert(name.clone(), n);
                        assert!(known.insert(name), "a constant is there once");
                    }
                    11 => inputs.extend(texts(field.bytes, 1)),
                    12 => outputs.extend(texts(field.bytes, 1)),
                    _ => {}
                }
            }
            assert_eq!(inputs, network.inputs);
            assert_eq!(outputs, [network.output]);
            known.extend(inputs);
            for node in fields(graph).iter().filter(|f| f.number == 1) {
                for input in texts(node.bytes, 1) {
                    assert!(known.contains(&input), "{input} of {architecture}");
                }
                for output in texts(node.bytes, 2) {
                    assert!(known.insert(output), "a value has one source");
                }
            }
            assert!(known.contains(network.output));
            stored.extend(lengths);
        }
        for param in networks.params() {
            if !param.name.starts_with("rounding") {
                let found = stored.iter().find(|(name, _)| *name == param.name);
                let expected = param.values.len() as u64;
                assert_eq!(found.map(|(_, n)| *n), Some(expected), "{}", param.name);
            }
        }
    }
}

#[test]
fn sizes_are_free_and_multiples_are_said() {
    for (architecture, multiples) in
        architectures()
            .into_iter()
            .zip([(2, 2), (2, 2), (8, 1), (1, 1)])
    {
        let networks = Networks::new(architecture, 1);
        let about = [("id", "of the model")];
        let (hiding, reveal) = (
            networks.hiding_to_onnx(&about),
            networks.reveal_to_onnx(&about),
        );
        assert_eq!((hiding.size_multiple, reveal.size_multiple), multiples);
        for network in [hiding, reveal] {
            let mut about = BTreeMap::new();
            for entry in fields(&network.bytes).iter().filter(|f| f.number == 14) {
                about.insert(
                    texts(entry.bytes, 1).remove(0),
                    texts(entry.bytes, 2).remove(0),
                );
            }
            assert_eq!(about["architecture"], architecture.to_json());
            assert_eq!(about["size_multiple"], network.size_multiple.to_string());
            assert_eq!(about["id"], "of the model");
            let operators = part(&network.bytes, 8);
            assert_eq!(fields(operators).last().unwrap().int, OPERATOR_SET as u64);
            for end in fields(part(&network.bytes, 7)) {
                if end.number == 11 || end.number == 12 {
                    let shape = part(part(part(end.bytes, 2), 1), 2);
                    let dims: Vec<String> = fields(shape)
                        .iter()
                        .map(|dim| match &fields(dim.bytes)[0] {
                            Field { number: 1, int, .. } => int.to_string(),
                            free => String::from_utf8(free.bytes.to_vec()).unwrap(),
                        })
                        .collect();
                    assert_eq!(dims, ["batch", "3", "height", "width"]);
                }
            }
        }
    }
}
