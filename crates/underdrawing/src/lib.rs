//! Hides a full-size picture inside another picture and reveals it again.

pub mod net;
mod pixels;

pub use pixels::{Limits, Pixels, PixelsError};
