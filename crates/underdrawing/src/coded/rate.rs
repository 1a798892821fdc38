//! How many bytes the secret gets, and what the cover pays for them.

use underdrawing_codec::{Coded, Encoder, Picture, n_stripes};

use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::Steps;
use crate::secrecy::TAG_BYTES;

use super::channel::assured_capacity;
use super::layout::directory_bytes;
use super::mix::{Costs, Mix};
use super::options::{CodedOptions, CodedRate};
use super::preamble;

/// Below this quality a secret larger than its cover is reduced in size, so that what is coded is
/// better: 32 dB.
const LEAST_DB: f64 = 32.0;

/// What the estimate of a rate is off by at most, or nearly.
const ESTIMATE_WITHIN_DB: f64 = 3.0;

/// Share of a side that a reduction keeps: steps of 0.7 in area.
const REDUCTION: f64 = 0.84;

/// A mix with fewer bits is worth its header when it leaves this share of them unused.
const WORTH_SHRINKING: f64 = 0.99;

/// Encodings at most before container and revealed picture count as equal.
const EQUAL_ROUNDS: usize = 4;

/// Decibels that a bit more for each pixel of the secret is expected to buy, between the 3.0 and
/// 2.5 that validation pictures showed from 3 to 4.75 and to 6 bits; the rounds do the rest.
const DB_A_BIT: f64 = 2.75;

/// As near as equal qualities have to be, in dB.
const EQUAL_WITHIN_DB: f64 = 0.05;

/// A secret that fits its cover.
pub(super) struct Fitted {
    pub(super) coded: Coded,
    /// Width and height of the coded picture.
    pub(super) size: (usize, usize),
    pub(super) mix: Mix,
}

/// Codes the secret so that it fits.
pub(super) fn fit(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions,
    steps: &mut Steps<'_>,
) -> Result<Fitted, Error> {
    let job = Job {
        cover,
        secret,
        costs: Costs::of(cover),
        options,
    };
    match options.rate {
        CodedRate::Ternary => job.at_mix(Mix::TERNARY, steps),
        CodedRate::ContainerDb(db) => {
            let mix = Mix::within_error(mse_of_decibels(db)?, &job.costs);
            job.at_mix(mix, steps)
        }
        CodedRate::RevealedDb(db) => job.at_quality(db, steps),
        CodedRate::Equal => job.equal(steps),
    }
}

/// Samples of a cover that hold the payload.
pub(super) fn payload_samples(cover: &Pixels) -> usize {
    cover.data().len().saturating_sub(preamble::SAMPLES)
}

/// Bytes around coded segments: their directory, and a seal each and for the directory.
pub(super) fn overhead(n_segments: usize) -> usize {
    directory_bytes(n_segments) + TAG_BYTES * (1 + n_segments)
}

struct Job<'a> {
    cover: &'a Pixels,
    secret: &'a Pixels,
    costs: Costs,
    options: &'a CodedOptions,
}

