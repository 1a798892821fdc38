//! Judging the networks on pictures that training never sees.

use std::path::PathBuf;

use underdrawing::{Comparison, Pixels, Sheet};
use underdrawing_net::{Rounding, Runner};

use crate::config::{Fit, TrainConfig};
use crate::dataset::{read_picture, resized};
use crate::event::Validation;

/// Longest side that validation looks at; larger pictures lose their borders.
const LONGEST: usize = 256;
/// Pairs shown on a result sheet.
const SHEET_PAIRS: usize = 6;

/// Cover and secret of one size.
pub(crate) struct Pair {
    cover: Pixels,
    secret: Pixels,
}

/// What became of a pair.
pub(crate) struct Outcome {
    container: Pixels,
    revealed: Pixels,
    float_container_mse: f64,
    float_revealed_mse: f64,
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
        .filter_map(|pair| Some((read_picture(&pair[0])?, read_picture(&pair[1])?)))
        .map(|(cover, secret)| match config.fit {
            Fit::Squeeze => Pair {
                cover: resized(&cover, config.size, config.size),
                secret: resized(&secret, config.size, config.size),
            },
            Fit::Crop => {
                let side = |a: usize, b: usize| (a.min(b).min(LONGEST) & !1).max(2);
                let width = side(cover.width(), secret.width());
                let height = side(cover.height(), secret.height());
                Pair {
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
            Outcome {
                revealed: rounded(&revealed, width, &Rounding::nearest()),
                container,
                float_container_mse: mse(&float, &cover),
                float_revealed_mse: mse(&float_revealed, &secret),
            }
        })
        .collect()
}

/// Means over all pairs; identical pictures count as 100 dB.
pub(crate) fn summary(pairs: &[Pair], outcomes: &[Outcome], step: u64) -> Validation {
    let mut sums = [0.0; 6];
    for (pair, outcome) in pairs.iter().zip(outcomes) {
        let compare = |a, b| Comparison::of(a, b).expect("a pair has one size");
        let container = compare(&outcome.container, &pair.cover);
        let revealed = compare(&outcome.revealed, &pair.secret);
        let figures = [
            outcome.float_container_mse,
            outcome.float_revealed_mse,
            container.psnr_db.unwrap_or(100.0),
            revealed.psnr_db.unwrap_or(100.0),
            container.apd,
            revealed.apd,
        ];
        for (sum, figure) in sums.iter_mut().zip(figures) {
            *sum += figure / pairs.len() as f64;
        }
    }
    Validation::of_figures(step, sums)
}

/// The first pairs as columns of a result sheet.
pub(crate) fn columns<'a>(pairs: &'a [Pair], outcomes: &'a [Outcome]) -> Vec<Sheet<'a>> {
    pairs
        .iter()
        .zip(outcomes)
        .take(SHEET_PAIRS)
        .map(|(pair, outcome)| Sheet {
            cover: &pair.cover,
            container: &outcome.container,
            secret: &pair.secret,
            revealed: &outcome.revealed,
        })
        .collect()
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
