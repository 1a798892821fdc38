//! `tools/reference/write_pth.py` wrote the files.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use underdrawing_net::{CpuRunner, Runner};

use super::*;

const HIDING_ZIP: &[u8] = include_bytes!("../../../../../testdata/reference/netH-zip.pth");
const HIDING_LEGACY: &[u8] = include_bytes!("../../../../../testdata/reference/netH-legacy.pth");
const REVEAL_ZIP: &[u8] = include_bytes!("../../../../../testdata/reference/netR-zip.pth");
const REVEAL_LEGACY: &[u8] = include_bytes!("../../../../../testdata/reference/netR-legacy.pth");
const HIDING_CHECKPOINT: &[u8] =
    include_bytes!("../../../../../testdata/reference/netH-checkpoint.pth");
const REVEAL_CHECKPOINT: &[u8] =
    include_bytes!("../../../../../testdata/reference/netR-checkpoint.pth");
const REVEAL_HALF: &[u8] = include_bytes!("../../../../../testdata/reference/netR-half.pth");
const REVEAL_BFLOAT16: &[u8] =
    include_bytes!("../../../../../testdata/reference/netR-bfloat16.pth");
const PICTURES: &[u8] = include_bytes!("../../../../../testdata/reference/pth.safetensors");

/// PyTorch computed in 64 bits on values in [0, 1].
const TOLERANCE: f32 = 1e-5;

#[test]
fn both_containers_give_the_networks_that_pytorch_had() {
    let pictures = SafeTensors::deserialize(PICTURES).expect("a safetensors file");
    let bytes = |name| pictures.tensor(name).expect("a picture").data();
    let picture = |name| {
        let values = bytes(name).iter().map(|&v| f32::from(v) / 255.0);
        values.collect::<Vec<f32>>()
    };
    let assert_is = |name, found: &[f32]| {
        let expected = bytes(name).chunks_exact(4);
        for (expected, found) in expected.zip(found) {
            let expected = f32::from_le_bytes(expected.try_into().expect("four bytes"));
            assert!((expected - found).abs() < TOLERANCE, "{name}");
        }
    };
    for (hiding, reveal) in [(HIDING_ZIP, REVEAL_ZIP), (HIDING_LEGACY, REVEAL_LEGACY)] {
        let (networks, ignored) = import_2018(hiding, reveal).expect("both files are right");
        assert_eq!(ignored, [""; 0]);
        let expected = Architecture::Unet2018(Pair2018Config {
            hiding: HidingNetConfig { width: 1, depth: 5 },
            reveal: RevealNetConfig { width: 2 },
        });
        assert_eq!(*networks.architecture(), expected);
        let runner = CpuRunner::new(&networks);
        let shape = [1, 3, 32, 32];
        let container = runner.hide(shape, &picture("cover"), &picture("secret"));
        assert_is("container", &container);
        assert_is("revealed", &runner.reveal(shape, &container));
    }
}

#[test]
fn exported_weights_have_the_names_and_values_that_were_imported() {
    let (networks, _) = import_2018(HIDING_ZIP, REVEAL_ZIP).expect("both files are right");
    let (hiding, reveal) = export_2018(&networks).expect("networks of 2018");
    for (original, exported) in [(HIDING_ZIP, &hiding), (REVEAL_ZIP, &reveal)] {
        let original = StateDict::read(original, "").expect("an original");
        let exported = StateDict::read(exported, "").expect("an export");
        assert!(original.names().eq(exported.names()));
        for name in original.names() {
            let shape = original.shape(name).expect("a shape");
            assert_eq!(
                original.values(name, shape).ok(),
                exported.values(name, shape).ok()
            );
        }
    }
    let counter = b"model.model.1.model.2.num_batches_tracked";
    assert!(
        hiding
            .windows(counter.len())
            .any(|window| window == counter)
    );
}

