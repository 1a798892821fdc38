//! The folder of a run: what is in it, and how it is written.
//!
//! `config.toml` (every setting), `run.toml` (where the pictures are), `events.jsonl`,
//! `last.checkpoint` (to resume from), `last.safetensors` and `best.safetensors` (models),
//! `curves.svg`, `learning-rate.svg`, `sheets/STEP.png`, `worst.png`, and `tensorboard/`.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use underdrawing::{FileFormat, Model, Picture, Precision, Sheet};

use crate::checkpoint::{CheckpointError, read_file, write_whole};
use crate::config::{RunPaths, TrainConfig};
use crate::curves;
use crate::event::Event;
use crate::tensorboard::EventFile;

/// A run folder, there or not.
#[derive(Debug)]
pub(crate) struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    pub(crate) fn holds_a_run(&self) -> bool {
        self.config().exists()
    }

    fn config(&self) -> PathBuf {
        self.path.join("config.toml")
    }

    fn paths(&self) -> PathBuf {
        self.path.join("run.toml")
    }

    fn events(&self) -> PathBuf {
        self.path.join("events.jsonl")
    }

    /// The checkpoint that a run is resumed from.
    pub(crate) fn last(&self) -> PathBuf {
        self.path.join("last.checkpoint")
    }

    /// Words for where to go on after a loss went wrong.
    pub(crate) fn last_good(&self) -> String {
        let last = self.last();
        if last.exists() {
            format!("the last good checkpoint is {}", last.display())
        } else {
            "there is no checkpoint yet".to_owned()
        }
    }

    /// Makes the folder, if it is not there.
    pub(crate) fn create(&self) -> Result<(), CheckpointError> {
        let sheets = self.path.join("sheets");
        fs::create_dir_all(&sheets).map_err(|source| CheckpointError::File {
            action: "create",
            path: sheets.clone(),
            source,
        })
    }

    /// Records the settings; from now on the folder holds a run.
    pub(crate) fn record(
        &self,
        paths: &RunPaths,
        config: &TrainConfig,
    ) -> Result<(), CheckpointError> {
        let toml = |text: Result<String, _>| text.expect("settings are plain values");
        write_whole(&self.paths(), toml(toml::to_string(paths)).as_bytes())?;
        write_whole(&self.config(), toml(toml::to_string(config)).as_bytes())
    }

    /// Reads what [`RunFolder::record`] wrote.
    pub(crate) fn open(&self) -> Result<(RunPaths, TrainConfig), CheckpointError> {
        Ok((read_toml(&self.paths())?, read_toml(&self.config())?))
    }

    pub(crate) fn open_log(&self) -> Result<File, CheckpointError> {
        OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.events())
            .map_err(|source| CheckpointError::File {
                action: "open",
                path: self.events(),
                source,
            })
    }

    /// The last checkpoint's file; `None` before the first one.
    pub(crate) fn read_checkpoint(&self) -> Result<Option<Vec<u8>>, CheckpointError> {
        if !self.last().exists() {
            return Ok(None);
        }
        read_file(&self.last()).map(Some)
    }

    pub(crate) fn save_checkpoint(&self, bytes: &[u8]) -> Result<PathBuf, CheckpointError> {
        write_whole(&self.last(), bytes)?;
        Ok(self.last())
    }

    /// Saves a model file, `NAME.safetensors`.
    pub(crate) fn save_model(&self, name: &str, model: &Model) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join(format!("{name}.safetensors"));
        write_whole(&path, &model.to_bytes(Precision::Full))?;
        Ok(path)
    }

    /// Event files of TensorBoard, one each time that the run goes on.
    pub(crate) fn open_tensorboard(&self, step: u64) -> Result<EventFile, CheckpointError> {
        let folder = self.path.join("tensorboard");
        let made = fs::create_dir_all(&folder).and_then(|()| EventFile::create(&folder, step));
        made.map_err(|source| CheckpointError::File {
            action: "write event files to",
            path: folder,
            source,
        })
    }

    pub(crate) fn write_sheet(
        &self,
        step: u64,
        columns: &[Sheet<'_>],
    ) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join("sheets").join(format!("{step:07}.png"));
        write_png(&path, columns)?;
        Ok(path)
    }

    /// The sheet of the worst pairs, in place of that of an earlier validation.
    pub(crate) fn write_worst(&self, columns: &[Sheet<'_>]) -> Result<PathBuf, CheckpointError> {
        let path = self.path.join("worst.png");
        write_png(&path, columns)?;
        Ok(path)
    }

    /// Draws the curves of everything logged so far.
    pub(crate) fn draw_curves(&self) -> Result<(), CheckpointError> {
        let events = read_file(&self.events())?;
        let history = curves::History::of_events(&events);
        for (name, svg) in [
            ("curves.svg", history.draw_quality()),
            ("learning-rate.svg", history.draw_learning_rate()),
        ] {
            write_whole(&self.path.join(name), svg.as_bytes())?;
        }
        Ok(())
    }
}

fn write_png(path: &Path, columns: &[Sheet<'_>]) -> Result<(), CheckpointError> {
    let png = Picture::from(Sheet::training(columns))
        .encode(FileFormat::Png)
        .expect("a sheet is a picture without alpha");
    write_whole(path, &png)
}

/// Appends an event as a line of JSON.
pub(crate) fn log(file: &mut File, event: &Event) -> Result<(), CheckpointError> {
    let mut line = serde_json::to_string(event).expect("events are plain values");
    line.push('\n');
    file.write_all(line.as_bytes())
        .map_err(|source| CheckpointError::File {
            action: "append to",
            path: "events.jsonl".into(),
            source,
        })
}

fn read_toml<T: for<'de> serde::Deserialize<'de>>(path: &Path) -> Result<T, CheckpointError> {
    let bytes = read_file(path)?;
    toml::from_slice(&bytes).map_err(|e| CheckpointError::Content {
        path: path.to_owned(),
        reason: e.to_string(),
    })
}
