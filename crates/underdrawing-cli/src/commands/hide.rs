//! `hide`: covers and secrets in, containers out.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use underdrawing::{
    Comparison, FileFormat, HideOptions, Model, Picture, Pixels, RevealOptions, SheetColumn,
    contact_sheet, read_mark,
};

use super::{OnProgress, at_most_one_stream, for_each};
use crate::args::HideArgs;
use crate::files::{OutputFile, create_folder, display_name};
use crate::folder::{Reuse, pairs, pictures_at, png_names};
use crate::output::{ExitStatus, Ui, decibels};
use crate::picture::{self, Role};

/// One pair to hide; every path in it is checked.
struct Job {
    cover: PathBuf,
    secret: PathBuf,
    container: OutputFile,
    format: FileFormat,
    sheet: Option<OutputFile>,
}

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    cover: String,
    secret: String,
    container: String,
    width: usize,
    height: usize,
    secret_width: usize,
    secret_height: usize,
    secret_turned: bool,
    model: String,
    container_psnr_db: Option<f64>,
}

impl HideArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let jobs = if self.cover.is_dir() || self.secret.is_dir() {
            self.folder_jobs(ui)?
        } else {
            vec![self.job()?]
        };
        let model = self.model.load(self.compute.start()?, ui)?;
        let options = HideOptions {
            tile_size: self.compute.tile_size,
        };
        for_each(
            &jobs,
            ui,
            |job| job.container.display_name(),
            |job, on_progress| self.hide(job, &model, &options, on_progress, ui),
        )
    }

    fn hide(
        &self,
        job: &Job,
        model: &Model,
        options: &HideOptions,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let cover = picture::read(&job.cover, Role::Cover, ui)?;
        let secret = picture::read_opaque(&job.secret, Role::Secret, ui)?;
        let pixels = model
            .hide_with_progress(&cover.pixels, &secret, options, on_progress)
            .with_context(|| {
                format!(
                    "failed to hide {} in {}",
                    display_name(&job.secret),
                    display_name(&job.cover)
                )
            })?;
        if cover.icc_profile.is_some() && matches!(job.format, FileFormat::Bmp | FileFormat::Qoi) {
            let (name, format) = (display_name(&job.cover), job.format);
            ui.note(format_args!(
                "cover {name}: {format} has no place for its colour profile"
            ));
        }
        let container = Picture {
            alpha: cover.alpha,
            icc_profile: cover.icc_profile,
            ..Picture::from(pixels)
        };
        picture::write(&container, job.format, &job.container)?;
        if let Some(sheet) = &job.sheet {
            write_sheet(
                sheet,
                model,
                self.compute.tile_size,
                &cover.pixels,
                &container.pixels,
                &secret,
            )?;
        }
        self.report(job, &cover.pixels, &container.pixels, &secret, model, ui)?;
        Ok(ExitStatus::Done)
    }

    fn report(
        &self,
        job: &Job,
        cover: &Pixels,
        container: &Pixels,
        secret: &Pixels,
        model: &Model,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        let secret_turned = read_mark(container).is_some_and(|mark| mark.turned);
        note_changed_secret(&job.secret, secret, container, secret_turned, ui);
        if ui.is_quiet() && !self.report.json {
            return Ok(());
        }
        let container_psnr_db = Comparison::of(cover, container)?.psnr_db;
        if self.report.json {
            return ui.json(&Report {
                cover: display_name(&job.cover),
                secret: display_name(&job.secret),
                container: job.container.display_name(),
                width: container.width(),
                height: container.height(),
                secret_width: secret.width(),
                secret_height: secret.height(),
                secret_turned,
                model: model.id().to_string(),
                container_psnr_db,
            });
        }
        ui.say(format_args!(
            "{}: {} hidden in {}, {} from it",
            job.container.display_name(),
            display_name(&job.secret),
            display_name(&job.cover),
            decibels(container_psnr_db)
        ));
        Ok(())
    }

    fn job(&self) -> anyhow::Result<Job> {
        at_most_one_stream(&[&self.cover, &self.secret])?;
        let format = picture::lossless_format(&self.output, "container")?;
        let inputs = [self.cover.as_path(), &self.secret];
        self.checked_job(
            &self.cover,
            &self.secret,
            &self.output,
            format,
            self.sheet.clone(),
            &inputs,
        )
    }

    /// Jobs for folders: outputs are named after the covers.
    fn folder_jobs(&self, ui: &Ui) -> anyhow::Result<Vec<Job>> {
        let covers = pictures_at(&self.cover, ui)?;
        let secrets = pictures_at(&self.secret, ui)?;
        let reuse = if self.cycle { Reuse::Cycle } else { Reuse::No };
        let pairs = pairs(covers, &secrets, reuse)?;
        let covers: Vec<_> = pairs.iter().map(|(cover, _)| cover.clone()).collect();
        let inputs: Vec<&Path> = covers
            .iter()
            .chain(&secrets)
            .map(PathBuf::as_path)
            .collect();
        at_most_one_stream(&inputs)?;
        let containers = png_names(&covers, &self.output)?;
        create_folder(&self.output)?;
        let sheets = match &self.sheet {
            Some(folder) => {
                if *folder == self.output {
                    bail!("--sheet and --output are one folder: expected two");
                }
                create_folder(folder)?;
                png_names(&covers, folder)?.into_iter().map(Some).collect()
            }
            None => vec![None; covers.len()],
        };
        let mut jobs = Vec::with_capacity(pairs.len());
        for (((cover, secret), container), sheet) in pairs.iter().zip(containers).zip(sheets) {
            jobs.push(self.checked_job(
                cover,
                secret,
                &container,
                FileFormat::Png,
                sheet,
                &inputs,
            )?);
        }
        Ok(jobs)
    }

    fn checked_job(
        &self,
        cover: &Path,
        secret: &Path,
        container: &Path,
        format: FileFormat,
        sheet: Option<PathBuf>,
        inputs: &[&Path],
    ) -> anyhow::Result<Job> {
        if sheet.as_deref() == Some(container) {
            bail!(
                "the container and the sheet have the same path, {}",
                container.display()
            );
        }
        let force = self.write.force;
        let sheet = match &sheet {
            Some(path) => {
                picture::lossless_format(path, "sheet")?;
                Some(OutputFile::new(path, force, inputs)?)
            }
            None => None,
        };
        Ok(Job {
            cover: cover.to_owned(),
            secret: secret.to_owned(),
            container: OutputFile::new(container, force, inputs)?,
            format,
            sheet,
        })
    }
}

