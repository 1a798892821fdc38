//! A picture to segments.

mod curve;
mod exact;
mod guess;
mod quantised;
mod rate;
mod sample;

use crate::colour::Colour;
use crate::models::Models;
use crate::part::{Cut, Part};
use crate::quantise::Machine;
use crate::{Effort, Picture, planes};
pub use curve::RateCurve;
use quantised::Quantised;
use thiserror::Error;

/// Price of a bit in squared widths of a quantiser (twice the step), times 65536.
const LAMBDA: u32 = 4260;

/// Length of a header, about.
const HEADER_BYTES: usize = 22;

/// A picture made ready to be coded, at any number of rates.
pub struct Encoder<'p> {
    picture: &'p Picture,
    effort: Effort,
    models: Models,
    cut: Cut,
    colour: Option<Colour>,
    /// Coefficients, the whole-picture part first.
    parts: Vec<Part>,
}

/// A coded picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The first holds the header and the whole-picture part, the others a stripe of rows each.
    pub segments: Vec<Vec<u8>>,
    /// Mean squared error of what decoding gives, in squared grey levels over all samples.
    pub mse: f64,
}

impl Coded {
    /// Bytes of all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    /// Whether there is no byte; never, since there is a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a picture cannot be coded as asked.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Even the coarsest picture needs more bytes.
    #[error("{budget} bytes are too few: the coarsest picture takes {needed}")]
    Budget {
        /// Bytes allowed.
        budget: usize,
        /// Bytes needed.
        needed: usize,
    },
}

impl<'p> Encoder<'p> {
    /// Transforms the picture.
    #[must_use]
    pub fn new(picture: &'p Picture, effort: Effort) -> Self {
        let cut = Cut::new(picture.width(), picture.height());
        let colour = planes::colour_of(picture);
        let parts = planes::transform(picture, colour.as_ref(), &cut);
        Self {
            picture,
            effort,
            models: Models::of(effort),
            cut,
            colour,
            parts,
        }
    }

    /// Estimates what quality to expect at what size; cheap, see [`RateCurve`].
    #[must_use]
    pub fn estimate(&self) -> RateCurve {
        RateCurve::of(self.picture, self.effort)
    }

    /// The best quality that fits in `budget` bytes.
    ///
    /// # Errors
    /// When nothing fits.
    pub fn encode_to_bytes(&self, budget: usize) -> Result<Coded, EncodeError> {
        if let Some(exact) = self.exact_within(budget) {
            return Ok(exact);
        }
        Ok(self.finish(self.fit(budget)?))
    }

    /// The fewest bytes with a mean squared error of at most `mse` squared grey levels: without loss
    /// if `mse` is not above 0.
    #[must_use]
    pub fn encode_to_mse(&self, mse: f64) -> Coded {
        let lossy = (mse > 0.0).then(|| self.step_for_error(mse)).flatten();
        let Some(quantised) = lossy else {
            return self.exact_within(usize::MAX).expect("any size is allowed");
        };
        let coded = self.finish(self.code(quantised, &self.all()));
        self.exact_within(coded.len()).unwrap_or(coded)
    }

    /// The multiples of the step that a budget buys, for fitting tables to.
    #[cfg(feature = "fit")]
    pub(crate) fn multiples(&self, budget: usize) -> Result<Vec<Part>, EncodeError> {
        Ok(self.fit(budget)?.quantised.parts)
    }

    /// All parts' numbers, by which they are chosen: 0 is the whole-picture part, then the stripes.
    fn all(&self) -> Vec<usize> {
        (0..self.parts.len()).collect()
    }

    /// Quantises some parts, the whole-picture part first among them.
    fn quantise(&self, which: &[usize], step: u32, machine: Machine) -> Quantised {
        Quantised::new(&self.parts, &self.cut, which, (step, LAMBDA), machine)
    }

    /// Quantises and codes some parts, the whole-picture part first among them.
    fn attempt(&self, which: &[usize], step: u32) -> Attempt {
        self.code(self.quantise(which, step, self.models.machine()), which)
    }

    fn code(&self, quantised: Quantised, which: &[usize]) -> Attempt {
        let mut segments = vec![Vec::new(); self.parts.len()];
        for (&i, bytes) in which.iter().zip(quantised.code(self, which)) {
            segments[i] = bytes;
        }
        Attempt {
            quantised,
            segments,
        }
    }

    /// Adds stripes to an attempt, or codes them again at another price.
    fn add(&self, attempt: &mut Attempt, which: &[usize], lambda: u32) {
        let Attempt {
            quantised,
            segments,
        } = attempt;
        quantised.add(&self.parts, &self.cut, which, lambda);
        for (&i, bytes) in which.iter().zip(quantised.code(self, which)) {
            segments[i] = bytes;
        }
    }

    /// Bytes besides the coefficients: the header, about, and each segment's end.
    fn overhead(&self) -> usize {
        HEADER_BYTES + self.parts.len()
    }

    fn mse(&self, quantised: &Quantised) -> f64 {
        planes::mean_squared_error(
            self.picture,
            &quantised.parts,
            &self.cut,
            self.colour.as_ref(),
            quantised.step,
        )
    }

    fn finish(&self, attempt: Attempt) -> Coded {
        Coded {
            mse: self.mse(&attempt.quantised),
            segments: attempt.segments,
        }
    }
}

/// What these models usually need of the fast model's bytes.
fn usual_ratio(models: Models) -> f64 {
    match models {
        Models::Lossless | Models::Fast => 1.0,
        Models::Normal => 0.97,
        Models::Best => 0.925,
    }
}

/// A coded picture, or some of its parts, and what it holds.
struct Attempt {
    quantised: Quantised,
    /// Empty where a part was not coded.
    segments: Vec<Vec<u8>>,
}

impl Attempt {
    fn len(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    /// Bytes of some parts.
    fn len_of(&self, which: &[usize]) -> usize {
        which.iter().map(|&i| self.segments[i].len()).sum()
    }
}
