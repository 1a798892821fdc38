//! `hide`: covers and secrets in, containers out.

mod job;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;
use underdrawing::{
    Comparison, Effort, FileFormat, HiddenDetails, HideOptions, Picture, Pixels, Progress, Sheet,
    hide, reveal,
};

use super::{OnProgress, for_each, refuse_mixed_output};
use crate::args::{HideArgs, MethodArgs};
use crate::files::{Name, OutputFile, display_name, write_together};
use crate::interrupt;
use crate::method::DetailsReport;
use crate::models;
use crate::output::{ExitStatus, Ui, decibels};
use crate::password::Confirm;
use crate::picture;
use job::Job;

/// PSNR below which a container is plainly not its cover.
const VISIBLE_DB: f64 = 30.0;

/// PSNR below which a secret is plainly spoiled.
const SPOILED_DB: f64 = 20.0;

/// A quality this close to the one asked for is that one.
const NEAR_DB: f64 = 0.1;

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    cover: Name,
    secret: Name,
    container: Name,
    width: usize,
    height: usize,
    secret_width: usize,
    secret_height: usize,
    container_psnr_db: Option<f64>,
    /// Of what is revealed, in the secret's own size; null where nothing is lost.
    revealed_psnr_db: Option<f64>,
    #[serde(flatten)]
    details: Option<DetailsReport>,
}

/// The line of `--json` for a pair of several that failed.
#[derive(Serialize)]
struct Failure {
    cover: Name,
    secret: Name,
    container: Option<Name>,
    reason: String,
}

/// The pictures of one job after hiding.
struct Pictures {
    cover: Pixels,
    secret: Pixels,
    container: Picture,
}

/// What is to be said of a job.
struct Done {
    /// Width and height.
    container: (usize, usize),
    secret: (usize, usize),
    /// The secret's file holds it exactly.
    exact: bool,
    details: HiddenDetails,
    container_psnr_db: Option<f64>,
    revealed_psnr_db: Option<f64>,
}

