//! Compiled kernels kept in a folder of the user: compiling takes some seconds.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// The variable that names the folder; empty for none.
const FOLDER: &str = "UNDERDRAWING_CUDA_CACHE";

/// Where what was compiled is kept.
#[derive(Debug)]
pub(crate) struct Cached {
    path: Option<PathBuf>,
}

impl Cached {
    /// For what is compiled from `parts`, all of which matter.
    pub(crate) fn of(parts: &[&str]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash = hash.finalize();
        let name: String = hash
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            path: folder().map(|folder| folder.join(format!("{name}.kernels"))),
        }
    }

    /// What was kept, if anything was.
    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        fs::read(self.path.as_ref()?).ok()
    }

    /// Keeps it, if that is possible: it can be compiled again.
    pub(crate) fn write(&self, image: &[u8]) {
        let Some(path) = &self.path else { return };
        let Some(folder) = path.parent() else { return };
        let written = fs::create_dir_all(folder).and_then(|()| {
            // Another process may be doing the same.
            let part = folder.join(format!("{}.part", std::process::id()));
            fs::File::create(&part)?.write_all(image)?;
            fs::rename(part, path)
        });
        drop(written);
    }
}

fn folder() -> Option<PathBuf> {
    if let Some(named) = env::var_os(FOLDER) {
        return (!named.is_empty()).then(|| named.into());
    }
    let own = ["XDG_CACHE_HOME", "LOCALAPPDATA"]
        .into_iter()
        .find_map(env::var_os);
    let own = own.filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let home = || Some(PathBuf::from(env::var_os("HOME")?).join(".cache"));
    Some(own.or_else(home)?.join("underdrawing"))
}
