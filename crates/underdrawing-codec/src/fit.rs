//! Fits the fast model's tables to pictures; for the project's own use.
//!
//! The present tables decide which multiples the new ones are fitted to. So fit, build, and fit
//! again; two rounds are enough.

mod solve;

use crate::best::LowBand;
pub use crate::best::fit::BestFit;
use crate::encoder::Encoder;
use crate::entropy::RangeCoder;
use crate::fast::context::{
    BandContext, N_CLASSES, N_WEIGHTS, RowSums, Weights, band_index, class, weight, weights,
};
use crate::fast::{UNARY, magnitude};
use crate::models::Models;
use crate::part::{Cut, Part};
use crate::quantise::{Machine, index};
use crate::{Effort, Picture};
use solve::Equations;
use std::fmt::Write as _;

/// Bands of a plane, each of which has its own weights.
const N_BANDS: usize = 16;

/// What the pictures have contributed: equations for the weights, then counts for the chances.
pub struct FastFit {
    equations: Vec<Equations>,
    weights: Vec<Weights>,
    /// `[class][odd][bit]`: zeros and ones.
    counts: Vec<[[[u64; 2]; UNARY]; 2]>,
}

/// A picture's multiples of the step at some rate.
pub struct QuantisedPicture {
    parts: Vec<Part>,
}

impl QuantisedPicture {
    /// Quantises a picture to about `bpp` bits per pixel; none if that is too few.
    #[must_use]
    pub fn new(picture: &Picture, bpp: f64) -> Option<Self> {
        let area = (picture.width() * picture.height()) as f64;
        let encoder = Encoder::new(picture, Effort::Fast);
        let parts = encoder.multiples((bpp * area / 8.0) as usize).ok()?;
        Some(Self { parts })
    }
}

impl Default for FastFit {
    fn default() -> Self {
        Self::new()
    }
}

impl FastFit {
    /// Starts without pictures.
    #[must_use]
    pub fn new() -> Self {
        Self {
            equations: vec![Equations::new(); 3 * N_BANDS],
            weights: vec![[0; N_WEIGHTS]; 3 * N_BANDS],
            counts: vec![[[[0; 2]; UNARY]; 2]; N_CLASSES],
        }
    }

    /// First pass: adds magnitudes and those around them.
    pub fn add_to_weights(&mut self, sample: &QuantisedPicture) {
        for part in &sample.parts {
            for context in &BandContext::of(&part.shape()) {
                for plane in 0..part.planes.len() {
                    let at = plane * N_BANDS + band_index(&context.band);
                    add_band(&mut self.equations[at], part, context, plane);
                }
            }
        }
    }

    /// Between the passes: solves for the weights.
    pub fn solve(&mut self) {
        for (weights, equations) in self.weights.iter_mut().zip(&self.equations) {
            *weights = equations.solve().map(|w| (w * 4096.0).round() as i32);
        }
    }

    /// Second pass: counts the bits in each class.
    pub fn add_to_chances(&mut self, sample: &QuantisedPicture) {
        let mut sums = RowSums::new();
        for part in &sample.parts {
            let magnitudes = magnitudes(part);
            for context in &BandContext::of(&part.shape()) {
                let band = &context.band;
                for plane in 0..part.planes.len() {
                    let weights = &self.weights[plane * N_BANDS + band_index(band)];
                    let mut state = 0;
                    for y in 0..if band.width == 0 { 0 } else { band.height } {
                        sums.fill(context, weights, &magnitudes, plane, y);
                        let row = &part.planes[plane][band.row(y)..][..band.width];
                        let (mut left, mut left_2) = (0, 0);
                        for (&n, &sum) in row.iter().zip(&sums.sums) {
                            let near =
                                weights[weight::LEFT] * left + weights[weight::LEFT_2] * left_2;
                            let class = class(sum + near);
                            let odd = Machine::EIGHT.is_odd(state);
                            let k = index(n, odd);
                            state = Machine::EIGHT.next(state, k);
                            let counts = &mut self.counts[class][usize::from(odd)];
                            for (i, count) in counts.iter_mut().enumerate().take(k as usize + 1) {
                                count[usize::from(k > i as u32)] += 1;
                            }
                            (left_2, left) = (left, magnitude(n));
                        }
                    }
                }
            }
        }
    }

