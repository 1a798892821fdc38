//! Pixels <-> what the codec takes and gives, and decibels: what every method that codes shares.

use underdrawing_codec::{MAX_PIXELS, MAX_SIDE, Picture};

use crate::error::Error;
use crate::picture::{Limits, Pixels, Raster};

/// PSNR in dB of a mean square error in grey levels.
pub(crate) fn decibels_of_mse(mse: f64) -> f64 {
    10.0 * (255.0 * 255.0 / mse).log10()
}

pub(crate) fn mse_of_decibels(db: f64) -> Result<f64, Error> {
    if db.is_finite() && db > 0.0 {
        Ok(255.0 * 255.0 / 10.0_f64.powf(db / 10.0))
    } else {
        Err(Error::Decibels { found: db })
    }
}

/// The secret for the codec: one plane if it is grey throughout.
pub(crate) fn coding_picture(secret: &Pixels) -> Picture<'_> {
    let (width, height) = (secret.width(), secret.height());
    let (pixels, _) = secret.data().as_chunks::<3>();
    let grey = pixels.iter().all(|[r, g, b]| r == g && g == b);
    if grey {
        let samples = pixels.iter().map(|[grey, _, _]| *grey).collect();
        Picture::new(width, height, 1, samples)
    } else {
        Picture::borrowed(width, height, 3, secret.data())
    }
    .expect("secrets are within the formats' limits, which are the codec's")
}

const _: () = {
    assert!(MAX_PIXELS == Limits::OF_FORMATS.max_pixels);
    assert!(MAX_SIDE == Limits::OF_FORMATS.max_side as usize);
};

/// A decoded picture as RGB.
pub(crate) fn rgb(picture: Picture<'_>) -> Raster<u8> {
    let (width, height) = (picture.width(), picture.height());
    let samples = if picture.channels() == 3 {
        picture.into_samples()
    } else {
        let grey = picture.into_samples();
        grey.iter().flat_map(|&sample| [sample; 3]).collect()
    };
    Raster {
        width,
        height,
        samples,
    }
}
