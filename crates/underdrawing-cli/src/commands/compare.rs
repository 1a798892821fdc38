//! `compare`: how much two pictures differ.

use serde::Serialize;
use underdrawing::{Comparison, Conversion, Picture};

use anyhow::Context;

use crate::args::CompareArgs;
use crate::files::{Name, display_name};
use crate::output::{ExitStatus, Ui, decibels};
use crate::picture::{self, Role};

/// The line of `--json`.
#[derive(Serialize)]
struct Report {
    a: Name,
    b: Name,
    psnr_db: Option<f64>,
    ssim: f64,
    apd: f64,
    rmse: f64,
    max_difference: u8,
    /// A picture had 16 bits a sample: differences in the lower ones are not seen.
    rounded_to_8_bits: bool,
}

impl CompareArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        super::at_most_one_stream(&[Some(&self.a), Some(&self.b)])?;
        let mut a = picture::read(&self.a, Role::Plain, ui)?;
        let mut b = picture::read(&self.b, Role::Plain, ui)?;
        // Where both mean the same colours by their samples, these are compared.
        if a.icc_profile == b.icc_profile {
            (a.icc_profile, b.icc_profile) = (None, None);
        }
        let wide = |picture: &Picture| picture.conversions.contains(&Conversion::SixteenBitTo8);
        let rounded = wide(&a) || wide(&b);
        let a = picture::plain(a, &self.a, Role::Plain, ui);
        let b = picture::plain(b, &self.b, Role::Plain, ui);
        let working = ui.working(display_name(&self.a));
        let comparison = Comparison::of(&a.pixels, &b.pixels).with_context(|| {
            format!(
                "cannot compare {} with {}",
                display_name(&self.a),
                display_name(&self.b)
            )
        })?;
        drop(working);
        if self.report.json {
            ui.json(&Report {
                a: Name::of(&self.a),
                b: Name::of(&self.b),
                psnr_db: comparison.psnr_db,
                ssim: comparison.ssim,
                apd: comparison.apd,
                rmse: comparison.rmse,
                max_difference: comparison.max_difference,
                rounded_to_8_bits: rounded,
            })?;
        } else {
            ui.data(table(&comparison, rounded))?;
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

fn table(comparison: &Comparison, rounded: bool) -> String {
    let psnr = match comparison.psnr_db {
        None if rounded => "identical at 8 bits a sample, and not compared beyond".to_owned(),
        psnr_db => decibels(psnr_db),
    };
    format!(
        "PSNR                {psnr}\n\
         SSIM                {:.4}\n\
         APD                 {:.3}\n\
         RMSE                {:.3}\n\
         largest difference  {}",
        comparison.ssim, comparison.apd, comparison.rmse, comparison.max_difference
    )
}
