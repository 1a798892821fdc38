//! `reveal`: containers in, secrets out.

use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;
use underdrawing::{
    Error, ErrorKind, FileFormat, Inspection, Picture, RevealOptions, Salvage, reveal,
};

use super::{OnProgress, at_most_one_stream, for_each, inputs_of, refuse_mixed_output};
use crate::args::RevealArgs;
use crate::files::{Name, OutputFile, create_folder, display_name, refuse_one_place};
use crate::folder::{pictures_at, renamed};
use crate::interrupt;
use crate::method::FoundReport;
use crate::models;
use crate::output::{ExitStatus, Ui, error_with_hint};
use crate::password::Confirm;
use crate::picture::{self, Role};

/// One container to reveal from; every path in it is checked.
struct Job {
    container: PathBuf,
    revealed: OutputFile,
    format: FileFormat,
}

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    container: Name,
    /// Null where nothing was revealed.
    revealed: Option<Name>,
    /// Why nothing was.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// The container's size, null where it cannot be read; that of what was revealed is the
    /// secret's.
    width: Option<usize>,
    height: Option<usize>,
    #[serde(flatten)]
    found: Option<FoundReport>,
    /// The coded method's damage, after --salvage: rows that lack their details, or are grey.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    blurred_rows: Vec<Range<usize>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    grey_rows: Vec<Range<usize>>,
}

impl Report {
    fn of_failure(container: &Path, reason: String) -> Self {
        Self {
            container: Name::of(container),
            revealed: None,
            reason: Some(reason),
            width: None,
            height: None,
            found: None,
            blurred_rows: Vec::new(),
            grey_rows: Vec::new(),
        }
    }
}

