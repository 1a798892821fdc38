//! Containers through encoders, and what comes back.

use serde::Serialize;
use underdrawing::{Comparison, ErrorKind, HideOptions, Limits, Picture, Pixels, Progress, reveal};
use underdrawing_jpeg::{Jpeg, quality};

use crate::args::Way;
use crate::output::Ui;

/// What arrived by each way so far.
pub(super) struct Arrivals<'a> {
    sums: Vec<(&'a Way, Sum)>,
}

#[derive(Default)]
struct Sum {
    pairs: usize,
    back: usize,
    arrived_db: f64,
    revealed_db: f64,
}

/// The line of `--json` for a way.
#[derive(Serialize)]
struct Line {
    through: String,
    pairs: usize,
    /// Secrets that came back.
    back: usize,
    /// What arrives against the cover.
    arrived_psnr_db: f64,
    /// Of those that came back; null where none did.
    revealed_psnr_db: Option<f64>,
}

impl<'a> Arrivals<'a> {
    pub(super) fn new(ways: &'a [Way]) -> Self {
        let sums = ways.iter().map(|way| (way, Sum::default())).collect();
        Self { sums }
    }

    /// Sends a container by each way.
    pub(super) fn add(
        &mut self,
        cover: &Pixels,
        secret: &Pixels,
        container: &Pixels,
        options: &HideOptions,
    ) -> anyhow::Result<()> {
        let options = options.to_reveal();
        for (way, sum) in &mut self.sums {
            let arrived = sent(container, way)?;
            sum.pairs += 1;
            sum.arrived_db += db(cover, &arrived)?;
            match reveal(&arrived, &options, &mut Progress::ignore) {
                Ok(revealed) => {
                    sum.back += 1;
                    sum.revealed_db += db(secret, &revealed.picture)?;
                }
                Err(error) => match error.kind() {
                    ErrorKind::NothingFound | ErrorKind::WrongPassword | ErrorKind::Damaged => {}
                    _ => return Err(error.into()),
                },
            }
        }
        Ok(())
    }

    pub(super) fn print(&self, json: bool, ui: &Ui) -> anyhow::Result<()> {
        for (way, sum) in &self.sums {
            let line = Line {
                through: way.to_string(),
                pairs: sum.pairs,
                back: sum.back,
                arrived_psnr_db: sum.arrived_db / sum.pairs.max(1) as f64,
                revealed_psnr_db: (sum.back > 0).then(|| sum.revealed_db / sum.back as f64),
            };
            if json {
                ui.json(&line)?;
                continue;
            }
            let revealed = line
                .revealed_psnr_db
                .map_or_else(String::new, |db| format!(", revealed at {db:.2} dB"));
            ui.data(format_args!(
                "through {}: {} of {} back, arrives at {:.2} dB{revealed}",
                line.through, line.back, line.pairs, line.arrived_psnr_db
            ))?;
        }
        Ok(())
    }
}

/// What arrives as the file of the last encoder.
fn sent(container: &Pixels, way: &Way) -> anyhow::Result<Pixels> {
    let mut picture = container.clone();
    for &(quality, sampling) in &way.steps {
        let (width, height) = (picture.width(), picture.height());
        let tables = quality::tables(quality);
        let file = Jpeg::from_rgb(picture.data(), width, height, sampling, &tables).write();
        picture = Picture::decode(&file, &Limits::default())?.pixels;
    }
    Ok(picture)
}

fn db(a: &Pixels, b: &Pixels) -> anyhow::Result<f64> {
    let psnr_db = Comparison::psnr_db_only(a, b)?;
    Ok(psnr_db.unwrap_or(super::IDENTICAL_DB))
}