impl HideArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        refuse_mixed_output(self.report.json, &self.output)?;
        let jobs = self.jobs(ui)?;
        let jpeg = jobs.iter().any(|job| job.format == FileFormat::Jpeg);
        let options = self.options(jpeg, ui)?;
        interrupt::watch()?;
        self.note_channel(ui);
        if let HideOptions::Coded(coded) | HideOptions::Robust { coded, .. } = &options
            && coded.password.is_none()
        {
            ui.note(
                "without a password anybody with this program can reveal; --password asks for one",
            );
        }
        for_each(
            &jobs,
            ui,
            |job| job.container.display_name(),
            |job, on_progress| {
                let result = self.do_job(job, &options, on_progress, ui);
                // Of several, each has its line.
                if let (true, Err(error)) = (self.report.json && jobs.len() > 1, &result) {
                    ui.json(&Failure {
                        cover: Name::of(&job.cover),
                        secret: Name::of(&job.secret),
                        container: None,
                        reason: format!("{error:#}"),
                    })?;
                }
                result
            },
        )
    }

    fn do_job(
        &self,
        job: &Job,
        options: &HideOptions,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<ExitStatus> {
        let told = self.report.json || !ui.is_quiet();
        let (pictures, details, exact) = self.hide(job, options, on_progress, ui)?;
        // Networks do not know their quality themselves.
        let by_network = matches!(details, HiddenDetails::Network { .. });
        let revealed = (job.sheet.is_some() || (told && by_network))
            .then(|| pictures.revealed(options))
            .transpose()?;
        let done = told
            .then(|| Done::of(&pictures, details, exact, revealed.as_ref()))
            .transpose()?;
        let sheet = match job.sheet.as_ref().zip(revealed.as_ref()) {
            Some((output, revealed)) => Some((output, pictures.sheet(revealed, output)?)),
            None => None,
        };
        // Large pictures take no memory while the file is made.
        drop(revealed);
        let container = picture::encode(&pictures.into_container(), job.format, &job.container)?;
        match &sheet {
            Some((output, sheet)) => {
                write_together(&[(&job.container, &container), (output, sheet)])?;
            }
            None => job.container.write(&container)?,
        }
        if let Some(done) = done {
            self.report(job, &done, options, ui)?;
        }
        Ok(ExitStatus::Done)
    }

    fn options(&self, jpeg: bool, ui: &Ui) -> anyhow::Result<HideOptions> {
        let password = || self.password.read(Confirm::Yes, ui);
        let source = self.password.source();
        self.method
            .options(&self.model, &self.compute, source, password, jpeg, ui)
    }

    /// Reads and hides; also what the method says, and whether the secret's file holds it exactly.
    fn hide(
        &self,
        job: &Job,
        options: &HideOptions,
        on_progress: &mut OnProgress<'_>,
        ui: &Ui,
    ) -> anyhow::Result<(Pictures, HiddenDetails, bool)> {
        let (survives, channel) = (self.method.survives(), self.method.channel);
        let paths = [&*job.cover, &*job.secret];
        let (cover, secret) = picture::read_pair(paths, survives, channel, ui)?;
        let (cover_name, secret_name) = (display_name(&job.cover), display_name(&job.secret));
        let hidden = hide(&cover.pixels, &secret.pixels, options, on_progress)
            .with_context(|| format!("failed to hide {secret_name} in {cover_name}"))?;
        if cover.icc_profile.is_some() && !job.format.keeps_profile() {
            let format = job.format;
            ui.note(format_args!(
                "cover {cover_name}: {format} has no place for its colour profile"
            ));
        }
        if cover.alpha.as_ref().is_some_and(|alpha| alpha.contains(&0)) {
            ui.note(format_args!(
                "cover {cover_name}: parts of it are fully transparent; programs that clear what \
                 nobody sees there destroy what is hidden"
            ));
        }
        let pictures = Pictures {
            container: cover.with_container(hidden.container),
            cover: cover.pixels,
            secret: secret.pixels,
        };
        Ok((pictures, hidden.details, secret.exact))
    }

    fn report(&self, job: &Job, done: &Done, options: &HideOptions, ui: &Ui) -> anyhow::Result<()> {
        let &Done {
            container_psnr_db,
            revealed_psnr_db,
            ..
        } = done;
        note_changed_secret(&job.secret, done, ui);
        note_visible(&job.container, done, ui);
        note_spoiled(&job.secret, done, ui);
        note_one_save(&job.container, done, ui);
        note_large(&job.container, done, &self.method, ui);
        tell_code(&job.container, done, options, ui);
        for (flag, asked, reached) in [
            (
                "--container-db",
                self.method.container_db,
                container_psnr_db,
            ),
            ("--revealed-db", self.method.revealed_db, revealed_psnr_db),
        ] {
            if let Some((asked, reached)) = asked.zip(reached)
                && reached < asked - NEAR_DB
            {
                ui.note(format_args!(
                    "{}: {flag} asked for {asked} dB, and {reached:.2} were reached",
                    job.container.display_name()
                ));
            }
        }
        if self.report.json {
            return ui.json(&Report {
                cover: Name::of(&job.cover),
                secret: Name::of(&job.secret),
                container: job.container.name(),
                width: done.container.0,
                height: done.container.1,
                secret_width: done.secret.0,
                secret_height: done.secret.1,
                container_psnr_db,
                revealed_psnr_db,
                details: DetailsReport::of(&done.details),
            });
        }
        let expected = match (revealed_psnr_db, done.exact) {
            (Some(db), _) => format!("at {db:.2} dB"),
            (None, true) => "without loss".to_owned(),
            (None, false) => "without further loss".to_owned(),
        };
        ui.say(format_args!(
            "{}: {} hidden in {} {}, container at {}, the secret {expected}",
            job.container.display_name(),
            display_name(&job.secret),
            display_name(&job.cover),
            done.method(),
            decibels(container_psnr_db)
        ));
        Ok(())
    }
}

