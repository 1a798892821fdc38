//! A quantised picture: its multiples of one step, and the bytes that they take.

use super::Encoder;
use crate::bands::{Band, STRIPE_LEVELS};
use crate::entropy::RangeCoder;
use crate::fast;
use crate::fast::context::{BandContext, MAX_MAGNITUDE};
use crate::header::Header;
use crate::parallel;
use crate::part::Part;
use crate::parts::{PackedPart, Parts};
use crate::quantise::{Machine, Prices, TARGET_BITS, search};
use crate::simd::with_simd;
use crate::step;

/// Multiples of a step.
#[derive(Clone)]
pub(super) struct Quantised {
    pub(super) step: u32,
    /// Those that were not asked for are missing.
    pub(super) parts: Parts,
    pub(super) machine: Machine,
}

impl Quantised {
    /// Quantises the coefficients of some parts, the whole-picture part first among them; `lambda`
    /// is in the unit of [`super::LAMBDA`].
    pub(super) fn new(
        coefficients: &Parts,
        which: &[usize],
        (step, lambda): (u32, u32),
        machine: Machine,
    ) -> Self {
        let mut quantised = Self {
            step,
            parts: Parts::missing(coefficients.cut()),
            machine,
        };
        quantised.add(coefficients, which, lambda);
        quantised
    }

    /// Quantises some parts, or quantises them again, at their own price of a bit.
    pub(super) fn add(&mut self, coefficients: &Parts, which: &[usize], lambda: u32) {
        // Targets are in 1/64 steps, so a quantiser is 2 * 64 of them wide. The search takes 16
        // times the price.
        let lambda = ((u64::from(lambda) * (4 << (2 * TARGET_BITS)) * 16) >> 16) as i32;
        let prices = Prices::new(fast::rates(), lambda);
        let found = parallel::map(which, |&i| {
            let part = coefficients.part(i);
            PackedPart::of(&quantise_part(&part, self.machine, self.step, &prices))
        });
        for (&i, part) in which.iter().zip(found) {
            self.parts.set(i, part);
        }
    }

    /// What the fast model would take for some parts.
    pub(super) fn fast_costs(&self, which: &[usize]) -> Vec<FastCost> {
        parallel::map(which, |&i| {
            let mut part = self.parts.part(i);
            let nonzero = |plane: &Vec<i32>| plane.iter().filter(|&&n| n != 0).count();
            FastCost {
                n_nonzero: part.planes.iter().map(nonzero).sum(),
                bytes: fast::cost_in_bits(self.machine, &mut part) / 8.0,
            }
        })
    }

    /// The segments of some parts.
    pub(super) fn code(&self, encoder: &Encoder, which: &[usize]) -> Vec<Vec<u8>> {
        let low_bands = encoder.models.low_bands(&self.parts.part(0), &encoder.cut);
        parallel::map(which, |&i| {
            let mut bytes = Vec::new();
            if i == 0 {
                self.header(encoder).write(&mut bytes);
            }
            let mut coder = RangeCoder::writer();
            // The models also write to the part.
            let part = &mut self.parts.part(i);
            encoder.models.code_part(&mut coder, part, &low_bands[i]);
            bytes.append(&mut coder.finish());
            bytes
        })
    }

    fn header(&self, encoder: &Encoder) -> Header {
        Header {
            models: encoder.models,
            width: encoder.picture.width(),
            height: encoder.picture.height(),
            channels: encoder.picture.channels(),
            colour: encoder.colour().copied(),
            step: self.step,
        }
    }
}

/// What the fast model would take for a part.
pub(super) struct FastCost {
    pub(super) bytes: f64,
    /// Multiples other than zero, among them a stripe's of level 3.
    pub(super) n_nonzero: usize,
}

/// Chooses the multiples of one part.
fn quantise_part(part: &Part, machine: Machine, step: u32, prices: &Prices) -> Part {
    let contexts = BandContext::of(&part.shape());
    let mut targets = Part::zeros(part.shape(), part.planes.len());
    let mut magnitudes = targets.planes.clone();
    // A stripe's level 3, which its level 2 looks at, is rounded too.
    let context_bands: Vec<Band> = if part.whole {
        Vec::new()
    } else {
        let parents = contexts.iter().filter_map(|c| c.parent);
        parents.filter(|band| band.level > STRIPE_LEVELS).collect()
    };
    for band in contexts.iter().map(|c| c.band).chain(context_bands) {
        let size = step::of_band(step, &band);
        for (p, plane) in part.planes.iter().enumerate() {
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                let row = band.row(y)..band.row(y) + band.width;
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
    for context in &contexts {
        let band = &context.band;
        for p in 0..part.planes.len() {
            fast::classes(context, &magnitudes, p, &mut classes);
            line.clear();
            for y in 0..band.height {
                line.extend_from_slice(&targets.planes[p][band.row(y)..][..band.width]);
            }
            multiples.clear();
            multiples.resize(line.len(), 0);
            search(machine, &line, &classes, prices, &mut multiples);
            for y in 0..if band.width == 0 { 0 } else { band.height } {
                out.planes[p][band.row(y)..][..band.width]
                    .copy_from_slice(&multiples[y * band.width..][..band.width]);
            }
        }
    }
    out
}
