//! The library's functions on pictures.

use std::ops::ControlFlow;
use std::rc::Rc;

use js_sys::Function;
use underdrawing::{
    Channel, CodedOptions, Comparison, Effort, HideOptions, Pixels, Progress, RevealOptions,
};
use wasm_bindgen::prelude::*;

use crate::errors::{of_library, of_option, of_size};
use crate::models::Model;
use crate::options::{Options, composed_password};
use crate::picture::{Picture, Preview, encoded};
use crate::reports::{Expected, Report, json};

/// A callback that tells the page `(done, total)`; what stops work is the end of its worker.
fn telling(progress: &Function) -> impl FnMut(Progress) -> ControlFlow<()> + '_ {
    move |Progress { done, total }| {
        // What the page does with it is its own affair.
        let _ = progress.call2(&JsValue::NULL, &done.into(), &total.into());
        ControlFlow::Continue(())
    }
}

/// A container, and the cover that it was made of.
#[wasm_bindgen]
pub struct Hidden {
    cover: Rc<underdrawing::Picture>,
    container: underdrawing::Picture,
    report: String,
}

#[wasm_bindgen]
impl Hidden {
    /// Writes the container, as [`Picture::encode`].
    ///
    /// # Errors
    /// As there.
    pub fn encode(&self, extension: &str) -> Result<Vec<u8>, JsValue> {
        encoded(&self.container, extension)
    }

    /// The container for the screen.
    #[must_use]
    pub fn preview(&self, longest: usize) -> Preview {
        Preview::of_picture(&self.container, longest)
    }

    /// The cover for the screen, as it was when the secret was hidden in it.
    #[wasm_bindgen(js_name = coverPreview)]
    #[must_use]
    pub fn cover_preview(&self, longest: usize) -> Preview {
        Preview::of_picture(&self.cover, longest)
    }

    /// Ten times the difference between container and cover, for the screen.
    ///
    /// # Panics
    /// Never: their sizes are the same.
    #[must_use]
    pub fn difference(&self, longest: usize) -> Preview {
        let container = &self.container.pixels;
        let difference = container.amplified_difference(&self.cover.pixels);
        Preview::of(&difference.expect("one size"), longest)
    }

    /// PSNR of the container in dB; none where it is the cover.
    ///
    /// # Errors
    /// None: their sizes are the same.
    pub fn psnr(&self) -> Result<Option<f64>, JsValue> {
        psnr_db(&self.cover.pixels, &self.container.pixels)
    }

    /// What became of the secret, as JSON.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn report(&self) -> String {
        self.report.clone()
    }

    /// Width in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn width(&self) -> usize {
        self.container.pixels.width()
    }

    /// Height in pixels.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn height(&self) -> usize {
        self.container.pixels.height()
    }
}

/// A revealed picture.
#[wasm_bindgen]
pub struct Revealed {
    picture: underdrawing::Picture,
    report: String,
}

#[wasm_bindgen]
impl Revealed {
    /// What the container says of itself, as JSON.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn report(&self) -> String {
        self.report.clone()
    }

    /// The picture; this object is gone then.
    #[wasm_bindgen(js_name = takePicture)]
    #[must_use]
    pub fn take_picture(self) -> Picture {
        self.picture.into()
    }
}

/// PSNR of two pictures of one size in dB; none where they are the same.
///
/// # Errors
/// `option` where their sizes differ.
#[wasm_bindgen]
pub fn psnr(a: &Picture, b: &Picture) -> Result<Option<f64>, JsValue> {
    psnr_db(&a.picture.pixels, &b.picture.pixels)
}

fn psnr_db(a: &Pixels, b: &Pixels) -> Result<Option<f64>, JsValue> {
    Comparison::psnr_db_only(a, b).map_err(|error| of_option(&error.to_string()))
}

