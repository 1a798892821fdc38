//! The secret at the bytes that there are: what every method that codes shares.

use underdrawing_codec::{Coded, Decoded, Effort, Encoder, decode, n_stripes};

use crate::coding::{coding_picture, rgb};
use crate::error::Error;
use crate::picture::{Pixels, Raster};
use crate::progress::Steps;
use crate::restoring::restored;

/// What becomes of a decoded picture (`docs/format.md`, sections 3.5 and 5.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finish {
    Plain = 0,
    /// By the first restoring network.
    Restored = 1,
}

impl Finish {
    /// None for one that this version does not know.
    pub(crate) fn from_byte(byte: u8) -> Option<Self> {
        [Self::Plain, Self::Restored]
            .into_iter()
            .find(|finish| *finish as u8 == byte)
    }

    /// What is revealed, in the secret's own size.
    pub(crate) fn revealed(self, decoded: Decoded, (width, height): (usize, usize)) -> Raster<u8> {
        let picture = match self {
            Self::Plain => rgb(decoded.picture),
            Self::Restored => restored(decoded),
        };
        picture.resized(width, height)
    }
}

/// A secret that fits.
pub(crate) struct Fitted {
    pub(crate) coded: Coded,
    /// Width and height of the coded picture.
    pub(crate) size: (usize, usize),
    pub(crate) finish: Finish,
    /// Mean squared error of what is revealed, in the secret's own size.
    pub(crate) mse: f64,
}

/// With so many bits for each of its pixels a secret is best coded in its own size.
pub(crate) const PLENTY: f64 = 0.15;

/// With fewer, the best size is one that gives each of its pixels at least this many: photographs,
/// restored, had it at 0.12 to 0.25.
const ENOUGH: f64 = 0.12;

/// Share of a side that a reduction keeps.
const REDUCTION: f64 = 0.84;

/// Drawings may be better in their own size even so: it is tried where the estimate says that its
/// error is below this share of the best reduction's. The estimate is within 2 dB.
const PLAINLY_BETTER: f64 = 0.63;

/// With more bits for each of its pixels hardly any picture gains by being restored: of 15
/// photographs 15 did at 0.2, 11 at 1, 7 at 1.5 and 1 at 2.
const RESTORED_BELOW: f64 = 1.6;

/// Codes a secret in the size that gives the best picture in its own size, by the judgement of the
/// quick effort, to be restored where it gains by that. `budget` is the bytes for a number of
/// segments, none where not even their frame has room; `effort` is that for a size. None where
/// nothing fits.
pub(crate) fn fit(
    secret: &Pixels,
    budget: impl Fn(usize) -> Option<usize>,
    effort: impl Fn((usize, usize)) -> Effort,
    steps: &mut Steps<'_>,
) -> Result<Option<Fitted>, Error> {
    let job = Job {
        secret,
        budget: &budget,
    };
    job.fitted(&effort, steps)
}

/// A secret that was coded in a size, restored if it gains by that.
pub(crate) fn finished(secret: &Pixels, coded: Coded, size: (usize, usize)) -> Fitted {
    let own = (secret.width(), secret.height());
    let bits_per_pixel = 8.0 * coded.len() as f64 / (size.0 * size.1) as f64;
    let may_gain = coded.mse > 0.0 && bits_per_pixel <= RESTORED_BELOW;
    let mut fitted = Fitted {
        size,
        finish: Finish::Plain,
        mse: coded.mse,
        coded,
    };
    if size == own && !may_gain {
        return fitted;
    }
    let decoded = decoded(&fitted.coded).expect("it was just coded");
    let error = |finish: Finish, decoded| mse(secret.raster(), &finish.revealed(decoded, own));
    if size != own {
        fitted.mse = error(Finish::Plain, decoded.clone());
    }
    if may_gain {
        let restored = error(Finish::Restored, decoded);
        if restored < fitted.mse {
            (fitted.finish, fitted.mse) = (Finish::Restored, restored);
        }
    }
    fitted
}

struct Job<'a> {
    secret: &'a Pixels,
    budget: &'a dyn Fn(usize) -> Option<usize>,
}

