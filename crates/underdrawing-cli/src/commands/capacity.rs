//! `capacity`: what a cover holds, before hiding.

use serde::Serialize;
use underdrawing::{Capacity, CodedOptions, HideSettings, capacity};

use crate::args::CapacityArgs;
use crate::commands::at_most_one_stream;
use crate::files::{Name, display_name};
use crate::output::{ExitStatus, Ui};
use crate::picture::{self, Role};

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    cover: Name,
    secret: Option<Name>,
    bytes: usize,
    bits_per_pixel: f64,
    /// Null without room.
    container_psnr_db: f64,
    /// Null without a secret, without room for one, and where nothing is lost.
    revealed_psnr_db: Option<f64>,
}

impl CapacityArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let secret_path = self.secret.as_deref();
        at_most_one_stream(&[Some(&*self.cover), secret_path])?;
        let survive = HideSettings {
            survive: self.survive,
            survive_crop: self.survive_crop,
            channel: self.channel,
            ..HideSettings::default()
        }
        .quality();
        let cover = picture::read_cover(&self.cover, survive.is_some(), self.channel, ui)?.pixels;
        let secret = secret_path
            .map(|path| picture::read_plain(path, Role::Secret, ui))
            .transpose()?;
        let working = ui.working(display_name(&self.cover));
        let expected = capacity(
            &cover,
            secret.as_ref().map(|secret| &secret.pixels),
            &CodedOptions::default(),
            survive,
            self.survive_crop.unwrap_or(0),
        )?;
        drop(working);
        if self.report.json {
            ui.json(&Report {
                cover: Name::of(&self.cover),
                secret: secret_path.map(Name::of),
                bytes: expected.bytes,
                bits_per_pixel: expected.bits_per_pixel,
                container_psnr_db: expected.container_psnr_db,
                revealed_psnr_db: expected.revealed_psnr_db,
            })?;
        } else {
            ui.data(lines(&display_name(&self.cover), &expected))?;
        }
        Ok(if expected.bytes > 0 {
            ExitStatus::Done
        } else {
            ExitStatus::No
        })
    }
}

fn lines(cover: &str, expected: &Capacity) -> String {
    if expected.bytes == 0 {
        return format!("{cover}: no room");
    }
    let mut text = format!(
        "{cover}: room for {} bytes, {:.2} bits a pixel\n  container at about {:.1} dB",
        expected.bytes, expected.bits_per_pixel, expected.container_psnr_db
    );
    if expected.revealed_psnr_db == Some(f64::INFINITY) {
        text.push_str("\n  secret without loss");
    } else if let Some(db) = expected.revealed_psnr_db {
        text.push_str(&format!("\n  secret at about {db:.1} dB"));
    }
    text
}
