//! `reveal`: containers in, secrets out.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;
use underdrawing::{FileFormat, Mark, Picture, Pixels, RevealOptions, read_mark};

use super::{OnProgress, for_each};
use crate::args::RevealArgs;
use crate::files::{Inputs, OutputFile, create_folder, display_name};
use crate::folder::{pictures_at, png_names};
use crate::models::Shelf;
use crate::output::{ExitStatus, Ui, error_with_hint};
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
    model: Option<String>,
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
        let mut shelf = Shelf::new(&self.model, self.compute.start()?)?;
        for_each(
            &jobs,
            ui,
            |job| display_name(&job.container),
            |job, on_progress| self.reveal(job, &mut shelf, on_progress, ui),
        )
    }

    fn reveal(
        &self,
        job: &Job,
        shelf: &mut Shelf,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let container = read_container(&job.container, ui)?;
        let name = display_name(&job.container);
        let mark = read_mark(&container);
        let model = match (&mark, self.size) {
            (_, Some(_)) => shelf.first()?,
            (Some(mark), None) => shelf
                .with_id(mark.model)
                .with_context(|| format!("cannot reveal from {name}"))?,
            (None, None) => return self.nothing_found(&name, ui),
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
            .reveal_with_progress(&container, &options, on_progress)
            .with_context(|| format!("failed to reveal from {name}"))?;
        let (width, height) = (revealed.width(), revealed.height());
        picture::write(&Picture::from(revealed), job.format, &job.revealed)?;
        if self.report.json {
            ui.json(&Report {
                container: name,
                revealed: Some(job.revealed.display_name()),
                width: Some(width),
                height: Some(height),
                model: Some(model.id().to_string()),
            })?;
        } else {
            let output = job.revealed.display_name();
            ui.say(format_args!(
                "{output}: {width}x{height} revealed from {name}"
            ));
        }
        Ok(ExitStatus::Done)
    }

    fn nothing_found(&self, name: &str, ui: &Ui) -> anyhow::Result<ExitStatus> {
        ui.answer_no(format_args!(
            "nothing found in {name}: it has no readable mark (a plain picture, or a damaged \
             container)"
        ));
        ui.hint("--size WxH [--model M] reveals regardless");
        if self.report.json {
            ui.json(&Report {
                container: name.to_owned(),
                revealed: None,
                width: None,
                height: None,
                model: None,
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
