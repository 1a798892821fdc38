//! The library's functions on pictures.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyDict;
use underdrawing::{
    Balance, BalanceSetting, Channel, CodedOptions, Comparison, Conversion, Effort, FileFormat,
    HiddenDetails, HideOptions, HideSettings, ImageFileError, Inspection, Limits, Method,
    NetworkOptions, Password, Pixels, RevealOptions,
};

use crate::errors::{
    of_inspecting, of_library, of_option, of_picture, of_revealing, of_settings, of_size,
};
use crate::model::Model;
use crate::picture::Picture;
use crate::work::work;

/// PSNR as Python says it: infinite where there is no difference.
fn decibels(psnr_db: Option<f64>) -> f64 {
    psnr_db.unwrap_or(f64::INFINITY)
}

fn method_named(name: &str) -> PyResult<Method> {
    let methods = [Method::Coded, Method::Robust, Method::Network];
    let found = methods.iter().find(|method| method.to_string() == name);
    found
        .copied()
        .ok_or_else(|| of_option(format!("method {name}: expected coded, robust or network")))
}

fn effort_named(name: &str) -> PyResult<Effort> {
    match name {
        "fast" => Ok(Effort::Fast),
        "normal" => Ok(Effort::Normal),
        "best" => Ok(Effort::Best),
        _ => Err(of_option(format!(
            "effort {name}: expected fast, normal or best"
        ))),
    }
}

fn channel_named(name: &str) -> PyResult<&'static Channel> {
    Channel::named(name).ok_or_else(|| {
        let names: Vec<&str> = Channel::all().iter().map(|channel| channel.name).collect();
        of_option(format!("channel {name}: expected {}", names.join(", ")))
    })
}

/// A balance by its name or number.
#[derive(FromPyObject)]
pub(crate) enum BalanceWord {
    Step(i8),
    Name(String),
}

fn balance(word: &BalanceWord) -> PyResult<BalanceSetting> {
    let found = match word {
        BalanceWord::Step(step) => Balance::new(*step).map(BalanceSetting::Step),
        BalanceWord::Name(name) => match name.as_str() {
            "container" => Some(BalanceSetting::Container),
            "equal" => Some(BalanceSetting::Equal),
            _ => None,
        },
    };
    found.ok_or_else(|| {
        let found = match word {
            BalanceWord::Step(step) => step.to_string(),
            BalanceWord::Name(name) => name.clone(),
        };
        of_option(format!(
            "balance {found}: expected container, equal, or a whole number from -2 to 2"
        ))
    })
}

/// Hides `secret` in `cover`: the container with the cover's alpha and profile, and what is known.
#[pyfunction]
#[pyo3(signature = (
    cover, secret, *, method, survive, survive_crop, channel, effort, balance, container_db,
    revealed_db, model, password, tile_size, jpeg, measure, threads, progress
))]
pub(crate) fn hide<'py>(
    py: Python<'py>,
    cover: &Picture,
    secret: &Picture,
    method: Option<&str>,
    survive: Option<u8>,
    survive_crop: Option<u8>,
    channel: Option<&str>,
    effort: Option<&str>,
    balance: Option<BalanceWord>,
    container_db: Option<f64>,
    revealed_db: Option<f64>,
    model: Option<&Model>,
    password: Option<Vec<u8>>,
    tile_size: Option<usize>,
    jpeg: bool,
    measure: bool,
    threads: usize,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Picture, Bound<'py, PyDict>)> {
    let channel = channel.map(channel_named).transpose()?;
    let settings = HideSettings {
        method: method.map(method_named).transpose()?,
        survive,
        survive_crop,
        channel,
        effort: effort.map(effort_named).transpose()?,
        balance: balance.as_ref().map(self::balance).transpose()?,
        container_db,
        revealed_db,
        model: model.map(|model| model.model.clone()),
        password: password.map(Password::new),
        tile_size,
        jpeg,
    };
    let options = settings.resolve().map_err(of_settings)?;
    if jpeg && !matches!(options, HideOptions::Robust { .. }) {
        let format = FileFormat::Jpeg;
        return Err(of_picture(&ImageFileError::Lossy { format }));
    }
    let (cover, secret) = (cover.picture.clone(), secret.picture.clone());
    let done = work(py, threads, progress, move |on_progress| {
        hide_pictures(cover, &secret, channel, &options, measure, on_progress)
    })??;
    let report = PyDict::new(py);
    report.set_item("container_psnr_db", decibels(done.container_psnr_db))?;
    report.set_item("revealed_psnr_db", done.revealed_psnr_db)?;
    report.set_item("conversions", done.cover_conversions)?;
    details(&report, &done.details)?;
    Ok((done.container.into(), report))
}

/// What became of a cover and a secret.
struct Done {
    container: underdrawing::Picture,
    container_psnr_db: Option<f64>,
    /// Infinite where nothing is lost; none where it was not measured.
    revealed_psnr_db: Option<f64>,
    cover_conversions: Vec<String>,
    details: HiddenDetails,
}

