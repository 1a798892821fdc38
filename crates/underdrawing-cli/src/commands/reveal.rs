//! `reveal`: containers in, secrets out.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    CodedKey, CodedRevealError, FileFormat, Mark, Picture, Pixels, RevealOptions, Salvage,
    read_mark, reveal_coded,
};

use super::{OnProgress, for_each};
use crate::args::RevealArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::folder::{pictures_at, png_names};
use crate::models::Shelf;
use crate::output::{ExitStatus, Ui, error_with_hint};
use crate::password::{Confirm, Password};
use crate::picture::{self, Role};

/// One container to reveal from; every path in it is checked.
struct Job {
    container: PathBuf,
    revealed: OutputFile,
    format: FileFormat,
}

/// The line of `--json`; without `revealed` when nothing was found.
#[derive(Serialize)]
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

/// What came out of a container.
struct Found {
    revealed: Pixels,
    method: &'static str,
    model: Option<String>,
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
        let password = self.password.read(Confirm::No)?;
        let mut shelf = Shelf::new(&self.model, self.compute.start()?)?;
        for_each(
            &jobs,
            ui,
            |job| display_name(&job.container),
            |job, on_progress| self.reveal(job, &mut shelf, password.as_ref(), on_progress, ui),
        )
    }

    fn reveal(
        &self,
        job: &Job,
        shelf: &mut Shelf,
        password: Option<&Password>,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let container = read_container(&job.container, ui)?;
        let name = display_name(&job.container);
        let mark = read_mark(&container);
        let found = if mark.is_some() || self.size.is_some() {
            self.by_network(&container, &name, mark, shelf, on_progress, ui)?
        } else {
            match self.by_code(&container, password) {
                Ok(found) => found,
                Err(error) => return self.nothing_revealed(&name, &error, password, ui),
            }
        };
        for rows in &found.blurred_rows {
            ui.note(format_args!(
                "{name}: rows {} to {} lack their details",
                rows.start,
                rows.end - 1
            ));
        }
        let (width, height) = (found.revealed.width(), found.revealed.height());
        picture::write(&Picture::from(found.revealed), job.format, &job.revealed)?;
        if self.report.json {
            ui.json(&Report {
                container: name,
                revealed: Some(job.revealed.display_name()),
                width: Some(width),
                height: Some(height),
                method: Some(found.method),
                model: found.model,
                blurred_rows: found.blurred_rows,
            })?;
        } else {
            let output = job.revealed.display_name();
            ui.say(format_args!(
                "{output}: {width}x{height} revealed from {name}"
            ));
        }
        Ok(ExitStatus::Done)
    }

    fn by_network(
        &self,
        container: &Pixels,
        name: &str,
        mark: Option<Mark>,
        shelf: &mut Shelf,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<Found> {
        let model = match (mark, self.size) {
            (Some(mark), None) => shelf
                .with_id(mark.model)
                .with_context(|| format!("cannot reveal from {name}"))?,
            _ => shelf.first()?,
        };
        ui.detail(format_args!(
            "{name}: {}, model {}",
            describe(mark.as_ref()),
            model.id()
        ));
        let options = RevealOptions {
            size: self.size.map(|size| (size.width, size.height)),
            ..self.compute.reveal_options()
        };
        let revealed = model
            .reveal_with_progress(container, &options, on_progress)
            .with_context(|| format!("failed to reveal from {name}"))?;
        Ok(Found {
            revealed,
            method: "network",
            model: Some(model.id().to_string()),
            blurred_rows: Vec::new(),
        })
    }

    /// Tries the public key, which costs nothing, then the password.
    fn by_code(
        &self,
        container: &Pixels,
        password: Option<&Password>,
    ) -> Result<Found, CodedRevealError> {
        let salvage = if self.salvage {
            Salvage::Yes
        } else {
            Salvage::No
        };
        let open = |key| reveal_coded(container, key, salvage);
        let coded = match (open(CodedKey::Public), password) {
            (Err(CodedRevealError::Closed), Some(password)) => open(CodedKey::Password(password)),
            (opened, _) => opened,
        }?;
        Ok(Found {
            revealed: coded.revealed,
            method: "coded",
            model: None,
            blurred_rows: coded.blurred_rows,
        })
    }

    /// Says why, and what can be tried; nothing was written.
    fn nothing_revealed(
        &self,
        name: &str,
        error: &CodedRevealError,
        password: Option<&Password>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        match error {
            CodedRevealError::Closed if password.is_some() => {
                ui.answer_no(format_args!(
                    "nothing found in {name}: the password is wrong, or this is a plain picture or \
                     a damaged container (they cannot be told apart)"
                ));
                ui.hint(
                    "passwords are case-sensitive, and the file must be the one that hide wrote",
                );
            }
            CodedRevealError::Closed => {
                ui.answer_no(format_args!(
                    "nothing found in {name}: no mark of the network method, and nothing that opens \
                     without a password (a plain picture, or a damaged container)"
                ));
                ui.hint(
                    "--password asks for one; --size WxH [--model M] reveals by the network method \
                     regardless",
                );
            }
            _ => {
                ui.answer_no(format_args!("nothing revealed from {name}: {error}"));
                if let CodedRevealError::Damaged {
                    salvageable: true, ..
                } = error
                {
                    ui.hint("--salvage reveals what is intact");
                }
            }
        }
        if self.report.json {
            ui.json(&Report {
                container: name.to_owned(),
                revealed: None,
                width: None,
                height: None,
                method: None,
                model: None,
                blurred_rows: Vec::new(),
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

fn read_container(path: &Path, ui: &Ui) -> anyhow::Result<Pixels> {
    let container = picture::read(path, Role::Container, ui)?;
    if container.lossy {
        return Err(error_with_hint(
            format!(
                "cannot reveal from {}: {} changes pixels, and what was hidden in them is gone",
                display_name(path),
                container.format.name()
            ),
            "use the file that hide wrote, before anything converted it",
        ));
    }
    Ok(container.pixels)
}

fn describe(mark: Option<&Mark>) -> String {
    mark.map_or_else(
        || "no mark".to_owned(),
        |mark| {
            let turned = if mark.turned { ", turned" } else { "" };
            format!(
                "secret of {}x{}{turned}",
                mark.secret_width, mark.secret_height
            )
        },
    )
}