impl HideArgs {
    /// Says what is known to fail on the way that the container will take.
    fn note_channel(&self, ui: &Ui) {
        let Some(channel) = self.method.channel else {
            return;
        };
        let name = channel.name;
        if let Some(caveat) = channel.caveat {
            ui.note(format_args!("{name}: {caveat}"));
        }
        if let Some(survive) = self.method.survive
            && survive > channel.survive
        {
            ui.note(format_args!(
                "--survive {survive} is above the {} that is expected of {name}: where it saves at \
                 a quality below {survive}, the secret is lost",
                channel.survive
            ));
        }
    }
}

impl Pictures {
    fn into_container(self) -> Picture {
        self.container
    }

    /// What comes back out of the container.
    fn revealed(&self, options: &HideOptions) -> anyhow::Result<Pixels> {
        let options = options.to_reveal();
        let revealed = reveal(&self.container.pixels, &options, &mut Progress::ignore)?;
        Ok(revealed.picture)
    }

    /// The bytes of the sheet's file.
    fn sheet(&self, revealed: &Pixels, output: &OutputFile) -> anyhow::Result<Vec<u8>> {
        let sheet = Sheet {
            cover: &self.cover,
            container: &self.container.pixels,
            secret: &self.secret,
            revealed,
        };
        let format = picture::lossless_format(output.path(), "sheet")?;
        picture::encode(&Picture::from(sheet.contact()), format, output)
    }
}

impl Done {
    /// `revealed` is there by networks.
    fn of(
        pictures: &Pictures,
        details: HiddenDetails,
        exact: bool,
        revealed: Option<&Pixels>,
    ) -> anyhow::Result<Self> {
        let Pictures {
            cover,
            secret,
            container,
        } = pictures;
        let revealed_psnr_db = match (&details, revealed) {
            (HiddenDetails::Coded { psnr_db, .. } | HiddenDetails::Robust { psnr_db, .. }, _) => {
                *psnr_db
            }
            (_, Some(revealed)) => Comparison::psnr_db_only(secret, revealed)?,
            _ => None,
        };
        Ok(Self {
            container: (container.pixels.width(), container.pixels.height()),
            secret: (secret.width(), secret.height()),
            exact,
            details,
            container_psnr_db: Comparison::psnr_db_only(cover, &container.pixels)?,
            revealed_psnr_db,
        })
    }

    /// How the secret was hidden, in words.
    fn method(&self) -> String {
        match self.details {
            HiddenDetails::Coded { .. } => "by the coded method".to_owned(),
            HiddenDetails::Robust {
                survives,
                cropped: Some(cropped),
                ..
            } => format!(
                "by the robust method for JPEG of quality {cropped} and above with a part cut off, \
                 {survives} without"
            ),
            HiddenDetails::Robust { survives, .. } => {
                format!("by the robust method for JPEG of quality {survives} and above")
            }
            HiddenDetails::Network { model, .. } => {
                format!(
                    "by the network method with model {}",
                    models::spelled(model)
                )
            }
            _ => "by another method".to_owned(),
        }
    }

    fn by_network(&self) -> bool {
        matches!(self.details, HiddenDetails::Network { .. })
    }
}

/// Says when a network has spoiled a picture that is too far from those it was trained on.
fn note_visible(output: &OutputFile, done: &Done, ui: &Ui) {
    if done.by_network() && done.container_psnr_db.is_some_and(|db| db < VISIBLE_DB) {
        ui.note(format_args!(
            "container {}: only {}: the changes are visible; networks are for photographs, and \
             --method coded hides any picture in any other",
            output.display_name(),
            decibels(done.container_psnr_db)
        ));
    }
}

