//! Why nothing was hidden or revealed.

use thiserror::Error;
use underdrawing_codec::{DecodeError, HeaderError};

use crate::network::model_id::ModelId;
use crate::picture::PixelsError;

/// Why nothing was hidden or revealed.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// A plain picture, a container of the coded method with a password, or one that was changed:
    /// these cannot be told apart.
    #[error(
        "nothing in it opens without a password: it is a plain picture, or a container that was \
         turned, cropped, resized or recompressed"
    )]
    NothingFound,
    /// As [`Error::NothingFound`], and the password does not open it either.
    #[error(
        "the password is wrong, or this is a plain picture or a container that was changed: \
         turned, cropped, resized or recompressed (they cannot be told apart)"
    )]
    WrongPassword,
    /// The container opens, and was changed since it was written.
    #[error(
        "the container was {} after hiding: {intact} of {parts} parts are intact, {percent} % \
         of the secret's bytes{}",
        if *.cropped { "cropped" } else { "changed" },
        what_is_left(*.salvage)
    )]
    Damaged {
        /// Parts whose seal is good.
        intact: usize,
        /// Parts of the secret.
        parts: usize,
        /// Share of the secret's bytes in the intact parts, rounded down.
        percent: usize,
        /// Whether its last rows are missing.
        cropped: bool,
        /// What [`RevealOptions::salvage`](crate::RevealOptions::salvage) would reveal.
        salvage: Salvage,
    },
    /// The container opens, and its list of parts was changed, without which none can be found.
    #[error(
        "the container was changed or cropped after hiding, and its list of parts is lost, without \
         which none can be salvaged"
    )]
    DirectoryLost,
    /// The container opens, and what it holds is no picture: a faulty program made it.
    #[error("the secret's code is wrong")]
    Code(#[source] DecodeError),
    /// A container of the robust method that takes a password.
    #[error("something is hidden to survive JPEG, and it takes a password to open it")]
    PasswordNeeded,
    /// A container of the robust method that the password does not open.
    #[error("something is hidden to survive JPEG, and this password does not open it")]
    OtherPassword,
    /// A container of the robust method that was changed by more than it survives.
    #[error(
        "something is hidden, and was changed by more than it survives: it was made for JPEG of \
         quality {survives} or above, {}",
        how_worn(*survives, *quality, *cropped)
    )]
    Worn {
        /// The quality that it survives.
        survives: u8,
        /// About the quality of the JPEG that it came as; none where it came as pixels.
        quality: Option<u8>,
        /// Whether a part of it is missing.
        cropped: bool,
    },
    /// A quality to survive that there is no grid for.
    #[error("cannot survive JPEG of quality {found}: expected 50 to 95")]
    Survive {
        /// The quality asked for.
        found: u8,
    },
    /// A quality to survive that leaves no coarser grid for a part that is cut off.
    #[error(
        "cannot survive JPEG of quality {found} and cropping, too: expected a quality of {least} and \
         above"
    )]
    SurviveCrop {
        /// The quality asked for.
        found: u8,
        /// The least that goes with cropping.
        least: u8,
    },
    /// A newer underdrawing made it, by the coded or the robust method.
    #[error("the container's format is newer than the newest supported, {supported}")]
    Newer {
        /// The newest version that is read here.
        supported: u8,
    },
    /// A newer underdrawing made it, by the network method.
    #[error("mark version {found} is newer than the newest supported, {supported}")]
    NewerMark {
        /// Version found.
        found: u8,
        /// The newest version that is read here.
        supported: u8,
    },
    /// The model that hid the secret is not there.
    #[error("it was made by model {id}, which is neither built in nor given")]
    UnknownModel {
        /// The model that the container names.
        id: ModelId,
    },
    /// The cover has too few pixels for networks and the mark, or for a header of the robust method.
    #[error("a cover of {width}x{height} is too small: expected at least {least}x{least}")]
    CoverTooSmall {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
        /// The shortest side allowed.
        least: usize,
    },
    /// Smaller than any container of the network method.
    #[error("a container of {width}x{height} is too small: expected at least {least}x{least}")]
    ContainerTooSmall {
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
        /// The shortest side allowed.
        least: usize,
    },
    /// The cover has too few samples for any picture of the secret.
    #[error(
        "a cover of {width}x{height} is too small for this secret: at the quality asked for it \
         holds {bytes} bytes"
    )]
    NoRoom {
        /// The cover's width.
        width: usize,
        /// The cover's height.
        height: usize,
        /// Bytes that it holds.
        bytes: usize,
    },
    /// The container cannot be that good and hold any picture of the secret.
    #[error(
        "at {asked_db} dB a cover of {width}x{height} holds {bytes} bytes, too few for this \
         secret: ask for less than {asked_db} dB (by default it holds {usual} bytes)"
    )]
    NoRoomAtDb {
        /// The quality asked for.
        asked_db: f64,
        /// The cover's width.
        width: usize,
        /// The cover's height.
        height: usize,
        /// Bytes that it holds at that quality.
        bytes: usize,
        /// Bytes that it holds by default.
        usual: usize,
    },
    /// No error correction brings back what such a cover holds after JPEG.
    #[error(
        "this cover of {width}x{height} does not keep what is hidden in it through JPEG of quality \
         {survive}{}",
        besides(*.crop)
    )]
    NotKept {
        /// The cover's width.
        width: usize,
        /// The cover's height.
        height: usize,
        /// The quality to survive.
        survive: u8,
        /// Percent of the area that may be cut off.
        crop: u8,
    },
    /// The revealed picture cannot be that good in this cover.
    #[error(
        "the secret takes some {needed} bytes at {asked_db} dB, and the cover holds {most}{}",
        reachable(*reachable_db)
    )]
    RevealedDb {
        /// The quality asked for.
        asked_db: f64,
        /// Bytes that the secret takes.
        needed: usize,
        /// Bytes that the cover holds at most.
        most: usize,
        /// About the quality that can be reached, by an estimate; none where that says nothing.
        reachable_db: Option<f64>,
    },
    /// No container of the robust method is that near its cover.
    #[error(
        "a container that survives JPEG of quality {survive} is at {most_db:.1} dB at most, and \
         {asked_db} were asked for"
    )]
    ContainerDb {
        /// The quality asked for.
        asked_db: f64,
        /// The best quality to expect.
        most_db: f64,
        /// The quality to survive, on whose grid that is.
        survive: u8,
    },
    /// A quality that is no number or not above zero.
    #[error("a PSNR of {found} dB: expected a number above 0")]
    Decibels {
        /// The quality asked for.
        found: f64,
    },
    /// The tile size is too small.
    #[error("tile size {found} is too small: expected at least {least}")]
    TileSize {
        /// Tile size found.
        found: usize,
        /// The smallest allowed.
        least: usize,
    },
    /// The best effort where networks cannot be refined, see
    /// [`NetworkOptions::effort`](crate::NetworkOptions::effort).
    #[error(
        "effort best does not go with model {model}{}: expected normal or fast",
        not_refined_here()
    )]
    Unrefinable {
        /// The model.
        model: ModelId,
    },
    /// The size asked for is zero or over the limits.
    #[error("cannot reveal at the size asked for")]
    Size(#[source] PixelsError),
    /// The secret is over the limits: when hiding, those of the formats; when revealing,
    /// [`RevealOptions::limits`](crate::RevealOptions::limits).
    #[error("the secret is over the limits")]
    SecretTooLarge(#[source] PixelsError),
    /// The callback stopped the work.
    #[error("stopped")]
    Cancelled,
}

/// What is left of a damaged container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Salvage {
    /// Something can be seen.
    Possible,
    /// The first part is lost: it holds the whole secret without its details, and the others only
    /// details.
    FirstPartLost,
    /// Of a secret that was coded without loss every stripe is lost: its first part shows nothing.
    StripesLost,
}

