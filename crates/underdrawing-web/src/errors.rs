//! The library's errors as JavaScript's, told apart by `kind`.

use std::error::Error as StdError;

use js_sys::Reflect;
use underdrawing::{Error, ErrorKind, ImageFileError, Salvage};
use wasm_bindgen::JsValue;

/// An error of a kind: its message and its causes, as the program prints them.
fn error(kind: &str, error: &dyn StdError) -> JsValue {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    of_kind(kind, &text)
}

fn of_kind(kind: &str, text: &str) -> JsValue {
    let error = js_sys::Error::new(text);
    set(&error, "kind", kind);
    error.into()
}

fn set(error: &js_sys::Error, name: &str, value: impl Into<JsValue>) {
    // A fresh object takes any property.
    let _ = Reflect::set(error, &name.into(), &value.into());
}

pub(crate) fn of_library(found: &Error) -> JsValue {
    let kind = match found.kind() {
        ErrorKind::NothingFound => "nothing-found",
        ErrorKind::WrongPassword => "wrong-password",
        ErrorKind::Damaged => "damaged",
        ErrorKind::Newer => "newer",
        ErrorKind::UnknownModel => "unknown-model",
        ErrorKind::TooSmall => "too-small",
        ErrorKind::Invalid => "option",
        ErrorKind::Limit => "limit",
        ErrorKind::Cancelled => "cancelled",
        _ => "other",
    };
    let error = js_sys::Error::from(error(kind, found));
    match found {
        Error::UnknownModel { id } => set(&error, "model", id.to_string()),
        Error::Damaged { salvage, .. } => {
            set(&error, "salvageable", *salvage == Salvage::Possible);
        }
        Error::PasswordNeeded => set(&error, "kind", "password-needed"),
        _ => {}
    }
    error.into()
}

/// Files that are no pictures or of a kind that the library does not read: the browser may.
pub(crate) fn of_picture(found: &ImageFileError) -> JsValue {
    match found {
        ImageFileError::TooLarge(_) => error("limit", found),
        ImageFileError::Unknown { .. }
        | ImageFileError::NotRead { .. }
        | ImageFileError::Unsupported { .. } => error("not-read", found),
        _ => error("picture", found),
    }
}

/// A picture of no size, or one over the limits.
pub(crate) fn of_size(found: &dyn StdError) -> JsValue {
    error("limit", found)
}

/// A model file that is none.
pub(crate) fn of_model(found: &dyn StdError) -> JsValue {
    error("model", found)
}

/// An option that is not known, out of its range, or does not go with another.
pub(crate) fn of_option(text: &str) -> JsValue {
    of_kind("option", text)
}
