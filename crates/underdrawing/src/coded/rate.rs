//! How many bytes the secret gets, and what the cover pays for them.

use underdrawing_codec::{Coded, Encoder, n_stripes};

use crate::coding::{coding_picture, decibels_of_mse, mse_of_decibels};
use crate::error::Error;
use crate::picture::Pixels;
use crate::progress::Steps;
use crate::reduction::{self, Finish, Fitted};
use crate::secrecy::TAG_BYTES;

use super::channel::assured_capacity;
use super::layout::directory_bytes;
use super::mix::{Costs, Mix};
use super::options::{CodedOptions, CodedRate};
use super::preamble;

/// A mix with fewer bits is worth its header when it leaves this share of them unused.
const WORTH_SHRINKING: f64 = 0.99;

/// Encodings at most before a restored secret is as near to a quality asked for as this.
const RESTORED_ROUNDS: usize = 4;
const RESTORED_WITHIN: f64 = 0.99;

/// Encodings at most before container and revealed picture count as equal.
const EQUAL_ROUNDS: usize = 4;

/// Decibels that a bit more for each pixel of the secret is expected to buy, between the 3.0 and
/// 2.5 that validation pictures showed from 3 to 4.75 and to 6 bits; the rounds do the rest.
const DB_A_BIT: f64 = 2.75;

/// Times the bytes that there are: estimates are a few per cent off, far more for odd pictures.
const PLAINLY_TOO_MUCH: usize = 2;

/// As near as equal qualities have to be, in dB.
const EQUAL_WITHIN_DB: f64 = 0.05;

/// A secret that fits its cover, and the mix that holds it.
pub(super) struct Held {
    pub(super) fitted: Fitted,
    pub(super) mix: Mix,
}

/// Codes the secret so that it fits.
pub(super) fn fit(
    cover: &Pixels,
    secret: &Pixels,
    options: &CodedOptions,
    steps: &mut Steps<'_>,
) -> Result<Held, Error> {
    let job = Job {
        cover,
        secret,
        costs: Costs::of(cover),
        options,
    };
    match options.rate {
        CodedRate::Ternary => job.at_mix(Mix::TERNARY, steps),
        CodedRate::ContainerDb(db) => {
            let mix = mix_within(cover, mse_of_decibels(db)?, &job.costs);
            job.at_mix(mix, steps)
        }
        CodedRate::RevealedDb(db) => job.at_quality(db, steps),
        CodedRate::Equal => job.equal(steps),
    }
}

/// The mix of the most bits that keeps a container's error within `mse`, header and all.
pub(super) fn mix_within(cover: &Pixels, mse: f64, costs: &Costs) -> Mix {
    let (all, payload) = (cover.data().len() as f64, payload_samples(cover) as f64);
    let of_header = (all - payload) * costs.mse(Mix::TERNARY);
    Mix::within_error((all * mse - of_header) / payload.max(1.0), costs)
}

/// Samples of a cover that hold the payload.
fn payload_samples(cover: &Pixels) -> usize {
    cover.data().len().saturating_sub(preamble::SAMPLES)
}

/// Bytes for the segments of a coded picture; none where not even what is around them fits.
pub(super) fn budget(cover: &Pixels, mix: Mix, n_segments: usize) -> Option<usize> {
    assured_capacity(payload_samples(cover), mix).checked_sub(overhead(n_segments))
}

/// Segments of a coded picture of this size.
pub(super) fn n_segments((width, height): (usize, usize)) -> usize {
    1 + n_stripes(width, height)
}

