//! What is said where there is no card, or not what it needs. Each case is a process of its own,
//! since libraries stay loaded.

use std::process::Command;

use underdrawing_cuda::{CudaEngine, CudaOptions};
use underdrawing_net::Engine;

use crate::common;

/// Set in the processes that the tests start.
const INSIDE: &str = "UNDERDRAWING_TEST_INSIDE";

/// What [`inside`] says in a process with the mock and `variables`.
fn said(variables: &[(&str, &str)]) -> Option<String> {
    let mock = common::mock()?;
    let test = std::env::current_exe().expect("this program");
    let output = Command::new(test)
        .args(["--exact", "messages::inside", "--nocapture"])
        .envs(common::environment(&mock))
        .env(INSIDE, "1")
        .envs(variables.iter().copied())
        .output()
        .expect("this program starts");
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// Nothing by itself; in a process of its own it opens the card and uses it.
#[test]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    match CudaEngine::open(CudaOptions::default()) {
        Err(err) => println!("{err}"),
        Ok(engine) => {
            let buffers: Vec<_> = (0..4)
                .map(|_| engine.upload(&[1 << 20], vec![0.0; 1 << 20]))
                .collect();
            println!("{} buffers on {}", buffers.len(), engine.card());
        }
    }
}

#[track_caller]
fn assert_says(variables: &[(&str, &str)], expected: &str) {
    let Some(said) = said(variables) else { return };
    assert!(said.contains(expected), "{said}");
}

#[test]
fn a_card_that_works_says_nothing() {
    assert_says(&[], "4 buffers on Mock card");
}

#[test]
fn a_driver_without_a_card_is_told() {
    let expected = "expected an NVIDIA card, found a driver that knows none";
    assert_says(&[("MOCK_CUDA", "none")], expected);
}

#[test]
fn an_old_driver_is_told_with_its_version() {
    let expected = "expected a driver for CUDA 12.0 or newer, found 11.4";
    assert_says(&[("MOCK_CUDA", "old")], expected);
}

#[test]
fn full_memory_is_told_with_the_bytes() {
    let expected = "more bytes do not fit on Mock card";
    assert_says(&[("MOCK_CUDA", "memory=9000000")], expected);
}

#[test]
fn a_missing_library_is_told_with_names_and_folders() {
    let Some(mock) = common::mock() else { return };
    // The driver alone.
    let folder = mock.with_file_name("driver-alone");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::copy(mock.join("libcuda.so.1"), folder.join("libcuda.so.1")).expect("a library");
    let Some(said) = said(&[("UNDERDRAWING_CUDA", folder.to_str().expect("a path"))]) else {
        return;
    };
    if said.contains("buffers on") {
        // This machine has the others.
        return;
    }
    for expected in ["(NVRTC), found none", "libnvrtc.so.13", "driver-alone"] {
        assert!(said.contains(expected), "{said}");
    }
}
