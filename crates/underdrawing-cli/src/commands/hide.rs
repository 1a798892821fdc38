//! `hide`: covers and secrets in, containers out.

mod job;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    Comparison, FileFormat, Model, Picture, Pixels, SheetColumn, contact_sheet, read_mark,
};

use super::{OnProgress, for_each};
use crate::args::HideArgs;
use crate::files::{OutputFile, display_name};
use crate::output::{ExitStatus, Ui, decibels};
use crate::picture::{self, Role};
use job::Job;

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

/// The pictures of one job after hiding.
struct Hidden {
    cover: Pixels,
    secret: Pixels,
    container: Pixels,
}

impl HideArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let jobs = self.jobs(ui)?;
        let model = self.model.load(self.compute.start()?, ui)?;
        for_each(
            &jobs,
            ui,
            |job| job.container.display_name(),
            |job, on_progress| {
                let hidden = self.hide(job, &model, on_progress, ui)?;
                if let Some(sheet) = &job.sheet {
                    self.write_sheet(sheet, &model, &hidden)?;
                }
                self.report(job, &model, &hidden, ui)?;
                Ok(ExitStatus::Done)
            },
        )
    }

    /// Reads, hides and writes.
    fn hide(
        &self,
        job: &Job,
        model: &Model,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<Hidden> {
        let cover = picture::read(&job.cover, Role::Cover, ui)?;
        let secret = picture::read_opaque(&job.secret, Role::Secret, ui)?;
        let (cover_name, secret_name) = (display_name(&job.cover), display_name(&job.secret));
        let options = self.compute.hide_options();
        let pixels = model
            .hide_with_progress(&cover.pixels, &secret, &options, on_progress)
            .with_context(|| format!("failed to hide {secret_name} in {cover_name}"))?;
        if cover.icc_profile.is_some() && matches!(job.format, FileFormat::Bmp | FileFormat::Qoi) {
            let format = job.format;
            ui.note(format_args!(
                "cover {cover_name}: {format} has no place for its colour profile"
            ));
        }
        let container = Picture {
            alpha: cover.alpha,
            icc_profile: cover.icc_profile,
            ..Picture::from(pixels)
        };
        picture::write(&container, job.format, &job.container)?;
        Ok(Hidden {
            cover: cover.pixels,
            secret,
            container: container.pixels,
        })
    }

    fn write_sheet(
        &self,
        output: &OutputFile,
        model: &Model,
        hidden: &Hidden,
    ) -> anyhow::Result<()> {
        let revealed = model.reveal(&hidden.container, &self.compute.reveal_options())?;
        let sheet = contact_sheet(&SheetColumn {
            cover: &hidden.cover,
            container: &hidden.container,
            secret: &hidden.secret,
            revealed: &revealed,
        });
        let format = picture::lossless_format(output.path(), "sheet")?;
        picture::write(&Picture::from(sheet), format, output)
    }

    fn report(&self, job: &Job, model: &Model, hidden: &Hidden, ui: &Ui) -> anyhow::Result<()> {
        if ui.is_quiet() && !self.report.json {
            return Ok(());
        }
        let secret_turned = read_mark(&hidden.container).is_some_and(|mark| mark.turned);
        note_changed_secret(&job.secret, hidden, secret_turned, ui);
        let container_psnr_db = Comparison::of(&hidden.cover, &hidden.container)?.psnr_db;
        if self.report.json {
            return ui.json(&Report {
                cover: display_name(&job.cover),
                secret: display_name(&job.secret),
                container: job.container.display_name(),
                width: hidden.container.width(),
                height: hidden.container.height(),
                secret_width: hidden.secret.width(),
                secret_height: hidden.secret.height(),
                secret_turned,
                model: model.id().to_string(),
                container_psnr_db,
            });
        }
        ui.say(format_args!(
            "{}: {} hidden in {}, container at {}",
            job.container.display_name(),
            display_name(&job.secret),
            display_name(&job.cover),
            decibels(container_psnr_db)
        ));
        Ok(())
    }
}

/// Says when the secret was turned or resized to fit the cover.
fn note_changed_secret(path: &Path, hidden: &Hidden, turned: bool, ui: &Ui) {
    let (width, height) = (hidden.secret.width(), hidden.secret.height());
    let cover = (hidden.cover.width(), hidden.cover.height());
    let upright = if turned {
        (height, width)
    } else {
        (width, height)
    };
    let change = match (turned, upright == cover) {
        (false, true) => return,
        (true, true) => "turned by 90 degrees".to_owned(),
        (false, false) => format!("resized to {}x{}", cover.0, cover.1),
        (true, false) => format!(
            "turned by 90 degrees and resized to {}x{}",
            cover.0, cover.1
        ),
    };
    ui.note(format_args!(
        "secret {}: {change} for hiding; it comes back as {width}x{height}",
        display_name(path)
    ));
}
