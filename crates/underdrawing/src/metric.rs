//! How different two pictures are: PSNR, SSIM, APD, RMSE and the largest difference.
//!
//! Every figure is the same for any number of threads.

mod difference;
mod ssim;

use thiserror::Error;

use crate::picture::Pixels;
use difference::Difference;

/// How far two pictures of the same size are apart, over all 8-bit RGB samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Peak signal-to-noise ratio, `10 log10(255² / MSE)` in dB; more is better, above 40 dB the
    /// difference is hard to see. The mean square error (MSE) is over all RGB samples, not over
    /// luma. `None` for identical pictures, whose ratio is infinite.
    pub psnr_db: Option<f64>,
    /// Structural similarity (Wang et al. 2004), -1 to 1, 1 for identical pictures. Gaussian
    /// window of 11x11 and deviation 1.5, population covariance, K1 = 0.01, K2 = 0.03, each RGB
    /// channel by itself, mean over all channels and all positions where the window lies inside.
    /// Agrees to 1e-4 with scikit-image's `structural_similarity(a, b, channel_axis=2,
    /// gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)`.
    ///
    /// A side shorter than 11 pixels (scikit-image refuses it) gets a window of the largest odd
    /// length that fits.
    pub ssim: f64,
    /// Averaged pixel-wise discrepancy: the mean absolute difference, 0 to 255.
    pub apd: f64,
    /// Square root of the mean square error, 0 to 255.
    pub rmse: f64,
    /// The largest difference of any sample; of unrounded samples rounded down, and 255 at most.
    pub max_difference: u8,
}

impl Comparison {
    /// Compares two pictures.
    ///
    /// # Errors
    /// [`MetricError::Size`] when their sizes differ.
    pub fn of(a: &Pixels, b: &Pixels) -> Result<Self, MetricError> {
        check_sizes(a, b)?;
        let difference = Difference::of(a.data(), b.data());
        let ssim = ssim::ssim(a.data(), b.data(), a.width(), a.height());
        Ok(Self::new(&difference, ssim))
    }

    /// Compares samples that were never rounded to 8 bits with a picture, by the same formulas:
    /// 0 to 255, RGB interleaved, row by row, not clamped here.
    ///
    /// Papers report such figures; a written file is what [`Comparison::of`] measures.
    ///
    /// # Errors
    /// [`MetricError::Length`] when there are not three samples a pixel,
    /// [`MetricError::NotFinite`] when one of them is infinite or not a number.
    pub fn of_floats(samples: &[f32], picture: &Pixels) -> Result<Self, MetricError> {
        let expected = picture.data().len();
        if samples.len() != expected {
            return Err(MetricError::Length {
                expected,
                found: samples.len(),
            });
        }
        let difference = Difference::of(samples, picture.data());
        if !difference.sum_squared.is_finite() {
            return Err(MetricError::NotFinite);
        }
        let ssim = ssim::ssim(samples, picture.data(), picture.width(), picture.height());
        Ok(Self::new(&difference, ssim))
    }

    /// [`Comparison::psnr_db`] alone, in a tenth of the time.
    ///
    /// # Errors
    /// [`MetricError::Size`] when the sizes differ.
    pub fn psnr_db_only(a: &Pixels, b: &Pixels) -> Result<Option<f64>, MetricError> {
        check_sizes(a, b)?;
        Ok(Difference::of(a.data(), b.data()).psnr_db())
    }

    fn new(difference: &Difference, ssim: f64) -> Self {
        Self {
            psnr_db: difference.psnr_db(),
            ssim,
            apd: difference.apd(),
            rmse: difference.rmse(),
            max_difference: difference.max as u8,
        }
    }
}

fn check_sizes(a: &Pixels, b: &Pixels) -> Result<(), MetricError> {
    if (a.width(), a.height()) == (b.width(), b.height()) {
        return Ok(());
    }
    Err(MetricError::Size {
        a_width: a.width(),
        a_height: a.height(),
        b_width: b.width(),
        b_height: b.height(),
    })
}

/// Why two pictures cannot be compared.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricError {
    /// The sizes differ.
    #[error(
        "pictures of {a_width}x{a_height} and {b_width}x{b_height} cannot be compared: expected the same size"
    )]
    Size {
        /// Width of the first.
        a_width: usize,
        /// Height of the first.
        a_height: usize,
        /// Width of the second.
        b_width: usize,
        /// Height of the second.
        b_height: usize,
    },
    /// The samples do not fit the picture.
    #[error("{found} samples cannot be compared with a picture of {expected}")]
    Length {
        /// Samples of the picture.
        expected: usize,
        /// Samples given.
        found: usize,
    },
    /// A sample is infinite or not a number.
    #[error("samples to compare must be finite numbers, found infinity or NaN")]
    NotFinite,
}
