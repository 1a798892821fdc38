//! JPEG by its coefficients.
//!
//! ```
//! use underdrawing_jpeg::{Jpeg, Sampling, quality};
//!
//! let rgb: Vec<u8> = (0..3 * 20 * 12).map(|i| i as u8).collect();
//! let jpeg = Jpeg::from_rgb(&rgb, 20, 12, Sampling::Half, &quality::tables(90));
//! let read = Jpeg::read(&jpeg.write(), 1000)?;
//! assert_eq!(read.components[0].blocks, jpeg.components[0].blocks);
//! assert_eq!(read.to_rgb().len(), rgb.len());
//! # Ok::<(), underdrawing_jpeg::JpegError>(())
//! ```
//!
//! Baseline, extended and progressive files with Huffman codes and 8 bits a sample are read, in any
//! sampling that libjpeg reads; arithmetic codes, 12 bits, lossless and hierarchical files are
//! named and refused. Written are baseline files with codes fitted to them.
//!
//! Colours, cosine transforms (the slow integer ones) and the resampling of chroma round as
//! libjpeg-turbo does. So [`Jpeg::to_rgb`] gives the pixels that it decodes, and [`Jpeg::from_rgb`]
//! the coefficients that it writes; `tools/reference/jpeg.py` compares them. The crate knows
//! nothing of hiding.

pub mod dct;
mod decode;
mod encode;
mod error;
mod jpeg;
pub mod quality;
mod read;
mod upsample;
mod write;

pub use encode::{Sampling, luma};
pub use error::JpegError;
pub use jpeg::{Block, Colours, Component, Jpeg};