/// Says when what comes back is far from the secret, why, and what helps.
fn note_spoiled(path: &Path, done: &Done, ui: &Ui) {
    let Some(db) = done.revealed_psnr_db.filter(|&db| db < SPOILED_DB) else {
        return;
    };
    let why = match done.details {
        HiddenDetails::Network { .. } => {
            "networks are for photographs, and --method coded hides any picture in any other"
                .to_owned()
        }
        HiddenDetails::Robust { survives, .. } => format!(
            "what survives JPEG of quality {survives} has too little room for it in this cover, \
             and noise, dithering and fine lines take most; a larger cover or a higher --survive \
             helps, and `underdrawing capacity COVER SECRET --survive QUALITY` tells how much"
        ),
        _ => {
            "this cover has too little room for it, and noise, dithering and fine lines take most; \
              a larger cover helps, and `underdrawing capacity COVER SECRET` tells how much"
                .to_owned()
        }
    };
    ui.note(format_args!(
        "secret {}: it comes back at only {db:.2} dB, spoiled: {why}",
        display_name(path)
    ));
}

/// Says when what is hidden to be sent is larger than what messengers and pages keep.
fn note_large(output: &OutputFile, done: &Done, method: &MethodArgs, ui: &Ui) {
    /// What most of them keep.
    const KEPT: usize = 1600;
    let (width, height) = done.container;
    let sent = matches!(done.details, HiddenDetails::Robust { .. }) && method.channel.is_none();
    if sent && width.max(height) > KEPT {
        ui.note(format_args!(
            "container {}: many messengers and pages scale pictures of {width}x{height} down, after \
             which nothing can be revealed; --for NAME hides in the size that one keeps",
            output.display_name()
        ));
    }
}

/// Says when a cover does not bear what others do.
fn note_one_save(output: &OutputFile, done: &Done, ui: &Ui) {
    if let HiddenDetails::Robust { twice: false, .. } = done.details {
        ui.note(format_args!(
            "container {}: with this cover and quality, what is hidden survives being saved as JPEG \
             once; a second time may destroy it",
            output.display_name()
        ));
    }
}

/// How the secret was coded, for `--verbose`.
fn tell_code(output: &OutputFile, done: &Done, options: &HideOptions, ui: &Ui) {
    let (HiddenDetails::Coded {
        width,
        height,
        bytes,
        ..
    }
    | HiddenDetails::Robust {
        width,
        height,
        bytes,
        ..
    }) = done.details
    else {
        return;
    };
    let (HideOptions::Coded(coded) | HideOptions::Robust { coded, .. }) = options else {
        return;
    };
    let usual = Effort::for_size(width, height);
    let effort = match coded.effort.unwrap_or(usual) {
        Effort::Fast => "fast",
        Effort::Normal => "normal",
        Effort::Best => "best",
    };
    ui.detail(format_args!(
        "{}: secret coded as {width}x{height} in {bytes} bytes, effort {effort}",
        output.display_name()
    ));
}

/// Says when the secret was turned or resized for hiding.
fn note_changed_secret(path: &Path, done: &Done, ui: &Ui) {
    let (width, height) = done.secret;
    let change = match done.details {
        HiddenDetails::Network {
            turned, resized, ..
        } => {
            // A container is as large as its cover.
            let (cover_width, cover_height) = done.container;
            match (turned, resized) {
                (false, false) => return,
                (true, false) => "turned by 90 degrees for hiding".to_owned(),
                (false, true) => format!("resized to {cover_width}x{cover_height} for hiding"),
                (true, true) => format!(
                    "turned by 90 degrees and resized to {cover_width}x{cover_height} for hiding"
                ),
            }
        }
        HiddenDetails::Coded {
            width: coded_width,
            height: coded_height,
            ..
        } if (coded_width, coded_height) != (width, height) => {
            format!("too large for this cover, reduced to {coded_width}x{coded_height} for hiding")
        }
        HiddenDetails::Robust {
            width: coded_width,
            height: coded_height,
            ..
        } if (coded_width, coded_height) != (width, height) => {
            format!(
                "scaled down to {coded_width}x{coded_height} before hiding, which preserves more of it"
            )
        }
        _ => return,
    };
    ui.note(format_args!(
        "secret {}: {change}; it comes back as {width}x{height}",
        display_name(path)
    ));
}
