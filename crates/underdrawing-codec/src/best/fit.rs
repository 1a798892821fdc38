//! Fits the initial state of the best models to pictures; for the project's own use.
//!
//! The models code one picture after another without being reset. What they have learned by then is
//! the initial state from now on.

use super::model::Model;
use super::scale::CLASSES;
use super::{code_with, low_bands};
use crate::encoder::Encoder;
use crate::entropy::{INPUTS, MAIN_NODES, RangeCoder, Start};
use crate::models::Models;
use crate::part::Cut;
use crate::{Effort, Picture};
use std::fmt::Write as _;

/// How many observations the initial state counts for.
const TRUST: i64 = 3000;

/// Models of the whole-picture part and of stripes, and a fresh one to compare with.
pub struct BestFit {
    models: [Model; 2],
    fresh: Model,
}

impl Default for BestFit {
    fn default() -> Self {
        Self::new()
    }
}

impl BestFit {
    /// Starts from the present tables.
    #[must_use]
    pub fn new() -> Self {
        Self {
            models: [Model::new(3, true), Model::new(3, false)],
            fresh: Model::new(3, false),
        }
    }

    /// Learns from a picture at about `bpp` bits a pixel; grey ones are skipped.
    pub fn add(&mut self, picture: &Picture, bpp: f64) {
        let (width, height) = (picture.width(), picture.height());
        let budget = (bpp * (width * height) as f64 / 8.0) as usize;
        let encoder = Encoder::new(picture, Effort::Best);
        let Ok(mut parts) = encoder.multiples(budget) else {
            return;
        };
        if parts[0].planes.len() < 3 {
            return;
        }
        let low_bands = low_bands(&parts[0], &Cut::new(width, height));
        for (part, low) in parts.iter_mut().zip(&low_bands) {
            let model = &mut self.models[usize::from(!part.whole)];
            let machine = Models::Best.machine();
            // The bytes are not used, only what the model learns.
            code_with(model, &mut RangeCoder::writer(), machine, part, low);
        }
    }

    fn starts(&self, kind: usize) -> Vec<[Start; 2]> {
        let regressions = self.models[kind].regressions.iter();
        regressions
            .map(|pair| [pair[0].to_start(TRUST), pair[1].to_start(TRUST)])
            .collect()
    }

    /// Mixing weights, averaged over each four classes.
    fn mixing(&self) -> [[[[i32; INPUTS]; CLASSES / 4]; 2]; MAIN_NODES] {
        let model = &self.models[1];
        let mut mixing = [[[[0; INPUTS]; CLASSES / 4]; 2]; MAIN_NODES];
        for (node, table) in mixing.iter_mut().enumerate() {
            for (odd, table) in table.iter_mut().enumerate() {
                for (quarter, out) in table.iter_mut().enumerate() {
                    for i in 0..4 {
                        let context = 2 * (4 * quarter + i) + odd;
                        let weights = model.coder.weights(context, node, &self.fresh.coder);
                        for (out, weight) in out.iter_mut().zip(weights) {
                            *out += weight / 256; // A mean of four in 1/16384.
                        }
                    }
                }
            }
        }
        mixing
    }

    /// The tables as a Rust file.
    #[must_use]
    pub fn source(&self) -> String {
        let mut text = String::from(HEAD);
        for kind in 0..2 {
            text.push_str("    [\n");
            for plane in self.starts(kind).chunks(4) {
                text.push_str("        [\n");
                for [size, value] in plane {
                    text.push_str("            [\n");
                    for start in [size, value] {
                        let _ = writeln!(text, "                {start:?},");
                    }
                    text.push_str("            ],\n");
                }
                text.push_str("        ],\n");
            }
            text.push_str("    ],\n");
        }
        text.push_str(MIDDLE);
        for node in &self.mixing() {
            text.push_str("    [\n");
            for odd in node {
                text.push_str("        [\n");
                for weights in odd {
                    let _ = writeln!(text, "            {weights:?},");
                }
                text.push_str("        ],\n");
            }
            text.push_str("    ],\n");
        }
        text.push_str("];\n");
        text
    }
}

const HEAD: &str = "//! Tables of the best models, written by `examples/fit_best.rs`.

use crate::entropy::Start;

/// For the whole-picture part and stripes, by plane and orientation: magnitudes and values.
#[rustfmt::skip]
pub(super) static REGRESSIONS: [[[[Start; 2]; 4]; 3]; 2] = [
";

const MIDDLE: &str = "];

/// Mixing weights in 1/16384, by node, quantiser and quarter of the class of size.
#[rustfmt::skip]
pub(super) static MIXING: [[[[i32; 8]; 16]; 2]; 6] = [
";
