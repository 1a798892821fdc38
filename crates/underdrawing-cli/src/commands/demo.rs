//! `demo`: hides one bundled photograph in another and shows the result.

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    Comparison, FileFormat, HiddenDetails, HideOptions, Limits, Picture, Pixels, Progress, Sheet,
    hide, reveal,
};
use underdrawing_jpeg::{Jpeg, Sampling, quality};

use crate::args::{DemoArgs, PasswordArgs};
use crate::files::{Inputs, OutputFile, create_folder};
use crate::interrupt;
use crate::method::DetailsReport;
use crate::output::{ExitStatus, Ui, decibels, shown};
use crate::password::Confirm;

const COVER: &[u8] = include_bytes!("../../demo/cover.png");
const SECRET: &[u8] = include_bytes!("../../demo/secret.png");

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    folder: String,
    #[serde(flatten)]
    details: Option<DetailsReport>,
    container_psnr_db: Option<f64>,
    revealed_psnr_db: Option<f64>,
    container_ssim: f64,
    revealed_ssim: f64,
}

impl DemoArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let password = PasswordArgs::variable();
        let source = password.source();
        let password = || password.read(Confirm::No, ui);
        let options =
            self.method
                .options(&self.model, &self.compute, source, password, false, ui)?;
        let (cover, secret) = (bundled(COVER)?, bundled(SECRET)?);
        create_folder(&self.output)?;
        interrupt::watch()?;
        let working = ui.working("demo");
        let (container, details) = self.hide(&options, &cover, &secret, ui)?;
        let quality = match options {
            HideOptions::Robust { survive, .. } => Some(survive),
            _ => None,
        };
        let container = match quality {
            Some(quality) => self.sent(&container, quality)?,
            None => container,
        };
        let options = options.to_reveal();
        let revealed = reveal(&container, &options, &mut Progress::ignore)?.picture;
        let sheet = Sheet {
            cover: &cover,
            container: &container,
            secret: &secret,
            revealed: &revealed,
        };
        let sheet = sheet.contact();
        let report = self.report(&details, [&cover, &secret, &container, &revealed])?;
        let difference = cover
            .amplified_difference(&container)
            .context("the container has another size than the cover")?;
        for (name, pixels) in [
            ("cover.png", cover),
            ("secret.png", secret),
            ("revealed.png", revealed),
            ("difference.png", difference),
            ("sheet.png", sheet),
        ] {
            self.write(name, &Picture::from(pixels).encode(FileFormat::Png)?)?;
        }
        drop(working);
        self.print(&report, quality, ui)
    }

    /// The container as it comes back from the file.
    fn hide(
        &self,
        options: &HideOptions,
        cover: &Pixels,
        secret: &Pixels,
        ui: &Ui,
    ) -> anyhow::Result<(Pixels, HiddenDetails)> {
        let bar = ui.bar_of_steps();
        bar.message("hiding");
        let hidden = hide(cover, secret, options, &mut |Progress { done, total }| {
            bar.set(done, total);
            ControlFlow::Continue(())
        })?;
        let bytes = Picture::from(hidden.container).encode(FileFormat::Png)?;
        let path = self.write("container.png", &bytes)?;
        let written =
            fs::read(&path).with_context(|| format!("failed to read {}", shown(&path)))?;
        let container = Picture::decode(&written, &Limits::default())?.pixels;
        Ok((container, hidden.details))
    }

    /// The container as it arrives after a JPEG of this quality.
    fn sent(&self, container: &Pixels, quality: u8) -> anyhow::Result<Pixels> {
        let (width, height) = (container.width(), container.height());
        let tables = quality::tables(quality);
        let jpeg = Jpeg::from_rgb(container.data(), width, height, Sampling::Half, &tables);
        let bytes = jpeg.write();
        self.write("sent.jpg", &bytes)?;
        Ok(Picture::decode(&bytes, &Limits::default())?.pixels)
    }

    /// Writes a file of the demo; one that is there with the same content is no reason to stop, so
    /// that the demo can be run again.
    fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<PathBuf> {
        let path = self.output.join(name);
        let same = || fs::read(&path).is_ok_and(|there| there == bytes);
        if self.write.force || !same() {
            OutputFile::new(&path, self.write.force, &Inputs::default())?.write(bytes)?;
        }
        Ok(path)
    }

    fn report(
        &self,
        details: &HiddenDetails,
        [cover, secret, container, revealed]: [&Pixels; 4],
    ) -> anyhow::Result<Report> {
        let hidden = Comparison::of(cover, container)?;
        let found = Comparison::of(secret, revealed)?;
        Ok(Report {
            folder: self.output.display().to_string(),
            details: DetailsReport::of(details),
            container_psnr_db: hidden.psnr_db,
            revealed_psnr_db: found.psnr_db,
            container_ssim: hidden.ssim,
            revealed_ssim: found.ssim,
        })
    }

    fn print(&self, report: &Report, quality: Option<u8>, ui: &Ui) -> anyhow::Result<ExitStatus> {
        if self.report.json {
            ui.json(report)?;
            return Ok(ExitStatus::Done);
        }
        let sent = match quality {
            Some(quality) => format!(
                "\nThe container of these figures is sent.jpg: container.png saved as JPEG of quality {quality}."
            ),
            None => String::new(),
        };
        ui.data(format_args!(
            "container against cover   {}, SSIM {:.4}\n\
             revealed against secret   {}, SSIM {:.4}\n\
             \n\
             Look at {}: all pictures and what differs between them, ten times amplified.\n\
             container.png beside it looks like cover.png and holds revealed.png.{sent}",
            decibels(report.container_psnr_db),
            report.container_ssim,
            decibels(report.revealed_psnr_db),
            report.revealed_ssim,
            self.output.join("sheet.png").display()
        ))?;
        Ok(ExitStatus::Done)
    }
}

fn bundled(bytes: &[u8]) -> anyhow::Result<Pixels> {
    Ok(Picture::decode(bytes, &Limits::default())
        .context("failed to read a bundled picture")?
        .pixels)
}
