//! The figures of a pair, and their mean.

use serde::Serialize;
use underdrawing::Comparison;

/// What identical pictures, whose PSNR is infinite, count as in a mean.
pub(super) const IDENTICAL_DB: f64 = 100.0;

/// How close one picture is to what it should be.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Quality {
    /// `None` for identical pictures.
    pub(super) psnr_db: Option<f64>,
    pub(super) ssim: f64,
    /// 0 to 255.
    pub(super) apd: f64,
}

/// The figures of one pair, or their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) container: Quality,
    pub(super) revealed: Quality,
    /// Container and revealed before rounding; `None` for a method that has no such thing.
    pub(super) float: Option<(Quality, Quality)>,
}

/// The figures under their names in `--json`.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct FlatFigures {
    container_psnr_db: Option<f64>,
    revealed_psnr_db: Option<f64>,
    container_ssim: f64,
    revealed_ssim: f64,
    container_apd: f64,
    revealed_apd: f64,
    float_container_psnr_db: Option<f64>,
    float_revealed_psnr_db: Option<f64>,
    float_container_ssim: Option<f64>,
    float_revealed_ssim: Option<f64>,
    float_container_apd: Option<f64>,
    float_revealed_apd: Option<f64>,
}

impl Figures {
    pub(super) fn flat(&self) -> FlatFigures {
        let float_container = self.float.map(|(container, _)| container);
        let float_revealed = self.float.map(|(_, revealed)| revealed);
        FlatFigures {
            container_psnr_db: self.container.psnr_db,
            revealed_psnr_db: self.revealed.psnr_db,
            container_ssim: self.container.ssim,
            revealed_ssim: self.revealed.ssim,
            container_apd: self.container.apd,
            revealed_apd: self.revealed.apd,
            float_container_psnr_db: float_container.and_then(|quality| quality.psnr_db),
            float_revealed_psnr_db: float_revealed.and_then(|quality| quality.psnr_db),
            float_container_ssim: float_container.map(|quality| quality.ssim),
            float_revealed_ssim: float_revealed.map(|quality| quality.ssim),
            float_container_apd: float_container.map(|quality| quality.apd),
            float_revealed_apd: float_revealed.map(|quality| quality.apd),
        }
    }
}

impl From<Comparison> for Quality {
    fn from(comparison: Comparison) -> Self {
        Self {
            psnr_db: comparison.psnr_db,
            ssim: comparison.ssim,
            apd: comparison.apd,
        }
    }
}

/// Figures added up for their mean.
#[derive(Default)]
pub(super) struct Sum {
    pairs: Vec<Figures>,
}

impl Sum {
    pub(super) fn add(&mut self, figures: &Figures) {
        self.pairs.push(*figures);
    }

    pub(super) fn n_pairs(&self) -> usize {
        self.pairs.len()
    }

    /// Containers and revealed pictures, as written, that are identical to what they should be.
    pub(super) fn n_identical(&self) -> usize {
        self.pairs
            .iter()
            .flat_map(|figures| [figures.container, figures.revealed])
            .filter(|quality| quality.psnr_db.is_none())
            .count()
    }

    /// Means over the pairs; PSNR in dB, identical pictures as [`IDENTICAL_DB`].
    pub(super) fn mean(&self) -> Figures {
        let float: Option<Vec<_>> = self.pairs.iter().map(|figures| figures.float).collect();
        Figures {
            container: mean(self.pairs.iter().map(|figures| figures.container)),
            revealed: mean(self.pairs.iter().map(|figures| figures.revealed)),
            float: float.map(|float| {
                (
                    mean(float.iter().map(|(container, _)| *container)),
                    mean(float.iter().map(|(_, revealed)| *revealed)),
                )
            }),
        }
    }
}

fn mean(qualities: impl ExactSizeIterator<Item = Quality>) -> Quality {
    let n = qualities.len() as f64;
    let (mut psnr_db, mut ssim, mut apd) = (0.0, 0.0, 0.0);
    for quality in qualities {
        psnr_db += quality.psnr_db.unwrap_or(IDENTICAL_DB) / n;
        ssim += quality.ssim / n;
        apd += quality.apd / n;
    }
    Quality {
        psnr_db: Some(psnr_db),
        ssim,
        apd,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quality(psnr_db: Option<f64>) -> Quality {
        Quality {
            psnr_db,
            ssim: 0.5,
            apd: 2.0,
        }
    }

    #[test]
    fn counts_identical_pictures_as_100_db() {
        let mut sum = Sum::default();
        for (container, revealed) in [(Some(40.0), Some(30.0)), (None, Some(50.0))] {
            sum.add(&Figures {
                container: quality(container),
                revealed: quality(revealed),
                float: Some((quality(None), quality(Some(20.0)))),
            });
        }
        let flat = sum.mean().flat();
        assert_eq!(flat.container_psnr_db, Some(70.0));
        assert_eq!(flat.revealed_psnr_db, Some(40.0));
        assert_eq!(flat.float_container_psnr_db, Some(100.0));
        assert_eq!(flat.float_revealed_psnr_db, Some(20.0));
        assert_eq!((flat.container_ssim, flat.revealed_apd), (0.5, 2.0));
        assert_eq!(sum.n_identical(), 1, "float figures are not pictures");
    }

    #[test]
    fn has_no_float_mean_without_float_figures() {
        let mut sum = Sum::default();
        sum.add(&Figures {
            container: quality(None),
            revealed: quality(None),
            float: None,
        });
        let flat = sum.mean().flat();
        assert_eq!(
            (flat.float_container_psnr_db, flat.float_revealed_ssim),
            (None, None)
        );
        assert_eq!(sum.n_identical(), 2);
    }
}
