//! The engine that tests run on: a card where there is one, otherwise the mock in `mock/`, which
//! runs the same kernels on the processor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use underdrawing_cuda::{CudaEngine, CudaError, CudaOptions};

/// The engine. Building the mock needs a C++ compiler.
pub(crate) fn engine(tf32: bool) -> CudaEngine {
    static ENGINES: [OnceLock<CudaEngine>; 2] = [const { OnceLock::new() }; 2];
    let engine = ENGINES[usize::from(tf32)].get_or_init(|| open(tf32));
    engine.clone()
}

fn open(tf32: bool) -> CudaEngine {
    let options = CudaOptions::default().with_tf32(tf32);
    static MOCKED: OnceLock<bool> = OnceLock::new();
    let mocked = MOCKED.get_or_init(|| {
        let card = std::env::var_os("UNDERDRAWING_TEST_CARD").is_some();
        if !card {
            use_mock(&build_mock());
        }
        !card
    });
    let engine = CudaEngine::open(options).unwrap_or_else(|err: CudaError| panic!("{err}"));
    println!(
        "on {}{}",
        engine.card(),
        if *mocked { ", mocked" } else { "" }
    );
    engine
}

/// Builds the mock; the folder that it is in.
pub(crate) fn build_mock() -> PathBuf {
    let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mock");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mock/build.sh");
    let status = Command::new("bash").arg(script).arg(&out).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "expected bash and g++ to build the mock"
    );
    out
}

/// Makes the engine find the mock.
fn use_mock(folder: &Path) {
    // SAFETY: tests set these before the first engine is opened, under a lock, and nothing else
    // changes the environment.
    unsafe {
        std::env::set_var("UNDERDRAWING_CUDA", folder);
        std::env::set_var("MOCK_CUDA_CACHE", folder.join("cache"));
        std::env::set_var("UNDERDRAWING_CUDA_CACHE", "");
    }
}