fn hide_pictures(
    cover: Arc<underdrawing::Picture>,
    secret: &underdrawing::Picture,
    channel: Option<&Channel>,
    options: &HideOptions,
    measure: bool,
    on_progress: &mut crate::work::OnProgress<'_>,
) -> PyResult<Done> {
    let cover = match options {
        HideOptions::Robust { .. } => {
            let cover = (*cover).clone().to_survive(channel);
            Arc::new(cover.map_err(|error| of_size(&error))?)
        }
        _ => cover,
    };
    let hidden = underdrawing::hide(&cover.pixels, &secret.pixels, options, on_progress)
        .map_err(|error| of_library(&error))?;
    let psnr_db =
        |a: &Pixels, b: &Pixels| Comparison::psnr_db_only(a, b).map_err(|error| of_size(&error));
    let revealed_psnr_db = match &hidden.details {
        HiddenDetails::Coded { psnr_db, .. } | HiddenDetails::Robust { psnr_db, .. } => {
            Some(decibels(*psnr_db))
        }
        _ if measure => {
            // Networks do not know their quality themselves.
            let revealed =
                underdrawing::reveal(&hidden.container, &options.to_reveal(), on_progress)
                    .map_err(|error| of_library(&error))?;
            Some(decibels(psnr_db(&secret.pixels, &revealed.picture)?))
        }
        _ => None,
    };
    Ok(Done {
        container_psnr_db: psnr_db(&cover.pixels, &hidden.container)?,
        revealed_psnr_db,
        cover_conversions: cover.conversions.iter().map(ToString::to_string).collect(),
        container: cover.with_container(hidden.container),
        details: hidden.details,
    })
}

fn details(report: &Bound<'_, PyDict>, details: &HiddenDetails) -> PyResult<()> {
    match *details {
        HiddenDetails::Coded {
            password,
            width,
            height,
            bytes,
            ..
        } => {
            report.set_item("method", "coded")?;
            report.set_item("password", password)?;
            report.set_item("coded_width", width)?;
            report.set_item("coded_height", height)?;
            report.set_item("coded_bytes", bytes)
        }
        HiddenDetails::Robust {
            password,
            survives,
            twice,
            cropped,
            width,
            height,
            bytes,
            ..
        } => {
            report.set_item("method", "robust")?;
            report.set_item("password", password)?;
            report.set_item("survives", survives)?;
            report.set_item("survives_twice", twice)?;
            report.set_item("survives_cropped", cropped)?;
            report.set_item("coded_width", width)?;
            report.set_item("coded_height", height)?;
            report.set_item("coded_bytes", bytes)
        }
        HiddenDetails::Network {
            model,
            turned,
            resized,
        } => {
            report.set_item("method", "network")?;
            report.set_item("model", model.to_string())?;
            report.set_item("secret_turned", turned)?;
            report.set_item("secret_resized", resized)
        }
        _ => Ok(()),
    }
}

/// Reveals what `container` holds: the picture, and what is known.
#[pyfunction]
#[pyo3(signature = (
    container, *, password, salvage, model, size, tile_size, threads, progress
))]
pub(crate) fn reveal<'py>(
    py: Python<'py>,
    container: &Picture,
    password: Option<Vec<u8>>,
    salvage: bool,
    model: Option<&Model>,
    size: Option<(usize, usize)>,
    tile_size: Option<usize>,
    threads: usize,
    progress: Option<&Bound<'py, PyAny>>,
) -> PyResult<(Picture, Bound<'py, PyDict>)> {
    let options = RevealOptions {
        password: password.map(Password::new),
        salvage,
        models: model.map(|model| model.model.clone()).into_iter().collect(),
        size,
        tile_size: tile_size.unwrap_or(NetworkOptions::TILE_SIZE),
        limits: Limits::default(),
    };
    let container = container.picture.clone();
    let lossy = container.lossy;
    let revealed = work(py, threads, progress, move |on_progress| {
        underdrawing::reveal(&container.pixels, &options, on_progress)
    })?;
    let revealed = revealed.map_err(|error| of_revealing(&error, lossy))?;
    let report = PyDict::new(py);
    found(&report, &revealed.found)?;
    let rows = |rows: &[std::ops::Range<usize>]| -> Vec<(usize, usize)> {
        rows.iter().map(|rows| (rows.start, rows.end)).collect()
    };
    report.set_item("blurred_rows", rows(&revealed.blurred_rows))?;
    report.set_item("grey_rows", rows(&revealed.grey_rows))?;
    let picture = underdrawing::Picture::from(revealed.picture);
    Ok((picture.into(), report))
}

