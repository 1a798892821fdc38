//! What is said of TIFFs that cannot be read.

use tiff::TiffError;

use super::{FileFormat, ImageFileError};

pub(super) fn unread(found: String) -> ImageFileError {
    ImageFileError::Unsupported {
        format: FileFormat::Tiff,
        found,
    }
}

pub(super) fn damaged() -> ImageFileError {
    ImageFileError::Corrupt {
        format: FileFormat::Tiff,
        reason: "samples are missing".into(),
    }
}

pub(super) fn failed(error: TiffError) -> ImageFileError {
    match error {
        TiffError::UnsupportedError(_) => unread("pixels of a rare kind".to_owned()),
        error => ImageFileError::Corrupt {
            format: FileFormat::Tiff,
            reason: error.into(),
        },
    }
}
