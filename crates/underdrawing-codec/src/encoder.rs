//! Encoding: a picture to segments.

mod curve;
mod guess;
mod lossless;
mod novelty;
mod quantised;
mod rate;
mod subset;

use crate::colour::ColourBasis;
use crate::models::Models;
use crate::part::Cut;
#[cfg(feature = "fit")]
use crate::part::Part;
use crate::parts::Parts;
use crate::quantise::Machine;
use crate::{Effort, Picture, planes};
pub use curve::RateCurve;
use quantised::Quantised;
use std::sync::OnceLock;
use thiserror::Error;

/// Price of a bit (the Lagrange multiplier), times 65536, in squared widths of a quantiser, which
/// is twice the step: for a step of up to four grey levels, and for one of twelve and more. With
/// nearly all coefficients at zero, a lower one is better by 0.04 dB.
const LAMBDA: u32 = 4260;
const LAMBDA_COARSE: u32 = 3000;

/// The usual price of a bit at a step.
fn usual_price(step: u32) -> u32 {
    let coarse = step.clamp(4 << 14, 12 << 14) - (4 << 14);
    LAMBDA - (LAMBDA - LAMBDA_COARSE) * (coarse >> 8) / (8 << 6)
}

/// Typical length of a header.
const HEADER_BYTES: usize = 22;

/// A picture, ready to be coded at any number of rates.
pub struct Encoder<'p> {
    picture: &'p Picture<'p>,
    effort: Effort,
    models: Models,
    cut: Cut,
    /// Made when it is first asked for: a lossless coding takes samples.
    transformed: OnceLock<Transformed>,
}

/// A picture's coefficients.
struct Transformed {
    colour: Option<ColourBasis>,
    parts: Parts,
}

/// A coded picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Coded {
    /// The first holds the header and the whole-picture part, each of the others a stripe of rows.
    pub segments: Vec<Vec<u8>>,
    /// Mean squared error of the decoded picture, over all samples, in squared grey levels.
    pub mse: f64,
}

impl Coded {
    /// Bytes of all segments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    /// Whether there are no bytes: never, since there is a header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a picture cannot be coded as requested.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// Even the coarsest coding needs more bytes.
    #[error("{budget} bytes are too few: the coarsest picture takes {needed}")]
    Budget {
        /// Bytes allowed.
        budget: usize,
        /// Bytes needed.
        needed: usize,
    },
}

impl<'p> Encoder<'p> {
    /// Takes a picture. It is transformed when it is first coded with a loss.
    #[must_use]
    pub fn new(picture: &'p Picture<'p>, effort: Effort) -> Self {
        Self {
            picture,
            effort,
            models: Models::of(effort),
            cut: Cut::new(picture.width(), picture.height()),
            transformed: OnceLock::new(),
        }
    }

    fn transformed(&self) -> &Transformed {
        self.transformed.get_or_init(|| {
            let colour = planes::colour_of(self.picture);
            let parts = planes::transform(self.picture, colour.as_ref(), &self.cut);
            Transformed { colour, parts }
        })
    }

    fn parts(&self) -> &Parts {
        &self.transformed().parts
    }

    fn colour(&self) -> Option<&ColourBasis> {
        self.transformed().colour.as_ref()
    }

    /// Estimates the quality at every size. This is quick; see [`RateCurve`].
    #[must_use]
    pub fn estimate(&self) -> RateCurve {
        RateCurve::of(self.picture, self.effort)
    }

    /// Codes at the best quality that fits in `budget` bytes.
    ///
    /// # Errors
    /// When even the coarsest coding does not fit.
    pub fn encode_to_bytes(&self, budget: usize) -> Result<Coded, EncodeError> {
        if let Some(lossless) = self.lossless_within(budget) {
            return Ok(lossless);
        }
        Ok(self.finish(self.lossy_within(budget)?))
    }

    /// Codes without loss, if that fits in `budget` bytes; quick where it plainly does not.
    #[must_use]
    pub fn encode_without_loss(&self, budget: usize) -> Option<Coded> {
        self.lossless_within(budget)
    }

    /// Codes in the fewest bytes with a mean squared error of at most `mse` squared grey levels. If
    /// `mse` is not above 0, the coding is lossless.
    #[must_use]
    pub fn encode_to_mse(&self, mse: f64) -> Coded {
        let lossy = (mse > 0.0).then(|| self.step_for_error(mse)).flatten();
        let Some(quantised) = lossy else {
            return self
                .lossless_within(usize::MAX)
                .expect("any size is allowed");
        };
        let coded = self.finish(self.code(quantised, &self.all()));
        self.lossless_within(coded.len()).unwrap_or(coded)
    }

    /// The multiples of the step that fill a budget, to fit tables to.
    #[cfg(feature = "fit")]
    pub(crate) fn multiples(&self, budget: usize) -> Result<Vec<Part>, EncodeError> {
        Ok(self.lossy_within(budget)?.quantised.parts.unpacked())
    }

    /// The multiples of a step, to count bytes of.
    #[cfg(feature = "fit")]
    pub(crate) fn multiples_of(&self, step: u32) -> Vec<Part> {
        self.quantise(&self.all(), step, self.models.machine())
            .parts
            .unpacked()
    }

    /// The numbers of all parts: 0 is the whole-picture part, the stripes follow.
    fn all(&self) -> Vec<usize> {
        (0..self.parts().len()).collect()
    }

    /// Quantises some parts, the whole-picture part first among them.
    fn quantise(&self, which: &[usize], step: u32, machine: Machine) -> Quantised {
        let price = (step, usual_price(step));
        Quantised::new(self.parts(), which, price, machine)
    }

    /// Quantises and codes some parts, the whole-picture part first among them.
    fn attempt(&self, which: &[usize], step: u32) -> Attempt {
        self.code(self.quantise(which, step, self.models.machine()), which)
    }

    fn code(&self, quantised: Quantised, which: &[usize]) -> Attempt {
        let mut segments = vec![Vec::new(); self.parts().len()];
        for (&i, bytes) in which.iter().zip(quantised.code(self, which)) {
            segments[i] = bytes;
        }
        Attempt {
            quantised,
            segments,
        }
    }

    /// Adds stripes to an attempt, or codes them again at another price of a bit.
    fn add(&self, attempt: &mut Attempt, which: &[usize], lambda: u32) {
        let Attempt {
            quantised,
            segments,
        } = attempt;
        quantised.add(self.parts(), which, lambda);
        for (&i, bytes) in which.iter().zip(quantised.code(self, which)) {
            segments[i] = bytes;
        }
    }

    /// About how many bytes the header and the ends of segments take.
    fn overhead(&self) -> usize {
        HEADER_BYTES + self.parts().len()
    }

    fn mse(&self, quantised: &Quantised) -> f64 {
        planes::mean_squared_error(
            self.picture,
            &quantised.parts,
            self.colour(),
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

/// Bytes that these models usually take, as a share of the fast model's.
fn usual_ratio(models: Models) -> f64 {
    match models {
        Models::Lossless | Models::Fast => 1.0,
        Models::Normal => 0.97,
        Models::Best | Models::BestV1 => 0.925,
    }
}

/// A coded picture, or some of its parts.
struct Attempt {
    quantised: Quantised,
    /// Empty where a part was not coded.
    segments: Vec<Vec<u8>>,
}

impl Attempt {
    fn len(&self) -> usize {
        self.segments.iter().map(Vec::len).sum()
    }

    /// Bytes of some of the parts.
    fn len_of(&self, which: &[usize]) -> usize {
        which.iter().map(|&i| self.segments[i].len()).sum()
    }
}