#[test]
fn weights_are_the_same_however_a_script_saved_them() {
    let (expected, _) = import_2018(HIDING_ZIP, REVEAL_ZIP).expect("both files are right");
    let (found, ignored) =
        import_2018(HIDING_CHECKPOINT, REVEAL_CHECKPOINT).expect("both checkpoints are right");
    assert_eq!(ignored, ["ema.decay"]);
    for (expected, found) in expected.params().iter().zip(found.params()) {
        assert_eq!(expected.values, found.values, "{}", expected.name);
    }

    let half = |v: f32| half::f16::from_f32(v).to_f32();
    let bfloat16 = |v: f32| half::bf16::from_f32(v).to_f32();
    type Rounding = fn(f32) -> f32;
    let cases = [
        (REVEAL_HALF, half as Rounding),
        (REVEAL_BFLOAT16, bfloat16 as Rounding),
    ];
    for (file, rounded) in cases {
        let (found, _) = import_2018(HIDING_ZIP, file).expect("both files are right");
        let reveal = expected.params().iter().zip(found.params());
        for (expected, found) in reveal.filter(|(param, _)| param.reveals) {
            let expected: Vec<f32> = expected.values.iter().map(|&v| rounded(v)).collect();
            assert_eq!(expected, found.values);
        }
    }
}

#[test]
fn safetensors_files_are_read_as_well() {
    let (expected, _) = import_2018(HIDING_ZIP, REVEAL_ZIP).expect("both files are right");
    let keys = keys(expected.architecture(), expected.params());
    let file = |side: Side| {
        let of_side = keys.iter().zip(expected.params());
        let of_side = of_side.filter(|(key, _)| key.side == side);
        let tensors: Vec<(&str, Vec<usize>, Vec<u8>)> = of_side
            .map(|(key, param)| {
                let bytes = param.values.iter().flat_map(|v| v.to_le_bytes());
                (&*key.name, param.shape.clone(), bytes.collect())
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (*name, view.expect("as many values as the shape has"))
        });
        safetensors::serialize(views, None).expect("names are unique")
    };
    let (found, ignored) =
        import_2018(&file(Side::Hiding), &file(Side::Reveal)).expect("both files are right");
    assert_eq!(ignored, [""; 0]);
    for (expected, found) in expected.params().iter().zip(found.params()) {
        assert_eq!(expected.values, found.values, "{}", expected.name);
    }
}

#[test]
fn names_are_those_of_the_nested_network() {
    let cases = [
        ("down.0.weight", "model.model.0.weight"),
        ("down.1.weight", "model.model.1.model.1.weight"),
        ("down.1.norm.bias", "model.model.1.model.2.bias"),
        ("down.2.weight", "model.model.1.model.3.model.1.weight"),
        ("up.2.weight", "model.model.1.model.3.model.3.weight"),
        ("up.2.norm.bias", "model.model.1.model.3.model.4.bias"),
        ("up.1.weight", "model.model.1.model.5.weight"),
        ("up.1.norm.running_var", "model.model.1.model.6.running_var"),
        ("up.0.bias", "model.model.3.bias"),
    ];
    for (name, expected) in cases {
        assert_eq!(hiding_key(name, /* depth */ 3), expected);
    }
}

#[test]
fn truncated_files_are_errors() {
    for file in [HIDING_ZIP, HIDING_LEGACY, REVEAL_ZIP, REVEAL_LEGACY] {
        for length in 0..file.len() {
            let read = StateDict::read(&file[..length], FIRST_OF_REVEAL);
            assert!(read.is_err(), "{length} of {} bytes", file.len());
        }
    }
}

#[test]
fn damaged_files_never_panic() {
    for position in 0..REVEAL_LEGACY.len() {
        for damage in [0x01, 0xff] {
            let mut file = REVEAL_LEGACY.to_vec();
            file[position] ^= damage;
            // Where the damage hits a weight, the file stays a state dict.
            let Ok(state) = StateDict::read(&file, FIRST_OF_REVEAL) else {
                continue;
            };
            if reveal_config(&state).is_ok() {
                let _ = import_2018(HIDING_LEGACY, &file);
            }
        }
    }
}

