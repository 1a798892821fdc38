//! What every decoder does with what a file says beside its samples: which side is up, and what the
//! colours mean.

use image::metadata::Orientation;
use image::{DynamicImage, GrayImage, RgbImage};

use super::Conversion;

/// Turns samples as the file's orientation tag asks.
pub(super) struct Upright {
    width: u32,
    height: u32,
    orientation: Orientation,
}

impl Upright {
    pub(super) fn new(
        width: u32,
        height: u32,
        orientation: Orientation,
        conversions: &mut Vec<Conversion>,
    ) -> Self {
        if orientation != Orientation::NoTransforms {
            conversions.push(Conversion::Turned);
        }
        Self {
            width,
            height,
            orientation,
        }
    }

    pub(super) fn rgb(&self, samples: Vec<u8>) -> (Vec<u8>, usize, usize) {
        let image = RgbImage::from_raw(self.width, self.height, samples)
            .expect("three samples a pixel by the layout");
        let image = self.turned(image.into());
        let (width, height) = (image.width() as usize, image.height() as usize);
        (image.into_bytes(), width, height)
    }

    pub(super) fn alpha(&self, samples: Vec<u8>) -> Vec<u8> {
        let image = GrayImage::from_raw(self.width, self.height, samples)
            .expect("one sample a pixel by the layout");
        self.turned(image.into()).into_bytes()
    }

    fn turned(&self, mut image: DynamicImage) -> DynamicImage {
        image.apply_orientation(self.orientation);
        image
    }
}

/// The profile, if the colour space that its header states (bytes 16 to 20) is RGB.
pub(super) fn rgb_profile(
    profile: Option<Vec<u8>>,
    conversions: &mut Vec<Conversion>,
) -> Option<Vec<u8>> {
    let profile = profile.filter(|profile| !profile.is_empty())?;
    if profile.get(16..20) == Some(b"RGB ") {
        return Some(profile);
    }
    conversions.push(Conversion::ProfileLeftOut);
    None
}
