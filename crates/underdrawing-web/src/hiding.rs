//! The library's functions on pictures.

use std::ops::ControlFlow;

use js_sys::Function;
use underdrawing::{
    CodedOptions, Comparison, Effort, HideOptions, Pixels, Progress, RevealOptions,
};
use wasm_bindgen::prelude::*;

use crate::errors::{of_library, of_option, of_size};
use crate::models::Model;
use crate::options::Options;
use crate::picture::{Picture, Preview};
use crate::reports::{Distance, Expected, Report, json};

/// A callback that tells the page `(done, total)`; what stops work is the end of its worker.
fn telling(progress: &Function) -> impl FnMut(Progress) -> ControlFlow<()> + '_ {
    move |Progress { done, total }| {
        // What the page does with it is its own affair.
        let _ = progress.call2(&JsValue::NULL, &done.into(), &total.into());
        ControlFlow::Continue(())
    }
}

/// A picture and what is known of it.
#[wasm_bindgen]
pub struct Outcome {
    picture: underdrawing::Picture,
    report: String,
    cover: Option<Pixels>,
}

#[wasm_bindgen]
impl Outcome {
    /// The container or the revealed picture.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn picture(&self) -> Picture {
        self.picture.clone().into()
    }

    /// What is known of it, as JSON.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn report(&self) -> String {
        self.report.clone()
    }

    /// How far the container is from its cover, as JSON.
    ///
    /// # Errors
    /// For a revealed picture.
    pub fn distance(&self) -> Result<String, JsValue> {
        let cover = self
            .cover
            .as_ref()
            .ok_or_else(|| of_option("no container"))?;
        distance(cover, &self.picture.pixels)
    }

    /// Ten times the difference between container and cover, for the screen.
    #[must_use]
    pub fn difference(&self, longest: usize) -> Option<Preview> {
        let difference = self
            .picture
            .pixels
            .amplified_difference(self.cover.as_ref()?)?;
        Some(Preview::of(&difference, longest))
    }
}

fn distance(a: &Pixels, b: &Pixels) -> Result<String, JsValue> {
    let comparison = Comparison::of(a, b).map_err(|error| of_option(&error.to_string()))?;
    Ok(json(&Distance::from(&comparison)))
}

/// How far two pictures of one size are apart, as JSON.
///
/// # Errors
/// `option` where their sizes differ.
#[wasm_bindgen]
pub fn compare(a: &Picture, b: &Picture) -> Result<String, JsValue> {
    distance(&a.picture.pixels, &b.picture.pixels)
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
) -> Result<Outcome, JsValue> {
    let options = Options::parse(options)?;
    let channel = options.channel()?;
    let settings = options.settings(password)?;
    let options = settings
        .resolve()
        .map_err(|error| of_option(&error.to_string()))?;
    let mut cover = cover.picture.clone();
    if matches!(options, HideOptions::Robust { .. }) {
        cover = cover.to_survive(channel).map_err(|error| of_size(&error))?;
    }
    let secret = &secret.picture.pixels;
    let hidden = underdrawing::hide(&cover.pixels, secret, &options, &mut telling(progress))
        .map_err(|error| of_library(&error))?;
    Ok(Outcome {
        picture: cover.with_container(hidden.container),
        report: json(&Report::from(&hidden.details)),
        cover: Some(cover.pixels),
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
) -> Result<Outcome, JsValue> {
    let options = RevealOptions {
        password: password.map(underdrawing::Password::new),
        models: model.map(|model| model.model).into_iter().collect(),
        salvage,
        ..RevealOptions::default()
    };
    let container = &container.picture.pixels;
    let revealed = underdrawing::reveal(container, &options, &mut telling(progress))
        .map_err(|error| of_library(&error))?;
    Ok(Outcome {
        picture: revealed.picture.into(),
        report: json(&Report::from(&revealed.found)),
        cover: None,
    })
}

/// What to expect when `secret`, which is plain, is hidden in `cover` by the coded or the robust
/// method, as JSON; coded at the quick effort.
///
/// # Errors
/// By kind, as the library's.
#[wasm_bindgen]
pub fn capacity(cover: &Picture, secret: &Picture, options: &str) -> Result<String, JsValue> {
    let options = Options::parse(options)?;
    let channel = options.channel()?;
    let resolved = options.settings(None)?.resolve();
    let resolved = resolved.map_err(|error| of_option(&error.to_string()))?;
    let quick = |options: CodedOptions| CodedOptions {
        effort: Some(Effort::Fast),
        ..options
    };
    let mut cover = cover.picture.clone();
    let (coded, survive, crop) = match resolved {
        HideOptions::Coded(coded) => (quick(coded), None, 0),
        HideOptions::Robust {
            survive,
            crop,
            coded,
            ..
        } => {
            cover = cover.to_survive(channel).map_err(|error| of_size(&error))?;
            (quick(coded), Some(survive), crop)
        }
        _ => return Err(of_option("networks tell their quality after hiding")),
    };
    let secret = Some(&secret.picture.pixels);
    let expected = underdrawing::capacity(&cover.pixels, secret, &coded, survive, crop)
        .map_err(|error| of_library(&error))?;
    Ok(json(&Expected::from(&expected)))
}
