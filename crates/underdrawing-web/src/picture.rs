//! Pictures, as the library has them.

use std::rc::Rc;

use underdrawing::{FileFormat, Limits, Pixels};
use wasm_bindgen::prelude::*;

use crate::errors::{of_option, of_picture, of_size};

/// A picture of 8-bit RGB samples, and what its file had beside them.
#[wasm_bindgen]
pub struct Picture {
    pub(crate) picture: Rc<underdrawing::Picture>,
}

impl From<underdrawing::Picture> for Picture {
    fn from(picture: underdrawing::Picture) -> Self {
        Self {
            picture: Rc::new(picture),
        }
    }
}

#[wasm_bindgen]
impl Picture {
    /// Reads a picture file.
    ///
    /// # Errors
    /// `not-read` for what the browser may read instead, `picture` for damaged files, `limit`.
    pub fn decode(file: &[u8]) -> Result<Self, JsValue> {
        let picture = underdrawing::Picture::decode(file, &Limits::default());
        picture.map(Self::from).map_err(|error| of_picture(&error))
    }

    /// A picture of `4 * width * height` samples that the browser has read: RGB in sRGB, and alpha.
    ///
    /// # Errors
    /// `limit` where it has no pixels, or too many.
    #[wasm_bindgen(js_name = fromSamples)]
    pub fn from_samples(rgba: &[u8], width: usize, height: usize) -> Result<Self, JsValue> {
        let rgb = rgba.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]);
        let pixels = Pixels::rgb8(rgb.collect(), width, height).map_err(|error| of_size(&error))?;
        let alpha = rgba.chunks_exact(4).map(|p| p[3]);
        let alpha = (!alpha.clone().all(|a| a == 255)).then(|| alpha.collect());
        Ok(Self::from(underdrawing::Picture {
            alpha,
            ..underdrawing::Picture::from(pixels)
        }))
    }

    /// Writes a picture file of the format that a name's extension stands for.
    ///
    /// # Errors
    /// `option` for an extension that is not known, `picture` where the format cannot hold it.
    pub fn encode(&self, extension: &str) -> Result<Vec<u8>, JsValue> {
        encoded(&self.picture, extension)
    }

    /// The picture as secrets are hidden and as screens show it: in sRGB, on white.
    #[must_use]
    pub fn plain(&self) -> Self {
        (*self.picture).clone().into_plain().into()
    }

    /// The picture with sides of at most `longest`, as RGBA samples for a canvas.
    #[must_use]
    pub fn preview(&self, longest: usize) -> Preview {
        Preview::of_picture(&self.picture, longest)
    }

    /// Width in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn width(&self) -> usize {
        self.picture.pixels.width()
    }

    /// Height in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn height(&self) -> usize {
        self.picture.pixels.height()
    }

    /// What the file was, in words.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn format(&self) -> String {
        self.picture.format.name().to_owned()
    }

    /// What was changed on the way in, in words.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn conversions(&self) -> Vec<String> {
        let conversions = self.picture.conversions.iter();
        conversions.map(ToString::to_string).collect()
    }
}

/// A picture file of the format that a name's extension stands for.
pub(crate) fn encoded(
    picture: &underdrawing::Picture,
    extension: &str,
) -> Result<Vec<u8>, JsValue> {
    let format = FileFormat::of_extension(extension)
        .ok_or_else(|| of_option(&format!("cannot tell the format of .{extension}")))?;
    let bytes = picture.encode(format);
    bytes.map_err(|error| of_picture(&error))
}

/// A picture for the screen.
#[wasm_bindgen]
pub struct Preview {
    width: usize,
    height: usize,
    rgba: Vec<u8>,
}

impl Preview {
    /// Of a picture in sRGB, on white.
    pub(crate) fn of_picture(picture: &underdrawing::Picture, longest: usize) -> Self {
        let plain = (picture.alpha.is_some() || picture.icc_profile.is_some())
            .then(|| picture.clone().into_plain());
        let pixels = plain
            .as_ref()
            .map_or(&picture.pixels, |plain| &plain.pixels);
        Self::of(pixels, longest)
    }

    /// Reduced where a side is longer than `longest`.
    pub(crate) fn of(pixels: &Pixels, longest: usize) -> Self {
        let side = pixels.width().max(pixels.height());
        let scaled = |n: usize| (n * longest / side).max(1);
        let reduced = (side > longest)
            .then(|| pixels.resized(scaled(pixels.width()), scaled(pixels.height())))
            .and_then(Result::ok);
        let shown = reduced.as_ref().unwrap_or(pixels);
        let rgba = shown.data().chunks_exact(3);
        Self {
            width: shown.width(),
            height: shown.height(),
            rgba: rgba.flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
        }
    }
}

#[wasm_bindgen]
impl Preview {
    /// Width in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// `4 * width * height` samples; the preview is gone then.
    #[must_use]
    pub fn take(self) -> Vec<u8> {
        self.rgba
    }
}
