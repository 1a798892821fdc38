//! `reveal`: containers in, secrets out.

use std::ops::Range;
use std::path::PathBuf;

use serde::Serialize;
use underdrawing::{Error, ErrorKind, FileFormat, Inspection, Picture, RevealOptions, reveal};

use super::{OnProgress, for_each};
use crate::args::RevealArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::folder::{pictures_at, png_names};
use crate::interrupt::{self, AtWork};
use crate::output::{ExitStatus, Ui, error_with_hint};
use crate::password::Confirm;
use crate::picture::{self, Role};

/// One container to reveal from; every path in it is checked.
struct Job {
    container: PathBuf,
    revealed: OutputFile,
    format: FileFormat,
}

/// The line of `--json`; without `revealed` when nothing was found.
#[derive(Default, Serialize)]
struct Report {
    container: String,
    revealed: Option<String>,
    width: Option<usize>,
    height: Option<usize>,
    method: Option<&'static str>,
    /// The network method's model.
    model: Option<String>,
    /// The coded method's damage, after --salvage: rows that lack their details.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blurred_rows: Vec<Range<usize>>,
}

impl RevealArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let jobs = if self.container.is_dir() {
            self.folder_jobs(ui)?
        } else {
            let format = picture::lossless_format(&self.output, "revealed picture")?;
            vec![Job {
                container: self.container.clone(),
                revealed: OutputFile::new(
                    &self.output,
                    self.write.force,
                    &Inputs::new([&*self.container]),
                )?,
                format,
            }]
        };
        let options = self.options(self.password.read(Confirm::No)?)?;
        interrupt::watch()?;
        for_each(
            &jobs,
            ui,
            |job| display_name(&job.container),
            |job, on_progress| self.reveal(job, &options, on_progress, ui),
        )
    }

    fn reveal(
        &self,
        job: &Job,
        options: &RevealOptions,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let container = picture::read(&job.container, Role::Container, ui)?;
        let name = display_name(&job.container);
        let at_work = AtWork::begin();
        let revealed = match reveal(&container.pixels, options, on_progress) {
            Ok(revealed) => revealed,
            Err(error) => return self.nothing_revealed(&name, error, &container, ui),
        };
        drop(at_work);
        let (method, model) = match revealed.found {
            Inspection::Network { model, turned, .. } => {
                let (width, height) = (revealed.picture.width(), revealed.picture.height());
                let turned = if turned { ", turned" } else { "" };
                ui.detail(format_args!(
                    "{name}: secret of {width}x{height}{turned}, model {model}"
                ));
                (Some("network"), Some(model.to_string()))
            }
            Inspection::Coded { .. } => (Some("coded"), None),
            Inspection::Robust { survives, .. } => {
                ui.detail(format_args!(
                    "{name}: hidden to survive JPEG of quality {survives}"
                ));
                (Some("robust"), None)
            }
            _ => (None, None),
        };
        for rows in &revealed.blurred_rows {
            ui.note(format_args!(
                "{name}: rows {} to {} lack their details",
                rows.start,
                rows.end - 1
            ));
        }
        let (width, height) = (revealed.picture.width(), revealed.picture.height());
        picture::write(&Picture::from(revealed.picture), job.format, &job.revealed)?;
        if self.report.json {
            ui.json(&Report {
                container: name,
                revealed: Some(job.revealed.display_name()),
                width: Some(width),
                height: Some(height),
                method,
                model,
                blurred_rows: revealed.blurred_rows,
            })?;
        } else {
            let output = job.revealed.display_name();
            ui.say(format_args!(
                "{output}: {width}x{height} revealed from {name}"
            ));
        }
        Ok(ExitStatus::Done)
    }

    /// Says why, and what can be tried; nothing was written. What was found out about the picture
    /// is an answer, everything else an error.
    fn nothing_revealed(
        &self,
        name: &str,
        error: Error,
        container: &Picture,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let hint = match error.kind() {
            ErrorKind::NothingFound if error == Error::PasswordNeeded => {
                Some("--password asks for one")
            }
            ErrorKind::NothingFound | ErrorKind::WrongPassword if container.lossy => Some(
                "a lossy file: what was hidden without --survive is gone; use the file that hide \
                 wrote, or hide with --survive",
            ),
            ErrorKind::NothingFound => Some(
                "--password asks for one; --size WxH [--model M] reveals by the network method \
                 regardless",
            ),
            ErrorKind::WrongPassword => {
                Some("passwords are case-sensitive, and the file must be the one that hide wrote")
            }
            ErrorKind::Damaged | ErrorKind::Newer => match error {
                Error::Damaged {
                    salvageable: true, ..
                } => Some("--salvage reveals what is intact"),
                _ => None,
            },
            ErrorKind::UnknownModel => {
                return Err(error_with_hint(
                    format!("cannot reveal from {name}: {error}"),
                    "give that model's file with --model",
                ));
            }
            _ => {
                let failed = format!("failed to reveal from {name}");
                return Err(anyhow::Error::new(error).context(failed));
            }
        };
        let answer = match error.kind() {
            ErrorKind::NothingFound | ErrorKind::WrongPassword => "nothing found in",
            _ => "nothing revealed from",
        };
        ui.answer_no(format_args!("{answer} {name}: {error}"));
        if let Some(hint) = hint {
            ui.hint(hint);
        }
        if self.report.json {
            ui.json(&Report {
                container: name.to_owned(),
                ..Report::default()
            })?;
        }
        Ok(ExitStatus::No)
    }

    /// Jobs for a folder: outputs are named after the containers.
    fn folder_jobs(&self, ui: &Ui) -> anyhow::Result<Vec<Job>> {
        let containers = pictures_at(&self.container, ui)?;
        let inputs = Inputs::new(containers.iter().map(PathBuf::as_path));
        let paths = png_names(&containers, &self.output)?;
        create_folder(&self.output)?;
        let mut jobs = Vec::with_capacity(paths.len());
        for (container, path) in containers.iter().zip(paths) {
            jobs.push(Job {
                container: container.clone(),
                revealed: OutputFile::new(&path, self.write.force, &inputs)?,
                format: FileFormat::Png,
            });
        }
        Ok(jobs)
    }
}