impl Job<'_> {
    fn budget(&self, size: (usize, usize)) -> Option<usize> {
        (self.budget)(1 + n_stripes(size.0, size.1))
    }

    fn bits_per_pixel(&self, size: (usize, usize)) -> f64 {
        let bits = 8 * self.budget(size).unwrap_or(0);
        bits as f64 / (size.0 * size.1) as f64
    }

    fn own(&self) -> (usize, usize) {
        (self.secret.width(), self.secret.height())
    }

    fn fitted(
        &self,
        effort: &dyn Fn((usize, usize)) -> Effort,
        steps: &mut Steps<'_>,
    ) -> Result<Option<Fitted>, Error> {
        let own = self.own();
        if self.bits_per_pixel(own) >= PLENTY {
            steps.check()?;
            if let Some(fitted) = self.at_size(own, effort(own)) {
                return Ok(Some(fitted));
            }
        }
        let Some(quick) = self.quick(steps)? else {
            return Ok(None);
        };
        if quick.mse == 0.0 || effort(quick.size) == Effort::Fast {
            return Ok(Some(quick));
        }
        steps.check()?;
        let thorough = self.at_size(quick.size, effort(quick.size));
        let better = thorough.filter(|thorough| thorough.mse < quick.mse);
        Ok(Some(better.unwrap_or(quick)))
    }

    /// At the quick effort in the size that is best there.
    fn quick(&self, steps: &mut Steps<'_>) -> Result<Option<Fitted>, Error> {
        let (own, picture) = (self.own(), coding_picture(self.secret));
        let encoder = Encoder::new(&picture, Effort::Fast);
        let budget = self.budget(own);
        if let Some(coded) = budget.and_then(|budget| encoder.encode_without_loss(budget)) {
            return Ok(Some(finished(self.secret, coded, own)));
        }
        let best = self.reduced(steps)?;
        let curve = encoder.estimate();
        let within = budget.filter(|&budget| curve.reaches(budget));
        let expected = within.map(|budget| curve.mse_at(budget));
        let bound = best.as_ref().map(|best| PLAINLY_BETTER * best.mse);
        if expected.zip(bound).is_some_and(|(mse, bound)| mse < bound) {
            steps.check()?;
            let unreduced = self.at_size(own, Effort::Fast);
            let better = |fitted: &Fitted| best.as_ref().is_none_or(|best| fitted.mse < best.mse);
            return Ok(unreduced.filter(better).or(best));
        }
        Ok(best)
    }

    /// The best reduction: from the first size with enough bits for its pixels on, until it gets
    /// worse.
    fn reduced(&self, steps: &mut Steps<'_>) -> Result<Option<Fitted>, Error> {
        let mut best: Option<Fitted> = None;
        let mut size = self.own();
        while size != (1, 1) {
            size = reduced(size);
            if self.bits_per_pixel(size) < ENOUGH && size != (1, 1) {
                continue;
            }
            steps.check()?;
            let fitted = self.at_size(size, Effort::Fast);
            if let (Some(best), Some(fitted)) = (&best, &fitted)
                && fitted.mse >= best.mse
            {
                break;
            }
            best = fitted.or(best);
        }
        Ok(best)
    }

    fn at_size(&self, size: (usize, usize), effort: Effort) -> Option<Fitted> {
        let reduced = (size != self.own())
            .then(|| Pixels::from_raster(self.secret.raster().resized(size.0, size.1)));
        let picture = coding_picture(reduced.as_ref().unwrap_or(self.secret));
        let coded = Encoder::new(&picture, effort)
            .encode_to_bytes(self.budget(size)?)
            .ok()?;
        Some(finished(self.secret, coded, size))
    }
}

/// What the decoder makes of it.
pub(crate) fn decoded(coded: &Coded) -> Option<Decoded> {
    let segments: Vec<Option<&[u8]>> = coded.segments.iter().map(|s| Some(&s[..])).collect();
    decode(&segments, underdrawing_codec::MAX_PIXELS).ok()
}

/// Mean squared error of two pictures of one size.
pub(crate) fn mse(a: &Raster<u8>, b: &Raster<u8>) -> f64 {
    let squares = a
        .samples
        .iter()
        .zip(&b.samples)
        .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2));
    squares.sum::<u64>() as f64 / a.samples.len() as f64
}

fn reduced(size: (usize, usize)) -> (usize, usize) {
    let side = |n: usize| ((n as f64 * REDUCTION) as usize).max(1);
    (side(size.0), side(size.1))
}
