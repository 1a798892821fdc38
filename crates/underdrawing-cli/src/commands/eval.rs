//! `eval`: how good hiding and revealing are over many pairs, through PNG files, in memory.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::Serialize;
use underdrawing::{
    Comparison, FileFormat, HideOptions, Limits, Picture, Pixels, Progress, hide, reveal,
};

use crate::args::EvalArgs;
use crate::files::Name;
use crate::folder::{Reuse, alternating_pairs, pairs, pictures_at};
use crate::output::{ExitStatus, Ui, error_with_hint, shown};
use crate::picture;

mod figures;
mod table;
mod through;

use figures::{Figures, FlatFigures, IDENTICAL_DB, Quality, Sum};
use through::Arrivals;

/// The line of `--json` for a pair.
#[derive(Serialize)]
struct PairLine {
    cover: Name,
    secret: Name,
    #[serde(flatten)]
    figures: FlatFigures,
}

/// The last line of `--json`.
#[derive(Serialize)]
struct MeanLine {
    mean: MeanFigures,
}

#[derive(Serialize)]
struct MeanFigures {
    #[serde(flatten)]
    figures: FlatFigures,
    /// Pairs measured.
    pairs: usize,
    /// Containers and revealed pictures identical to what they should be.
    identical: usize,
}

impl EvalArgs {
    pub(crate) fn run(self, ui: &Ui) -> anyhow::Result<ExitStatus> {
        let pairs = self.pairs(ui)?;
        let judge = Judge {
            options: self.method.open_options(&self.model, &self.compute, ui)?,
        };
        if !self.report.json {
            ui.data(table::header())?;
        }
        let mut sum = Sum::default();
        let mut arrivals = Arrivals::new(&self.through);
        let bar = ui.bar(pairs.len() as u64, "pairs");
        for (cover, secret) in &pairs {
            bar.message(table::pair_name(cover, secret));
            let figures = judge.figures(cover, secret, &mut arrivals, ui)?;
            self.print_pair(cover, secret, &figures, ui)?;
            sum.add(&figures);
            bar.step();
        }
        drop(bar);
        self.print_mean(&sum, ui)?;
        arrivals.print(self.report.json, ui)?;
        Ok(ExitStatus::Done)
    }

    fn pairs(&self, ui: &Ui) -> anyhow::Result<Vec<(PathBuf, PathBuf)>> {
        let limit = self.limit.unwrap_or(usize::MAX);
        match (&self.pairs, &self.covers, &self.secrets) {
            (Some(folder), _, _) => {
                must_be_folder(folder)?;
                let mut pictures = pictures_at(folder, ui)?;
                pictures.truncate(limit.saturating_mul(2));
                alternating_pairs(&pictures)
                    .with_context(|| format!("cannot pair the pictures in {}", shown(folder)))
            }
            (None, Some(covers), Some(secrets)) => {
                must_be_folder(covers)?;
                must_be_folder(secrets)?;
                let mut pairs = pairs(
                    pictures_at(covers, ui)?,
                    &pictures_at(secrets, ui)?,
                    Reuse::No,
                )?;
                pairs.truncate(limit);
                Ok(pairs)
            }
            _ => Err(error_with_hint(
                "expected a folder of pairs, or --covers DIR and --secrets DIR",
                "`underdrawing eval --help` shows both",
            )),
        }
    }

    fn print_pair(
        &self,
        cover: &Path,
        secret: &Path,
        figures: &Figures,
        ui: &Ui,
    ) -> anyhow::Result<()> {
        if self.report.json {
            return ui.json(&PairLine {
                cover: Name::of(cover),
                secret: Name::of(secret),
                figures: figures.flat(),
            });
        }
        ui.data(table::row(&table::pair_name(cover, secret), figures))
    }

    fn print_mean(&self, sum: &Sum, ui: &Ui) -> anyhow::Result<()> {
        let mean = sum.mean();
        if self.report.json {
            return ui.json(&MeanLine {
                mean: MeanFigures {
                    figures: mean.flat(),
                    pairs: sum.n_pairs(),
                    identical: sum.n_identical(),
                },
            });
        }
        ui.data(table::row(&format!("mean of {}", sum.n_pairs()), &mean))?;
        if sum.n_identical() > 0 {
            let n = sum.n_identical();
            ui.data(format_args!(
                "{n} identical pictures, in the mean as {IDENTICAL_DB} dB"
            ))?;
        }
        Ok(())
    }
}

/// Hides, encodes, decodes, reveals and measures.
struct Judge {
    options: HideOptions,
}

impl Judge {
    fn figures(
        &self,
        cover: &Path,
        secret: &Path,
        arrivals: &mut Arrivals<'_>,
        ui: &Ui,
    ) -> anyhow::Result<Figures> {
        let failed = || format!("failed at {}", table::pair_name(cover, secret));
        // A transparency that is left takes no part: hide passes it on untouched.
        let survives = matches!(self.options, HideOptions::Robust { .. });
        let (cover, secret) = picture::read_pair([cover, secret], survives, None, ui)?;
        let (cover, secret) = (cover.pixels, secret.pixels);
        let (container, revealed) = self.through_a_file(&cover, &secret).with_context(failed)?;
        arrivals
            .add(&cover, &secret, &container, &self.options)
            .with_context(failed)?;
        Ok(Figures {
            container: Comparison::of(&cover, &container)?.into(),
            revealed: Comparison::of(&secret, &revealed)?.into(),
            float: self.float(&cover, &secret).with_context(failed)?,
        })
    }

    /// Container and revealed picture, both as a user gets them: from the bytes of a PNG.
    fn through_a_file(&self, cover: &Pixels, secret: &Pixels) -> anyhow::Result<(Pixels, Pixels)> {
        let ignore = &mut Progress::ignore;
        let hidden = hide(cover, secret, &self.options, ignore)?;
        let file = Picture::from(hidden.container).encode(FileFormat::Png)?;
        let container = Picture::decode(&file, &Limits::default())?.pixels;
        let revealed = reveal(&container, &self.options.to_reveal(), ignore)?;
        Ok((container, revealed.picture))
    }

    /// What networks gave before rounding, as (container, revealed).
    fn float(&self, cover: &Pixels, secret: &Pixels) -> anyhow::Result<Option<(Quality, Quality)>> {
        let HideOptions::Network(options) = &self.options else {
            return Ok(None);
        };
        let (container, revealed) = options.float_pair(cover, secret)?;
        Ok(Some((
            Comparison::of_floats(&container, cover)?.into(),
            Comparison::of_floats(&revealed, secret)?.into(),
        )))
    }
}

fn must_be_folder(path: &Path) -> anyhow::Result<()> {
    if !path.is_dir() {
        bail!("{} is not a folder", shown(path));
    }
    Ok(())
}