    /// The tables as a Rust file.
    #[must_use]
    pub fn source(&self) -> String {
        let mut text = String::from(HEAD);
        text.push_str("#[rustfmt::skip]\npub(super) static WEIGHTS: [[[i32; 16]; 16]; 3] = [\n");
        for plane in self.weights.chunks(N_BANDS) {
            text.push_str("    [\n");
            for weights in plane {
                let _ = writeln!(text, "        {weights:?},");
            }
            text.push_str("    ],\n");
        }
        text.push_str("];\n\n/// Chances of \"more than i\" in 1/65536, by class and quantiser.\n");
        text.push_str("#[rustfmt::skip]\npub(super) static CHANCES: [[[u16; 15]; 2]; 64] = [\n");
        for class in 0..N_CLASSES {
            text.push_str("    [\n");
            for odd in 0..2 {
                let chances: [u16; UNARY] = std::array::from_fn(|i| self.chance(class, odd, i));
                let _ = writeln!(text, "        {chances:?},");
            }
            text.push_str("    ],\n");
        }
        text.push_str("];\n");
        text
    }

    /// The chance of a bit. In rare classes it leans towards that of a geometric distribution.
    fn chance(&self, class: usize, odd: usize, bit: usize) -> u16 {
        const PRIOR: f64 = 4.0;
        let [zeros, ones] = self.counts[class][odd][bit].map(|n| n as f64);
        let mean = f64::from(4 + class as u32 % 4) / 4.0 * f64::from(1 << (class / 4)) / 64.0 / 2.0;
        let prior = mean / (1.0 + mean);
        let chance = (ones + PRIOR * prior) / (zeros + ones + PRIOR);
        (chance * 65536.0).clamp(16.0, 65520.0) as u16
    }
}

const HEAD: &str = "//! Tables of the fast model, written by `examples/fit_tables.rs`.

/// Weights of magnitudes in 1/4096, by plane and band.
";

fn magnitudes(part: &Part) -> Vec<Vec<i32>> {
    let of = |plane: &Vec<i32>| plane.iter().map(|&n| magnitude(n)).collect();
    part.planes.iter().map(of).collect()
}

/// Adds a band's coefficients, weighted by the present tables' expectations, so that relative
/// errors are fitted.
fn add_band(equations: &mut Equations, part: &Part, context: &BandContext, plane: usize) {
    let magnitudes = magnitudes(part);
    let band = &context.band;
    let present = weights(plane, band);
    let mut sums = RowSums::new();
    for y in 0..if band.width == 0 { 0 } else { band.height } {
        let row = &magnitudes[plane][band.row(y)..][..band.width];
        let left = |x: usize, by: usize| if x >= by { row[x - by] } else { 0 };
        let features: Vec<Vec<i32>> = (0..N_WEIGHTS)
            .map(|i| match i {
                weight::LEFT => (0..row.len()).map(|x| left(x, 1)).collect(),
                weight::LEFT_2 => (0..row.len()).map(|x| left(x, 2)).collect(),
                _ => {
                    let mut unit = [0; N_WEIGHTS];
                    unit[i] = 1;
                    sums.fill(context, &unit, &magnitudes, plane, y);
                    sums.sums.clone()
                }
            })
            .collect();
        for (x, &magnitude) in row.iter().enumerate() {
            let f: [f64; N_WEIGHTS] = std::array::from_fn(|i| f64::from(features[i][x]));
            let expected: f64 = f.iter().zip(present).map(|(f, &w)| f * f64::from(w)).sum();
            let expected = (expected / 4096.0).max(0.0) + 0.15;
            equations.add(&f, magnitude.into(), 1.0 / (expected * expected));
        }
    }
}

/// Multiples of a fixed step, whose bytes tell what a change of the models brings.
pub struct Probe {
    parts: Vec<Part>,
    low_bands: Vec<Vec<LowBand>>,
    models: Models,
}

impl Probe {
    /// Quantises to a step in grey levels.
    #[must_use]
    pub fn new(picture: &Picture, effort: Effort, step: f64) -> Self {
        let parts = Encoder::new(picture, effort).multiples_of((step * 16384.0) as u32);
        let models = Models::of(effort);
        let cut = Cut::new(picture.width(), picture.height());
        let low_bands = models.low_bands(&parts[0], &cut);
        Self {
            parts,
            low_bands,
            models,
        }
    }

    /// Codes the parts one after the other and returns their bytes.
    #[must_use]
    pub fn code(&self) -> Vec<Vec<u8>> {
        let code = |(part, low): (&Part, &Vec<LowBand>)| {
            let mut coder = RangeCoder::writer();
            self.models.code_part(&mut coder, &mut part.clone(), low);
            coder.finish()
        };
        self.parts.iter().zip(&self.low_bands).map(code).collect()
    }
}
