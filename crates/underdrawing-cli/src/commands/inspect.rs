//! `inspect`: what a picture or model file is.

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    Error, ErrorKind, FileFormat, Inspection, Limits, Model, Picture, TrainingRecord, inspect,
};

use crate::args::InspectArgs;
use crate::files::{self, MAX_MODEL_BYTES, MAX_PICTURE_BYTES, display_name};
use crate::output::{ExitStatus, Ui};

/// The line of `--json`.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Report {
    Picture(PictureReport),
    Model(ModelReport),
}

#[derive(Serialize)]
struct PictureReport {
    file: String,
    format: &'static str,
    width: usize,
    height: usize,
    alpha: bool,
    icc_profile: bool,
    lossy: bool,
    conversions: Vec<String>,
    /// The network method's mark.
    mark: Option<MarkReport>,
    /// What the coded method hid without a password.
    coded: Option<CodedReport>,
    /// What the robust method hid without a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    robust: Option<RobustReport>,
    /// A container that cannot be looked into, and why; left out for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    closed: Option<String>,
}

#[derive(Serialize)]
struct CodedReport {
    secret_width: usize,
    secret_height: usize,
    bytes: usize,
    parts: usize,
    /// Parts that were not changed since hiding.
    intact: usize,
}

#[derive(Serialize)]
struct RobustReport {
    secret_width: usize,
    secret_height: usize,
    bytes: usize,
    /// The quality of JPEG that it survives.
    survives: u8,
}

#[derive(Serialize)]
struct MarkReport {
    secret_width: usize,
    secret_height: usize,
    secret_turned: bool,
    balance: i8,
    model: String,
}

#[derive(Serialize)]
struct ModelReport {
    file: String,
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
        let bytes =
            files::read(&self.file, MAX_PICTURE_BYTES.max(MAX_MODEL_BYTES)).with_context(failed)?;
        let report = if FileFormat::of_bytes(&bytes).is_ok() {
            let picture = Picture::decode(&bytes, &Limits::default()).with_context(failed)?;
            Report::Picture(describe_picture(&name, &picture))
        } else {
            Report::Model(describe_model(&name, &bytes)?)
        };
        if self.report.json {
            ui.json(&report)?;
        } else {
            ui.data(report.lines()?)?;
        }
        Ok(ExitStatus::Done)
    }
}

fn describe_picture(name: &str, picture: &Picture) -> PictureReport {
    let mut report = PictureReport {
        file: name.to_owned(),
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
        mark: None,
        coded: None,
        robust: None,
        closed: None,
    };
    match inspect(&picture.pixels, None) {
        Ok(Inspection::Network {
            secret_width,
            secret_height,
            turned,
            balance,
            model,
        }) => {
            report.mark = Some(MarkReport {
                secret_width,
                secret_height,
                secret_turned: turned,
                balance: balance.step(),
                model: model.to_string(),
            });
        }
        Ok(Inspection::Coded {
            secret_width,
            secret_height,
            bytes,
            parts,
            intact,
            ..
        }) => {
            report.coded = Some(CodedReport {
                secret_width,
                secret_height,
                bytes,
                parts,
                intact,
            });
        }
        Ok(Inspection::Robust {
            secret_width,
            secret_height,
            bytes,
            survives,
            ..
        }) => {
            report.robust = Some(RobustReport {
                secret_width,
                secret_height,
                bytes,
                survives,
            });
        }
        Err(error @ Error::PasswordNeeded) => report.closed = Some(error.to_string()),
        Err(error) if error.kind() != ErrorKind::NothingFound => {
            report.closed = Some(error.to_string());
        }
        _ => {}
    }
    report
}

fn describe_model(name: &str, bytes: &[u8]) -> anyhow::Result<ModelReport> {
    let model = Model::from_bytes(bytes)
        .with_context(|| format!("{name} is no picture, and cannot be read as a model"))?;
    Ok(ModelReport {
        file: name.to_owned(),
        id: model.id().to_string(),
        architecture: serde_json::to_value(model.architecture())?,
        parameters: model.n_parameters(),
        bytes: bytes.len(),
        training: model.training().clone(),
    })
}

impl Report {
    /// For people: one per line.
    fn lines(&self) -> anyhow::Result<String> {
        match self {
            Self::Picture(picture) => Ok(picture.lines()),
            Self::Model(model) => model.lines(),
        }
    }
}

impl PictureReport {
    fn lines(&self) -> String {
        let mut lines = vec![format!(
            "{}: {} picture, {}x{}",
            self.file, self.format, self.width, self.height
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
        lines.push(self.hidden());
        lines.join("\n")
    }
}

impl PictureReport {
    /// What is hidden in it, as far as anybody can tell.
    fn hidden(&self) -> String {
        if let Some(mark) = &self.mark {
            return format!(
                "  hidden in it: a picture of {}x{}{}, by model {}{}",
                mark.secret_width,
                mark.secret_height,
                if mark.secret_turned {
                    ", turned by 90 degrees"
                } else {
                    ""
                },
                mark.model,
                match mark.balance {
                    0 => String::new(),
                    balance => format!(", balance {balance}"),
                }
            );
        }
        if let Some(coded) = &self.coded {
            return format!(
                "  hidden in it: a picture of {}x{}, coded in {} bytes without a password, {} of \
                 {} parts intact",
                coded.secret_width, coded.secret_height, coded.bytes, coded.intact, coded.parts
            );
        }
        if let Some(robust) = &self.robust {
            return format!(
                "  hidden in it: a picture of {}x{}, coded in {} bytes without a password, to \
                 survive JPEG of quality {} and above",
                robust.secret_width, robust.secret_height, robust.bytes, robust.survives
            );
        }
        if let Some(reason) = &self.closed {
            return format!("  something is hidden in it: {reason}");
        }
        "  nothing found that opens without a password".to_owned()
    }
}

impl ModelReport {
    fn lines(&self) -> anyhow::Result<String> {
        Ok(format!(
            "{}: model {}, {} parameters, {} bytes\n  networks: {}\n  training: {}",
            self.file,
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