/// Hides `secret`, which is plain, in `cover`.
///
/// # Errors
/// By kind, as the library's.
#[wasm_bindgen]
pub fn hide(
    cover: &Picture,
    secret: &Picture,
    options: &str,
    password: Option<String>,
    progress: &Function,
) -> Result<Hidden, JsValue> {
    let options = Options::parse(options)?;
    let channel = options.channel()?;
    let settings = options.settings(password)?;
    let options = settings
        .resolve()
        .map_err(|error| of_option(&error.to_string()))?;
    let mut cover = cover.picture.clone();
    if matches!(options, HideOptions::Robust { .. }) {
        cover = surviving(&cover, channel)?;
    }
    let secret = &secret.picture.pixels;
    let hidden = underdrawing::hide(&cover.pixels, secret, &options, &mut telling(progress))
        .map_err(|error| of_library(&error))?;
    Ok(Hidden {
        container: cover.with_container(hidden.container),
        report: json(&Report::from(&hidden.details)),
        cover,
    })
}

/// Reveals what `container` holds; `model` is one that was fetched since the container names it.
///
/// # Errors
/// By kind, as the library's; `unknown-model` has the model's id in `model`.
#[wasm_bindgen]
pub fn reveal(
    container: &Picture,
    password: Option<String>,
    model: Option<Model>,
    salvage: bool,
    progress: &Function,
) -> Result<Revealed, JsValue> {
    let options = RevealOptions {
        password: password.map(composed_password),
        models: model.map(|model| model.model).into_iter().collect(),
        salvage,
        ..RevealOptions::default()
    };
    let container = &container.picture.pixels;
    let revealed = underdrawing::reveal(container, &options, &mut telling(progress))
        .map_err(|error| of_library(&error))?;
    Ok(Revealed {
        picture: revealed.picture.into(),
        report: json(&Report::from(&revealed.found)),
    })
}

/// The cover as it has to be to survive JPEG.
fn surviving(
    cover: &underdrawing::Picture,
    channel: Option<&Channel>,
) -> Result<Rc<underdrawing::Picture>, JsValue> {
    let cover = cover.clone().to_survive(channel);
    cover.map(Rc::new).map_err(|error| of_size(&error))
}

/// What to expect when `secret`, which is plain, is hidden in `cover` by the coded or the robust
/// method, as JSON; coded at the quick effort. Larger pictures are both reduced to `most_pixels`,
/// which have less room for more detail: what comes out is then rather better.
///
/// # Errors
/// By kind, as the library's.
#[wasm_bindgen]
pub fn capacity(
    cover: &Picture,
    secret: &Picture,
    options: &str,
    most_pixels: f64,
) -> Result<String, JsValue> {
    let options = Options::parse(options)?;
    let channel = options.channel()?;
    let resolved = options.settings(None)?.resolve();
    let resolved = resolved.map_err(|error| of_option(&error.to_string()))?;
    let mut cover = cover.picture.clone();
    let (coded, survive, crop) = match resolved {
        HideOptions::Coded(coded) => (coded, None, 0),
        HideOptions::Robust {
            survive,
            crop,
            coded,
            ..
        } => {
            cover = surviving(&cover, channel)?;
            (coded, Some(survive), crop)
        }
        _ => return Err(of_option("networks tell their quality after hiding")),
    };
    let coded = CodedOptions {
        effort: Some(Effort::Fast),
        ..coded
    };
    let (cover, secret) = (&cover.pixels, &secret.picture.pixels);
    let pixels = |picture: &Pixels| (picture.width() * picture.height()) as f64;
    let times = (pixels(cover).max(pixels(secret)) / most_pixels).max(1.0);
    let expected = if times > 1.0 {
        let (cover, secret) = (reduced(cover, times)?, reduced(secret, times)?);
        underdrawing::capacity(&cover, Some(&secret), &coded, survive, crop)
    } else {
        underdrawing::capacity(cover, Some(secret), &coded, survive, crop)
    };
    let expected = expected.map_err(|error| of_library(&error))?;
    Ok(json(&Expected::of(&expected, times)))
}

/// The picture with one of so many of its pixels.
fn reduced(picture: &Pixels, times: f64) -> Result<Pixels, JsValue> {
    let side = |n: usize| ((n as f64 / times.sqrt()) as usize).max(1);
    let reduced = picture.resized(side(picture.width()), side(picture.height()));
    reduced.map_err(|error| of_size(&error))
}
