//! `compare`: how much two pictures differ.

use serde::Serialize;
use underdrawing::Comparison;

use anyhow::Context;

use crate::args::CompareArgs;
use crate::files::display_name;
use crate::output::{ExitStatus, Ui, decibels};
use crate::picture::{self, Role};

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    a: String,
    b: String,
    psnr_db: Option<f64>,
    ssim: f64,
    apd: f64,
    rmse: f64,
    max_difference: u8,
}

impl CompareArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        super::at_most_one_stream(&[&self.a, &self.b])?;
        let a = picture::read_opaque(&self.a, Role::Plain, ui)?;
        let b = picture::read_opaque(&self.b, Role::Plain, ui)?;
        let comparison = Comparison::of(&a, &b).with_context(|| {
            format!(
                "cannot compare {} with {}",
                display_name(&self.a),
                display_name(&self.b)
            )
        })?;
        if self.report.json {
            ui.json(&Report {
                a: display_name(&self.a),
                b: display_name(&self.b),
                psnr_db: comparison.psnr_db,
                ssim: comparison.ssim,
                apd: comparison.apd,
                rmse: comparison.rmse,
                max_difference: comparison.max_difference,
            })?;
        } else {
            ui.data(table(&comparison))?;
        }
        Ok(self.verdict(comparison.psnr_db, ui))
    }

    /// Identical pictures (no PSNR) pass any bound.
    fn verdict(&self, psnr_db: Option<f64>, ui: &Ui) -> ExitStatus {
        match (self.min_psnr, psnr_db) {
            (Some(wanted), Some(found)) if found < wanted => {
                ui.say(format_args!("PSNR {found:.2} dB is below {wanted} dB"));
                ExitStatus::No
            }
            _ => ExitStatus::Done,
        }
    }
}

fn table(comparison: &Comparison) -> String {
    format!(
        "PSNR                {}\n\
         SSIM                {:.4}\n\
         APD                 {:.3}\n\
         RMSE                {:.3}\n\
         largest difference  {}",
        decibels(comparison.psnr_db),
        comparison.ssim,
        comparison.apd,
        comparison.rmse,
        comparison.max_difference
    )
}
