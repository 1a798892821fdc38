//! The engine that tests run on: a card where `UNDERDRAWING_TEST_CARD` is set, otherwise the mock in
//! `mock/`, which runs the same kernels on the processor.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use underdrawing_cuda::{CudaEngine, CudaOptions};

/// The engine; none where there is neither a card nor a compiler for the mock.
pub(crate) fn engine(tf32: bool) -> Option<CudaEngine> {
    static ENGINES: [OnceLock<Option<CudaEngine>>; 2] = [const { OnceLock::new() }; 2];
    let engine = ENGINES[usize::from(tf32)].get_or_init(|| {
        let ready = std::env::var_os("UNDERDRAWING_TEST_CARD").is_some() || mocked();
        ready.then(|| {
            let options = CudaOptions::default().with_tf32(tf32);
            let engine = CudaEngine::open(options).unwrap_or_else(|err| panic!("{err}"));
            println!("on {}", engine.card());
            engine
        })
    });
    engine.clone()
}

/// Makes the engine find the mock, if it can be built.
fn mocked() -> bool {
    static MOCKED: OnceLock<bool> = OnceLock::new();
    *MOCKED.get_or_init(|| {
        let Some(folder) = mock() else { return false };
        let values = environment(&folder);
        for (name, value) in values {
            // SAFETY: tests set these before the first engine is opened, under a lock, and nothing
            // else changes the environment.
            unsafe { std::env::set_var(name, value) };
        }
        true
    })
}

/// Variables that make the engine find the mock in a folder, and keep nothing elsewhere.
pub(crate) fn environment(folder: &Path) -> [(&'static str, PathBuf); 3] {
    [
        ("UNDERDRAWING_CUDA", folder.to_owned()),
        ("MOCK_CUDA_CACHE", folder.join("cache")),
        ("UNDERDRAWING_CUDA_CACHE", PathBuf::new()),
    ]
}

/// Builds the mock; the folder that it is in.
pub(crate) fn mock() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if !cfg!(target_os = "linux") || Command::new("g++").arg("--version").output().is_err() {
            println!("skipped: no card, and the mock needs Linux and g++");
            return None;
        }
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mock");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("mock/build.sh");
        let status = Command::new("sh").arg(script).arg(&out).status();
        assert!(status.is_ok_and(|status| status.success()), "the mock");
        Some(out)
    });
    built.clone()
}