impl RevealArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let password_file = self.password.password_file.as_deref();
        at_most_one_stream(&[Some(&*self.container), password_file])?;
        let jobs = if self.container.is_dir() {
            self.folder_jobs(ui)?
        } else {
            picture::must_exist(&self.container, Role::Container)?;
            let format = picture::lossless_format(&self.output, "revealed picture")?;
            vec![Job {
                container: self.container.clone(),
                revealed: OutputFile::new(
                    &self.output,
                    self.write.force,
                    &inputs_of([&*self.container], &self.password, &self.model),
                )?,
                format,
            }]
        };
        refuse_one_place(jobs.iter().map(|job| &job.revealed))?;
        refuse_mixed_output(self.report.json, &self.output)?;
        let options = self.options(self.password.read(Confirm::No, ui)?)?;
        interrupt::watch()?;
        for_each(
            &jobs,
            ui,
            |job| display_name(&job.container),
            |job, on_progress| {
                let result = self.reveal(job, &options, on_progress, ui);
                // Of several, each has its line.
                if let (true, Err(error)) = (self.report.json && jobs.len() > 1, &result) {
                    ui.json(&Report::of_failure(&job.container, format!("{error:#}")))?;
                }
                result
            },
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
        let revealed = match reveal(&container.pixels, options, on_progress) {
            Ok(revealed) => revealed,
            Err(error) => return self.nothing_revealed(job, error, &container, ui),
        };
        let found = FoundReport::of(&revealed.found);
        if let Some(found) = &found {
            ui.detail(format_args!("{name}: {found}"));
            if self.model.model.is_some() && !matches!(found, FoundReport::Network { .. }) {
                ui.note(format_args!(
                    "{name}: --model was not needed: it was not hidden by networks"
                ));
            }
            self.note_other_model(&name, &revealed.found, options, ui);
            if options.password.is_some() && !found.took_password() {
                ui.note(format_args!(
                    "{name}: it opens without the password, for anybody with this program"
                ));
            }
        }
        for (rows, state) in [
            (&revealed.blurred_rows, "lack their details"),
            (&revealed.grey_rows, "are lost and filled with grey"),
        ] {
            for rows in rows {
                let last = rows.end - 1;
                ui.note(format_args!(
                    "{name}: rows {} to {last} {state}",
                    rows.start
                ));
            }
        }
        if self.size.is_some() {
            ui.note(format_args!(
                "{name}: --size reveals without asking for a mark: where no network hid anything, \
                 or another model did, the result is noise"
            ));
        }
        let damaged = !revealed.blurred_rows.is_empty() || !revealed.grey_rows.is_empty();
        let (width, height) = (revealed.picture.width(), revealed.picture.height());
        picture::write(&Picture::from(revealed.picture), job.format, &job.revealed)?;
        if self.report.json {
            ui.json(&Report {
                container: Name::of(&job.container),
                revealed: Some(job.revealed.name()),
                reason: None,
                width: Some(container.pixels.width()),
                height: Some(container.pixels.height()),
                found,
                blurred_rows: revealed.blurred_rows,
                grey_rows: revealed.grey_rows,
            })?;
        } else {
            let output = job.revealed.display_name();
            let what = if damaged { "what is left of " } else { "" };
            ui.say(format_args!(
                "{output}: {what}{width}x{height} revealed from {name}"
            ));
        }
        Ok(ExitStatus::Done)
    }

    /// Says when --model named another model than the one that hid.
    fn note_other_model(&self, name: &str, found: &Inspection, options: &RevealOptions, ui: &Ui) {
        if let (Some(_), Some(given), Inspection::Network { model, .. }) =
            (&self.model.model, options.models.first(), found)
            && given.id() != *model
        {
            ui.note(format_args!(
                "{name}: --model was not used: it was hidden by model {}, and {} was given",
                models::spelled(*model),
                models::spelled(given.id())
            ));
        }
    }

    /// Says why, and what can be tried; nothing was written. What was found out about the picture
    /// is an answer, everything else an error.
    fn nothing_revealed(
        &self,
        job: &Job,
        error: Error,
        container: &Picture,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let name = display_name(&job.container);
        let hint = match error.kind() {
            ErrorKind::NothingFound if error == Error::PasswordNeeded => {
                Some("--password asks for one")
            }
            ErrorKind::WrongPassword if error == Error::OtherPassword => {
                Some("passwords are case-sensitive")
            }
            ErrorKind::NothingFound | ErrorKind::WrongPassword if container.lossy => Some(
                "a lossy file keeps only what was hidden with --survive, and not after resizing, a JPEG \
                 of a lower quality, or cropping without --survive-crop; use the file that hide wrote",
            ),
            ErrorKind::NothingFound => Some(
                "--password asks for one; a container that was resized has lost what it held, and so has \
                 a cropped one, unless it was hidden with --survive-crop: use the file that hide wrote; \
                 where networks hid it and its mark was damaged, --size WxH reveals without one (from \
                 anything else it makes noise)",
            ),
            ErrorKind::WrongPassword => {
                Some("passwords are case-sensitive, and the file must be the one that hide wrote")
            }
            ErrorKind::Damaged | ErrorKind::Newer => match error {
                Error::Damaged {
                    salvage: Salvage::Possible,
                    ..
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
        let answer = match error {
            Error::NothingFound | Error::WrongPassword => "nothing found in",
            _ => "nothing revealed from",
        };
        ui.answer_no(format_args!("{answer} {name}: {error}"));
        if let Some(hint) = hint {
            ui.hint(hint);
        }
        if self.report.json {
            ui.json(&Report {
                width: Some(container.pixels.width()),
                height: Some(container.pixels.height()),
                ..Report::of_failure(&job.container, error.to_string())
            })?;
        }
        Ok(ExitStatus::No)
    }

    /// Jobs for a folder: outputs are named after the containers.
    fn folder_jobs(&self, ui: &Ui) -> anyhow::Result<Vec<Job>> {
        let containers = pictures_at(&self.container, ui)?;
        let paths_read = containers.iter().map(PathBuf::as_path);
        let inputs = inputs_of(paths_read, &self.password, &self.model);
        let paths = renamed(&containers, &self.output, "png")?;
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
