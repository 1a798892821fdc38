//! What hiding, revealing and inspecting give, alike for all methods.

use std::ops::Range;

use crate::network::balance::Balance;
use crate::network::model_id::ModelId;
use crate::picture::Pixels;

/// What hiding gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    /// The container, in the cover's size.
    pub container: Pixels,
    /// What became of the secret.
    pub details: HiddenDetails,
}

/// What became of a secret when it was hidden.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HiddenDetails {
    /// By the coded method.
    Coded {
        /// Whether a password is needed to reveal it.
        password: bool,
        /// Width of the picture that was coded: the secret's own, or smaller where that gives a
        /// better picture in its own size.
        width: usize,
        /// Height of the picture that was coded.
        height: usize,
        /// Bytes of the coded picture.
        bytes: usize,
        /// PSNR of what is revealed in dB, in the secret's own size; none where nothing is lost.
        psnr_db: Option<f64>,
    },
    /// By the robust method.
    Robust {
        /// Whether a password is needed to reveal it.
        password: bool,
        /// The quality of JPEG that it survives.
        survives: u8,
        /// Whether it survives a second save: one of that quality after one of it, of 5 or 10 above,
        /// or of 90 and finer. Where not, as from a quality of 90 on and with covers that do not bear
        /// it, drawings above all, it survives one save, or one of quality 90 and then one of that
        /// quality.
        twice: bool,
        /// The quality of JPEG that it survives with as much cut off as was asked for; none where
        /// nothing may be cut off.
        cropped: Option<u8>,
        /// Width of the picture that was coded: the secret's own, or smaller where that gives a
        /// better picture in its own size.
        width: usize,
        /// Height of the picture that was coded.
        height: usize,
        /// Bytes of the coded picture.
        bytes: usize,
        /// PSNR of what is revealed in dB, in the secret's own size; none where nothing is lost.
        psnr_db: Option<f64>,
    },
    /// By networks.
    Network {
        /// The model that hid it.
        model: ModelId,
        /// It was turned by 90 degrees, to fit the cover's aspect.
        turned: bool,
        /// It was resampled to the cover's size.
        resized: bool,
    },
}

/// What revealing gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Revealed {
    /// The revealed picture, in the secret's own size.
    pub picture: Pixels,
    /// What the container says of itself.
    pub found: Inspection,
    /// Rows without their details, since the container's samples were changed there; empty but
    /// after [`RevealOptions::salvage`](crate::RevealOptions::salvage).
    pub blurred_rows: Vec<Range<usize>>,
    /// Rows that are lost and grey instead, of a secret that was coded without loss; likewise.
    pub grey_rows: Vec<Range<usize>>,
}

/// What is hidden in a container.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Inspection {
    /// A secret of the coded method.
    Coded {
        /// The secret's own width in pixels.
        secret_width: usize,
        /// The secret's own height in pixels.
        secret_height: usize,
        /// Whether it took the password to open it.
        password: bool,
        /// Bytes of the coded secret.
        bytes: usize,
        /// Parts that the secret is sealed in.
        parts: usize,
        /// Parts that were not changed since.
        intact: usize,
        /// Whether the container's last rows are missing.
        cropped: bool,
    },
    /// A secret of the robust method.
    Robust {
        /// The secret's own width in pixels.
        secret_width: usize,
        /// The secret's own height in pixels.
        secret_height: usize,
        /// Whether it took the password to open it.
        password: bool,
        /// The quality of JPEG that it survives.
        survives: u8,
        /// Bytes of the coded secret.
        bytes: usize,
    },
    /// A secret of the network method.
    Network {
        /// The secret's own width in pixels, before any turn.
        secret_width: usize,
        /// The secret's own height in pixels.
        secret_height: usize,
        /// The secret was turned 90 degrees clockwise before hiding.
        turned: bool,
        /// How strong the secret was when the network hid it.
        balance: Balance,
        /// The model that hid it.
        model: ModelId,
    },
}
