//! One choice of step and price: the multiples of the step, and their bytes.

use super::Encoder;
use crate::best::Low;
use crate::entropy;
use crate::fast;
use crate::fast::context::{Around, MAX_MAGNITUDE};
use crate::header::Header;
use crate::models::Models;
use crate::part::{Cut, Part};
use crate::quantise::{Machine, Rates, TARGET_BITS, search};
use crate::simd::with_simd;
use crate::step;
use rayon::prelude::*;

/// Multiples of a step, for all parts.
#[derive(Clone)]
pub(super) struct Quantised {
    pub(super) step: u32,
    /// The whole-picture part first; stripes have their rows of level 3 too.
    pub(super) parts: Vec<Part>,
    pub(super) machine: Machine,
}

impl Quantised {
    /// Quantises coefficients; `lambda` as in [`super::LAMBDA`].
    pub(super) fn new(
        coefficients: &[Part],
        cut: &Cut,
        step: u32,
        lambda: u32,
        machine: Machine,
    ) -> Self {
        let rates = fast::rates();
        let mut parts: Vec<Part> = coefficients
            .par_iter()
            .map(|part| quantise_part(part, machine, (step, lambda), rates))
            .collect();
        let (whole, stripes) = parts.split_at_mut(1);
        stripes.par_iter_mut().enumerate().for_each(|(i, stripe)| {
            for (plane, whole) in stripe.planes.iter_mut().zip(&whole[0].planes) {
                cut.copy_context(i, whole, plane);
            }
        });
        Self {
            step,
            parts,
            machine,
        }
    }

    /// Bytes that the fast model would take for the coefficients.
    pub(super) fn fast_bytes(&self) -> f64 {
        let bits: Vec<f64> = self
            .parts
            .par_iter()
            .map(|part| {
                let mut counter = entropy::Counter::default();
                fast::code_part(&mut counter, self.machine, &mut part.clone());
                counter.bits()
            })
            .collect();
        bits.iter().sum::<f64>() / 8.0
    }

    /// Multiples other than zero.
    pub(super) fn n_nonzero(&self) -> usize {
        let planes = self.parts.par_iter().flat_map(|part| &part.planes);
        planes
            .map(|plane| plane.iter().filter(|&&n| n != 0).count())
            .sum()
    }

    /// Quantises and codes some parts again, at another price.
    pub(super) fn again(
        &mut self,
        encoder: &Encoder,
        which: &[usize],
        lambda: u32,
    ) -> Vec<Vec<u8>> {
        let rates = fast::rates();
        let (whole, models) = (&self.parts[0], encoder.models);
        let contexts = models.contexts(whole, &encoder.cut);
        let price = (self.step, lambda);
        let found: Vec<(Part, Vec<u8>)> = which
            .par_iter()
            .map(|&i| {
                let mut part = quantise_part(&encoder.parts[i], self.machine, price, rates);
                for (plane, whole) in part.planes.iter_mut().zip(&whole.planes) {
                    encoder.cut.copy_context(i - 1, whole, plane);
                }
                let bytes = code_part(models, &part, &contexts[i]);
                (part, bytes)
            })
            .collect();
        let (parts, segments): (Vec<Part>, Vec<Vec<u8>>) = found.into_iter().unzip();
        for (&i, part) in which.iter().zip(parts) {
            self.parts[i] = part;
        }
        segments
    }

    /// The segments.
    pub(super) fn code(&self, encoder: &Encoder) -> Vec<Vec<u8>> {
        let header = Header {
            models: encoder.models,
            width: encoder.picture.width(),
            height: encoder.picture.height(),
            channels: encoder.picture.channels(),
            colour: encoder.colour,
            step: self.step,
        };
        let contexts = encoder.models.contexts(&self.parts[0], &encoder.cut);
        let mut segments: Vec<Vec<u8>> = self
            .parts
            .par_iter()
            .zip(&contexts)
            .map(|(part, context)| code_part(encoder.models, part, context))
            .collect();
        let mut first = Vec::new();
        header.write(&mut first);
        first.append(&mut segments[0]);
        segments[0] = first;
        segments
    }
}

fn code_part(models: Models, part: &Part, context: &[Low]) -> Vec<u8> {
    let mut coder = entropy::Encoder::new();
    // The models write what they code back.
    models.code_part(&mut coder, &mut part.clone(), context);
    coder.finish()
}

/// Chooses the multiples of one part.
fn quantise_part(part: &Part, machine: Machine, (step, lambda): (u32, u32), rates: &Rates) -> Part {
    // Targets are in 1/64 steps: a squared width is (2 * 64)^2 of their squares, and the search
    // wants 16 times that.
    let lambda = ((u64::from(lambda) * (4 << (2 * TARGET_BITS)) * 16) >> 16) as i32;
    let around = Around::of(&part.shape());
    let mut targets = Part::zeros(part.shape(), part.planes.len());
    let mut magnitudes = targets.planes.clone();
    for around in &around {
        let size = step::of_band(step, &around.band);
        for (p, plane) in part.planes.iter().enumerate() {
            for y in 0..around.band.height {
                let row = around.band.row(y)..around.band.row(y) + around.band.width;
                let targets = &mut targets.planes[p][row.clone()];
                let magnitudes = &mut magnitudes[p][row.clone()];
                with_simd(
                    #[inline(always)]
                    || {
                        step::targets(size, &plane[row], targets);
                        for (magnitude, &target) in magnitudes.iter_mut().zip(&*targets) {
                            let rounded = (target.unsigned_abs() + 24) >> TARGET_BITS;
                            *magnitude = rounded.min(MAX_MAGNITUDE as u32) as i32;
                        }
                    },
                );
            }
        }
    }
    let mut out = Part::zeros(part.shape(), part.planes.len());
    let (mut classes, mut line, mut multiples) = (Vec::new(), Vec::new(), Vec::new());
    for around in &around {
        let band = &around.band;
        for p in 0..part.planes.len() {
            fast::classes(around, &magnitudes, p, &mut classes);
            line.clear();
            for y in 0..band.height {
                line.extend_from_slice(&targets.planes[p][band.row(y)..][..band.width]);
            }
            multiples.clear();
            multiples.resize(line.len(), 0);
            search(machine, &line, &classes, rates, lambda, &mut multiples);
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                out.planes[p][band.row(y)..][..band.width]
                    .copy_from_slice(&multiples[y * band.width..][..band.width]);
            }
        }
    }
    out
}
