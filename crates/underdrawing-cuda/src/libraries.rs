//! Finding the libraries of NVIDIA: the driver, the run-time compiler, cuDNN.
//!
//! They are loaded at run time, so that the program builds and starts without them. `cudarc` asks
//! the system's loader by name. What is loaded here first, from folders that the loader does not
//! know, it finds as well, since a library that is loaded is not looked for again.

use std::env;
use std::path::{Path, PathBuf};

use libloading::Library;

use crate::error::CudaError;

/// The variable that names folders to look in first, as `PATH` does.
pub(crate) const FOLDERS: &str = "UNDERDRAWING_CUDA";

/// Variables that name an installation of CUDA.
const HOMES: [&str; 3] = ["CUDA_HOME", "CUDA_PATH", "CUDA_ROOT"];

/// Where installers put CUDA.
const USUAL: &str = "/usr/local/cuda";

/// What is needed: for people, and by which file names, newest first.
const NEEDED: [(&str, &[&str]); 3] = if cfg!(windows) {
    [
        ("the driver of an NVIDIA card", &["nvcuda.dll"]),
        (
            "NVIDIA's run-time compiler (NVRTC)",
            &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll"],
        ),
        ("cuDNN 9", &["cudnn64_9.dll"]),
    ]
} else {
    [
        (
            "the driver of an NVIDIA card",
            &["libcuda.so.1", "libcuda.so"],
        ),
        (
            "NVIDIA's run-time compiler (NVRTC)",
            &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"],
        ),
        ("cuDNN 9", &["libcudnn.so.9"]),
    ]
};

/// Loads all of them, for the rest of the process.
pub(crate) fn load() -> Result<(), CudaError> {
    let folders = folders();
    for (library, names) in NEEDED {
        let found = names.iter().find_map(|name| {
            let inside = folders.iter().map(|folder| folder.join(name));
            let mut places = inside.chain([PathBuf::from(name)]);
            places.find_map(|place| open(&place))
        });
        // Unloading a driver that has started is not safe.
        std::mem::forget(found.ok_or_else(|| CudaError::Missing {
            library,
            looked_for: looked_for(names, &folders),
        })?);
    }
    Ok(())
}

fn open(place: &Path) -> Option<Library> {
    // SAFETY: the libraries of NVIDIA run nothing when they are loaded that asks for care.
    unsafe { Library::new(place) }.ok()
}

/// Folders that the system's loader may not know.
fn folders() -> Vec<PathBuf> {
    let named = env::var_os(FOLDERS).unwrap_or_default();
    let homes = HOMES.iter().filter_map(env::var_os);
    let homes = homes.map(PathBuf::from).chain([PathBuf::from(USUAL)]);
    let inside = homes.flat_map(|home| ["lib64", "lib", "bin"].map(|part| home.join(part)));
    let all = env::split_paths(&named).chain(inside);
    all.filter(|folder| folder.is_dir()).collect()
}

fn looked_for(names: &[&str], folders: &[PathBuf]) -> String {
    let folders = folders.iter().map(|folder| folder.display().to_string());
    format!(
        "{} in {} and where the system looks (the variable {FOLDERS} names further folders)",
        names.join(" or "),
        match folders.collect::<Vec<_>>() {
            folders if folders.is_empty() => "no folder of CUDA".to_owned(),
            folders => folders.join(", "),
        }
    )
}