impl Job<'_> {
    /// The best picture that the mix has room for.
    fn at_mix(&self, mix: Mix, steps: &mut Steps<'_>) -> Result<Fitted, Error> {
        let mut size = (self.secret.width(), self.secret.height());
        loop {
            steps.check()?;
            let smallest = size == (1, 1);
            let secret = self.picture(size);
            let encoder = Encoder::new(&secret, self.options.effort_for(size));
            if !smallest && self.is_hopeless(&encoder, size, mix) {
                size = reduced(size);
                continue;
            }
            match encoder.encode_to_bytes(self.budget(size, mix)) {
                Ok(coded) if smallest || self.is_good(&coded, size) => {
                    return Ok(self.fitted(coded, size, mix));
                }
                Err(_) if smallest => return Err(self.too_small(mix)),
                _ => size = reduced(size),
            }
        }
    }

    /// The secret at a quality, in the fewest bytes.
    fn at_quality(&self, db: f64, steps: &mut Steps<'_>) -> Result<Fitted, Error> {
        let size = (self.secret.width(), self.secret.height());
        let mse = mse_of_decibels(db)?;
        steps.check()?;
        let secret = coding_picture(self.secret);
        let coded = Encoder::new(&secret, self.options.effort_for(size)).encode_to_mse(mse);
        let needed = needed(&coded);
        let Some(mix) = self.least_mix(needed) else {
            return Err(Error::RevealedDb {
                asked_db: db,
                needed,
                most: assured_capacity(payload_samples(self.cover), Mix::HIGHEST),
            });
        };
        Ok(Fitted { coded, size, mix })
    }

    /// Both pictures at one quality; where the secret has to be reduced for the ternary mix, as
    /// there.
    fn equal(&self, steps: &mut Steps<'_>) -> Result<Fitted, Error> {
        let mut best = self.at_mix(Mix::TERNARY, steps)?;
        if best.coded.mse == 0.0 || best.size != (self.secret.width(), self.secret.height()) {
            return Ok(best);
        }
        let secret = coding_picture(self.secret);
        let encoder = Encoder::new(&secret, self.options.effort_for(best.size));
        let mut tried = best.mix;
        // What the last encoding gave, which the next mix is chosen by.
        let (mut bytes, mut mse) = (best.coded.len() as f64, best.coded.mse);
        for _ in 0..EQUAL_ROUNDS {
            if self.decibels_apart(&best) < EQUAL_WITHIN_DB {
                break;
            }
            let pixels = (self.secret.width() * self.secret.height()) as f64;
            let expected = |mix| {
                let more = 8.0 * (self.budget(best.size, mix) as f64 - bytes) / pixels;
                mse * 10.0_f64.powf(-0.1 * DB_A_BIT * more)
            };
            let crossing = Mix::least(|mix| expected(mix) <= self.costs.mse(mix));
            let mix = crossing.unwrap_or(Mix::HIGHEST);
            if mix == tried {
                break;
            }
            steps.check()?;
            let Ok(coded) = encoder.encode_to_bytes(self.budget(best.size, mix)) else {
                break;
            };
            tried = mix;
            (bytes, mse) = (coded.len() as f64, coded.mse);
            if coded.mse == 0.0 {
                return Ok(self.fitted(coded, best.size, mix));
            }
            let size = best.size;
            let fitted = Fitted { coded, size, mix };
            if self.decibels_apart(&fitted) < self.decibels_apart(&best) {
                best = fitted;
            }
        }
        Ok(best)
    }

    /// How far apart the qualities of container and revealed picture are.
    fn decibels_apart(&self, fitted: &Fitted) -> f64 {
        let container = decibels_of_mse(self.costs.mse(fitted.mix));
        (decibels_of_mse(fitted.coded.mse) - container).abs()
    }

    /// The secret at a size, for the codec.
    fn picture(&self, size: (usize, usize)) -> Picture {
        if size == (self.secret.width(), self.secret.height()) {
            return coding_picture(self.secret);
        }
        let reduced = self.secret.raster().resized(size.0, size.1);
        coding_picture(&Pixels::from_raster(reduced))
    }

    /// Bytes for the segments of a picture.
    fn budget(&self, size: (usize, usize), mix: Mix) -> usize {
        let n_segments = 1 + n_stripes(size.0, size.1);
        assured_capacity(payload_samples(self.cover), mix).saturating_sub(overhead(n_segments))
    }

    /// Whether the coded picture may stay as it is.
    fn is_good(&self, coded: &Coded, size: (usize, usize)) -> bool {
        !self.may_be_reduced(size) || coded.mse == 0.0 || decibels_of_mse(coded.mse) >= LEAST_DB
    }

    /// Whether the estimate says that the picture would be far from good, which saves coding it.
    fn is_hopeless(&self, encoder: &Encoder<'_>, size: (usize, usize), mix: Mix) -> bool {
        self.may_be_reduced(size) && {
            let expected = encoder.estimate().mse_at(self.budget(size, mix));
            decibels_of_mse(expected) < LEAST_DB - ESTIMATE_WITHIN_DB
        }
    }

    /// A secret that is no larger than its cover is never reduced for its quality.
    fn may_be_reduced(&self, size: (usize, usize)) -> bool {
        size.0 * size.1 > self.cover.width() * self.cover.height()
    }

    /// With no more bits than it takes.
    fn fitted(&self, coded: Coded, size: (usize, usize), mix: Mix) -> Fitted {
        let needed = needed(&coded);
        let room = assured_capacity(payload_samples(self.cover), mix);
        let mix = if (needed as f64) < WORTH_SHRINKING * room as f64 {
            self.least_mix(needed).unwrap_or(mix)
        } else {
            mix
        };
        Fitted { coded, size, mix }
    }

    fn least_mix(&self, needed: usize) -> Option<Mix> {
        let n_samples = payload_samples(self.cover);
        Mix::least(|mix| assured_capacity(n_samples, mix) >= needed)
    }

    fn too_small(&self, mix: Mix) -> Error {
        Error::NoRoom {
            width: self.cover.width(),
            height: self.cover.height(),
            bytes: assured_capacity(payload_samples(self.cover), mix),
        }
    }
}

/// Bytes of the sealed payload.
fn needed(coded: &Coded) -> usize {
    coded.len() + overhead(coded.segments.len())
}

fn reduced(size: (usize, usize)) -> (usize, usize) {
    let side = |n: usize| ((n as f64 * REDUCTION) as usize).max(1);
    (side(size.0), side(size.1))
}
