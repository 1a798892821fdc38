//! `inspect`: what a picture or model file is.

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    Error, FileFormat, ImageFileError, Limits, Model, Password, Picture, TrainingRecord, inspect,
};

use super::at_most_one_stream;
use crate::args::InspectArgs;
use crate::files::{self, MAX_MODEL_BYTES, MAX_PICTURE_BYTES, Name, display_name};
use crate::method::FoundReport;
use crate::output::{ExitStatus, Ui};
use crate::password::Confirm;

/// The line of `--json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Report {
    Picture(PictureReport),
    Model(ModelReport),
}

#[derive(Serialize)]
struct PictureReport {
    file: Name,
    format: &'static str,
    width: usize,
    height: usize,
    alpha: bool,
    icc_profile: bool,
    lossy: bool,
    conversions: Vec<String>,
    /// What is hidden in it and opens, null for nothing.
    hidden: Option<FoundReport>,
    /// A container that cannot be looked into, and why; left out for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
    /// A password was tried.
    #[serde(skip)]
    tried: bool,
}

#[derive(Serialize)]
struct ModelReport {
    file: Name,
    id: String,
    architecture: serde_json::Value,
    parameters: usize,
    bytes: usize,
    training: TrainingRecord,
}

impl InspectArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let name = display_name(&self.file);
        let failed = || format!("failed to read {name}");
        let password_file = self.password.password_file.as_deref();
        at_most_one_stream(&[Some(&*self.file), password_file])?;
        let password = self.password.read(Confirm::No, ui)?;
        let most = MAX_PICTURE_BYTES.max(MAX_MODEL_BYTES);
        let bytes = files::read_checked(&self.file, most, must_be_known).with_context(failed)?;
        let working = ui.working(name.clone());
        let report = if FileFormat::of_bytes(&bytes).is_ok() {
            let picture = Picture::decode(&bytes, &Limits::default()).with_context(failed)?;
            Report::Picture(describe_picture(&self.file, &picture, password.as_ref()))
        } else {
            Report::Model(describe_model(&self.file, &bytes)?)
        };
        drop(working);
        if self.report.json {
            ui.json(&report)?;
        } else {
            ui.data(report.lines(&name)?)?;
        }
        Ok(report.answer())
    }
}

/// Refuses a file that is neither a picture nor a model, before all of it is read.
fn must_be_known(first: &[u8]) -> anyhow::Result<()> {
    // A model begins with its header's length, of 3 bytes and 5 zeros, and the header, in JSON.
    let length_ends = first.len() > 3 && first.iter().skip(3).take(5).all(|&byte| byte == 0);
    let is_model = first.get(8).map_or(length_ends, |&byte| byte == b'{');
    match FileFormat::of_bytes(first) {
        Err(error @ ImageFileError::Unknown { .. }) if !is_model => {
            Err(anyhow::Error::new(error).context("neither a picture nor a model"))
        }
        Err(error) if !is_model => Err(error.into()),
        _ => Ok(()),
    }
}

fn describe_picture(path: &Path, picture: &Picture, password: Option<&Password>) -> PictureReport {
    let (hidden, closed) = match inspect(&picture.pixels, password) {
        Ok(found) => (FoundReport::of(&found), None),
        Err(Error::NothingFound | Error::WrongPassword) => (None, None),
        Err(error) => (None, Some(error.to_string())),
    };
    PictureReport {
        file: Name::of(path),
        format: picture.format.name(),
        width: picture.pixels.width(),
        height: picture.pixels.height(),
        alpha: picture.alpha.is_some(),
        icc_profile: picture.icc_profile.is_some(),
        lossy: picture.lossy,
        conversions: picture
            .conversions
            .iter()
            .map(ToString::to_string)
            .collect(),
        hidden,
        closed,
        tried: password.is_some(),
    }
}

fn describe_model(path: &Path, bytes: &[u8]) -> anyhow::Result<ModelReport> {
    let model = Model::from_bytes(bytes).with_context(|| {
        format!(
            "{} is no picture, and cannot be read as a model",
            display_name(path)
        )
    })?;
    Ok(ModelReport {
        file: Name::of(path),
        id: model.id().to_string(),
        architecture: serde_json::to_value(model.architecture())?,
        parameters: model.n_parameters(),
        bytes: bytes.len(),
        training: model.training().clone(),
    })
}

impl Report {
    /// No where a picture holds nothing that is found; a container that does not open is one.
    fn answer(&self) -> ExitStatus {
        match self {
            Self::Picture(picture) if picture.hidden.is_none() && picture.closed.is_none() => {
                ExitStatus::No
            }
            _ => ExitStatus::Done,
        }
    }

    /// For people: one per line.
    fn lines(&self, name: &str) -> anyhow::Result<String> {
        match self {
            Self::Picture(picture) => Ok(picture.lines(name)),
            Self::Model(model) => model.lines(name),
        }
    }
}

impl PictureReport {
    fn lines(&self, name: &str) -> String {
        let mut lines = vec![format!(
            "{name}: {} picture, {}x{}",
            self.format, self.width, self.height
        )];
        for (there, what) in [
            (self.alpha, "has transparency"),
            (self.icc_profile, "has a colour profile"),
            (
                self.lossy,
                "lossy: holds at most what was hidden with --survive",
            ),
        ] {
            if there {
                lines.push(format!("  {what}"));
            }
        }
        lines.extend(
            self.conversions
                .iter()
                .map(|conversion| format!("  on reading: {conversion}")),
        );
        lines.push(match (&self.hidden, &self.closed) {
            (Some(hidden), _) => format!("  hidden in it: {hidden}"),
            (None, Some(reason)) => format!("  a container that does not open: {reason}"),
            (None, None) if self.tried => {
                "  nothing found that opens with this password, or without".into()
            }
            (None, None) => "  nothing found that opens without a password".into(),
        });
        lines.join("\n")
    }
}

impl ModelReport {
    fn lines(&self, name: &str) -> anyhow::Result<String> {
        Ok(format!(
            "{name}: model {}, {} parameters, {} bytes\n  networks: {}\n  training: {}",
            self.id,
            self.parameters,
            self.bytes,
            describe(&self.architecture),
            serde_json::to_string_pretty(&self.training)?.replace('\n', "\n  ")
        ))
    }
}

/// The fields of an architecture as words: `lifting, blocks 6, width 32`.
fn describe(architecture: &serde_json::Value) -> String {
    let Some(fields) = architecture.as_object() else {
        return architecture.to_string();
    };
    let mut words = Vec::new();
    for (name, value) in fields {
        match value {
            serde_json::Value::String(kind) if name == "kind" => words.insert(0, kind.clone()),
            serde_json::Value::Object(_) => words.push(format!("{name} ({})", describe(value))),
            _ => words.push(format!("{name} {value}")),
        }
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn describes_architectures_in_words() {
        let nested = serde_json::json!({
            "kind": "2018", "hiding": {"width": 64, "depth": 7}, "reveal": {"width": 64},
        });
        let words = describe(&nested);
        assert_eq!(words, "2018, hiding (depth 7, width 64), reveal (width 64)");
    }
}
