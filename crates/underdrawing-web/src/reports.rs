//! What is known of results, as JSON.

use serde::Serialize;
use underdrawing::{Capacity, HiddenDetails, Inspection};

use crate::models::name_of;

/// JSON of a report.
pub(crate) fn json(report: &impl Serialize) -> String {
    serde_json::to_string(report).expect("names and finite numbers")
}

/// What became of a secret, or what is in a container.
#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    survives: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    survives_twice: Option<bool>,
    /// Of the picture that was coded.
    #[serde(skip_serializing_if = "Option::is_none")]
    coded_size: Option<(usize, usize)>,
    /// Of the secret, as it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret_size: Option<(usize, usize)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coded_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    turned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resized: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

impl From<&HiddenDetails> for Report {
    fn from(details: &HiddenDetails) -> Self {
        match *details {
            HiddenDetails::Coded {
                password,
                width,
                height,
                bytes,
                ..
            } => Self {
                method: "coded",
                password: Some(password),
                coded_size: Some((width, height)),
                coded_bytes: Some(bytes),
                ..Self::default()
            },
            HiddenDetails::Robust {
                password,
                survives,
                twice,
                width,
                height,
                bytes,
                ..
            } => Self {
                method: "robust",
                password: Some(password),
                survives: Some(survives),
                survives_twice: Some(twice),
                coded_size: Some((width, height)),
                coded_bytes: Some(bytes),
                ..Self::default()
            },
            HiddenDetails::Network {
                model,
                turned,
                resized,
            } => Self {
                method: "network",
                turned: Some(turned),
                resized: Some(resized),
                model: Some(name_of(model).map_or_else(|| model.to_string(), str::to_owned)),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

impl From<&Inspection> for Report {
    fn from(found: &Inspection) -> Self {
        match *found {
            Inspection::Coded {
                secret_width,
                secret_height,
                password,
                bytes,
                ..
            } => Self {
                method: "coded",
                password: Some(password),
                secret_size: Some((secret_width, secret_height)),
                coded_bytes: Some(bytes),
                ..Self::default()
            },
            Inspection::Robust {
                secret_width,
                secret_height,
                password,
                survives,
                bytes,
            } => Self {
                method: "robust",
                password: Some(password),
                survives: Some(survives),
                secret_size: Some((secret_width, secret_height)),
                coded_bytes: Some(bytes),
                ..Self::default()
            },
            Inspection::Network {
                secret_width,
                secret_height,
                turned,
                model,
                ..
            } => Self {
                method: "network",
                secret_size: Some((secret_width, secret_height)),
                turned: Some(turned),
                model: Some(name_of(model).map_or_else(|| model.to_string(), str::to_owned)),
                ..Self::default()
            },
            _ => Self::default(),
        }
    }
}

/// What to expect of hiding. Infinite decibels are null.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expected {
    bytes: usize,
    bits_per_pixel: f64,
    container_psnr_db: f64,
    revealed_psnr_db: Option<f64>,
    /// Of the pictures themselves, and not of smaller ones.
    exact: bool,
}

impl Expected {
    /// What there is to expect of pictures with `pixels` times as many pixels.
    pub(crate) fn of(capacity: &Capacity, pixels: f64) -> Self {
        Self {
            bytes: (capacity.bytes as f64 * pixels) as usize,
            bits_per_pixel: capacity.bits_per_pixel,
            container_psnr_db: capacity.container_psnr_db,
            revealed_psnr_db: capacity.revealed_psnr_db,
            exact: pixels == 1.0,
        }
    }
}
