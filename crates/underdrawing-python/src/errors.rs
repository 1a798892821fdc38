//! The library's errors as Python's exceptions, which are in `_errors.py`.

use std::error::Error as StdError;

use pyo3::PyErr;
use underdrawing::{Error, ErrorKind, ImageFileError, ModelError, Salvage, SettingsError};
use underdrawing_train::TrainError;

/// The exceptions; [`pyo3::import_exception!`] makes them public.
#[allow(unreachable_pub)]
mod exceptions {
    use pyo3::import_exception;

    import_exception!(underdrawing._errors, NothingFoundError);
    import_exception!(underdrawing._errors, WrongPasswordError);
    import_exception!(underdrawing._errors, DamagedError);
    import_exception!(underdrawing._errors, NewerError);
    import_exception!(underdrawing._errors, UnknownModelError);
    import_exception!(underdrawing._errors, TooSmallError);
    import_exception!(underdrawing._errors, OptionError);
    import_exception!(underdrawing._errors, LimitError);
    import_exception!(underdrawing._errors, PictureError);
    import_exception!(underdrawing._errors, ModelFileError);
    import_exception!(underdrawing._errors, TrainingError);
    import_exception!(underdrawing._errors, UnderdrawingError);
}

use exceptions::*;

/// The message and its causes, as the program prints them.
pub(crate) fn message(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// The exception of each kind of error.
pub(crate) fn of_library(error: &Error) -> PyErr {
    exception(error.kind(), message(error))
}

/// Why nothing was revealed, and what can be tried, as the program says it; `lossy` where the
/// container came as a file whose format changes pixels.
pub(crate) fn of_revealing(error: &Error, lossy: bool) -> PyErr {
    let hint = match error.kind() {
        ErrorKind::NothingFound if *error == Error::PasswordNeeded => "give it as password",
        ErrorKind::WrongPassword if *error == Error::OtherPassword => {
            "passwords are case-sensitive"
        }
        ErrorKind::NothingFound | ErrorKind::WrongPassword if lossy => {
            "a lossy file keeps only what was hidden with survive, and not after resizing, a JPEG of \
             a lower quality, or cropping without survive_crop; give the file that hide_file wrote"
        }
        ErrorKind::NothingFound => {
            "what was hidden with a password takes it as password; a container that was resized has \
             lost what it held, and so has a cropped one, unless it was hidden with survive_crop; where \
             networks hid it and its mark was damaged, size=(width, height) reveals without one (from \
             anything else it makes noise)"
        }
        ErrorKind::WrongPassword => {
            "passwords are case-sensitive, and the container must be as hide made it"
        }
        ErrorKind::UnknownModel => "give that model's file as model",
        _ if matches!(
            error,
            Error::Damaged {
                salvage: Salvage::Possible,
                ..
            }
        ) =>
        {
            "salvage=True reveals what is intact"
        }
        _ => return of_library(error),
    };
    exception(error.kind(), format!("{}; {hint}", message(error)))
}

/// Why nothing is known of a container.
pub(crate) fn of_inspecting(error: &Error) -> PyErr {
    match error.kind() {
        ErrorKind::NothingFound => {
            let hint = "what was hidden with a password takes it as password";
            exception(error.kind(), format!("{}; {hint}", message(error)))
        }
        _ => of_library(error),
    }
}

fn exception(kind: ErrorKind, text: String) -> PyErr {
    match kind {
        ErrorKind::NothingFound => NothingFoundError::new_err(text),
        ErrorKind::WrongPassword => WrongPasswordError::new_err(text),
        ErrorKind::Damaged => DamagedError::new_err(text),
        ErrorKind::Newer => NewerError::new_err(text),
        ErrorKind::UnknownModel => UnknownModelError::new_err(text),
        ErrorKind::TooSmall => TooSmallError::new_err(text),
        ErrorKind::Invalid => OptionError::new_err(text),
        ErrorKind::Limit => LimitError::new_err(text),
        _ => UnderdrawingError::new_err(text),
    }
}

/// Settings that do not go together, by the names that they have in Python.
pub(crate) fn of_settings(error: SettingsError) -> PyErr {
    OptionError::new_err(error.to_string())
}

/// Any other option out of its range.
pub(crate) fn of_option(text: impl Into<String>) -> PyErr {
    OptionError::new_err(text.into())
}

pub(crate) fn of_picture(error: &ImageFileError) -> PyErr {
    match error {
        ImageFileError::TooLarge(_) => LimitError::new_err(message(error)),
        _ => PictureError::new_err(message(error)),
    }
}

/// A picture of no size, or one over the limits.
pub(crate) fn of_size(error: &dyn StdError) -> PyErr {
    LimitError::new_err(message(error))
}

pub(crate) fn of_model(error: &ModelError) -> PyErr {
    ModelFileError::new_err(message(error))
}

pub(crate) fn of_training(error: &TrainError) -> PyErr {
    match error {
        TrainError::Config(_) => OptionError::new_err(message(error)),
        _ => TrainingError::new_err(message(error)),
    }
}