fn note_changed_secret(path: &Path, secret: &Pixels, container: &Pixels, turned: bool, ui: &Ui) {
    let (width, height) = (secret.width(), secret.height());
    let turn = if turned {
        "turned by 90 degrees and "
    } else {
        ""
    };
    let (hidden_width, hidden_height) = (container.width(), container.height());
    let own = if turned {
        (height, width)
    } else {
        (width, height)
    };
    if own != (hidden_width, hidden_height) {
        ui.note(format_args!(
            "secret {}: {width}x{height} {turn}resized to {hidden_width}x{hidden_height} for \
             hiding; it comes back as {width}x{height}",
            display_name(path)
        ));
    } else if turned {
        ui.note(format_args!(
            "secret {}: turned by 90 degrees for hiding; it comes back as it was",
            display_name(path)
        ));
    }
}

fn write_sheet(
    output: &OutputFile,
    model: &Model,
    tile_size: Option<usize>,
    cover: &Pixels,
    container: &Pixels,
    secret: &Pixels,
) -> anyhow::Result<()> {
    let revealed = model.reveal(
        container,
        &RevealOptions {
            tile_size,
            size: None,
        },
    )?;
    let sheet = contact_sheet(&SheetColumn {
        cover,
        container,
        secret,
        revealed: &revealed,
    });
    let format = picture::lossless_format(output.path(), "sheet")?;
    picture::write(&Picture::from(sheet), format, output)
}