#[test]
fn wrong_files_are_named_with_the_reason() {
    let architecture = Architecture::Unet2018(Pair2018Config {
        hiding: HidingNetConfig { width: 1, depth: 2 },
        reveal: RevealNetConfig { width: 1 },
    });
    let networks = Networks::new(architecture, 1);
    let of_reveal = networks.params().iter().filter(|param| param.reveals);
    let tensors: Vec<Param> = of_reveal
        .map(|param| Param {
            name: reveal_key(param.name.trim_start_matches("reveal.")),
            ..param.clone()
        })
        .collect();
    let changed = |change: &dyn Fn(&mut Vec<Param>)| {
        let mut tensors = tensors.clone();
        change(&mut tensors);
        let named: Vec<(&str, &Param)> = tensors.iter().map(|p| (&*p.name, p)).collect();
        write::state_dict(&named)
    };
    let cases: [(Vec<u8>, &str); 10] = [
        (
            changed(&|all| drop(all.pop())),
            "tensor `main.15.bias` is missing: found `main.0.bias`, `main.0.weight`, `main.1.bias`, \
             `main.1.running_mean` and 27 others",
        ),
        (
            changed(&|all| all[0].name.push('s')),
            "tensor `main.0.weight` is missing: found `main.0.bias`, `main.0.weights`, \
             `main.1.bias`, `main.1.running_mean` and 28 others",
        ),
        (
            changed(&|all| all[1].shape = vec![1, 1]),
            "tensor `main.0.bias`: expected shape [1], found [1, 1]",
        ),
        (
            changed(&|all| all[1].values[0] = f32::NAN),
            "tensor `main.0.bias`: expected finite values, found others",
        ),
        (
            changed(&|all| all[0].shape = vec![2, 27]),
            "file is truncated",
        ),
        (
            changed(&|all| {
                all[0].shape = vec![0, 27];
                all[0].values.clear();
            }),
            "expected width from 1 to 1024, found 0",
        ),
        (
            HIDING_ZIP.to_vec(),
            "expected the reveal network, found the other one: are the files swapped?",
        ),
        (
            b"\x89PNG".to_vec(),
            "expected a file of `torch.save` or safetensors, found something else",
        ),
        (
            b"version https://git-lfs.github.com/spec/v1\n".to_vec(),
            "expected a file of `torch.save` or safetensors, found the pointer that Git LFS leaves \
             where a file was not downloaded",
        ),
        (
            b"\n<!DOCTYPE html><html>".to_vec(),
            "expected a file of `torch.save` or safetensors, found a web page: was it downloaded by \
             the address of its page?",
        ),
    ];
    for (reveal, expected) in cases {
        match import_2018(HIDING_ZIP, &reveal) {
            Err(PthError::Reveal(found)) => assert_eq!(found.to_string(), expected),
            other => panic!("{expected}: {:?}", other.map(|(n, _)| *n.architecture())),
        }
    }
    let swapped = import_2018(REVEAL_ZIP, REVEAL_ZIP);
    let Err(PthError::Hiding(found)) = swapped else {
        panic!("expected an error of the hiding network");
    };
    assert!(matches!(
        found.downcast_ref(),
        Some(StateDictError::Swapped { .. })
    ));
}

#[test]
fn integers_are_no_weights() {
    let file = replaced(REVEAL_LEGACY, b"FloatStorage", b"IntStorage");
    let Err(PthError::Reveal(found)) = import_2018(HIDING_LEGACY, &file) else {
        panic!("expected an error of the reveal network");
    };
    let expected =
        "tensor `main.0.weight`: expected floats of 16, 32 or 64 bits, found torch IntStorage";
    assert_eq!(found.to_string(), expected);
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut result = Vec::new();
    let mut rest = bytes;
    while let Some(first) = rest.first() {
        if let Some(after) = rest.strip_prefix(from) {
            result.extend(to);
            rest = after;
        } else {
            result.push(*first);
            rest = &rest[1..];
        }
    }
    result
}