/// Why a model cannot be refined, for [`Error::Unrefinable`].
pub(crate) fn not_refined_here() -> &'static str {
    if cfg!(feature = "refining") {
        ", a U-Net as that of the 2018 system"
    } else {
        " here"
    }
}

/// Why not even salvaging helps.
fn what_is_left(salvage: Salvage) -> &'static str {
    match salvage {
        Salvage::Possible => "",
        Salvage::FirstPartLost => {
            "; nothing can be salvaged, since the first part is lost, which all others only add \
             details to"
        }
        Salvage::StripesLost => {
            "; nothing can be salvaged, since every stripe of the secret's rows is lost"
        }
    }
}

/// What to ask for instead.
fn reachable(db: Option<f64>) -> String {
    db.map_or_else(String::new, |db| {
        format!(": about {db:.1} dB can be reached")
    })
}

/// What else a container was to survive.
fn besides(crop: u8) -> String {
    match crop {
        0 => " and whatever else it is to survive".to_owned(),
        crop => format!(
            ", or with {crop} percent of its area cut off; try a higher quality or a smaller percentage"
        ),
    }
}

/// What is known of the way of a container that was worn.
fn how_worn(survives: u8, quality: Option<u8>, cropped: bool) -> String {
    match (quality, cropped) {
        (Some(quality), true) if quality < survives => {
            format!("and was cropped and came as one of about {quality}")
        }
        (Some(quality), true) => format!(
            "and was cropped and came as one of about {quality}: by more than it was made for, or \
             saved at less than what it survives with a part cut off"
        ),
        (None, true) => "and was cropped by more than it was made for".to_owned(),
        (Some(quality), false) if quality < survives => {
            format!("and came as one of about {quality}")
        }
        (Some(quality), false) => format!(
            "and came as one of about {quality}, but it may have been recompressed before, filtered \
             or drawn on"
        ),
        (None, false) => {
            "and did not come as one: it may have been recompressed, filtered or drawn \
             on"
            .to_owned()
        }
    }
}

