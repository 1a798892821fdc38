//! Judging the networks on pictures that training never sees.

use std::path::PathBuf;

use underdrawing::{Comparison, Pixels, Sheet};
use underdrawing_net::{Rounding, Runner};

use crate::config::{Fit, TrainConfig};
use crate::dataset::{read_picture, resized};
use crate::event::{PairFigures, Validation};

/// Longest side that validation looks at; larger pictures lose their borders.
const LONGEST: usize = 256;
/// Pairs shown on a result sheet.
const SHEET_PAIRS: usize = 6;

/// Cover and secret of one size, with the files that they are of.
pub(crate) struct Pair {
    names: [PathBuf; 2],
    cover: Pixels,
    secret: Pixels,
}

/// What became of a pair.
pub(crate) struct Outcome {
    container: Pixels,
    revealed: Pixels,
    float_container_mse: f64,
    float_revealed_mse: f64,
    /// PSNR of container and revealed picture in dB; 100 where they are identical.
    psnr_db: [f64; 2],
    /// Their mean absolute differences.
    apd: [f64; 2],
}

/// Pairs by sorted name: cover, secret, cover, secret. Unreadable pictures are left out.
pub(crate) fn read_pairs(paths: &[PathBuf], config: &TrainConfig) -> Vec<Pair> {
    let most = match config.validate_pairs {
        0 => usize::MAX,
        n => n,
    };
    paths
        .chunks_exact(2)
        .take(most)
        .filter_map(|pair| {
            let names = [pair[0].clone(), pair[1].clone()];
            Some((names, read_picture(&pair[0])?, read_picture(&pair[1])?))
        })
        .map(|(names, cover, secret)| match config.fit {
            Fit::Squeeze => Pair {
                names,
                cover: resized(&cover, config.size, config.size),
                secret: resized(&secret, config.size, config.size),
            },
            Fit::Crop => {
                let side = |a: usize, b: usize| (a.min(b).min(LONGEST) & !1).max(2);
                let width = side(cover.width(), secret.width());
                let height = side(cover.height(), secret.height());
                Pair {
                    names,
                    cover: centre(&cover, width, height),
                    secret: centre(&secret, width, height),
                }
            }
        })
        .collect()
}

fn centre(picture: &Pixels, width: usize, height: usize) -> Pixels {
    let (left, top) = (
        (picture.width() - width.min(picture.width())) / 2,
        (picture.height() - height.min(picture.height())) / 2,
    );
    Pixels::from_fn(width, height, |x, y| {
        let x = (left + x).min(picture.width() - 1);
        picture.pixel(x, (top + y).min(picture.height() - 1))
    })
    .expect("a part of a picture is a picture")
}

/// Hides and reveals every pair, as the networks are outside training.
pub(crate) fn run(runner: &dyn Runner, rounding: &Rounding, pairs: &[Pair]) -> Vec<Outcome> {
    pairs
        .iter()
        .map(|pair| {
            let (width, height) = (pair.cover.width(), pair.cover.height());
            let shape = [1, 3, height, width];
            let (cover, secret) = (pair.cover.to_planes(), pair.secret.to_planes());
            let float = runner.hide(shape, &cover, &secret);
            let float_revealed = runner.reveal(shape, &float);
            let container = rounded(&float, width, rounding);
            let revealed = runner.reveal(shape, &container.to_planes());
            let revealed = rounded(&revealed, width, &Rounding::nearest());
            let compare = |a, b| Comparison::of(a, b).expect("a pair has one size");
            let compared = [
                compare(&container, &pair.cover),
                compare(&revealed, &pair.secret),
            ];
            Outcome {
                psnr_db: compared.map(|compared| compared.psnr_db.unwrap_or(100.0)),
                apd: compared.map(|compared| compared.apd),
                revealed,
                container,
                float_container_mse: mse(&float, &cover),
                float_revealed_mse: mse(&float_revealed, &secret),
            }
        })
        .collect()
}

/// Means over all pairs; identical pictures count as 100 dB.
pub(crate) fn summary(outcomes: &[Outcome], step: u64) -> Validation {
    let mut sums = [0.0; 6];
    for outcome in outcomes {
        let [container_psnr_db, revealed_psnr_db] = outcome.psnr_db;
        let [container_apd, revealed_apd] = outcome.apd;
        let figures = [
            outcome.float_container_mse,
            outcome.float_revealed_mse,
            container_psnr_db,
            revealed_psnr_db,
            container_apd,
            revealed_apd,
        ];
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure / outcomes.len() as f64;
        }
    }
    Validation::of_figures(step, sums)
}

/// The first pairs as columns of a result sheet.
pub(crate) fn columns<'a>(pairs: &'a [Pair], outcomes: &'a [Outcome]) -> Vec<Sheet<'a>> {
    let all = pairs.iter().zip(outcomes);
    all.map(column).take(SHEET_PAIRS).collect()
}

/// The pairs whose container or revealed picture came out worst, as columns of a sheet, and their
/// figures.
pub(crate) fn worst<'a>(
    pairs: &'a [Pair],
    outcomes: &'a [Outcome],
) -> (Vec<Sheet<'a>>, Vec<PairFigures>) {
    let worse = |outcome: &Outcome| outcome.psnr_db[0].min(outcome.psnr_db[1]);
    let mut all: Vec<_> = pairs.iter().zip(outcomes).collect();
    all.sort_by(|(_, a), (_, b)| worse(a).total_cmp(&worse(b)));
    let all = all.into_iter().take(SHEET_PAIRS);
    let figures = |(pair, outcome): (&Pair, &Outcome)| {
        let [cover, secret] = pair.names.clone();
        let [container_psnr_db, revealed_psnr_db] = outcome.psnr_db;
        PairFigures {
            cover,
            secret,
            container_psnr_db,
            revealed_psnr_db,
        }
    };
    all.map(|pair| (column(pair), figures(pair))).unzip()
}

fn column<'a>((pair, outcome): (&'a Pair, &'a Outcome)) -> Sheet<'a> {
    Sheet {
        cover: &pair.cover,
        container: &outcome.container,
        secret: &pair.secret,
        revealed: &outcome.revealed,
    }
}

fn mse(a: &[f32], b: &[f32]) -> f64 {
    let squares = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2));
    squares.sum::<f64>() / a.len() as f64
}

/// `[3, h, w]` rounded to 8 bits.
fn rounded(values: &[f32], width: usize, rounding: &Rounding) -> Pixels {
    let bytes = rounding.round(values, width);
    Pixels::from_planes(&bytes, width, bytes.len() / 3 / width)
        .expect("the values are those of a picture")
}
