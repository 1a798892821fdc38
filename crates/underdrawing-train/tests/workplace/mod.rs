//! Pictures and settings of small runs.

use std::fs;

use tempfile::TempDir;
use underdrawing::{FileFormat, Model, Picture, Pixels};
use underdrawing_train::{Preset, RunPaths, TrainConfig};

/// A folder with training and validation pictures of soft random colours.
pub(crate) struct Workplace {
    pub(crate) folder: TempDir,
}

impl Workplace {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, n) in [("train", 8), ("val", 4)] {
            fs::create_dir(folder.path().join(name)).unwrap();
            for i in 0..n {
                let pixels = Pixels::from_fn(24, 20, |x, y| {
                    let wave = |k: usize| {
                        let phase = (x * (i + 2) + y * (k + 1) * (i % 3 + 1)) as f32 * 0.11;
                        (128.0 + 100.0 * (phase + (i * k) as f32).sin()) as u8
                    };
                    [wave(1), wave(2), wave(3)]
                })
                .unwrap();
                let png = Picture::from(pixels).encode(FileFormat::Png).unwrap();
                fs::write(folder.path().join(name).join(format!("{i}.png")), png).unwrap();
            }
        }
        Self { folder }
    }

    pub(crate) fn paths(&self, out: &str) -> RunPaths {
        RunPaths {
            train: self.folder.path().join("train"),
            val: self.folder.path().join("val"),
            out: self.folder.path().join(out),
        }
    }
}

/// A lifting network that takes milliseconds a step.
pub(crate) fn small(steps: u64) -> TrainConfig {
    TrainConfig {
        width: 8,
        depth: 2,
        batch_size: 4,
        size: 16,
        steps,
        learning_rate: 4e-3,
        reveal_weight: 1.0,
        ghost_weight: 2.0,
        warmup_steps: 5,
        validate_every: 20,
        sheet_every: 20,
        checkpoint_every: 0,
        late_size: 0,
        ..Preset::Default.config()
    }
}

pub(crate) fn last_model(paths: &RunPaths) -> Model {
    let bytes = fs::read(paths.out.join("last.safetensors")).unwrap();
    Model::from_bytes(&bytes).unwrap()
}
