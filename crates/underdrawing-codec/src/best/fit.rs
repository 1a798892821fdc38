//! Fits the initial state of the best models to pictures; for the project's own use.
//!
//! The models code one picture after another without being reset. What they have learned by then is
//! the initial state from now on.

use super::mix::Mixer;
use super::model::{CONTEXTS, Model};
use super::odds::GUESSES;
use super::regression::Regression;
use super::{code_with, low_bands};
use crate::encoder::Encoder;
use crate::entropy::{MAIN_NODES, RangeCoder, Start};
use crate::models::Models;
use crate::part::Cut;
use crate::{Effort, Picture};
use std::fmt::Write as _;

/// How many observations the initial state counts for.
const TRUST: f32 = 3000.0;

/// What pictures have contributed.
pub struct BestFit {
    /// Of the whole-picture part and of stripes, by plane and orientation: magnitudes and values.
    regressions: [Vec<[Regression; 2]>; 2],
    /// The weights of all pictures' stripes, and how often each set was used.
    mixer: Mixer,
    weights: Vec<Vec<[f64; GUESSES]>>,
    n: f64,
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
        let empty = || (0..12).map(|_| [Regression::empty(), Regression::empty()]);
        Self {
            regressions: [empty().collect(), empty().collect()],
            mixer: Model::new(3, false).mixer,
            weights: vec![vec![[0.0; GUESSES]; CONTEXTS]; MAIN_NODES],
            n: 0.0,
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
            let mut model = Model::new(3, part.whole);
            if !part.whole {
                model.mixer = self.mixer.clone();
            }
            let machine = Models::Best.machine();
            // The bytes are not used, only what the model learns.
            code_with(&mut model, &mut RangeCoder::writer(), machine, part, low);
            let sums = &mut self.regressions[usize::from(!part.whole)];
            for (sums, found) in sums.iter_mut().zip(&model.early) {
                sums[0].add(&found[0]);
                sums[1].add(&found[1]);
            }
            if !part.whole {
                self.mixer = model.mixer;
            }
        }
        self.n += 1.0;
        for (node, contexts) in self.weights.iter_mut().enumerate() {
            for (context, mean) in contexts.iter_mut().enumerate() {
                let found = self.mixer.weights(context, node);
                for (mean, found) in mean.iter_mut().zip(found) {
                    *mean += (f64::from(found) - *mean) / self.n;
                }
            }
        }
    }

    fn starts(&self, kind: usize) -> Vec<[Start; 2]> {
        let regressions = self.regressions[kind].iter();
        regressions
            .map(|pair| [pair[0].to_start(TRUST), pair[1].to_start(TRUST)])
            .collect()
    }

    /// Mixing weights in 1/16384.
    fn mixing(&self) -> Vec<Vec<[i32; GUESSES]>> {
        let rounded = |weights: &[f64; GUESSES]| weights.map(|w| (w * 16384.0).round() as i32);
        let of_node = |node: &Vec<_>| node.iter().map(rounded).collect();
        self.weights.iter().map(of_node).collect()
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
            for weights in node {
                let _ = writeln!(text, "        {weights:?},");
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

/// Mixing weights in 1/16384, by node and context.
#[rustfmt::skip]
pub(super) static MIXING: [[[i32; 4]; 128]; 6] = [
";