/// Bytes around coded segments: their directory, and a seal each and for the directory.
fn overhead(n_segments: usize) -> usize {
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
    fn at_mix(&self, mix: Mix, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let budget = |n_segments| budget(self.cover, mix, n_segments);
        let effort = |size| self.options.effort_for(size);
        let fitted = reduction::fit(self.secret, budget, effort, steps)?;
        let fitted = fitted.ok_or_else(|| self.too_small(mix))?;
        Ok(self.held(fitted, mix))
    }

    /// The secret at a quality, in the fewest bytes.
    fn at_quality(&self, db: f64, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let size = (self.secret.width(), self.secret.height());
        let mse = mse_of_decibels(db)?;
        steps.check()?;
        let secret = coding_picture(self.secret);
        let encoder = Encoder::new(&secret, self.options.effort_for(size));
        let most = assured_capacity(payload_samples(self.cover), Mix::HIGHEST);
        let curve = encoder.estimate();
        let room = budget(self.cover, Mix::HIGHEST, n_segments(size)).unwrap_or(0);
        let reachable_db = decibels_of_mse(curve.mse_at(room));
        let too_much = |needed| Error::RevealedDb {
            asked_db: db,
            needed,
            most,
            reachable_db: (reachable_db < db).then_some(reachable_db),
        };
        // Not coded where that is plain, unless it is a drawing, which takes less without loss.
        let expected = curve.bytes_at(mse);
        if expected > PLAINLY_TOO_MUCH * most && encoder.encode_without_loss(most).is_none() {
            return Err(too_much(expected));
        }
        let fitted = self.within_error(&encoder, mse, steps)?;
        let needed = needed(&fitted.coded);
        let Some(mix) = self.least_mix(needed) else {
            return Err(too_much(needed));
        };
        Ok(Held { fitted, mix })
    }

    /// The secret in its own size with an error of at most `mse`: coded more coarsely where it is
    /// restored.
    fn within_error(
        &self,
        encoder: &Encoder<'_>,
        mse: f64,
        steps: &mut Steps<'_>,
    ) -> Result<Fitted, Error> {
        let at = |aim| self.finished(encoder.encode_to_mse(aim));
        let mut best = at(mse);
        let (mut aim, mut found) = (mse, best.mse);
        for _ in 0..RESTORED_ROUNDS {
            if best.finish == Finish::Plain || best.mse >= RESTORED_WITHIN * mse {
                break;
            }
            steps.check()?;
            aim *= mse / found * f64::midpoint(1.0, RESTORED_WITHIN);
            let fitted = at(aim);
            found = fitted.mse;
            if found <= mse {
                best = fitted;
            }
        }
        Ok(best)
    }

    fn finished(&self, coded: Coded) -> Fitted {
        let own = (self.secret.width(), self.secret.height());
        reduction::finished(self.secret, Fitted::in_own_size(coded, own))
    }

    /// Both pictures at one quality, as nearly as it goes with the secret in its own size.
    fn equal(&self, steps: &mut Steps<'_>) -> Result<Held, Error> {
        let own = (self.secret.width(), self.secret.height());
        let mut best = self.at_mix(Mix::TERNARY, steps)?;
        if best.fitted.mse == 0.0 {
            return Ok(best);
        }
        let secret = coding_picture(self.secret);
        let encoder = Encoder::new(&secret, self.options.effort_for(own));
        let budget = |mix| budget(self.cover, mix, n_segments(own)).unwrap_or(0);
        let mut tried = best.mix;
        // What the last encoding gave, which the next mix is chosen by.
        let (mut bytes, mut mse) = (best.fitted.coded.len() as f64, best.fitted.mse);
        for _ in 0..EQUAL_ROUNDS {
            if self.decibels_apart(&best) < EQUAL_WITHIN_DB {
                break;
            }
            let pixels = (own.0 * own.1) as f64;
            let expected = |mix| {
                let more = 8.0 * (budget(mix) as f64 - bytes) / pixels;
                mse * 10.0_f64.powf(-0.1 * DB_A_BIT * more)
            };
            let crossing = Mix::least(|mix| expected(mix) <= self.costs.mse(mix));
            let mix = crossing.unwrap_or(Mix::HIGHEST);
            if mix == tried {
                break;
            }
            steps.check()?;
            let Ok(coded) = encoder.encode_to_bytes(budget(mix)) else {
                break;
            };
            tried = mix;
            let fitted = self.finished(coded);
            (bytes, mse) = (fitted.coded.len() as f64, fitted.mse);
            if mse == 0.0 {
                return Ok(self.held(fitted, mix));
            }
            let held = Held { fitted, mix };
            if self.decibels_apart(&held) < self.decibels_apart(&best) {
                best = held;
            }
        }
        Ok(best)
    }

    /// How far apart the qualities of container and revealed picture are.
    fn decibels_apart(&self, held: &Held) -> f64 {
        let container = decibels_of_mse(self.costs.mse(held.mix));
        (decibels_of_mse(held.fitted.mse) - container).abs()
    }

    /// With no more bits than it takes.
    fn held(&self, fitted: Fitted, mix: Mix) -> Held {
        let needed = needed(&fitted.coded);
        let room = assured_capacity(payload_samples(self.cover), mix);
        let mix = if (needed as f64) < WORTH_SHRINKING * room as f64 {
            self.least_mix(needed).unwrap_or(mix)
        } else {
            mix
        };
        Held { fitted, mix }
    }

    fn least_mix(&self, needed: usize) -> Option<Mix> {
        let n_samples = payload_samples(self.cover);
        Mix::least(|mix| assured_capacity(n_samples, mix) >= needed)
    }

    fn too_small(&self, mix: Mix) -> Error {
        let (width, height) = (self.cover.width(), self.cover.height());
        let room = |mix| assured_capacity(payload_samples(self.cover), mix);
        let (bytes, usual) = (room(mix), room(Mix::TERNARY));
        match self.options.rate {
            CodedRate::ContainerDb(asked_db) if bytes < usual => Error::NoRoomAtDb {
                asked_db,
                width,
                height,
                bytes,
                usual,
            },
            _ => Error::NoRoom {
                width,
                height,
                bytes,
            },
        }
    }
}

/// Bytes of the sealed payload.
fn needed(coded: &Coded) -> usize {
    coded.len() + overhead(coded.segments.len())
}