/// What went wrong, as far as a caller has to tell cases apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Nothing is hidden there that opens without a password.
    NothingFound,
    /// Nothing is hidden there that opens with this password, or without.
    WrongPassword,
    /// A container that was changed.
    Damaged,
    /// A container of a newer underdrawing.
    Newer,
    /// A container of a model that is not there.
    UnknownModel,
    /// A picture that is too small for what was asked of it.
    TooSmall,
    /// An option outside its range.
    Invalid,
    /// Over the limits.
    Limit,
    /// The caller stopped the work.
    Cancelled,
}

impl Error {
    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::NothingFound | Self::PasswordNeeded => ErrorKind::NothingFound,
            Self::WrongPassword | Self::OtherPassword => ErrorKind::WrongPassword,
            Self::Code(DecodeError::Limit { .. })
            | Self::Size(PixelsError::TooLarge { .. })
            | Self::SecretTooLarge(_) => ErrorKind::Limit,
            Self::Code(DecodeError::Header(HeaderError::Version { .. }))
            | Self::Newer { .. }
            | Self::NewerMark { .. } => ErrorKind::Newer,
            Self::Damaged { .. } | Self::DirectoryLost | Self::Code(_) | Self::Worn { .. } => {
                ErrorKind::Damaged
            }
            Self::UnknownModel { .. } => ErrorKind::UnknownModel,
            Self::CoverTooSmall { .. }
            | Self::ContainerTooSmall { .. }
            | Self::NoRoom { .. }
            | Self::NotKept { .. }
            | Self::NoRoomAtDb { .. }
            | Self::RevealedDb { .. } => ErrorKind::TooSmall,
            Self::Decibels { .. }
            | Self::ContainerDb { .. }
            | Self::Survive { .. }
            | Self::SurviveCrop { .. }
            | Self::TileSize { .. }
            | Self::Unrefinable { .. }
            | Self::Size(_) => ErrorKind::Invalid,
            Self::Cancelled => ErrorKind::Cancelled,
        }
    }
}
