//! `hide`: covers and secrets in, containers out.

mod job;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use underdrawing::{FileFormat, Picture, Pixels, SheetColumn, contact_sheet, psnr_db};

use super::{OnProgress, for_each};
use crate::args::HideArgs;
use crate::files::{OutputFile, display_name};
use crate::hider::{Details, Hider};
use crate::output::{ExitStatus, Ui, decibels};
use crate::password::Confirm;
use crate::picture::{self, Role};
use job::Job;

/// PSNR below which a container is plainly not its cover.
const VISIBLE_DB: f64 = 30.0;

/// The line of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    cover: String,
    secret: String,
    container: String,
    width: usize,
    height: usize,
    secret_width: usize,
    secret_height: usize,
    container_psnr_db: Option<f64>,
    #[serde(flatten)]
    details: &'a Details,
}

/// The pictures of one job after hiding, and what the method says.
struct Done {
    cover: Pixels,
    secret: Pixels,
    container: Pixels,
    details: Details,
}

impl HideArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let jobs = self.jobs(ui)?;
        let hider = self.hider(ui)?;
        hider.note(ui);
        for_each(
            &jobs,
            ui,
            |job| job.container.display_name(),
            |job, on_progress| {
                let done = self.hide(job, &hider, on_progress, ui)?;
                if let Some(sheet) = &job.sheet {
                    write_sheet(sheet, &hider, &done)?;
                }
                self.report(job, &done, ui)?;
                Ok(ExitStatus::Done)
            },
        )
    }

    fn hider(&self, ui: &Ui) -> anyhow::Result<Hider> {
        let password = || self.password.read(Confirm::Yes);
        let source = self.password.source();
        self.method
            .hider(&self.model, &self.compute, source, password, ui)
    }

    /// Reads, hides and writes.
    fn hide(
        &self,
        job: &Job,
        hider: &Hider,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<Done> {
        let cover = picture::read(&job.cover, Role::Cover, ui)?;
        let secret = picture::read_opaque(&job.secret, Role::Secret, ui)?;
        let (cover_name, secret_name) = (display_name(&job.cover), display_name(&job.secret));
        let hidden = hider
            .hide(&cover.pixels, &secret, on_progress)
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
            ..Picture::from(hidden.container)
        };
        picture::write(&container, job.format, &job.container)?;
        Ok(Done {
            cover: cover.pixels,
            secret,
            container: container.pixels,
            details: hidden.details,
        })
    }

    fn report(&self, job: &Job, done: &Done, ui: &Ui) -> anyhow::Result<()> {
        if ui.is_quiet() && !self.report.json {
            return Ok(());
        }
        note_changed_secret(&job.secret, done, ui);
        let container_psnr_db = psnr_db(&done.cover, &done.container)?;
        note_visible(&job.container, done, container_psnr_db, ui);
        if self.report.json {
            return ui.json(&Report {
                cover: display_name(&job.cover),
                secret: display_name(&job.secret),
                container: job.container.display_name(),
                width: done.container.width(),
                height: done.container.height(),
                secret_width: done.secret.width(),
                secret_height: done.secret.height(),
                container_psnr_db,
                details: &done.details,
            });
        }
        let expected = match &done.details {
            Details::Coded {
                coded_psnr_db: Some(db),
                ..
            } => format!(", the secret at {db:.2} dB"),
            Details::Coded { .. } => ", the secret without loss".to_owned(),
            Details::Network { .. } => String::new(),
        };
        ui.say(format_args!(
            "{}: {} hidden in {}, container at {}{expected}",
            job.container.display_name(),
            display_name(&job.secret),
            display_name(&job.cover),
            decibels(container_psnr_db)
        ));
        Ok(())
    }
}

fn write_sheet(output: &OutputFile, hider: &Hider, done: &Done) -> anyhow::Result<()> {
    let sheet = contact_sheet(&SheetColumn {
        cover: &done.cover,
        container: &done.container,
        secret: &done.secret,
        revealed: &hider.reveal(&done.container)?,
    });
    let format = picture::lossless_format(output.path(), "sheet")?;
    picture::write(&Picture::from(sheet), format, output)
}

/// Says when a network has spoiled a picture that is too far from those it was trained on.
fn note_visible(output: &OutputFile, done: &Done, container_psnr_db: Option<f64>, ui: &Ui) {
    let by_network = matches!(done.details, Details::Network { .. });
    if by_network && container_psnr_db.is_some_and(|db| db < VISIBLE_DB) {
        ui.note(format_args!(
            "container {}: it is at {} only, and changes show; networks are for photographs, and \
             --method coded hides any picture in any other",
            output.display_name(),
            decibels(container_psnr_db)
        ));
    }
}

/// Says when the secret was turned or resized for hiding.
fn note_changed_secret(path: &Path, done: &Done, ui: &Ui) {
    let (width, height) = (done.secret.width(), done.secret.height());
    let change = match &done.details {
        Details::Network { secret_turned, .. } => {
            let cover = (done.cover.width(), done.cover.height());
            let upright = if *secret_turned {
                (height, width)
            } else {
                (width, height)
            };
            match (secret_turned, upright == cover) {
                (false, true) => return,
                (true, true) => "turned by 90 degrees".to_owned(),
                (false, false) => format!("resized to {}x{}", cover.0, cover.1),
                (true, false) => format!(
                    "turned by 90 degrees and resized to {}x{}",
                    cover.0, cover.1
                ),
            }
        }
        Details::Coded {
            coded_width,
            coded_height,
            ..
        } => {
            if (*coded_width, *coded_height) == (width, height) {
                return;
            }
            format!("too large for this cover, reduced to {coded_width}x{coded_height}")
        }
    };
    ui.note(format_args!(
        "secret {}: {change} for hiding; it comes back as {width}x{height}",
        display_name(path)
    ));
}