fn found(report: &Bound<'_, PyDict>, found: &Inspection) -> PyResult<()> {
    match *found {
        Inspection::Coded {
            secret_width,
            secret_height,
            password,
            bytes,
            parts,
            intact,
            cropped,
        } => {
            report.set_item("method", "coded")?;
            report.set_item("secret_width", secret_width)?;
            report.set_item("secret_height", secret_height)?;
            report.set_item("password", password)?;
            report.set_item("coded_bytes", bytes)?;
            report.set_item("parts", parts)?;
            report.set_item("intact", intact)?;
            report.set_item("cropped", cropped)
        }
        Inspection::Robust {
            secret_width,
            secret_height,
            password,
            survives,
            bytes,
        } => {
            report.set_item("method", "robust")?;
            report.set_item("secret_width", secret_width)?;
            report.set_item("secret_height", secret_height)?;
            report.set_item("password", password)?;
            report.set_item("survives", survives)?;
            report.set_item("coded_bytes", bytes)
        }
        Inspection::Network {
            secret_width,
            secret_height,
            turned,
            balance,
            model,
        } => {
            report.set_item("method", "network")?;
            report.set_item("secret_width", secret_width)?;
            report.set_item("secret_height", secret_height)?;
            report.set_item("secret_turned", turned)?;
            report.set_item("balance", balance.step())?;
            report.set_item("model", model.to_string())
        }
        _ => Ok(()),
    }
}

/// What is hidden in `container`.
#[pyfunction]
#[pyo3(signature = (container, *, password))]
pub(crate) fn inspect<'py>(
    py: Python<'py>,
    container: &Picture,
    password: Option<Vec<u8>>,
) -> PyResult<Bound<'py, PyDict>> {
    let container = container.picture.clone();
    let password = password.map(Password::new);
    let inspection = work(py, 0, None, move |_| {
        underdrawing::inspect(&container.pixels, password.as_ref())
    })?;
    let report = PyDict::new(py);
    found(&report, &inspection.map_err(|error| of_inspecting(&error))?)?;
    Ok(report)
}

/// What to expect when `secret` is hidden in `cover`.
#[pyfunction]
#[pyo3(signature = (cover, secret, *, survive, survive_crop, channel))]
pub(crate) fn capacity<'py>(
    py: Python<'py>,
    cover: &Picture,
    secret: Option<&Picture>,
    survive: Option<u8>,
    survive_crop: Option<u8>,
    channel: Option<&str>,
) -> PyResult<Bound<'py, PyDict>> {
    let settings = HideSettings {
        survive,
        survive_crop,
        channel: channel.map(channel_named).transpose()?,
        ..HideSettings::default()
    };
    let survive = settings.quality();
    let mut cover = cover.picture.clone();
    if survive.is_some() {
        let survives = (*cover).clone().to_survive(settings.channel);
        cover = Arc::new(survives.map_err(|error| of_size(&error))?);
    }
    let secret = secret.map(|secret| secret.picture.clone());
    let expected = work(py, 0, None, move |_| {
        let secret = secret.as_ref().map(|secret| &secret.pixels);
        underdrawing::capacity(
            &cover.pixels,
            secret,
            &CodedOptions::default(),
            survive,
            settings.survive_crop.unwrap_or(0),
        )
    })?;
    let expected = expected.map_err(|error| of_library(&error))?;
    let report = PyDict::new(py);
    report.set_item("bytes", expected.bytes)?;
    report.set_item("bits_per_pixel", expected.bits_per_pixel)?;
    report.set_item("container_psnr_db", expected.container_psnr_db)?;
    report.set_item("revealed_psnr_db", expected.revealed_psnr_db)?;
    Ok(report)
}

/// How far two pictures are apart, as the program compares them.
#[pyfunction]
pub(crate) fn compare<'py>(
    py: Python<'py>,
    a: &Picture,
    b: &Picture,
) -> PyResult<Bound<'py, PyDict>> {
    let (a, b) = (a.picture.clone(), b.picture.clone());
    let wide = |picture: &underdrawing::Picture| {
        let conversions = &picture.conversions;
        conversions.contains(&Conversion::SixteenBitTo8)
    };
    let rounded = wide(&a) || wide(&b);
    let comparison = work(py, 0, None, move |_| {
        let (mut a, mut b) = ((*a).clone(), (*b).clone());
        // Where both mean the same colours by their samples, these are compared.
        if a.icc_profile == b.icc_profile {
            (a.icc_profile, b.icc_profile) = (None, None);
        }
        Comparison::of(&a.into_plain().pixels, &b.into_plain().pixels)
    })?;
    let comparison = comparison.map_err(|error| of_option(error.to_string()))?;
    let report = PyDict::new(py);
    report.set_item("psnr_db", decibels(comparison.psnr_db))?;
    report.set_item("ssim", comparison.ssim)?;
    report.set_item("apd", comparison.apd)?;
    report.set_item("rmse", comparison.rmse)?;
    report.set_item("max_difference", comparison.max_difference)?;
    report.set_item("rounded_to_8_bits", rounded)?;
    Ok(report)
}

/// The names of the channels, the longest side that each keeps, and the quality to survive.
#[pyfunction]
pub(crate) fn channels() -> Vec<(&'static str, Option<usize>, u8)> {
    let channels = Channel::all().iter();
    channels
        .map(|channel| (channel.name, channel.longest_side, channel.survive))
        .collect()
}
